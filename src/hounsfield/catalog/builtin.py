"""Real data that comes with an installed library: `dataset:NAME` wherever a path is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hounsfield.catalog import destination
from hounsfield.errors import UsageError, did_you_mean
from hounsfield.files import write_text

PREFIX = "dataset:"


@dataclass(frozen=True)
class Builtin:
    """A data set, and what writes it as one file of a public layout."""

    title: str
    licence: str
    file: str
    text: Callable[[], str]


def materialise(name: str, folder: str | Path) -> Path:
    """Write a built-in data set into a folder, once; the path is that of its file.

    `name` is "digits" or "dataset:digits".

    Raises:
        UsageError: no built-in data set has this name.
        InputError: the folder holds other files. StorageError: it cannot be written to.
    """
    name = name.removeprefix(PREFIX)
    if name not in BUILTIN:
        raise UsageError(f"no built-in data set {name!r}", remedy=did_you_mean(name, BUILTIN))
    path = Path(folder) / BUILTIN[name].file
    if path.is_file():
        return path
    destination.check(Path(folder))
    write_text(path, BUILTIN[name].text())
    return path


def _digits() -> str:
    """1,797 handwritten digits, 8×8 pixels of 0 to 16 (UCI optdigits, the test part)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    header = ",".join(["label", *(f"pixel{i}" for i in range(digits.data.shape[1]))])
    rows = (
        ",".join(map(str, (label, *pixels.astype(int).tolist())))
        for label, pixels in zip(digits.target, digits.data, strict=True)
    )
    return "\n".join([header, *rows, ""])


BUILTIN = {
    "digits": Builtin(
        "Handwritten digits, 1,797 pictures of 8×8 (Alpaydin & Kaynak 1998, in scikit-learn)",
        "CC BY 4.0",
        "digits.csv",
        _digits,
    ),
}
FILES = tuple(one.file for one in BUILTIN.values())
