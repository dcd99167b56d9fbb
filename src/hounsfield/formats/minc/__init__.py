"""MINC 1 (netCDF) and MINC 2 (HDF5): both are read, MINC 2 is written.

The three space axes become Z, Y, X in the order in which the file has them; time, vectors and
others are flattened into C. Stored numbers become real ones by the image-min and image-max of
their slice, as in libminc and nibabel. MINC's world is RAS+. Steps that are not given make no
geometry (nibabel takes 1 mm); unevenly spaced slices are refused.
https://en.wikibooks.org/wiki/MINC/Reference
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError, GeometryError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.formats.minc import writing as minc_write
from hounsfield.formats.minc.files import CLASSIC, HDF5, Attributes, Container, opened
from hounsfield.formats.places import HUGE, patient
from hounsfield.formats.remarks import KEY, Remark, understood
from hounsfield.geometry import Geometry, Plane, shifted
from hounsfield.image import Channel, Image

SUFFIX = ".mnc"
EXTRA = None

_SPACES = {"xspace": 0, "yspace": 1, "zspace": 2}  # name -> world axis
_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "m": 1000.0, "um": 1e-3, "": 1.0}
_SECONDS = {"s": 1.0, "sec": 1.0, "seconds": 1.0, "ms": 1e-3}
_MODALITIES = {"MRI": "MR", "MRS": "MR", "MRA": "MR", "PET": "PT", "SPECT": "NM", "GAMMA": "NM",
               "CT": "CT", "DSA": "XA", "DR": "DX"}  # fmt: skip
_UNIT = 1e-4  # how far from 1 the length of direction cosines may be


@dataclass(frozen=True, eq=False)
class _Scale:
    """Real values: clip to `valid`, times `slope`, plus `intercept`; one for each leading axis."""

    valid: tuple[float, float]
    slope: NDArray[np.float64]
    intercept: NDArray[np.float64]

    def part(self, slices: tuple[slice, ...]) -> _Scale:
        mine = slices[: self.slope.ndim]
        return replace(self, slope=self.slope[mine], intercept=self.intercept[mine])


@dataclass(frozen=True, eq=False)
class _Parsed:
    head: Header
    container: Container
    scale: _Scale | None  # None: the stored numbers are the values
    spaces: tuple[int, ...]  # the image's axes that become Z, Y, X or Y, X
    planes: tuple[int, int]
    stored: dict[str, object]


def sniff(head: bytes, path: Path) -> bool:
    """netCDF classic, or an HDF5 file named .mnc or with MINC's group in its first bytes."""
    if head[:4] in CLASSIC:
        return True
    return head[:8] == HDF5 and (b"minc-2.0" in head or path.suffix.lower() in (".mnc", ".mnc2"))


def find(path: Path) -> list[Source]:
    return [Source.of(path)]


def header(source: Source) -> Header:
    """The variables around the image; the image itself is not read.

    Raises:
        FormatError: no image, one that the file cannot hold, or an unusable scaling.
        GeometryError: axes that are uneven, singular or not finite.
    """
    with refusing(source.file, "the header"), opened(source.file) as container:
        return _parsed(source, container).head


def read(source: Source, like: Like | None = None) -> Image:
    """Real values (C, Z, Y, X): as stored where stored numbers mean themselves, else float32,
    or float64 where 32 bits and more are stored.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"), opened(source.file) as container:
        parsed = _parsed(source, container)
        array = chosen(_values(parsed), like, source.file)
        return Image(as_small(array), parsed.head.geometry, parsed.head.channels, parsed.stored)


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes; the others are not read."""
    return read(source.part(z0, z1))


def write(image: Image, path: Path) -> None:
    """MINC 2, deflated, the real values themselves; see `minc_write`.

    Raises:
        FormatError: numbers that MINC has no type for.
    """
    minc_write.write(image, path)


def _parsed(source: Source, container: Container) -> _Parsed:
    path, dims, shape = source.file, container.dims, container.shape
    spaces = tuple(i for i, name in enumerate(dims) if name in _SPACES)
    if len(dims) != len(shape) or len(set(dims)) != len(dims) or not 2 <= len(spaces) <= 3:
        raise FormatError(
            f"axes {','.join(dims)[:60]!r} of an image of {len(shape)}", file=path,
            expected="two or three of xspace, yspace, zspace, and others once each",
        )  # fmt: skip
    for name, size in zip(dims, shape, strict=True):
        _check_axis(container.attributes(name), name, size, path)
    z, y, x = (1, *(shape[i] for i in spaces))[-3:]
    first, last = frame_range(source, z)
    others = [i for i in range(len(dims)) if i not in spaces]
    count = int(np.prod([shape[i] for i in others], dtype=object))
    noted = understood(_text(container.attributes("").get(KEY, b"")), count, path)
    scale = _scale(container, path)
    dtype = container.dtype.newbyteorder("=")
    dtype = dtype if scale is None or _identity(scale) else _real(dtype)
    head = Header(
        format="minc",
        shape=(count, last - first, y, x),
        dtype=dtype,
        geometry=shifted(_geometry(container, spaces, noted, path), first),
        channels=noted.channels or _channels(container, others),
        modality=_modality(container),
        facts=Facts(stored=f"MINC {container.version}, {container.dtype.newbyteorder('=')}"),
    )
    stored: dict[str, object] = {"format": "minc", "version": container.version, "dimorder": dims}
    return _Parsed(head, container, scale, spaces, (first, last), stored)


def _check_axis(attributes: Attributes, name: str, size: int, path: Path) -> None:
    spacing = _text(attributes.get("spacing", b"")).rstrip("_")
    if spacing == "irregular" and name != "time":
        raise GeometryError(
            f"{name} is unevenly spaced", file=path, expected="even steps",
            remedy="resample it onto even steps, e.g. with mincresample",
        )  # fmt: skip
    length = _number(attributes, "length", path)
    if length is not None and length != size:
        raise GeometryError(
            f"{name} says that it has {length:g} samples, the image has {size}", file=path,
            remedy="correct the header; a geometry is never guessed",
        )  # fmt: skip


def _geometry(container: Container, spaces: tuple[int, ...], noted: Remark, path: Path) -> Geometry:
    """The affine, as nibabel has it, the fastest axis first; None without steps."""
    steps, starts, cosines = [], [], []
    for axis in reversed(spaces):
        name = container.dims[axis]
        attributes = container.attributes(name)
        unit = _text(attributes.get("units", b"")).strip()
        if unit not in _MILLIMETRES:
            raise GeometryError(f"{name} is in {unit[:20]!r}", file=path, expected="mm")
        step = _number(attributes, "step", path)
        steps.append(None if step is None else step * _MILLIMETRES[unit])
        starts.append((_number(attributes, "start", path) or 0.0) * _MILLIMETRES[unit])
        cosines.append(_cosines(attributes, name, path))
    x, y, *rest = steps
    if x is None or y is None:
        return None
    if not rest or rest[0] is None:
        return Plane((abs(x), abs(y)), noted.calibration)
    ras_from_axes = np.array(cosines).T
    ras_from_voxel = np.eye(4)
    ras_from_voxel[:3, :3] = ras_from_axes * np.array([x, y, rest[0]])
    ras_from_voxel[:3, 3] = ras_from_axes @ np.array(starts)
    return patient(ras_from_voxel, path)


def _cosines(attributes: Attributes, name: str, path: Path) -> NDArray[np.float64]:
    along: NDArray[np.float64] = np.eye(3)[_SPACES[name]]
    if "direction_cosines" in attributes:
        along = np.asarray(attributes["direction_cosines"], np.float64).reshape(-1)
    # Some tools scale them to length 1, others take them as they are.
    length = float(np.linalg.norm(along)) if np.abs(along).max(initial=0) < 2 else np.inf
    if along.shape != (3,) or not abs(length - 1) < _UNIT:
        raise GeometryError(
            f"the direction cosines of {name} are {along.tolist()[:4]}", file=path,
            expected="three, of length 1", remedy="correct the header",
        )  # fmt: skip
    return along


def _channels(container: Container, others: list[int]) -> tuple[Channel, ...]:
    """What each plane of C is; time in s where its unit is given."""
    times = [_times(container, axis) for axis in others]
    return tuple(
        Channel(time=next((time for time in parts if time is not None), None))
        for parts in product(*times)
    )


def _times(container: Container, axis: int) -> Sequence[float | None]:
    name, size = container.dims[axis], container.shape[axis]
    attributes = container.attributes(name)
    second = _SECONDS.get(_text(attributes.get("units", b"")).strip())
    if name != "time" or second is None:
        return [None] * size
    if _text(attributes.get("spacing", b"")).startswith("irregular"):
        found = container.variable(name)
        uneven = found is not None and found[1].shape == (size,)
        return [float(time) * second for time in found[1]] if found and uneven else [None] * size
    step, start = attributes.get("step"), attributes.get("start", 0.0)
    if step is None:
        return [None] * size
    first, apart = float(np.ravel(start)[0]), float(np.ravel(step)[0])
    return [(first + index * apart) * second for index in range(size)]


def _scale(container: Container, path: Path) -> _Scale | None:
    """How stored numbers become real ones (MINC 1 programmer's guide, "Pixel values")."""
    if container.dtype.kind == "f":
        return None
    high, low = container.variable("image-max"), container.variable("image-min")
    valid = _valid(container, path)
    if high is None or low is None or high[0] != low[0] or high[1].shape != low[1].shape:
        raise FormatError(
            "image-min and image-max are absent, or of different axes", file=path,
            expected="one of each for every slice", remedy="export it again",
        )  # fmt: skip
    count = len(high[0])
    leading = high[0] == container.dims[:count] and high[1].shape == container.shape[:count]
    ends = np.abs([low[1], high[1]])
    if not leading or not (ends < np.finfo(np.float32).max).all():
        raise FormatError(
            f"image-max of axes {','.join(high[0])[:60]!r} and shape {high[1].shape}", file=path,
            expected="finite, of the image's first axes", remedy="export it again",
        )  # fmt: skip
    slope = (high[1] - low[1]) / (valid[1] - valid[0])
    return _Scale(valid, slope, low[1] - valid[0] * slope)


def _valid(container: Container, path: Path) -> tuple[float, float]:
    """The range of stored numbers that image-min and image-max stand for."""
    attributes = container.attributes("image")
    limits = np.iinfo(container.dtype.newbyteorder("=").name)
    low = _number(attributes, "valid_min", path)
    high = _number(attributes, "valid_max", path)
    found = np.array([limits.min, limits.max], np.float64)
    if "valid_range" in attributes:
        found = np.asarray(attributes["valid_range"], np.float64).reshape(-1)
    elif low is not None and high is not None:
        found = np.array([low, high])
    if found.shape != (2,) or not limits.min <= found[0] < found[1] <= limits.max:
        raise FormatError(
            f"valid_range is {found.tolist()[:4]}", file=path,
            expected=f"two numbers of {container.dtype.newbyteorder('=')}, the lower first",
        )  # fmt: skip
    return float(found[0]), float(found[1])


def _identity(scale: _Scale) -> bool:
    return bool((scale.slope == 1).all() and (scale.intercept == 0).all())


def _real(stored: np.dtype[Any]) -> np.dtype[Any]:
    return np.dtype(np.float32 if stored.itemsize <= 2 else np.float64)


def _values(parsed: _Parsed) -> NDArray[Any]:
    """The planes asked for, as (C, Z, Y, X)."""
    container, spaces = parsed.container, parsed.spaces
    slices = [slice(None)] * len(container.dims)
    if len(spaces) == 3:
        slices[spaces[0]] = slice(*parsed.planes)
    raw = np.asarray(container.image[tuple(slices)])
    if parsed.scale is not None:
        raw = _scaled(raw, parsed.scale.part(tuple(slices)), parsed.head.dtype)
    others = [i for i in range(raw.ndim) if i not in spaces]
    return raw.transpose([*others, *spaces]).reshape(parsed.head.shape)


def _scaled(raw: NDArray[Any], scale: _Scale, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Slice by slice, so that float64 is needed for one alone."""
    if _identity(scale):
        limits = [np.asarray(end).astype(raw.dtype) for end in scale.valid]
        return np.clip(raw, *limits)
    deep = scale.slope.ndim
    flat = raw.reshape(-1, *raw.shape[deep:]) if deep else raw
    out = np.empty(flat.shape, dtype)
    slopes = np.resize(scale.slope, len(flat))
    intercepts = np.resize(scale.intercept, len(flat))
    for index, plane in enumerate(flat):
        values = np.clip(plane, *scale.valid).astype(np.float64)
        values *= slopes[index]
        values += intercepts[index]
        out[index] = values
    return out.reshape(raw.shape)


def _modality(container: Container) -> str | None:
    return _MODALITIES.get(_text(container.attributes("study").get("modality", b"")).rstrip("_"))


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


def _number(attributes: Attributes, name: str, path: Path) -> float | None:
    if name not in attributes:
        return None
    try:
        value = float(np.ravel(attributes[name])[0])
    except (ValueError, TypeError, IndexError):
        value = float("nan")
    if not abs(value) < HUGE:
        raise GeometryError(f"{name} is no finite number", file=path, remedy="correct the header")
    return value
