"""Writing MINC 2: real values as they are, in HDF5 that libminc and nibabel read.

"MINC 2.0 File Format Reference", en.wikibooks.org/wiki/MINC/Reference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hounsfield.formats.remarks import KEY, remark
from hounsfield.formats.storing import WIDER, storable, time_step
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import Image

_NAMES = ("xspace", "yspace", "zspace")
_KINDS = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")
_WIDER = WIDER | {"i8": "i4", "u8": "u4"}  # where the values fit
_STANDARD = {"varid": "MINC standard variable", "version": "MINC Version    1.0"}


def write(image: Image, path: Path) -> None:
    """Volumes of even times lie along `time`, other channels along `vector_dimension`.

    Raises:
        FormatError: numbers that MINC has no type for.
    """
    import h5py

    array = storable(image.array, _KINDS, "MINC", _WIDER)
    axes = _axes(image.geometry)
    step = time_step(image.channels)
    c = image.shape[0]
    names = [name for name, _ in axes]
    if c == 1:
        array = array[0]
    elif step:
        names.insert(0, "time")
        axes.insert(0, ("time", {"start": image.channels[0].time, "step": step, "units": "s"}))
    else:
        array = np.moveaxis(array, 0, 3)
        names.append("vector_dimension")
        axes.append(("vector_dimension", {}))
    with _steady(path) as stream, h5py.File(stream, "w") as file:
        root = file.create_group("minc-2.0")
        root.create_group("info")
        line = remark(image)
        _say(root, {"ident": "hounsfield"} | ({KEY: line} if line else {}))
        for (name, attributes), size in zip(axes, array.shape, strict=True):
            _dimension(root, name, attributes, size)
        _image(root.create_group("image/0"), array, names)


@dataclass
class _Steady:
    """A file whose writes never fail: HDF5 crashes on closing where one did.

    The first refusal is kept, and what comes after it goes nowhere.
    """

    file: BinaryIO
    refusal: OSError | None = None

    def write(self, data: bytes) -> int:
        rest = memoryview(data).cast("B")
        size = len(rest)
        while len(rest) and self.refusal is None:  # a nearly full disk takes a part
            rest = rest[self._tried(self.file.write, rest) :]
        return size

    def flush(self) -> None:
        self._tried(self.file.flush)

    def truncate(self, size: int) -> int:
        self._tried(self.file.truncate, size)
        return size

    def seek(self, place: int, whence: int = 0) -> int:
        return self.file.seek(place, whence)

    def tell(self) -> int:
        return self.file.tell()

    def read(self, size: int = -1) -> bytes:
        return self.file.read(size)

    def readinto(self, buffer: Any) -> int:
        return self.file.readinto(buffer)  # type: ignore[attr-defined, no-any-return]  # of open()

    def _tried(self, step: Callable[..., int | None], *given: Any) -> int:
        try:
            return (step(*given) if self.refusal is None else None) or 0
        except OSError as error:
            self.refusal = error
            return 0


@contextmanager
def _steady(path: Path) -> Iterator[_Steady]:
    """A new file for HDF5; afterwards, the refusal of the disk if there was one."""
    with path.open("wb+", buffering=0) as file:  # nothing is left to write on closing
        stream = _Steady(file)
        try:
            yield stream
        finally:
            if stream.refusal is not None:
                raise stream.refusal


def _axes(geometry: Geometry) -> list[tuple[str, dict[str, Any]]]:
    """The axes Z, Y, X: each called after the world axis that is nearest to it."""
    if not isinstance(geometry, Patient):
        flat = geometry.spacing if isinstance(geometry, Plane) else ()
        steps: list[dict[str, Any]] = [{"step": size, "units": "mm"} for size in flat]
        return [*zip(_NAMES[::-1], [{}, *reversed([*steps, {}, {}][:2])], strict=True)]
    columns = geometry.affine[:3, :3]
    sizes = np.array(geometry.spacing)
    worlds = ["RLAPSI".index(letter) // 2 for letter in geometry.orientation]
    signs = np.sign([columns[world, voxel] for voxel, world in enumerate(worlds)])
    signs = np.where(signs == 0, 1.0, signs)
    ras_from_axes = columns / (sizes * signs)
    starts = np.linalg.solve(ras_from_axes, geometry.affine[:3, 3])
    found = [
        (
            _NAMES[world],
            {
                "start": float(starts[voxel]),
                "step": float(sizes[voxel] * signs[voxel]),
                "direction_cosines": ras_from_axes[:, voxel],
                "units": "mm",
            },
        )
        for voxel, world in enumerate(worlds)
    ]
    return found[::-1]


def _dimension(root: Any, name: str, attributes: dict[str, Any], size: int) -> None:
    data = root.require_group("dimensions").create_dataset(
        name, data=np.int32(0), track_times=False
    )
    alignment = {"alignment": "centre"} if name in _NAMES else {}
    common = {"vartype": "dimension____", "spacing": "regular__", "length": np.uint32(size)}
    _say(data, {**_STANDARD, **common, **alignment, **attributes})


def _image(group: Any, array: NDArray[Any], names: list[str]) -> None:
    """The voxels; image-min and image-max are the ends of the valid range, so nothing changes."""
    finite = array[np.isfinite(array)] if array.dtype.kind == "f" else array
    if array.dtype.kind != "f":
        limits = np.iinfo(array.dtype)
        low, high = float(limits.min), float(limits.max)
    else:
        low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    chunks = (1,) * (array.ndim - 2) + array.shape[-2:]
    data = group.create_dataset(
        "image",
        data=array,
        chunks=chunks,
        compression="gzip",
        compression_opts=4,
        track_times=False,
    )
    valid = np.array([low, high])
    kind = {"vartype": "group________", "complete": "true_", "valid_range": valid}
    _say(data, {**_STANDARD, **kind, "dimorder": ",".join(names)})
    for name, value in (("image-min", low), ("image-max", high)):
        end = group.create_dataset(name, data=np.float64(value), track_times=False)
        _say(end, {**_STANDARD, "vartype": "var_attribute"})


def _say(where: Any, attributes: dict[str, Any]) -> None:
    """Attributes, words as bytes of a fixed length, as libminc writes them."""
    for name, value in attributes.items():
        where.attrs[name] = np.bytes_(value) if isinstance(value, str) else value
