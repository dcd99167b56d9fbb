"""Radiometric JPEG of FLIR's cameras: read as temperatures in °C, never as a palette's colours.

`read` takes emissivity, distance and air from the camera's own record; `temperatures` takes them
from you. FILE#palette is the picture that the camera shows, FILE#visible its ordinary photograph.
A JPEG without radiometric data is no thermal picture: the format "jpeg" reads it. FLIR's bare
container (.fff) is read as well.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats import jpeg
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source, as_small
from hounsfield.formats.guard import refusing
from hounsfield.formats.thermal import records as flir_records
from hounsfield.formats.thermal.raw import KELVIN, Air, Calibration, Parameters, possible
from hounsfield.formats.thermal.raw import temperatures as _temperatures
from hounsfield.formats.thermal.records import CAMERA, RAW, VISIBLE, Records
from hounsfield.image import RGB, Channel, Image

__all__ = ["Camera", "Parameters", "camera", "temperatures"]

SUFFIX = ".jpg"
EXTRA = None

PALETTE, PHOTOGRAPH = "palette", "visible"
_TEMPERATURE = (Channel("temperature", "°C"),)
_ROUGHER = 1.5  # a picture in the wrong byte order is rougher by far more
_ABSURD = (-150.0, 3500.0)  # °C; no such camera measures beyond


@dataclass(frozen=True)
class Camera:
    """What a file's camera record says: the scene that was set, and the camera's constants."""

    parameters: Parameters
    calibration: Calibration
    air: Air
    model: str | None
    median: float  # of the raw picture, as the camera noted it; NaN or 0 where it did not


def sniff(head: bytes, path: Path) -> bool:
    if not head.startswith((flir_records.JPEG, flir_records.CONTAINER)):
        return False
    if flir_records.is_plain(head):
        return False
    try:
        found = flir_records.records(path)
    except FormatError:
        return True  # damaged: said when it is read, instead of showing the palette's colours
    return found is not None and RAW in found.places


def find(path: Path) -> list[Source]:
    """The temperatures; the other pictures are read by name, FILE#palette and FILE#visible."""
    return [Source.of(path)]


def header(source: Source) -> Header:
    """From the records; nothing is decoded.

    Raises:
        FormatError: no such picture, no radiometric data, damaged records, or more pixels
            promised than they hold.
    """
    path = source.file
    with refusing(path, "the header"):
        if _member(source) == PALETTE:
            head = jpeg.header(Source(source.root, source.paths))
            return replace(head, format="thermal")
        found = _records(path)
        coded = _coded(found, source)
        if source.member == PHOTOGRAPH:
            return _photograph_header(coded)
        return Header(
            format="thermal",
            shape=(1, 1, coded.rows, coded.columns),
            dtype=np.dtype(np.float32),
            channels=_TEMPERATURE,
            modality="TG",  # thermography, PS3.3 C.7.3.1.1.1
            facts=Facts(
                manufacturer="FLIR",
                model=(_camera(found).model or "").removeprefix("FLIR ") or None,
                stored=f"raw signal, 16 bits, {coded.codec}",
            ),
        )


def read(source: Source, like: Like | None = None) -> Image:
    """°C with the parameters of the camera's record, float32; or the palette's or visible picture.

    Raises:
        FormatError: as `header`, or the file is truncated, its signal no temperatures.
    """
    with refusing(source.file, "the thermal picture"):
        if _member(source) == PALETTE:
            return jpeg.read(Source(source.root, source.paths), like)
        visible = source.member == PHOTOGRAPH
        image = _photograph(source) if visible else temperatures(source.file)
        array = chosen(image.array, like, source.file)
        return replace(image, array=as_small(array))


def temperatures(path: str | Path, parameters: Parameters | None = None) -> Image:
    """The map of temperatures in °C, (1, 1, Y, X) float32, NaN where the signal is none.

    What `parameters` leaves open is taken from the camera's record; `stored` of the image says
    what was taken, and in which byte order the camera wrote its raw picture.

        thermal.temperatures("hand.jpg", Parameters(emissivity=0.98, distance=0.5))

    Raises:
        FormatError: no radiometric data (an ordinary JPEG), damaged or truncated, a camera
            without calibration, or a signal whose temperatures are absurd in both byte orders.
        UsageError: parameters that no scene has.
    """
    path = _there(path)
    with refusing(path, "the temperatures"):
        found = _records(path)
        if not flir_records.is_whole(path):
            raise _cut(path)
        settings = _camera(found)
        scene = (parameters or Parameters()).over(settings.parameters)
        if scene.unknown:
            raise FormatError(
                f"the camera's record gives no usable {' and '.join(scene.unknown)}",
                file=path,
                remedy=f"give it, e.g. Parameters({scene.unknown[0]}=…)",
            )
        coded = _coded(found, Source.of(path))
        raw, order = _in_order(flir_records.decoded(path, coded), settings, path)
        celsius = _temperatures(raw, settings.calibration, settings.air, scene)
        stored = {"format": "thermal", "signal": f"{coded.codec}, {order}", **asdict(scene)}
        return Image(celsius.astype(np.float32)[None, None], None, _TEMPERATURE, stored)


def camera(path: str | Path) -> Camera:
    """The scene and the constants in a file's camera record.

    Raises:
        FormatError: no radiometric data, or no usable calibration.
    """
    path = _there(path)
    with refusing(path, "the camera's record"):
        return _camera(_records(path))


def _there(path: str | Path) -> Path:
    """A file that can be opened; what is none is refused in the words of all formats."""
    from hounsfield.formats import sniff as known

    known(path)
    return Path(path)


def _camera(found: Records) -> Camera:
    path, record = found.path, found.get(CAMERA)
    if record is None:
        raise FormatError(
            "radiometric data without a camera record: its signal has no temperatures", file=path
        )
    order = flir_records.byte_order(path, record)

    def real(at: int) -> float:
        return flir_records.number(record, f"{order}f", at)

    offset = flir_records.number(record, f"{order}i", 0x308)
    calibration = Calibration(real(0x58), real(0x5C), real(0x60), offset, real(0x30C))
    if not calibration.usable:
        raise FormatError(
            f"the camera's record has no usable calibration ({calibration})", file=path,
            expected="finite constants, R1, B and R2 above 0",
        )  # fmt: skip
    return Camera(
        parameters=_scene(real),
        calibration=calibration,
        air=Air(*(real(at) for at in (0x70, 0x74, 0x78, 0x7C, 0x80))),
        model=_word(record[0xD4:0xF4]),
        median=flir_records.number(record, f"{order}H", 0x338),
    )


def _scene(real: Any) -> Parameters:
    """The parameters in a record; impossible ones stay open."""
    humidity = real(0x3C)
    said = {
        "emissivity": real(0x20),
        "distance": real(0x24),
        "reflected": real(0x28) - KELVIN,
        "atmosphere": real(0x2C) - KELVIN,
        "window": real(0x30) - KELVIN,
        "window_transmission": real(0x34),
        "humidity": humidity / 100 if humidity > 2 else humidity,  # some write percent
    }
    known = {name: round(value, 4) for name, value in said.items() if possible(name, value)}
    return Parameters(**known, air="halved")


def _word(raw: bytes) -> str | None:
    text = raw.split(b"\0")[0]
    readable = len(text) > 2 and all(0x20 <= byte < 0x7F for byte in text)
    return text.decode("ascii") if readable else None


def _member(source: Source) -> str | None:
    if source.member not in (None, "temperature", PALETTE, PHOTOGRAPH):
        raise FormatError(
            f"no picture {source.member!r} in this file",
            file=source.file,
            expected=f"temperature, {PALETTE} or {PHOTOGRAPH}",
        )
    return source.member


def _records(path: Path) -> Records:
    found = flir_records.records(path)
    if found is None or RAW not in found.places:
        if not flir_records.is_whole(path):  # the rest may hold the radiometric data
            raise _cut(path)
        raise FormatError(
            "no radiometric data: the colours of this picture are no temperatures",
            file=path,
            expected="a radiometric JPEG as FLIR's cameras write it",
            remedy="take the camera's own file, not one that a program saved again; "
            "as a picture it can be read",
        )
    return found


def _cut(path: Path) -> FormatError:
    return FormatError(
        "the picture has no end marker", file=path, remedy="copy the file again; truncated"
    )


def _coded(found: Records, source: Source) -> flir_records.Picture:
    visible = source.member == PHOTOGRAPH
    record = found.get(VISIBLE if visible else RAW)
    if record is None:
        raise FormatError("the camera stored no visible picture in this file", file=source.file)
    return flir_records.picture(source.file, record, thermal=not visible)


def _photograph_header(coded: flir_records.Picture) -> Header:
    return Header(
        format="thermal",
        shape=(3, 1, coded.rows, coded.columns),
        dtype=np.dtype(np.uint8),
        channels=RGB,
        facts=Facts(manufacturer="FLIR", stored=f"visible picture, {coded.codec}"),
    )


def _photograph(source: Source) -> Image:
    coded = _coded(_records(source.file), source)
    pixels = flir_records.decoded(source.file, coded)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or pixels.dtype != np.uint8:
        raise FormatError(
            f"the visible picture decodes to {pixels.shape} {pixels.dtype}",
            file=source.file,
            expected="three colours of 8 bits",
        )
    if coded.codec == "PNG":  # of Y Cb Cr, ITU-R BT.601 over the full range
        luma, blue, red = (pixels[..., i].astype(np.float32) for i in range(3))
        blue, red = blue - 128, red - 128
        rgb = (luma + 1.402 * red, luma - 0.344136 * blue - 0.714136 * red, luma + 1.772 * blue)
        pixels = np.clip(np.stack(rgb, 2) + 0.5, 0, 255).astype(np.uint8)
    return Image(np.moveaxis(pixels, 2, 0)[:, None], None, RGB, {"format": "thermal"})


def _in_order(raw: NDArray[Any], settings: Camera, path: Path) -> tuple[NDArray[Any], str]:
    """The signal in the byte order that makes a picture, and which that was.

    Most cameras that write PNG write its 16 bits in the wrong order, some do not, and nothing in
    the file tells. In the wrong order the low byte's noise becomes the high byte: neighbours
    differ by far more. A picture without any difference is told by the camera's own median.
    """
    if raw.ndim != 2 or raw.dtype != np.uint16:
        raise FormatError(
            f"the raw picture is {raw.shape} {raw.dtype}", file=path, expected="(Y, X) uint16"
        )
    swapped = raw.byteswap()
    rough, rough_swapped = _roughness(raw), _roughness(swapped)
    if max(rough, rough_swapped) > _ROUGHER * min(rough, rough_swapped):
        found = (swapped, "bytes swapped") if rough_swapped < rough else (raw, "bytes in order")
    else:
        far, far_swapped = (abs(np.median(a) - settings.median) for a in (raw, swapped))
        found = (swapped, "bytes swapped") if far_swapped < far else (raw, "bytes in order")
    celsius = settings.calibration.celsius(found[0])  # as of a black body nearby
    low, high = _ABSURD
    with np.errstate(invalid="ignore"):
        sound = float(((celsius > low) & (celsius < high)).mean())
    if sound < 0.5:
        raise FormatError(
            f"{1 - sound:.0%} of the signal is no temperature between {low:g} and {high:g} °C",
            file=path,
            expected="a signal that fits the camera's calibration",
            remedy="copy the file again; `FILE#palette` reads the picture alone",
        )
    return found


def _roughness(raw: NDArray[Any]) -> float:
    """The mean step between neighbours."""
    wide = raw.astype(np.int32)
    steps = [np.abs(np.diff(wide, axis=axis)) for axis in (0, 1) if wide.shape[axis] > 1]
    return float(np.mean([step.mean() for step in steps])) if steps else 0.0
