"""A matrix of features on disk, filled batch by batch: .npz or .parquet, with a row's origin.

`X` (N, F) float32; `id` and further columns of words say whence a row comes; `z`, `y`, `x`
where in the image, for patches. Nothing but the current batch is in memory.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError, UsageError
from hounsfield.files import whole_path

BATCH_BYTES = 32 << 20
SUFFIXES = (".npz", ".parquet")
Words = Mapping[str, Sequence[str | None]]  # column -> a word for each case


def refuse_suffix(path: Path) -> None:
    """Refuse a name that says no format of ours.

    Raises:
        UsageError: neither .npz nor .parquet.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            f"no matrix is written with the suffix {path.suffix!r}",
            file=path,
            expected=" or ".join(SUFFIXES),
        )


@dataclass
class Matrix:
    """Rows as they come, in a scratch folder; `save` makes one file of them."""

    scratch: Path
    width: int = 0
    height: int = 0
    _files: dict[str, IO[bytes]] = field(default_factory=dict)

    def add(self, case: int, rows: NDArray[np.float32], places: NDArray[np.int32]) -> None:
        """Rows (N, F) of the case with this number, and z, y, x of each.

        Raises:
            InputError: another number of columns than the first rows had.
        """
        if not self._files:
            self.width = rows.shape[1]
            self._files = {name: (self.scratch / name).open("wb") for name in ("rows", "places")}
        if rows.shape[1] != self.width:
            raise InputError(
                f"the image gives {rows.shape[1]:,} features, the first one {self.width:,}",
                expected="images of one size, or --size with --features pixels",
            )
        origin = np.column_stack([np.full(len(rows), case, np.int32), places])
        self._files["rows"].write(np.ascontiguousarray(rows, "<f4").tobytes())
        self._files["places"].write(origin.astype("<i4").tobytes())
        self.height += len(rows)

    def save(self, path: Path, words: Words, *, places: bool) -> None:
        """Write it whole or not at all; `words` has the columns of each case.

        Raises:
            InputError: it has no row.
        """
        if not self.height:
            raise InputError("no image gave any features", file=path)
        self.close()
        refuse_suffix(path)
        with whole_path(path, suffix=path.suffix) as part:
            if path.suffix.lower() == ".npz":
                self._npz(part, words, places=places)
            else:
                self._parquet(part, words, places=places)

    def close(self) -> None:
        """Take no more rows."""
        for file in self._files.values():
            file.close()

    def _batches(self) -> Iterator[tuple[NDArray[np.float32], NDArray[np.int32]]]:
        rows = np.memmap(self.scratch / "rows", "<f4", "r", shape=(self.height, self.width))
        origins = np.memmap(self.scratch / "places", "<i4", "r", shape=(self.height, 4))
        step = max(1, BATCH_BYTES // (4 * self.width))
        for start in range(0, self.height, step):
            yield rows[start : start + step], origins[start : start + step]

    def _npz(self, path: Path, words: Words, *, places: bool) -> None:
        with zipfile.ZipFile(path, "w", allowZip64=True) as archive:

            def member(name: str, kind: Any, shape: tuple[int, ...], parts: Iterator[Any]) -> None:
                # A fixed date: the same matrix has the same bytes.
                info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
                with archive.open(info, "w", force_zip64=True) as file:
                    head = {"descr": kind.str, "fortran_order": False, "shape": shape}
                    np.lib.format.write_array_header_2_0(file, head)
                    for part in parts:
                        file.write(np.ascontiguousarray(part, kind).tobytes())

            member("X", np.dtype("<f4"), (self.height, self.width), (r for r, _ in self._batches()))
            for name, column in words.items():
                known = np.array(["" if word is None else word for word in column])
                chosen = (known[origin[:, 0]] for _, origin in self._batches())
                member(name, known.dtype, (self.height,), chosen)
            for axis, name in enumerate("zyx" if places else "", 1):
                column_of = (origin[:, axis] for _, origin in self._batches())
                member(name, np.dtype("<i4"), (self.height,), column_of)

    def _parquet(self, path: Path, words: Words, *, places: bool) -> None:
        import polars as pl

        parts = []
        for number, (rows, origins) in enumerate(self._batches()):
            cases = origins[:, 0]
            table = pl.DataFrame(
                {
                    name: pl.Series(column, dtype=pl.String).gather(cases)
                    for name, column in words.items()
                }
            )
            for axis, name in enumerate("zyx" if places else "", 1):
                table = table.with_columns(pl.Series(name, np.array(origins[:, axis])))
            features = pl.Series("X", np.array(rows), dtype=pl.Array(pl.Float32, self.width))
            parts.append(self.scratch / f"{number}.parquet")
            table.with_columns(features).write_parquet(parts[-1])
        pl.scan_parquet(parts).sink_parquet(path)
