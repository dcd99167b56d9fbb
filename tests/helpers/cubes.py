"""Hyperspectral cubes with a left and a right, written as ENVI files by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np

NM = (450.0, 560.0, 650.0, 705.5, 780.25, 850.0, 940.0)  # wavelengths of the seven bands
CODES = {
    "u1": 1, "i2": 2, "i4": 3, "f4": 4, "f8": 5, "c8": 6, "c16": 9, "u2": 12, "u4": 13,
    "i8": 14, "u8": 15,
}  # fmt: skip
AXES = {"bsq": (0, 1, 2), "bil": (1, 0, 2), "bip": (1, 2, 0)}  # of (bands, lines, samples)


def cube(kind: str = "u2") -> np.ndarray:
    """(7, 4, 5): every value another one, and one bright corner."""
    values = np.arange(140).reshape(7, 4, 5).astype(kind)
    values[:, 0, 4] = 200
    return values + 1j * values[::-1] if kind.startswith("c") else values


def write_envi(
    path: Path,
    values: np.ndarray | None = None,
    *,
    interleave: str = "bsq",
    order: str = "<",
    lines: str = "",
    junk: bytes = b"",
) -> Path:
    """Write PATH and PATH.hdr; the path of the values."""
    values = cube() if values is None else values
    kind = values.dtype.str[1:]
    stored = np.ascontiguousarray(values.transpose(AXES[interleave]))
    path.write_bytes(junk + stored.astype(f"{order}{kind}").tobytes())
    bands, y, x = values.shape
    header = (
        f"ENVI\nsamples = {x}\nlines = {y}\nbands = {bands}\nheader offset = {len(junk)}\n"
        f"data type = {CODES[kind]}\ninterleave = {interleave}\nbyte order = {int(order == '>')}\n"
    )
    Path(f"{path}.hdr").write_text(header + lines)
    return path


def wavelengths(unit: str = "nm", factor: float = 1.0) -> str:
    numbers = ",\n ".join(str(nm * factor) for nm in NM)
    return f"wavelength units = {unit}\nwavelength = {{\n {numbers}\n}}\n"
