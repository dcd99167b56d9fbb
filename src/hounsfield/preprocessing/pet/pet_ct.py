"""PET with the CT or MR of the same body: paired, brought onto one grid, side by side as channels.

Two series belong together where they tell one Frame of Reference UID (DICOM PS3.3 C.7.4.1): then
their positions compare. Where they do not, positions say nothing, and only a registration can.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from hounsfield.errors import GeometryError, InputError
from hounsfield.formats.contract import Header, Like, Source, Suv
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image
from hounsfield.preprocessing.pet.registration import Registration, moved, register

OnGrid = Literal["pet", "ct"]
BODY = ("CT", "MR")  # what a PET is paired with
_MODALITIES = {"PT": "a PET", "CT": "a CT", "MR": "an MR"}
LEAST_COVERED = 0.05  # of the PET: less is a scout or another part of the body


@dataclass(frozen=True)
class Pair:
    """A PET and the picture of the body that belongs to it; indices into what was looked at."""

    pet: int
    body: int
    modality: str  # of the body's picture
    same_frame: bool
    covered: float  # share of the PET's volume that lies within the other one, by the headers


def pairs(headers: Sequence[Header]) -> list[Pair]:
    """Every PET with the one CT or MR of its study that shows most of it.

    Those of the PET's own frame of reference go first; others, of the same study, need a
    registration. Slices alone, scouts and what lies elsewhere are left out. A study with two
    equally good ones (a CT in two kernels) gives a pair for each: the caller chooses.
    """
    found = []
    volumes = [i for i, one in enumerate(headers) if _is_volume(one)]
    for pet in (i for i in volumes if headers[i].modality == "PT"):
        known = [_pair(headers, pet, i) for i in volumes if headers[i].modality in BODY]
        same_study = [one for one in known if one is not None]
        near = [p for p in same_study if p.same_frame and p.covered >= LEAST_COVERED]
        chosen = near or [p for p in same_study if not p.same_frame]
        best = max((one.covered for one in chosen), default=0.0)
        found += [one for one in chosen if one.covered > best - 0.02]
    return found


def _is_volume(header: Header) -> bool:
    return isinstance(header.geometry, Patient) and header.shape[0] == 1 and header.shape[1] > 1


def _pair(headers: Sequence[Header], pet: int, body: int) -> Pair | None:
    one, other = headers[pet], headers[body]
    same_person = one.identity.patient == other.identity.patient
    if not same_person or one.identity.study is None or one.identity.study != other.identity.study:
        return None
    assert isinstance(one.geometry, Patient)
    assert isinstance(other.geometry, Patient)
    frames = one.geometry.frame_uid, other.geometry.frame_uid
    same = frames[0] is not None and frames[0] == frames[1]
    return Pair(pet, body, other.modality or "", same, _covered(one, other) if same else 0.0)


def _covered(one: Header, other: Header) -> float:
    """The share of one volume, looked at in 9³ places, that lies within another."""
    assert isinstance(one.geometry, Patient)
    assert isinstance(other.geometry, Patient)
    steps = np.stack(np.meshgrid(*[np.linspace(0, 1, 9)] * 3, indexing="ij"), -1).reshape(-1, 3)
    voxels = steps * (np.array(one.shape[:0:-1]) - 1)
    ras = voxels @ one.geometry.affine[:3, :3].T + one.geometry.affine[:3, 3]
    inverse = np.linalg.inv(other.geometry.affine)
    there = ras @ inverse[:3, :3].T + inverse[:3, 3]
    within = (there > -0.5) & (there < np.array(other.shape[:0:-1]) - 0.5)
    return float(within.all(axis=1).mean())


def combine(
    pet: Image, body: Image, *, grid: OnGrid = "pet", registration: Registration | None = None
) -> Image:
    """Two channels, PET then CT or MR, float32, on the PET's grid or on the other's; linear.

    With a registration (`register(body, pet)`) the PET is first moved into the other's world, by
    its affine: its voxels stay. Beyond a volume stands air, or 0.

    Raises:
        GeometryError: they tell different frames of reference and no registration is given, or
            they do not overlap, or one has no place in a patient.
        InputError: one of them has several channels.
    """
    from hounsfield.spatial import resample

    for name, image in (("PET", pet), ("CT or MR", body)):
        if image.shape[0] != 1:
            raise InputError(f"the {name} has {image.shape[0]} channels", expected="one volume")
        if not isinstance(image.geometry, Patient):
            raise GeometryError(f"the {name} has no place in a patient", expected="a volume")
    assert isinstance(body.geometry, Patient)
    if registration is not None:
        pet = moved(pet, registration, body.geometry.frame_uid)
    elif _apart(pet, body):
        raise _strangers("different frames of reference")
    if grid == "pet":
        body = resample(body, like=pet, order=1)
    else:
        pet = resample(pet, like=body, order=1)
    channels = (_named(pet.channels[0], "PET"), _named(body.channels[0], "CT"))
    array = np.concatenate([pet.array, body.array]).astype(np.float32, copy=False)
    return Image(array, (pet if grid == "pet" else body).geometry, channels)


def _apart(pet: Image, body: Image) -> bool:
    assert isinstance(pet.geometry, Patient)
    assert isinstance(body.geometry, Patient)
    one, other = pet.geometry.frame_uid, body.geometry.frame_uid
    return one is not None and other is not None and one != other


def _refuse_strangers(pet: Header, body: Header) -> None:
    """DICOM series without a frame of reference are not trusted; other formats have none to tell.

    Raises:
        GeometryError: their positions do not compare.
    """
    assert isinstance(pet.geometry, Patient)
    assert isinstance(body.geometry, Patient)
    one, other = pet.geometry.frame_uid, body.geometry.frame_uid
    if one != other or (one is None and pet.identity.study is not None):
        words = "different frames" if one and other else "no common frame"
        raise _strangers(f"{words} of reference")


def _strangers(what: str) -> GeometryError:
    return GeometryError(
        f"PET and CT or MR tell {what}: their positions do not compare",
        expected="one Frame of Reference UID",
        remedy="register them (--register), and look at the figure",
    )


def _named(channel: Channel, name: str) -> Channel:
    return channel if channel.name else replace(channel, name=name)


@dataclass(frozen=True, eq=False)
class Combined:
    """What `load` made: the two channels, how they were paired, and how they were moved."""

    image: Image
    pair: Pair
    registration: Registration | None
    pet: Image  # as it was read
    body: Image


@dataclass(frozen=True)
class Wanted:
    """What `load` shall make; `pet` and `body` number the images from 1, where not plain."""

    grid: OnGrid = "pet"
    registered: bool = False
    suv: Suv = "bw"
    pet: int | None = None
    body: int | None = None


def load(sources: Sequence[Source], wanted: Wanted) -> Combined:
    """The one PET of some images in SUV, with the CT or MR that belongs to it.

    Raises:
        InputError: no pair or several; the message lists the images with their numbers.
        FormatError: a file that cannot be read, or a header that gives no SUV.
        GeometryError: as `combine`.
    """
    from hounsfield import formats

    headers = [formats.header(source) for source in sources]
    pair = _the_pair(headers, wanted)
    if not wanted.registered:
        _refuse_strangers(headers[pair.pet], headers[pair.body])
    pet = formats.read(sources[pair.pet], like=Like(suv=wanted.suv))
    body = formats.read(sources[pair.body])
    body = replace(body, channels=tuple(replace(c, name=pair.modality) for c in body.channels))
    found = register(body, pet) if wanted.registered else None
    image = combine(pet, body, grid=wanted.grid, registration=found)
    return Combined(image, pair, found, pet, body)


def _the_pair(headers: Sequence[Header], wanted: Wanted) -> Pair:
    """The pair that is asked for, or the only one."""
    known = pairs(headers)
    if wanted.pet is not None and wanted.body is not None:
        return _chosen(headers, wanted.pet - 1, wanted.body - 1)
    known = [
        one
        for one in known
        if wanted.pet in (None, one.pet + 1) and wanted.body in (None, one.body + 1)
    ]
    if len(known) == 1:
        return known[0]
    a_pet = any(one.modality == "PT" for one in headers)
    numbers, whole = "name both by these numbers: --pet 2 --body 1", "give the whole study's folder"
    problem = f"{len(known)} possible pairs" if known else "no PET with a CT or MR of its study"
    raise InputError(
        f"{problem} among {len(headers)} images\n{listed(headers)}",
        expected="one PET, and one CT or MR of the same study",
        remedy=numbers if a_pet else whole,
    )


def _chosen(headers: Sequence[Header], pet: int, body: int) -> Pair:
    _refuse_other(headers, pet, ("PT",))
    _refuse_other(headers, body, BODY)
    if headers[pet].identity.patient != headers[body].identity.patient:
        raise InputError(
            f"images {pet + 1} and {body + 1} are of two patients\n{listed(headers)}",
            expected="two pictures of one body",
        )
    one, other = headers[pet].geometry, headers[body].geometry
    assert isinstance(one, Patient)
    assert isinstance(other, Patient)
    same = one.frame_uid is not None and one.frame_uid == other.frame_uid
    covered = _covered(headers[pet], headers[body]) if same else 0.0
    return Pair(pet, body, headers[body].modality or "", same, covered)


def _refuse_other(headers: Sequence[Header], number: int, wanted: tuple[str, ...]) -> None:
    """Refuse a number that no image has, or an image of another kind; NIfTI tells no modality."""
    there = 0 <= number < len(headers)
    other = headers[number].modality if there else None
    if there and other in (None, *wanted) and _is_volume(headers[number]):
        return
    told = _MODALITIES.get(other or "", "no volume") if other not in wanted else "no volume"
    raise InputError(
        f"image {number + 1} is {told}\n{listed(headers)}",
        expected=f"a volume of {' or '.join(wanted)}",
        remedy="name two of these by their numbers",
    )


def listed(headers: Sequence[Header]) -> str:
    """The images, numbered, without a word about whom they show."""
    lines = []
    for number, one in enumerate(headers, start=1):
        size = "×".join(str(n) for n in one.shape[1:][::-1])
        lines.append(f"  {number}: {one.modality or one.format} {size} {one.geometry or ''}")
    return "\n".join(lines)
