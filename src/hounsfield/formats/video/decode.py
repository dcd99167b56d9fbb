"""Frames by their number, from wherever the decoder stands: the same ones as by decoding all."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.video.file import File, library, name_of, opened
from hounsfield.formats.video.index import NONE, Index, numbered, stamped

RECENT = 4  # decoded frames that are kept
SKIPPED = 300  # packets that are read and passed over rather than sought past
BACK = 2  # key frames further back to begin at, where decoding from the nearest shows damage
UNKNOWN = 64  # packets after a seek whose row may be unknown until one is recognised


class _AstrayError(Exception):
    """The packets are not those of the index."""


class Decoder:
    """An open video that gives frames by number. One thread's; closes with `close`.

    Going on is decoding; going elsewhere is seeking to the key frame before, and decoding from
    there, or from the one before that: in an open GOP, H.264 may complain of references that are
    not needed. Where a seek lands is looked up in the index; where that fails, the file is opened
    anew.
    """

    def __init__(self, file: File, index: Index) -> None:
        self._file, self._index = file, index
        self._container, self._stream = opened(file, index.strict)
        self._feed: Iterator[tuple[int, Any]] = self._from_the_start()
        self._ahead: deque[tuple[int, Any]] = deque()  # read, not yet decoded
        self._out: deque[Any] = deque()  # decoded, not yet asked for
        self._row = 0  # of the next packet
        self._start: int | None = None  # the row where decoding began, None before it did
        self._starts = np.unique(index.start)
        self._back = 0  # how many starts further back this video wants
        self._shown = -1  # the last frame that came out
        self._bad: list[int] = []  # rows of damaged packets since the start
        self._recent: OrderedDict[int, Any] = OrderedDict()

    def close(self) -> None:
        self._recent.clear()
        self._out.clear()
        self._feed = iter(())
        self._container.close()

    @property
    def aspect(self) -> Any:
        """Width to height of a pixel, or None."""
        return self._stream.sample_aspect_ratio or self._stream.codec_context.sample_aspect_ratio

    @property
    def codec(self) -> str:
        return str(self._stream.codec_context.name)

    def frame(self, number: int) -> Any:
        """The libav frame of a number, 0 ≤ number < frames.

        Raises:
            FormatError: it, or one that it is predicted from, is damaged.
        """
        if number in self._recent:
            return self._recent[number]
        try:
            return self._reached(number)
        except _AstrayError:
            self._open_anew()
        try:
            return self._reached(number)
        except _AstrayError:
            raise FormatError(
                "the video changed while it was read", file=name_of(self._file), remedy="try again"
            ) from None

    def _reached(self, number: int) -> Any:
        place = int(np.searchsorted(self._starts, self._index.start[number]))
        for back in range(self._back, BACK + 1):
            start = int(self._starts[max(0, place - back)])
            if not self._on_the_way(number, start):
                self._begin(start)
            found = self._sought(number)
            if found is not None:
                self._back = back if place >= back else self._back
                self._keep(number, found)
                return found
            if back >= place:
                break
        raise FormatError(
            f"frame {number} of {len(self._index)} cannot be decoded",
            file=name_of(self._file),
            expected="undamaged packets from the key frame before it",
            remedy="copy the file again; frames before the damage can be read",
        )

    def _on_the_way(self, number: int, start: int) -> bool:
        """Will decoding on give the frame, and no later than starting anew?"""
        begun = self._start is not None and self._start <= start
        return begun and self._shown < number and start < self._row

    def _sought(self, number: int) -> Any:
        """The frame, decoded from where the decoder is; None where this start does not give it."""
        for shown, frame in self._frames():
            self._shown = max(self._shown, shown)
            if shown >= number:
                return frame if shown == number and self._is_whole(number, frame) else None
            if shown > number - RECENT and self._is_whole(shown, frame):
                self._keep(shown, frame)
        return None

    def _frames(self) -> Iterator[tuple[int, Any]]:
        """Numbered frames as they come out of the decoder, from where it stands to the end."""
        av, context = library(), self._stream.codec_context
        numbers, more = self._number, True
        while more or self._out:
            while self._out:
                frame = self._out.popleft()
                number = numbers.get(-1 if frame.pts is None else int(frame.pts))
                if number is not None:
                    yield number, frame
            if not more:
                return
            row, packet = self._next()
            more = packet is not None
            try:
                self._out.extend(context.decode(stamped(packet, row) if more else None))
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self._bad.append(row)

    def _next(self) -> tuple[int, Any]:
        """The next packet and its row, checked against the index; None at the end."""
        av = library()
        try:
            row, packet = self._ahead.popleft() if self._ahead else next(self._feed, (-1, None))
        except av.error.FFmpegError:
            row, packet = -1, None
        if packet is None:
            return len(self._index.packets.size), None
        if row >= len(self._index.packets.size) or packet.size != self._index.packets.size[row]:
            raise _AstrayError
        if packet.is_corrupt:
            self._bad.append(row)
        self._row = row + 1
        return row, packet

    def _begin(self, start: int) -> None:
        """Stand before the packet of row `start`, with a decoder that remembers nothing."""
        self._stream.codec_context.flush_buffers()
        self._out.clear()
        self._bad.clear()
        self._shown, self._start = -1, start
        if not self._row <= start <= self._row + SKIPPED:
            self._seek(start)
        while self._row < start and self._next()[1] is not None:
            pass
        self._bad.clear()

    def _seek(self, start: int) -> None:
        """Move the container to `start` or before it."""
        av, packets = library(), self._index.packets
        self._ahead.clear()
        keys = np.flatnonzero(packets.key[: start + 1])
        for back in (1, 2, 4, 16):
            row = int(keys[-back]) if back <= len(keys) else 0
            stamp = packets.dts[row] if packets.dts[row] != NONE else packets.pts[row]
            if row == 0 or stamp == NONE:
                break
            try:
                self._container.seek(int(stamp), stream=self._stream, backward=True)
                landed = self._landed()
            except av.error.FFmpegError:
                break
            if landed is not None and landed <= start:
                return
        self._open_anew(start)

    def _open_anew(self, start: int | None = None) -> None:
        self._container.close()
        self._container, self._stream = opened(self._file, self._index.strict)
        self._ahead.clear()
        self._out.clear()
        self._feed, self._row, self._start = self._from_the_start(), 0, start

    def _from_the_start(self) -> Iterator[tuple[int, Any]]:
        return enumerate(numbered(self._container, self._stream))

    def _landed(self) -> int | None:
        """The row of the first packet after a seek; None where none is recognised."""
        feed = numbered(self._container, self._stream)
        read: list[Any] = []
        for packet in feed:
            row = self._recognised(packet)
            read.append(packet)
            if row is not None:
                first = row - self._matching(read, row) + 1
                self._ahead.extend(enumerate(read[first - row - 1 :], first))
                self._feed, self._row = enumerate(feed, row + 1), first
                return first
            if len(read) >= UNKNOWN:
                break
        return None

    def _matching(self, read: list[Any], row: int) -> int:
        """How many packets, the last one of row `row`, are whole; the first may be a half one."""
        sizes, count = self._index.packets.size, 1
        while count < min(len(read), row + 1) and read[-1 - count].size == sizes[row - count]:
            count += 1
        return count

    def _recognised(self, packet: Any) -> int | None:
        told = (packet.pos, packet.dts, packet.pts)
        for known, value in zip(self._known, told, strict=True):
            row = known.get(value)
            if row is not None and packet.size == self._index.packets.size[row]:
                return row
        return None

    @cached_property
    def _known(self) -> tuple[dict[int, int], ...]:
        """Positions and time stamps that only one packet has, each to its row."""
        packets = self._index.packets
        return tuple(_only(column) for column in (packets.pos, packets.dts, packets.pts))

    @cached_property
    def _number(self) -> dict[int, int]:
        return dict(zip(self._index.row.tolist(), range(len(self._index)), strict=True))

    def _is_whole(self, number: int, frame: Any) -> bool:
        """Does no packet that the frame may be predicted from show damage?

        Frames that lie behind a key frame and are shown before it need what came before both;
        that these could not be decoded from there is no damage.
        """
        row, start = int(self._index.row[number]), int(self._index.start[number])
        begun = self._number.get(start, 0)
        bad = [one for one in self._bad if start <= one <= row]
        return not frame.is_corrupt and all(self._number.get(one, begun) < begun for one in bad)

    def _keep(self, number: int, frame: Any) -> None:
        self._recent[number] = frame
        while len(self._recent) > RECENT:
            self._recent.popitem(last=False)


def _only(values: NDArray[np.int64]) -> dict[int, int]:
    found, where, count = np.unique(values, return_index=True, return_counts=True)
    once = (count == 1) & (found != NONE) & (found >= 0)
    return dict(zip(found[once].tolist(), where[once].tolist(), strict=True))
