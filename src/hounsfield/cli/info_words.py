"""A header in words: where the image lies, how large it is, what its channels are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hounsfield.formats.contract import Header
    from hounsfield.geometry import Geometry, Patient
    from hounsfield.image import Channel

TOWARDS = {"R": "right", "L": "left", "A": "front", "P": "back", "S": "head", "I": "feet"}
MOST_NAMED = 8
# Words that channels are called by; a name with any other may be somebody's.
CHANNEL_WORDS = frozenset((
    "red", "green", "blue", "alpha", "grey", "gray", "band", "channel", "ch", "echo", "ms", "nm",
    "um", "b", "t", "t1", "t1w", "t1c", "t1ce", "t1gd", "t2", "t2w", "flair", "pd", "dwi", "adc",
    "fa", "md", "bold", "real", "imaginary", "magnitude", "phase", "temperature", "emissivity",
    "reflectance", "radiance", "suv", "suvbw", "bw", "lbm", "lbmjames", "bsa", "james", "hu",
    "ct", "pet", "pt", "mr", "mask", "label", "labels", "x", "y", "z", "time", "near", "infrared",
    "nir", "swir", "dapi", "gfp", "vector", "by", "weight", "lean", "body", "mass", "surface",
))  # fmt: skip


def rows_of(header: Header, *, phi: bool, affine: bool) -> list[tuple[str, str]]:
    """What is known without pixels, as names and values; what is not known is left out."""
    from hounsfield.geometry import Patient

    facts, who = header.facts, header.identity
    units = units_of(header)
    rows: list[tuple[str, str | None]] = [
        ("format", header.format),
        ("modality", header.modality),
        ("series number", None if facts.series is None else str(facts.series)),
        ("size", size_of(header) + _extent(header)),
        ("values", f"{header.dtype}" + (f" ({units})" if units else "")),
        ("channels", channels_of(header, phi=phi)),
        ("stored as", facts.stored),
        ("spacing", _spacing(header.geometry)),
    ]
    if isinstance(header.geometry, Patient):
        rows += _lying(header.geometry)
        if affine:
            rows.append(("affine", _matrix(header.geometry)))
        if phi:
            rows.append(("frame of reference", header.geometry.frame_uid))
    rows += [
        ("window", _window(header)),
        ("view", facts.view),
        ("body part", facts.body_part),
        ("sex, age", _person(header)),
        ("scanner", " ".join(filter(None, (facts.manufacturer, facts.model))) or None),
    ]
    if phi:
        rows += [("patient", who.patient), ("study", who.study)]
        rows += [("series", who.series), ("instance", who.instance)]
    return [(name, value) for name, value in rows if value]


def size_of(header: Header) -> str:
    """Columns × rows × slices."""
    _, z, y, x = header.shape
    return f"{x} × {y}" + (f" × {z}" if z > 1 else "")


def units_of(header: Header) -> str:
    """The units, in the order of the channels."""
    return ", ".join(dict.fromkeys(channel.unit for channel in header.channels if channel.unit))


def spacing_of(geometry: Geometry) -> str:
    """The size of a voxel or pixel in mm; empty where it is not known."""
    return "" if geometry is None else " × ".join(f"{mm:.4g}" for mm in geometry.spacing)


def oblique_of(geometry: Patient) -> list[str]:
    """How far a grid is from the body's axes and from right angles, where it is."""
    from hounsfield.reports.planes import OBLIQUE, pose_of

    pose, told = pose_of(geometry), []
    if pose.turned > OBLIQUE:
        told.append(f"oblique, slices turned {pose.turned:.1f}° from the body's axes")
    if pose.leaning > OBLIQUE:
        told.append(f"sheared, the stack leans {pose.leaning:.1f}° from the slices' normal")
    if pose.skewed > OBLIQUE:
        told.append(f"sheared, rows and columns {pose.skewed:.1f}° from a right angle")
    return told


def channels_of(header: Header, *, phi: bool) -> str | None:
    """What lies on C: "10 times, 0 to 27 s", "3 echoes", "RGB"; None where it is one."""
    count = header.shape[0]
    channels = header.channels
    if count == 1:
        name = channels[0].name if channels else ""
        return name if name and (phi or _says_nothing(name)) else None
    if header.format == "video":
        return f"{_counted(count // 3, 'frame')} of RGB" + _range(_times(channels), "s")
    if len(channels) != count:
        return _counted(count, "channel")
    from hounsfield.reports.planes import layers

    found = layers(channels)
    firsts = [channels[index[0]] for index in found]
    if len(found) < count:
        if len(found) == 1:
            return "RGB"
        return f"{_counted(len(found), 'frame')} of RGB" + _range(_times(firsts), "s")
    told = _kinds(firsts) or [_counted(count, "volume" if header.shape[1] > 1 else "channel")]
    return "; ".join([*told, *_names(firsts, phi=phi)])


def _kinds(channels: Sequence[Channel]) -> list[str]:
    """By what channels differ: time, echo, b-value, wavelength."""
    told = []
    times, waves = _times(channels), {c.wavelength for c in channels if c.wavelength is not None}
    if len(times) > 1:
        told.append(_counted(len(times), "time") + _range(times, "s"))
    echoes = list(dict.fromkeys(c.name for c in channels if c.name.startswith("echo ")))
    if len(echoes) > 1:
        each = ", ".join(name.removeprefix("echo ").removesuffix(" ms") for name in echoes)
        told.append(f"{len(echoes)} echoes" + (f", {each} ms" if len(echoes) <= MOST_NAMED else ""))
    weights = Counter(c.b_value for c in channels if c.b_value is not None)
    if len(weights) > 1:
        each = ", ".join(f"{b:g} ({n}×)" if n > 1 else f"{b:g}" for b, n in sorted(weights.items()))
        few = len(weights) <= MOST_NAMED
        told.append(f"{len(weights)} b-values" + (f", {each} s/mm²" if few else ""))
    if len(waves) > 1:
        told.append(_counted(len(channels), "band") + _range(waves, "nm"))
    return told


def _names(channels: Sequence[Channel], *, phi: bool) -> list[str]:
    names = [c.name for c in channels if c.name and not c.name.startswith("echo ")]
    distinct = list(dict.fromkeys(names))
    if not distinct or (len(distinct) == 1 and len(channels) > 1 and not phi):
        return []
    if not phi and not all(map(_says_nothing, distinct)):
        return ["their names may be somebody's: --phi shows them"]
    if len({c.unit for c in channels}) > 1:  # each with its own
        distinct = list(dict.fromkeys(f"{c.name} ({c.unit or 'no unit'})" for c in channels))
    more = ", …" if len(distinct) > MOST_NAMED else ""
    return [", ".join(distinct[:MOST_NAMED]) + more]


def _says_nothing(name: str) -> bool:
    from hounsfield.catalog import pseudonym

    return pseudonym.plain(name, pseudonym.WORDS | CHANNEL_WORDS)


def _times(channels: Iterable[Channel]) -> set[float]:
    return {channel.time for channel in channels if channel.time is not None}


def _range(values: set[float], unit: str) -> str:
    return f", {min(values):.5g} to {max(values):.5g} {unit}" if len(values) > 1 else ""


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _extent(header: Header) -> str:
    if header.geometry is None:
        return ""
    sizes = header.shape[:0:-1][: len(header.geometry.spacing)]
    each = [n * mm for n, mm in zip(sizes, header.geometry.spacing, strict=True)]
    return f" ({' × '.join(f'{mm:.4g}' for mm in each)} mm)"


def _spacing(geometry: Geometry) -> str:
    from hounsfield.geometry import Plane

    if geometry is None:
        return "unknown: the file gives no millimetres"
    place = f"{spacing_of(geometry)} mm"
    if isinstance(geometry, Plane):
        told = {"object": "in the body", "detector": "at the detector", "unknown": "not said where"}
        place += f", measured {told[geometry.calibration]}"
    return place


def _lying(geometry: Patient) -> list[tuple[str, str | None]]:
    code = geometry.orientation
    each = [f"{axis} to the {TOWARDS[letter]}" for axis, letter in zip("xyz", code, strict=True)]
    return [
        ("orientation", f"{code} ({', '.join(each)})"),
        ("lies", "; ".join(oblique_of(geometry)) or None),
    ]


def _matrix(geometry: Patient) -> str:
    lines = [" ".join(f"{value + 0.0:12.6g}" for value in row) for row in geometry.affine]
    return "\n".join(("voxel (x, y, z) to mm (right, front, head)", *lines))


def _window(header: Header) -> str | None:
    if header.facts.window is None:
        return None
    units = units_of(header)
    centre, width = header.facts.window
    return f"centre {centre:g}, width {width:g}" + (f" {units}" if units else "")


def _person(header: Header) -> str | None:
    age = f"{header.facts.age:.3g} years" if header.facts.age is not None else None
    return ", ".join(filter(None, (header.facts.sex, age))) or None
