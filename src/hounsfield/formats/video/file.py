"""Opening a video file: which container it is, and libav behind a door that is locked.

The container is told from the content and named to libav, so that nothing in the file can make
it a playlist or a list of other files; only the file itself may be opened.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

from hounsfield.errors import FormatError, MissingExtraError
from hounsfield.formats.contract import HEAD_BYTES

MAX_PIXELS = 1 << 26  # of one frame; 8K is half of it
DOOR = {"protocol_whitelist": "file", "max_pixels": str(MAX_PIXELS)}
# Errors are told, not mended: a frame is as it was coded, or it is refused.
STRICT = {"err_detect": "explode"}

_ATOMS = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
_PICTURES = (b"heic", b"heix", b"hevc", b"heim", b"mif1", b"msf1", b"avif", b"jxl ", b"crx ")
_H264 = (0x67, 0x27, 0x47, 0x09, 0x06)  # SPS, access unit delimiter, SEI (H.264 table 7-1)
_HEVC = (0x40, 0x42, 0x46, 0x4E)  # VPS, SPS, access unit delimiter, SEI (H.265 table 7-1)

File = Path | BinaryIO


def library() -> Any:
    """PyAV.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise MissingExtraError(
            "reading video needs PyAV", remedy="pip install 'hounsfield[video]'"
        ) from error
    return av


def demuxer(head: bytes) -> str | None:
    """libav's name of the container or bare stream that a file's first bytes show, or None."""
    if _is_mov(head):
        return "mov"
    if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
        return "avi"
    if head[:4] == b"\x1a\x45\xdf\xa3" and (b"matroska" in head[:64] or b"webm" in head[:64]):
        return "matroska"
    if head[:4] == b"\0\0\1\xba":
        return "mpeg"
    if head[:4] == b"\0\0\1\xb3":
        return "mpegvideo"
    if _is_ts(head):
        return "mpegts"
    return _bare(head)


def _is_mov(head: bytes) -> bool:
    """An atom's size and name (ISO/IEC 14496-12 4.2); pictures in the same boxes are none."""
    if head[4:8] not in _ATOMS or head[0] != 0:
        return False
    return head[4:8] != b"ftyp" or head[8:12] not in _PICTURES


def _is_ts(head: bytes) -> bool:
    """Sync bytes at every packet (ISO/IEC 13818-1 2.4.3.2), with or without 4 bytes of time."""
    for size, first in ((188, 0), (192, 4)):
        marks = head[first : first + 5 * size : size]
        if len(marks) >= 3 and set(marks) == {0x47}:
            return True
    return False


def _bare(head: bytes) -> str | None:
    """An elementary stream of H.264 or HEVC: a start code and a unit that begins a picture."""
    for start in (b"\0\0\0\1", b"\0\0\1"):
        if head.startswith(start) and len(head) > len(start) + 1:
            unit, after = head[len(start)], head[len(start) + 1]
            if unit in _HEVC and after == 1:
                return "hevc"
            return "h264" if unit in _H264 else None
    return None


def opened(file: File, strict: bool = True) -> tuple[Any, Any]:
    """A container and its video stream, ready to decode in one thread; the caller closes it.

    `strict`: an error in a packet is an error, and not mended from the pictures around it.

    Raises:
        FormatError: no video container, damaged at its head, no video stream, no decoder.
        MissingExtraError: PyAV is not installed.
    """
    av = library()
    kind = demuxer(_head(file))
    if kind is None:
        raise FormatError(
            "not a video container",
            file=name_of(file),
            expected="MP4, MOV, AVI, MKV, WebM, MPEG-PS, MPEG-TS, or a bare MPEG-2, H.264, HEVC",
        )
    # `file:` before an absolute path: no name can be taken for an address.
    where = f"file:{file.absolute()}" if isinstance(file, Path) else file
    try:
        container = av.open(where, format=kind, options=dict(DOOR), metadata_errors="replace")
    except (av.error.FFmpegError, UnicodeError, ValueError) as error:
        raise _damaged(file, error) from error
    try:
        stream = _video_stream(container, file)
        context = stream.codec_context
        context.options = {**(STRICT if strict else {}), "max_pixels": DOOR["max_pixels"]}
        context.thread_count = 1  # an error is then told at the packet that has it
        context.thread_type = "NONE"
    except BaseException:
        container.close()
        raise
    return container, stream


def name_of(file: File) -> Path:
    """What an error calls the file."""
    return file if isinstance(file, Path) else Path("(video stream)")


def _head(file: File) -> bytes:
    if isinstance(file, Path):
        with file.open("rb") as stream:
            return stream.read(HEAD_BYTES)
    file.seek(0)
    head = file.read(HEAD_BYTES)
    file.seek(0)
    return head


def _damaged(file: File, error: Exception) -> FormatError:
    return FormatError(
        f"the video cannot be opened ({type(error).__name__})",
        file=name_of(file),
        expected="a whole file; an MP4 without its index, cut off while recording, is none",
        remedy="copy the file again, or repair it with the recorder's own software",
    )


def _video_stream(container: Any, file: File) -> Any:
    """The first stream of moving pictures; a cover picture is none."""
    found = [one for one in container.streams.video if "attached_pic" not in _kind(one)]
    if not found:
        has = ", ".join(sorted({one.type for one in container.streams if one.type})) or "nothing"
        raise FormatError(f"no video stream, only {has}", file=name_of(file))
    stream = found[0]
    if stream.codec_context is None:
        raise FormatError("the video's codec is not known here", file=name_of(file))
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > MAX_PIXELS:
        raise FormatError(
            f"frames of {width}×{height}",
            file=name_of(file),
            expected=f"at most {MAX_PIXELS:,} pixels",
            remedy="check that the file is what it says",
        )
    return stream


def _kind(stream: Any) -> str:
    return str(getattr(stream.disposition, "name", "") or stream.disposition)
