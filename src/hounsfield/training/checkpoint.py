"""Checkpoints: written whole or not at all, read without running anything in them."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import CheckpointIO

from hounsfield.errors import RunError
from hounsfield.files import whole_file

AGAIN = "delete the folder {} and resume: training starts that member again"


def write_tensors(values: Any, path: Path) -> None:
    """What torch.save writes, whole or not at all.

    Raises:
        StorageError: the disk is full or the folder cannot be written.
    """
    buffer = io.BytesIO()  # torch hides an error of the disk in one of its own
    torch.save(values, buffer)
    with whole_file(path) as file:
        file.write(buffer.getbuffer())


class WholeCheckpoints(CheckpointIO):
    """How Lightning stores a checkpoint for us."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        write_tensors(checkpoint, Path(path))

    def load_checkpoint(
        self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True
    ) -> dict[str, Any]:
        """The checkpoint's tensors and plain values.

        Raises:
            RunError: damaged, or it carries pickled code.
        """
        try:
            loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            raise RunError(
                "the checkpoint carries pickled code, which we do not run",
                file=path,
                expected="a checkpoint that hounsfield wrote: tensors and plain values",
                remedy=AGAIN.format(Path(path).parent),
            ) from error
        except Exception as error:
            raise RunError(
                f"the checkpoint cannot be read ({type(error).__name__})",
                file=path,
                remedy=AGAIN.format(Path(path).parent),
            ) from error
        return loaded

    def remove_checkpoint(self, path: Any) -> None:
        Path(path).unlink(missing_ok=True)
