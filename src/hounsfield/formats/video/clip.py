"""A video as a sequence of images: streamed with bounded memory, or by frame and by time, exactly.

with Clip.open("film.mp4") as clip:
    print(len(clip), clip.duration)
    clip.frame(17)            # an Image (3, 1, rows, columns), its channels with their time
    clip.at(3.2)              # the one shown 3.2 s after the first
    for image in clip: ...    # also clip.every(25), clip.scenes()
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError, UsageError
from hounsfield.formats.video.decode import Decoder
from hounsfield.formats.video.file import File, name_of
from hounsfield.formats.video.index import Index, index_of
from hounsfield.formats.video.look import Look, look_of, rgb, thumbnail, without_fields
from hounsfield.image import RGB, Channel, Image

CUT = 12.0  # grey levels of 255


@dataclass(frozen=True, eq=False)
class Clip:
    """A video that is opened when it is first asked for something, and yields Images.

    Frame n is the n-th that a player shows, the same by any way to it. Times are seconds since
    the first frame. `deinterlace=True` mends the frames that say they are interlaced, "all"
    every one. For one thread at a time; a copy sent to another process opens the file anew.
    """

    file: File
    deinterlace: bool | Literal["all"] = False

    @classmethod
    def open(cls, path: str | Path, *, deinterlace: bool | Literal["all"] = False) -> Self:
        return cls(Path(path), deinterlace)

    @classmethod
    def of_stream(cls, stream: BinaryIO) -> Self:
        """A video in memory or in an open file: MP4, MPEG-TS, or a bare stream."""
        return cls(stream)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; asking for a frame opens it again."""
        decoder = self.__dict__.pop("_decoder", None)
        if decoder is not None:
            decoder.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.file, self.deinterlace)

    def __len__(self) -> int:
        return len(self.index)

    @cached_property
    def index(self) -> Index:
        """Which packet is which frame, and when it is shown."""
        return index_of(self.file)

    @cached_property
    def look(self) -> Look:
        """Size, colours and orientation, as the first frame says."""
        return look_of(self._decoder.frame(0), self._decoder.aspect, name_of(self.file))

    @property
    def duration(self) -> float:
        """Seconds from the first frame's beginning to the last one's end."""
        return self.index.duration

    @property
    def rate(self) -> float:
        """Frames a second, on average."""
        return len(self) / self.duration if self.duration else 0.0

    @property
    def codec(self) -> str:
        return self._decoder.codec

    @property
    def size(self) -> tuple[int, int]:
        """Rows, columns as shown."""
        return self.look.size

    def frame(self, number: int) -> Image:
        """The Image (3, 1, rows, columns) of a frame, 0 ≤ number < len; uint8 RGB.

        Raises:
            FormatError: it cannot be decoded.
            InputError: there is no such frame.
        """
        return self._image(self._decoder, self._inside(number))

    def at(self, seconds: float | Fraction) -> Image:
        """The frame that is shown at a time, seconds since the first.

        Raises:
            FormatError: it cannot be decoded.
            InputError: the time lies outside the video.
        """
        return self.frame(self.number_at(seconds))

    def number_at(self, seconds: float | Fraction) -> int:
        """The number of the frame that is shown at a time."""
        number = self.index.shown_at(seconds) if np.isfinite(float(seconds)) else -1
        if not 0 <= number < len(self):
            raise InputError(
                f"no frame at {float(seconds):g} s",
                file=name_of(self.file),
                expected=f"a time from 0 to {self.duration:.3f} s",
            )
        return number

    def pixels(self, first: int, last: int) -> NDArray[np.uint8]:
        """Frames first ≤ n < last as one array (3, frames, rows, columns)."""
        self._inside(first), self._inside(last - 1)
        out = np.empty((3, max(0, last - first), *self.size), np.uint8)
        for place, number in enumerate(range(first, last)):
            out[:, place] = self._rgb(self._decoder, number)
        return out

    def __iter__(self) -> Iterator[Image]:
        return self.every(1)

    def every(self, step: int, first: int = 0, last: int | None = None) -> Iterator[Image]:
        """Frames first, first + step, … before `last`, one in memory at a time."""
        if step < 1:
            raise UsageError(f"every {step} frames", remedy="a step is 1 or more")
        return self._stream(range(first, len(self) if last is None else last, step))

    def every_seconds(self, seconds: float) -> Iterator[Image]:
        """The frames shown at 0, `seconds`, 2 `seconds`, …, each once."""
        if not (np.isfinite(seconds) and seconds > 0):
            raise UsageError(f"every {seconds} seconds", remedy="give a time above 0")
        step = Fraction(seconds) / self.index.packets.tick
        edges = [*self.index.time.tolist(), self.index.end]
        firsts = (-(-edge // step) * step for edge in edges[:-1])  # the moment after each frame
        shown = (first < end for first, end in zip(firsts, edges[1:], strict=True))
        return self._stream(number for number, one in enumerate(shown) if one)

    def scenes(self, threshold: float = CUT) -> Iterator[Image]:
        """The first frame of each scene; `cuts` tells their numbers."""
        return self._stream(self.cuts(threshold))

    def cuts(self, threshold: float = CUT) -> list[int]:
        """The frames at which a scene begins, 0 first.

        Frames are averaged over 64 × 64 fields of grey; d is the mean absolute difference to
        the frame before, in grey levels. A scene begins where min(d, |d - d before|) reaches
        the threshold: a cut is a jump, a moving camera is not (as FFmpeg's `scdet` measures).
        """
        found, before, last = [0], None, 0.0
        with closing(Decoder(self.file, self.index)) as decoder:
            for number in range(len(self)):
                small = thumbnail(decoder.frame(number))
                change = 0.0 if before is None else float(np.abs(small - before).mean())
                if min(change, abs(change - last)) >= threshold and number:
                    found.append(number)
                before, last = small, change
        return found

    def times(self) -> NDArray[np.float64]:
        """When each frame is first shown, in seconds since the first."""
        return np.asarray(self.index.time * float(self.index.packets.tick), np.float64)

    def _stream(self, numbers: Any) -> Iterator[Image]:
        """Images with a decoder of their own, so that asking in between disturbs nothing."""
        with closing(Decoder(self.file, self.index)) as decoder:
            for number in numbers:
                yield self._image(decoder, self._inside(number))

    def _image(self, decoder: Decoder, number: int) -> Image:
        planes = self._rgb(decoder, number)
        return Image(planes[:, None], None, at_time(self.index.seconds(number)))

    def _rgb(self, decoder: Decoder, number: int) -> NDArray[np.uint8]:
        frame = decoder.frame(number)
        if self.deinterlace:
            first, last = max(0, number - 1), min(len(self), number + 2)
            window = [decoder.frame(one) for one in range(first, last)]
            frame = without_fields(window, number - first, self.deinterlace == "all")
        return rgb(frame, self.look, name_of(self.file))

    def _inside(self, number: int) -> int:
        if not 0 <= number < len(self):
            raise InputError(
                f"there is no frame {number}",
                file=name_of(self.file),
                expected=f"0 to {len(self) - 1}",
            )
        return number

    @cached_property
    def _decoder(self) -> Decoder:
        return Decoder(self.file, self.index)


def at_time(seconds: float) -> tuple[Channel, ...]:
    """Red, green and blue of one moment."""
    return tuple(replace(channel, time=seconds) for channel in RGB)
