"""The door: what a header may promise, and how a foreign error becomes ours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from hounsfield.errors import FormatError, HounsfieldError, InputError
from hounsfield.formats.contract import MAX_BYTES, Source, promised_bytes

# The most that one compressed byte can become. Deflate ends at 1032; wavelet and run-length
# coders reach a few thousand on constant pictures. Small pictures are free.
DEFLATE_RATIO = 1_100
CODEC_RATIO = 4_000
FREE_BYTES = 1 << 24


@contextmanager
def refusing(file: Path, what: str, remedy: str = "copy the file again") -> Iterator[None]:
    """Turn whatever a library raises about a file's content into our `FormatError`.

    Codecs raise every kind of exception on damaged input, so all of them are caught here, at
    the door, and nowhere else; the original stays attached as the cause.
    """
    try:
        yield
    except InputError as error:
        if error.file is None:  # what reads bytes alone does not know whose they are
            raise error.of(file) from error
        raise
    except HounsfieldError:
        raise
    except PermissionError:
        raise FormatError(
            "no permission to read this file", file=file, remedy="ask its owner, or copy it"
        ) from None
    except MemoryError as error:
        raise FormatError(
            f"not enough memory for {what}", file=file, remedy="use a machine with more memory"
        ) from error
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise FormatError(
            f"cannot decode {what} ({reason})",
            file=file,
            expected="undamaged content",
            remedy=remedy,
        ) from error


def check_promise(
    file: Path,
    shape: Sequence[int],
    dtype: np.dtype[np.generic],
    found: int,
    ratio: float = 1,
) -> int:
    """The bytes that a header promises; refused before allocation where `found` cannot hold them.

    `ratio` is how many bytes one stored byte can become: 1 for plain storage.

    Raises:
        FormatError: a size below 1, more than the limit, or more than the file can hold.
    """
    promised = promised_bytes(shape, dtype)
    small = promised <= MAX_BYTES and (
        promised <= found * ratio or (ratio != 1 and promised <= FREE_BYTES)
    )
    if small and min(shape) >= 1:
        return promised
    size = "×".join(str(int(n)) for n in shape)
    if min(shape) < 1:
        raise FormatError(f"the header promises an empty image ({size})", file=file)
    if promised > MAX_BYTES:
        raise FormatError(
            f"the header promises {size} {dtype} = {promised:,} bytes",
            file=file,
            expected=f"at most {MAX_BYTES:,} bytes",
            remedy="check that the file is what it says; cut it into parts if it is",
        )
    raise FormatError(
        f"the header promises {size} {dtype} = {promised:,} bytes, "
        f"the file has {found:,} bytes of pixels",
        file=file,
        expected="a whole file" if ratio == 1 else "a size that the compressed data can hold",
        remedy="copy the file again; it is truncated or its header is wrong",
    )


def frame_range(source: Source, depth: int) -> tuple[int, int]:
    """The planes that a source names, half-open; all of them by default."""
    first, last = source.frames or (0, depth)
    if not 0 <= first < last <= depth:
        raise FormatError(
            f"frames {first} to {last} were asked for", file=source.file, expected=f"0 to {depth}"
        )
    return first, last
