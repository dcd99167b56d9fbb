"""NIfTI-1 and NIfTI-2: .nii, .nii.gz and pairs of .hdr and .img, read and written.

x, y, z become X, Y, Z; all axes behind them are flattened into C in the order of the file.
Values are scaled where the header says so; unscaled ones keep their stored type. An image
without orientation (both codes 0) of one slice, or of slices without a distance, is a `Plane`,
without voxel sizes it has no geometry; else it has the centred affine that nibabel gives it,
and `stored["orientation"]` says "none". What the header's intent says stands in
`stored["intent"]`.
"""

from __future__ import annotations

from pathlib import Path

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import frame_range, refusing
from hounsfield.formats.nifti import extensions as nifti_extensions
from hounsfield.formats.nifti import pair as nifti_pair
from hounsfield.formats.nifti import writing as nifti_write
from hounsfield.formats.nifti.fields import (
    COLOUR,
    COMPLEX,
    MAGIC_1,
    MAGIC_2,
    PAIR_1,
    PAIR_2,
    Fields,
    affine_of,
    disagreement,
    parse,
)
from hounsfield.formats.nifti.voxels import Voxels
from hounsfield.formats.places import patient
from hounsfield.formats.streams import beginning, is_gzip
from hounsfield.geometry import Geometry, Plane, shifted
from hounsfield.image import RGB, Channel, Image

SUFFIX = ".nii.gz"
EXTRA = None

_AGREE = 0.01  # mm; float32 headers differ by less


def sniff(head: bytes, path: Path) -> bool:
    if _is_header(beginning(head, 544)):
        return True
    header = nifti_pair.header_for(path)
    return header is not None and _is_pair(nifti_pair.start_of(header))


def find(path: Path) -> list[Source]:
    """The file, or both of a pair whichever was given.

    Raises:
        FormatError: the header of a pair without its voxels.
    """
    block = nifti_pair.start_of(path)
    if _is_pair(block) or not _is_header(block):
        return [nifti_pair.source_of(path)]
    return [Source.of(path)]


def header(source: Source) -> Header:
    """The header alone; of a .nii.gz only its first kilobytes are inflated.

    Raises:
        FormatError: a field outside the standard, or more voxels promised than the file can hold.
        GeometryError: an affine that is singular.
    """
    with refusing(source.file, "the header"):
        return _header(source, *_opened(source))


def read(source: Source, like: Like | None = None) -> Image:
    """The voxels as physical values (C, Z, Y, X), read or inflated into their own buffer.

    Raises:
        FormatError: as `header`, or truncated or damaged voxels.
    """
    with refusing(source.file, "the voxels"):
        fields, voxels = _opened(source)
        head = _header(source, fields, voxels)
        planes = voxels.read(*frame_range(source, fields.dim[2]))
        array = as_small(chosen(planes, like, source.file))
        return Image(array, head.geometry, head.channels, _stored(fields))


def slab(source: Source, z0: int, z1: int) -> Image:
    """Some planes: of plain files the others are not read, of our own gzip not inflated."""
    return read(source.part(z0, z1))


def write(image: Image, path: Path) -> None:
    """Write NIfTI-1, or NIfTI-2 where an axis is longer than 32,767; every value is kept.

    Raises:
        FormatError: the format has no such values, or no such geometry.
    """
    nifti_write.write(image, path)


def write_pair(image: Image, path: Path) -> None:
    """Write x.hdr and x.img, given the name of either; both appear whole, the header last.

    Raises:
        FormatError: as `write`.
    """
    nifti_write.write_pair(image, path)


def _is_header(block: bytes) -> bool:
    return _is_pair(block) or block[344:348] == MAGIC_1 or block[4:8] == MAGIC_2[:4]


def _is_pair(block: bytes) -> bool:
    return block[344:348] == PAIR_1 or block[4:8] == PAIR_2[:4]


def _opened(source: Source) -> tuple[Fields, Voxels]:
    path = source.file
    fields = parse(nifti_pair.start_of(path), path)
    data = path
    if bytes(fields.values["magic"]).startswith((b"ni1", b"ni2")):
        data = (source if len(source.paths) == 2 else nifti_pair.source_of(path)).files[1]
    elif fields.offset < fields.size:
        raise FormatError(f"vox_offset {fields.offset} lies inside the header", file=path)
    shape = (fields.planes, fields.dim[2], fields.dim[1], fields.dim[0])
    voxels = Voxels(data, fields.offset, fields.dtype, shape, fields.numbers, fields.scaling)
    voxels.check()
    return fields, voxels


def _header(source: Source, fields: Fields, voxels: Voxels) -> Header:
    first, last = frame_range(source, fields.dim[2])
    found = nifti_extensions.read(fields)
    return Header(
        format="nifti",
        shape=(voxels.channels, last - first, fields.dim[1], fields.dim[0]),
        dtype=voxels.value_dtype,
        geometry=_geometry(fields, first),
        channels=_channels(fields, found.channels),
        facts=Facts(stored=_coding(fields, found.count, is_gzip(voxels.file))),
    )


def _coding(fields: Fields, extensions: int, zipped: bool) -> str:
    slope, intercept = fields.scaling
    words = f"NIfTI-{fields.version}, {fields.dtype.newbyteorder('=')}"
    words += f" × {slope:g} + {intercept:g}" if (slope, intercept) != (1, 0) else ""
    words += f"; {fields.intent.words}" if fields.intent else ""
    apart = disagreement(fields)
    words += f"; sform and qform are {apart:.3g} mm apart" if apart and apart > _AGREE else ""
    if extensions:
        words += f"; {extensions} extension{'s' if extensions > 1 else ''} not read"
    return words + (", gzip" if zipped else "")


def _channels(fields: Fields, written: tuple[Channel, ...]) -> tuple[Channel, ...]:
    """What C holds: as we wrote it, else what colours, complex numbers, times and intent tell."""
    count = fields.channels
    if written:
        return written
    if fields.datatype in COLOUR:
        return tuple(channel for _ in range(fields.planes) for channel in RGB)
    if fields.datatype in COMPLEX:
        return tuple(Channel(name) for _ in range(fields.planes) for name in ("real", "imaginary"))
    times, intent = fields.times, fields.intent
    if intent is not None and intent.components and fields.dim[4] == count > 1:
        return tuple(Channel(f"component {i + 1}") for i in range(count))
    name = intent.channel if intent is not None else ""
    return tuple(Channel(name, time=times[i] if times else None) for i in range(count))


def _geometry(fields: Fields, first: int) -> Geometry:
    affine, method = affine_of(fields)
    if method == "none":
        note = bytes(fields.values["descrip"]).split(b"\0")[0]
        # The shortest decimal of the stored float32 or float64: 0.1, not 0.10000000149
        sizes = (abs(float(str(size))) for size in fields.values["pixdim"][1:4])
        x, y, z = (size * fields.millimetres for size in sizes)
        if note == nifti_write.NO_GEOMETRY or not (x > 0 and y > 0):
            return None
        if fields.dim[2] == 1 or z == 0 or note in nifti_write.CALIBRATIONS:
            return Plane((x, y), nifti_write.CALIBRATIONS.get(note, "unknown"))
    return shifted(patient(affine, fields.file), first)


def _stored(fields: Fields) -> dict[str, object]:
    slope, intercept = fields.scaling
    return {
        "format": "nifti",
        "version": fields.version,
        "dtype": fields.dtype.newbyteorder("=").name,
        "slope": slope,
        "intercept": intercept,
        "orientation": affine_of(fields)[1],
        "sform_qform_apart_mm": disagreement(fields),
        "dim": fields.dim,
        "intent": fields.intent.stored if fields.intent else None,
        "extensions": nifti_extensions.read(fields).count,
    }
