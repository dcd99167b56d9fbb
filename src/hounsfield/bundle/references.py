"""Five cases that travel with a bundle, and what must come out for them.

They are made, not patients': smooth random pictures with the training part's brightness, and
rows of its table. Made ones are kept as they are before preparing, so that preparing is checked
too. A run's own test pictures may be asked for; they are kept prepared only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from hounsfield.errors import RunError
from hounsfield.image import RGB, Image
from hounsfield.inference.stream import prepared_case
from hounsfield.inference.unlike import Ranges
from hounsfield.preprocessing.contract import Preprocessing
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks import load as load_task
from hounsfield.tasks.contract import Calibration

FILE = "references.safetensors"
COUNT = 5
LARGEST_PICTURE = 1 << 28  # values
GRAIN = (4, 9)  # coarse and fine blobs along a side
STEP = 2 / 4095  # a prepared value may round to the cache's next step on another processor
LARGEST_DIFFERENCE = {"fp32": 1e-4, "int8": 2e-2}  # in answers; 8 bits round by the processor

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class References:
    """`prepared` (N, C, D, Y, X); `table` (N, W) or None; `outputs` (N, K), PyTorch's in fp32.

    `raw` are the pictures before preparing, (C, Z, Y, X) each; empty where they are patients'.
    `int8` are the outputs in 8 bits on the machine that exported.
    """

    raw: tuple[NDArray[Any], ...]
    prepared: Array
    table: Array | None
    outputs: Array
    int8: Array | None = None

    def expected(self, precision: str) -> Array:
        """The outputs that a way to compute must give."""
        return self.outputs if precision == "fp32" or self.int8 is None else self.int8

    def to_bytes(self) -> bytes:
        """As a safetensors file: numbers and their shapes, and nothing that runs."""
        from safetensors.numpy import save

        named: dict[str, NDArray[Any]] = {f"raw.{i}": one for i, one in enumerate(self.raw)}
        named |= {"prepared": self.prepared, "outputs": self.outputs}
        named |= {"table": self.table} if self.table is not None else {}
        named |= {"int8": self.int8} if self.int8 is not None else {}
        content: bytes = save({k: np.ascontiguousarray(v) for k, v in named.items()})
        return content

    @classmethod
    def from_bytes(cls, content: bytes) -> References:
        """What `to_bytes` wrote.

        Raises:
            RunError: it is damaged.
        """
        from safetensors import SafetensorError
        from safetensors.numpy import load

        try:
            found = load(content)
            raw = tuple(found[f"raw.{i}"] for i in range(COUNT) if f"raw.{i}" in found)
            prepared, outputs = found["prepared"], found["outputs"]
            if prepared.ndim != 5 or not len(prepared) == len(outputs) > 0:
                raise ValueError(f"shapes {prepared.shape} and {outputs.shape}")
        except (SafetensorError, KeyError, ValueError) as error:
            raise RunError(
                "the bundle's reference cases are damaged",
                file=FILE,
                remedy="copy the whole folder again, or export the run again",
            ) from error
        return cls(raw, prepared, found.get("table"), outputs, found.get("int8"))


def made_pictures(ranges: Ranges, shape: tuple[int, int, int, int]) -> tuple[NDArray[Any], ...]:
    """Pictures (C, Z, Y, X), no one's, from the darkest to the brightest of the training part's.

    A third larger than the network's input (C, D, Y, X), so that preparing has work to do.
    """
    channels, depth, height, width = shape
    grid = (channels, depth if depth == 1 else depth + 2, height * 4 // 3, width * 4 // 3 + 1)
    kind = _type(ranges)
    limits = np.iinfo(kind) if kind.kind in "iu" else np.finfo(np.float32)
    pictures = []
    for number in range(COUNT):
        rng, place = np.random.default_rng([2024, number]), number / (COUNT - 1)
        middle = ranges.median[0] + place * (ranges.median[1] - ranges.median[0])
        top = ranges.p99[0] + place * (ranges.p99[1] - ranges.p99[0])
        spread = max(top - middle, abs(middle) / 4, 1e-3) / 2.3  # 2.3: a normal field's p99
        values = middle + spread * _smooth(rng, grid)
        pictures.append(np.clip(values, float(limits.min), float(limits.max)).astype(kind))
    return tuple(pictures)


def made_rows(spec: TableSpec) -> Array:
    """Rows of a table, no one's: each column drawn by itself."""
    rng = np.random.default_rng(2024)
    drawn: dict[str, list[Any]] = {"case": [f"made-{i}" for i in range(COUNT)]}
    for column in spec.columns:
        if column.kind == "number":
            drawn[column.name] = (column.mean + column.std * rng.normal(size=COUNT)).tolist()
        else:
            drawn[column.name] = rng.choice(np.array(column.levels or ("",)), COUNT).tolist()
    return spec.encode(pl.DataFrame(drawn))


def prepared_pictures(pictures: Sequence[NDArray[Any]], settings: Preprocessing) -> Array:
    """Made pictures as the network gets them, (N, C, D, Y, X)."""
    return np.stack([_prepared(picture, settings) for picture in pictures])


def _prepared(picture: NDArray[Any], settings: Preprocessing) -> Array:
    if settings.colour:
        return prepared_case([Image(picture, None, RGB)], settings).array
    return prepared_case([Image.from_numpy(one[None]) for one in picture], settings).array


def answers(
    outputs: NDArray[Any], task_name: str, settings: dict[str, Any], calibration: Calibration
) -> NDArray[np.float64]:
    """The numbers of predictions.csv, (N, …), that a network's outputs (N, K) become."""
    task: Any = load_task(task_name)
    typed = task.Settings.model_validate(settings)
    several = [task.from_output(one, typed) for one in np.asarray(outputs, np.float64)]
    rows = task.rows(several, [None] * len(several), calibration, typed)
    numbers: NDArray[np.float64] = rows.select(pl.selectors.float()).to_numpy()
    return numbers


def largest_difference(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Between two sets of answers, absolute up to 1 and relative beyond; infinite for NaN."""
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    difference = np.abs(a - b) / np.maximum(1, np.abs(b))
    return float(np.nan_to_num(difference, nan=np.inf).max())


def _type(ranges: Ranges) -> np.dtype[Any]:
    """A type that the training images may have had, by their values."""
    low, high = min(ranges.median), max(ranges.p99)
    if low >= 0 and 2 < high <= 255:
        return np.dtype(np.uint8)
    whole = low >= -32768 and 255 < high <= 32767
    return np.dtype(np.int16 if whole else np.float32)


def _smooth(rng: np.random.Generator, grid: tuple[int, int, int, int]) -> NDArray[np.float64]:
    """Blobs of two sizes and grain, (C, Z, Y, X), of mean 0 and deviation 1."""
    from scipy.ndimage import zoom

    total = 0.3 * rng.normal(size=grid)
    for knots in GRAIN:
        coarse = rng.normal(size=(*grid[:2], knots, knots))
        total += zoom(coarse, (1, 1, grid[2] / knots, grid[3] / knots), order=1, grid_mode=False)
    return np.asarray((total - total.mean()) / total.std())
