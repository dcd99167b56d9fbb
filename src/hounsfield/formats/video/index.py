"""Which packet is which frame: the index that makes seeking in a video exact.

Every packet has a row, its place in the file. A decoder hands a packet's time stamp through to
the frame that it makes, so each packet is stamped with its row before it is decoded, and each
frame then tells which packet it came from, whatever the container's own time stamps say.

Frames are numbered as a player shows them: by their packets' time stamps where the first frames
prove these right, else by decoding the whole video once.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import FormatError
from hounsfield.formats.video.file import File, library, name_of, opened
from hounsfield.formats.video.whole import cut_off

TRIED = 24  # frames that are decoded to see whether the time stamps tell the truth
MAX_PACKETS = 1 << 25  # a year of one frame a second
NONE = -(1 << 62)  # a time stamp or position that is not given
FAR = 1 << 60  # ticks; a time stamp beyond is none
_KEPT = 64  # indexes in memory; an hour of 25 frames a second takes 5 MB
_kept: OrderedDict[tuple[str, int, int], Index] = OrderedDict()
_lock = threading.Lock()
Rows = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Packets:
    """What the container says of each packet, in the file's order; times in `tick` seconds."""

    pts: Rows
    dts: Rows
    pos: Rows
    size: Rows
    length: Rows  # of time
    key: NDArray[np.bool_]
    bad: NDArray[np.bool_]  # the container itself says that the packet is damaged
    hidden: NDArray[np.bool_]  # decoded, not shown (an edit list cuts it off)
    tick: Fraction
    rate: Fraction  # frames a second, as the container says, for want of time stamps
    promised: int  # frames, by the container's own index; 0 where it has none


@dataclass(frozen=True, eq=False)
class Index:
    """The frames of a video in the order they are shown.

    `row[n]` is the packet that makes frame n, `start[n]` the packet to decode from, `time[n]`
    the first moment at which it is shown, in ticks of `tick` seconds since frame 0.
    """

    row: Rows
    start: Rows
    time: Rows
    end: int  # ticks
    packets: Packets
    interlaced: bool
    strict: bool  # decode without mending errors; False where even the first frames have some
    damage: str | None  # what the container promises and does not hold

    def __len__(self) -> int:
        return len(self.row)

    def seconds(self, frame: int) -> float:
        return float(int(self.time[frame]) * self.packets.tick)

    @property
    def duration(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return float(self.end * self.packets.tick)

    def shown_at(self, seconds: float | Fraction) -> int:
        """The frame shown at a time; -1 before the first, their number after the last.

        A microsecond is allowed for, so that a frame's own time as a float finds it again.
        """
        tick = self.packets.tick
        ticks = (Fraction(seconds) + min(tick / 2, Fraction(1, 1_000_000))) / tick
        if ticks >= self.end:
            return len(self)
        return int(np.searchsorted(self.time, int(ticks // 1), side="right")) - 1


def index_of(file: File) -> Index:
    """A file's index, kept while the file does not change; a stream's is made anew.

    Raises:
        FormatError: no frame can be decoded, or the file cannot be opened.
    """
    if not isinstance(file, Path):
        return _index(file)
    state = file.stat()
    key = (str(file.absolute()), state.st_mtime_ns, state.st_size)
    with _lock:
        if key in _kept:
            _kept.move_to_end(key)
            return _kept[key]
    made = _index(file)
    with _lock:
        _kept[key] = made
        while len(_kept) > _KEPT:
            _kept.popitem(last=False)
    return made


def numbered(container: Any, stream: Any) -> Iterator[Any]:
    """The stream's packets that hold something, as the rows count them."""
    return (packet for packet in container.demux(stream) if packet.size)


def stamped(packet: Any, row: int) -> Any:
    """A packet that hands its row to the frame it makes."""
    packet.pts = packet.dts = row
    return packet


def _index(file: File) -> Index:
    container, stream = opened(file)
    with container:
        packets = _packets(container, stream, file)
    if not len(packets.size):
        raise FormatError(
            "the video has no frames", file=name_of(file), remedy="copy the file again"
        )
    guess = _by_time(packets)
    seen = _decoded(file, packets, TRIED)
    if seen.faults:
        # A recording cut out of a longer one refers to frames that are gone; some recorders
        # write messages that are none. What a player shows without complaint is taken.
        mended = _decoded(file, packets, TRIED, strict=False)
        seen = mended if not mended.faults else seen
    if not seen.rows:
        raise FormatError(
            "no frame of the video can be decoded",
            file=name_of(file),
            remedy="copy the file again; it is damaged",
        )
    shown = None if guess is None else _proved(guess, seen, packets)
    if shown is None:
        seen = _decoded(file, packets, None, seen.strict)
        shown = np.array(seen.rows, np.int64)
    return _finished(shown, packets, seen, cut_off(file))


def _packets(container: Any, stream: Any, file: File) -> Packets:
    """One pass over the file; nothing is decoded."""
    av = library()
    numbers = tuple(array("q") for _ in range(5))
    flags = tuple(array("b") for _ in range(3))
    try:
        for packet in numbered(container, stream):
            told = (packet.pts, packet.dts, packet.pos, packet.size, packet.duration)
            for column, value in zip(numbers, told, strict=True):
                column.append(NONE if value is None or abs(value) > FAR else value)
            marks = (packet.is_keyframe, packet.is_corrupt, packet.is_discard)
            for column, mark in zip(flags, marks, strict=True):
                column.append(bool(mark))
            if len(numbers[0]) > MAX_PACKETS:
                raise FormatError(f"more than {MAX_PACKETS:,} frames", file=name_of(file))
    except av.error.FFmpegError:
        pass  # what was read up to here is there; `damage` tells what is missing
    pts, dts, pos, size, length = (np.array(one, np.int64) for one in numbers)
    key, bad, hidden = (np.array(one, np.bool_) for one in flags)
    tick = Fraction(stream.time_base) if stream.time_base else Fraction(1, 25)
    rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
    promised = max(0, stream.frames)
    return Packets(pts, dts, pos, size, length, key, bad, hidden, tick, rate, promised)


def _first_key(packets: Packets) -> int:
    return int(np.argmax(packets.key)) if packets.key.any() else 0


def _by_time(packets: Packets) -> Rows | None:
    """The rows in the order of their time stamps; None where these are no order."""
    shown = np.flatnonzero(~packets.hidden)
    shown = shown[shown >= _first_key(packets)]
    times = packets.pts[shown]
    if not packets.key.any() or (times == NONE).any() or len(np.unique(times)) != len(times):
        return None
    return shown[np.argsort(times, kind="stable")]


@dataclass(frozen=True)
class Seen:
    """The rows of the frames that came out of the decoder, in their order."""

    rows: list[int]
    interlaced: bool  # any of them
    faults: int  # packets that could not be decoded
    strict: bool  # errors were not mended


def _proved(guess: Rows, seen: Seen, packets: Packets) -> Rows | None:
    """The order by time where decoding gave the same; else None.

    Frames shown before the first key frame may need an older one that is not there (open GOP,
    a recording cut out of a longer one): those that do not decode are no frames of this video.
    A packet that is damaged keeps its number: asking for its frame is an error.
    """
    lead = int(np.flatnonzero(guess == _first_key(packets))[0])
    lost = set(guess[:lead].tolist()) - set(seen.rows)
    kept = guess[~np.isin(guess, list(lost))]
    if seen.faults:
        order = np.searchsorted(kept, seen.rows, sorter=np.argsort(kept))
        number = np.argsort(kept)[np.minimum(order, len(kept) - 1)]
        return kept if (np.diff(number) > 0).all() else None
    count = min(len(seen.rows), TRIED)
    whole = count in (len(kept), TRIED)
    return kept if whole and kept[:count].tolist() == seen.rows[:count] else None


def _decoded(file: File, packets: Packets, limit: int | None, strict: bool = True) -> Seen:
    """Decode from the first key frame until `limit` frames came out."""
    av = library()
    container, stream = opened(file, strict)
    seen: dict[int, None] = {}
    interlaced, faults, first = False, 0, _first_key(packets)
    with container:
        feed = enumerate(numbered(container, stream))
        packet: Any = True
        while packet is not None and (limit is None or len(seen) < limit):
            try:
                row, packet = next(feed, (first, None))
                if row < first:
                    continue
                frames = stream.codec_context.decode(packet and stamped(packet, row))
            except av.error.EOFError:
                break
            except av.error.FFmpegError:
                faults += 1
                continue
            told = [frame for frame in frames if frame.pts is not None]
            seen |= dict.fromkeys(int(frame.pts) for frame in told)
            interlaced = interlaced or any(frame.interlaced_frame for frame in told)
    return Seen(list(seen), interlaced, faults, strict)


def _finished(shown: Rows, packets: Packets, seen: Seen, cut: str | None) -> Index:
    """The index of frames in their order: where each begins to be decodable, and its time."""
    number = np.full(len(packets.size), -1, np.int64)
    number[shown] = np.arange(len(shown))
    keys = np.flatnonzero(packets.key & (number >= 0))
    # The last key frame that neither comes later in the file nor is shown later. Key frames
    # that are shown out of order (never in a valid file) are no places to start from.
    keys = keys[number[keys] == np.maximum.accumulate(number[keys])] if len(keys) else keys
    by_row = np.searchsorted(keys, shown, side="right") - 1
    by_number = np.searchsorted(number[keys], np.arange(len(shown)), side="right") - 1
    place = np.minimum(by_row, by_number)
    first = _first_key(packets)
    start = np.where(place >= 0, keys[place], first) if len(keys) else np.full(len(shown), first)
    time, end = _times(shown, packets)
    damage = cut or _missing(packets, shown, seen)
    start = start.astype(np.int64)
    return Index(shown, start, time, end, packets, seen.interlaced, seen.strict, damage)


def _times(shown: Rows, packets: Packets) -> tuple[Rows, int]:
    """When each frame is shown, and when the last one ends, in ticks since the first.

    Without usable time stamps of presentation, those of decoding in their order: each is one
    frame's delay early, and the differences are right. Without these, by the rate.
    """
    for times in (packets.pts[shown], np.sort(packets.dts[shown])):
        if NONE not in times and (np.diff(times) > 0).all():
            break
    else:
        step = float(1 / (packets.rate * packets.tick))
        times = np.rint(np.arange(len(shown)) * step).astype(np.int64)
    length = int(packets.length[shown[-1]])
    usual = int(np.median(np.diff(times))) if len(times) > 1 else 1
    last = length if 0 < length <= 100 * max(usual, 1) else max(usual, 1)
    return times - times[0], int(times[-1] - times[0]) + last


def _missing(packets: Packets, shown: Rows, seen: Seen) -> str | None:
    there = len(packets.size)
    if packets.promised > there:
        return f"the file's own index promises {packets.promised} frames, {there} are there"
    if packets.bad[shown[-1]]:
        return "the file ends within a frame"
    return f"{seen.faults} damaged packets" if seen.faults else None
