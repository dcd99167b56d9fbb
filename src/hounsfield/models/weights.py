"""Pretrained weights: a file's, matched by name and shape, never unpickled."""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from hounsfield.errors import InputError
from hounsfield.models.weight_names import looks_like, spoken, stems

LEAST = 0.8  # of a network's weights must fit, or the file is another network's
INSIDE = ("state_dict", "model_state_dict", "model")  # where training scripts put the weights


@dataclass(frozen=True)
class Matched:
    """Which layers took weights from a file."""

    taken: tuple[str, ...]
    adapted: tuple[str, ...]  # first layers' channels summed or shared; places resampled
    fresh: tuple[str, ...]  # of the network, not in the file or of another shape
    unused: tuple[str, ...]  # of the file
    names: str = "its own"  # the library whose names the file has

    def __str__(self) -> str:
        return (
            f"{len(self.taken)} layers' weights taken, {len(self.adapted)} adapted to the "
            f"channels, {len(self.fresh)} start fresh, {len(self.unused)} of the file unused"
        )

    def listed(self) -> dict[str, Any]:
        """All lists, as run.json keeps them."""
        return {
            "names": self.names,
            "taken": list(self.taken),
            "adapted": list(self.adapted),
            "fresh": list(self.fresh),
            "unused": list(self.unused),
        }


def read_state(file: Path) -> dict[str, Tensor]:
    """The tensors in a .safetensors or PyTorch file; nothing in it is executed.

    Raises:
        InputError: missing, damaged, or holding anything but tensors and plain values.
    """
    if not file.is_file():
        raise InputError("there is no such weights file", file=file, remedy="check --model.weights")
    try:
        if file.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on odd protocols: what matters is raised
            state = torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise InputError(
            "the file carries pickled code, which we do not run, or is no weights file",
            file=file,
            expected="a file of tensors only",
            remedy="save state_dict() alone, best as .safetensors",
        ) from error
    except Exception as error:
        raise InputError(
            f"the weights cannot be read ({type(error).__name__})",
            file=file,
            remedy="copy it again",
        ) from error
    return _tensors(state, file)


def load_into(network: nn.Module, state: Mapping[str, Tensor], file: str | Path) -> Matched:
    """Copy what fits by name and shape; a first layer with other channels is summed or shared.

    Names of timm, torchvision, torchxrayvision and efficientnet_pytorch are understood. Nothing
    is copied where anything is refused.

    Raises:
        InputError: too little of the network fits: they are another one's; or a weight that
            would be taken is not a finite number.
    """
    own = network.state_dict()
    said = spoken(state, network)
    first = stems(network)
    taken: dict[str, Tensor] = {}
    adapted: dict[str, Tensor] = {}
    for name, tensor in own.items():
        new = said.state.get(name)
        if new is None:
            continue
        if new.shape == tensor.shape:
            resampled = name in state and state[name].shape != new.shape
            (adapted if resampled else taken)[name] = new
        elif name in first and _without_channels(new) == _without_channels(tensor):
            adapted[name] = with_channels(new, tensor.shape[1])
    fitting = taken | adapted
    if (share := _size(own, fitting) / max(1, _size(own, own))) < LEAST:
        raise _another(state, own, share, file)
    _check_finite(fitting, file)
    for name, new in fitting.items():
        own[name].copy_(new)
    fresh = tuple(name for name in own if name not in fitting)
    unused = tuple(name for name in said.state if name not in own)
    return Matched(tuple(taken), tuple(adapted), fresh, unused, said.dialect)


def with_channels(weights: Tensor, channels: int) -> Tensor:
    """A first layer's weights (O, I, …) for other channels: what n equal channels give stays.

    The sum rule: the weights of all channels are summed, and shared among the new ones.
    """
    summed = weights.sum(1, keepdim=True)
    return summed.repeat_interleave(channels, 1) / channels


def _another(
    state: Mapping[str, Tensor], own: Mapping[str, Tensor], share: float, file: str | Path
) -> InputError:
    """These are another network's; which, where it can be told."""
    like = looks_like(state)
    if like == "cnn":
        remedy = "they look like a cnn's: --model.name cnn and its run's --model.settings"
    elif like is not None:
        remedy = f"they look like {like}'s: --model.name {like}"
    else:
        remedy = "check that --model.name is the network that the file was saved from"
    return InputError(
        f"only {share:.0%} of the network's weights are in the file",
        file=file,
        expected=f"at least {LEAST:.0%}, with names like {next(iter(own), '')}",
        remedy=remedy,
    )


def _check_finite(fitting: Mapping[str, Tensor], file: str | Path) -> None:
    bad = [n for n, t in fitting.items() if t.is_floating_point() and not t.isfinite().all()]
    if bad:
        raise InputError(
            f"{len(bad)} layers hold NaN or infinity, the first is {bad[0]}",
            file=file,
            expected="finite weights",
            remedy="take an earlier checkpoint: this one's training had failed",
        )


def _size(own: Mapping[str, Tensor], names: Mapping[str, Tensor]) -> int:
    return sum(own[name].numel() for name in names)


def _without_channels(tensor: Tensor) -> tuple[int, ...]:
    """The shape of a convolution's weights, but for its input channels."""
    return (*tensor.shape[:1], *tensor.shape[2:])


def _tensors(state: Any, file: Path) -> dict[str, Tensor]:
    for key in INSIDE:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    tensors = (
        {str(k): v for k, v in state.items() if isinstance(v, Tensor)}
        if isinstance(state, Mapping)
        else {}
    )
    if not tensors:
        raise InputError("holds no weights", file=file, expected="a state_dict of tensors")
    return tensors
