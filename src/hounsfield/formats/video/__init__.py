"""Video: MP4, MOV, AVI, MKV, WebM, MPEG-PS and -TS, and bare MPEG-2, H.264 and HEVC streams.

A frame is an Image (3, 1, rows, columns); a range of frames lies along C, time × RGB, each
channel with its time. `film.mp4#frame/17` and `film.mp4#time/3.2` name one frame; a video too
long for memory is opened as a `Clip`. Times are seconds since the first frame.

Frames are 8-bit RGB by the stream's own matrix and range, turned as its display matrix says. A
video knows no millimetres: its geometry is None.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.choices import chosen
from hounsfield.formats.contract import Facts, Header, Like, Source
from hounsfield.formats.guard import refusing
from hounsfield.formats.video.clip import Clip, at_time
from hounsfield.formats.video.file import demuxer
from hounsfield.image import Channel, Image

SUFFIX = ".mp4"
EXTRA: str | None = "video"

MAX_READ = 1 << 30  # bytes that a whole video may take; a longer one is a Clip
MAX_TOLD = 30_000  # channels that a header names one by one
OPEN = 2  # videos that each thread keeps open

_here = threading.local()


def sniff(head: bytes, path: Path) -> bool:
    return demuxer(head) is not None


def find(path: Path) -> list[Source]:
    """The whole video as one image; its frames are named by member or by `frames`."""
    return [Source.of(path)]


def header(source: Source) -> Header:
    """Size, frames and times; every packet is looked at once, and the first frames are decoded.

    Raises:
        FormatError: no video, damaged, or no such frame or time in it.
        MissingExtraError: PyAV is not installed.
    """
    with refusing(source.file, "the video"):
        clip = _clip(source.file)
        first, last = _frames(source, clip)
        rows, columns = clip.size
        return Header(
            format="video",
            shape=(3 * (last - first), 1, rows, columns),
            dtype=np.dtype(np.uint8),
            channels=_channels(clip, first, last) if 3 * (last - first) <= MAX_TOLD else (),
            facts=Facts(stored=told(clip)),
        )


def read(source: Source, like: Like | None = None) -> Image:
    """The frames that a source names, time × RGB along C, uint8; the whole video by default.

    A thread that reads one frame after the other goes on decoding where it is.

    Raises:
        FormatError: as `header`; a frame cannot be decoded; the whole is too large, or cut off.
        MissingExtraError: PyAV is not installed.
    """
    with refusing(source.file, "the frames"):
        clip = _clip(source.file)
        first, last = _frames(source, clip)
        _check_whole(source, clip, last - first)
        planes = clip.pixels(first, last).swapaxes(0, 1)  # (time, 3, rows, columns)
        array = planes.reshape(-1, 1, *clip.size)
        stored = {"told": clip.look.told} if clip.look.told else {}
        array = chosen(array, like, source.file)
        return Image(array, None, _channels(clip, first, last), stored)


def frames_of(stream: BinaryIO, first: int, last: int) -> NDArray[np.uint8]:
    """Frames first ≤ n < last of a video in a stream, as RGB (3, frames, rows, columns).

    For encapsulated video, such as DICOM's MPEG-2, H.264 and HEVC (PS3.5 8.2.5 to 8.2.8). Where
    several ranges are wanted, `Clip.of_stream(stream)` keeps its index: `clip.pixels(a, b)`.

    Raises:
        FormatError: no video, damaged, or no such frames.
        MissingExtraError: PyAV is not installed.
    """
    with refusing(Path("(video stream)"), "the frames"), Clip.of_stream(stream) as clip:
        if not 0 <= first < last <= len(clip):
            raise FormatError(
                f"frames {first} to {last} were asked for", expected=f"within 0 to {len(clip)}"
            )
        return clip.pixels(first, last)


def forget() -> None:
    """Close the videos that this thread keeps open."""
    for clip in _open().values():
        clip.close()
    _open().clear()


def told(clip: Clip) -> str:
    """One line on how a video is stored, and what was made of it."""
    look, index = clip.look, clip.index
    span = "full" if look.full else "limited"
    steady = len(index) < 3 or np.ptp(np.diff(index.time)) <= max(2, np.diff(index.time)[0] // 50)
    words = [
        clip.codec,
        look.pixels,
        look.matrix_name + (f" {span} range" if look.matrix is not None else ""),
        f"{len(clip)} frames in {clip.duration:.3f} s",
        f"{clip.rate:.4g} frames/s" if steady else f"{clip.rate:.4g} frames/s on average, varying",
        *(["interlaced"] if index.interlaced else []),
        *(["turned upright"] if look.turned else []),
        *look.told,
        *([index.damage] if index.damage else []),
    ]
    return ", ".join(words)


def _open() -> OrderedDict[tuple[str, int, int], Clip]:
    if not hasattr(_here, "clips"):
        _here.clips = OrderedDict()
    kept: OrderedDict[tuple[str, int, int], Clip] = _here.clips
    return kept


def _clip(path: Path) -> Clip:
    """The video, as this thread has it open; a file that changed is opened again."""
    state, clips = path.stat(), _open()
    key = (str(path.absolute()), state.st_mtime_ns, state.st_size)
    if key not in clips:
        clips[key] = Clip(path)
    clips.move_to_end(key)
    while len(clips) > OPEN:
        clips.popitem(last=False)[1].close()
    return clips[key]


def _frames(source: Source, clip: Clip) -> tuple[int, int]:
    """The frames that a source names, half-open."""
    count = len(clip)
    if source.member is None:
        first, last = source.frames or (0, count)
        if not 0 <= first < last <= count:
            raise FormatError(
                f"frames {first} to {last} were asked for",
                file=source.file,
                expected=f"within 0 to {count}",
            )
        return first, last
    number = -1 if source.frames is not None else _named(source.member, clip)
    if not 0 <= number < count:
        raise FormatError(
            f"there is no {source.member!r} in this video of {count} frames, {clip.duration:.3f} s",
            file=source.file,
            expected="frame/17 or time/3.2, within the video",
        )
    return number, number + 1


def _named(member: str, clip: Clip) -> int:
    kind, _, text = member.partition("/")
    try:
        if kind == "frame" and text.isascii() and text.isdigit():
            return int(text)
        if kind == "time" and text.isascii():
            return clip.index.shown_at(Fraction(text))
    except (ValueError, ZeroDivisionError):
        pass
    return -1


def _check_whole(source: Source, clip: Clip, count: int) -> None:
    rows, columns = clip.size
    size = 3 * count * rows * columns
    if size > MAX_READ:
        raise FormatError(
            f"{count} frames of {columns}×{rows} take {size:,} bytes",
            file=source.file,
            expected=f"at most {MAX_READ:,} bytes at once",
            remedy="open it with hounsfield.formats.video.clip.Clip, or name frames: FILE#frame/17",
        )
    if clip.index.damage and source.member is None and source.frames is None:
        raise FormatError(
            f"the video is not whole: {clip.index.damage}",
            file=source.file,
            remedy=f"copy the file again, or name frames: {source.file.name}#frame/0",
        )


def _channels(clip: Clip, first: int, last: int) -> tuple[Channel, ...]:
    return tuple(c for n in range(first, last) for c in at_time(clip.index.seconds(n)))
