"""Radiometric JPEGs made to measure, in the layout of FLIR's records."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from struct import pack, pack_into
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image as Picture

R1, B, F, OFFSET, R2 = 17096.453125, 1428.0, 1.0, -370, 0.048084795475006104  # a Zenmuse XT's
AIR = (0.006569, 0.01262, -0.002276, -0.00667, 1.9)
SCENE = {0x20: 0.95, 0x24: 1.0, 0x28: 293.15, 0x2C: 293.15, 0x30: 293.15, 0x34: 1.0, 0x3C: 0.5}


def scene(rows: int = 24, columns: int = 32) -> np.ndarray:
    """A warm spot above and to the left, on a slope, with noise: what a camera's signal is like."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:rows, :columns]
    spot = 600 * np.exp(-((y - rows / 4) ** 2 + (x - columns / 4) ** 2) / 20)
    return (3500 + 3 * x + spot + rng.normal(0, 4, (rows, columns))).astype(np.uint16)


def raw_record(
    raw: np.ndarray, codec: str = "PNG", *, swapped: bool = False, order: str = "<"
) -> bytes:
    stored = raw.byteswap() if swapped else raw
    coded = {
        "PNG": lambda: imagecodecs.png_encode(stored),
        "JPEG-LS": lambda: imagecodecs.jpegls_encode(stored),
        "plain": lambda: stored.astype(f"{order}u2").tobytes(),
    }[codec]()
    rows, columns = raw.shape
    return pack(f"{order}HHH26x", 2, columns, rows) + coded


def visible_record(rgb: np.ndarray, codec: str = "JPEG") -> bytes:
    buffer = BytesIO()
    picture = Picture.fromarray(rgb)
    if codec == "PNG":
        planes = np.asarray(picture.convert("YCbCr"))
        buffer.write(imagecodecs.png_encode(planes))
    else:
        picture.save(buffer, "JPEG", quality=95)
    return pack("<HHH26x", 3, rgb.shape[1], rgb.shape[0]) + buffer.getvalue()


def camera_record(order: str = "<", changes: Mapping[int, float] = {}, model: str = "") -> bytes:
    record = bytearray(0x400)
    pack_into(f"{order}H", record, 0, 2)
    numbers = {**SCENE, 0x58: R1, 0x5C: B, 0x60: F, 0x30C: R2}
    numbers |= dict(zip((0x70, 0x74, 0x78, 0x7C, 0x80), AIR, strict=True))
    for at, value in {**numbers, **changes}.items():
        pack_into(f"{order}f", record, at, value)
    pack_into(f"{order}i", record, 0x308, OFFSET)
    pack_into(f"{order}H", record, 0x338, 3600)
    record[0xD4 : 0xD4 + len(model)] = model.encode()
    return bytes(record)


def container(records: Mapping[int, bytes], order: str = ">") -> bytes:
    start = 64 + 32 * len(records)
    entries, body = b"", b""
    for kind, record in records.items():
        entries += pack(f"{order}HHIIII12x", kind, 1, 100, 1, start + len(body), len(record))
        body += record
    head = b"FFF\0" + b"\0" * 16 + pack(f"{order}III", 100, 64, len(records))
    return head.ljust(64, b"\0") + entries + body


def jpeg(data: bytes, *, piece: int = 60_000, drop: int | None = None) -> bytes:
    """A picture in a palette's colours, with a container in its APP1 segments."""
    colours = np.zeros((48, 64, 3), np.uint8)
    colours[:12, :16] = (255, 200, 0)
    buffer = BytesIO()
    Picture.fromarray(colours).save(buffer, "JPEG")
    plain = buffer.getvalue()
    pieces = [data[i : i + piece] for i in range(0, len(data), piece)]
    segments = [
        b"\xff\xe1" + pack(">H", len(part) + 10) + b"FLIR\0\1" + bytes((i, len(pieces) - 1)) + part
        for i, part in enumerate(pieces)
        if i != drop
    ]
    return plain[:2] + b"".join(segments) + plain[2:]


def thermal_jpeg(raw: np.ndarray | None = None, codec: str = "PNG", **more: Any) -> bytes:
    raw = scene() if raw is None else raw
    return jpeg(container({1: raw_record(raw, codec, **more), 0x20: camera_record()}))
