"""The link: the one file that knows files, true identities and the key of the pseudonyms.

It also keeps what was read from each file, with the file's size and time, so that a second
index reads only what changed. While indexing, what was read is put aside in parts, so that an
interrupted index goes on where it stopped. Everything here is its owner's alone (0600).
"""

from __future__ import annotations

import shutil
from pathlib import Path

import polars as pl

from hounsfield.catalog.pseudonym import KEY_BYTES
from hounsfield.catalog.tables import LINK, LINK_FILE, write_whole
from hounsfield.errors import InputError

READER = "4"  # raised when reading changes what it finds: everything is then read again
PARTS = ".index"
WHERE = ("root", "paths", "member", "frames", "size", "changed")  # a file, as it was when read
FOUND = tuple(name for name in LINK if name not in WHERE and name != "image")


def load(folder: Path) -> tuple[pl.DataFrame, bytes | None]:
    """What was read before, and the key; an empty table and None where there is no link.

    Raises:
        InputError: the link is damaged. Its key is gone with it, so nothing is overwritten.
    """
    path = folder / LINK_FILE
    seen, key = pl.DataFrame(schema=LINK), None
    if path.exists():
        try:
            metadata = pl.read_parquet_metadata(path)
            key = bytes.fromhex(metadata["key"])
            if metadata.get("reader") == READER:
                seen = pl.read_parquet(path).select(pl.col(n).cast(t) for n, t in LINK.items())
        except (pl.exceptions.PolarsError, OSError, KeyError, ValueError) as error:
            raise InputError(
                "the catalog's link cannot be read",
                file=path,
                expected=f"a table with a key of {KEY_BYTES} bytes",
                remedy="index into another folder; the pseudonyms will be new ones",
            ) from error
    parts = [read for part in _parts(folder) if (read := _read(part)) is not None]
    return pl.concat([seen.filter(pl.col("reason").is_null()), *parts]), key


def put_aside(read: pl.DataFrame, folder: Path) -> None:
    """Keep the good rows of what was just read, until `save` has written the whole."""
    good = read.filter(pl.col("reason").is_null())
    if good.height:
        numbers = [int(part.stem) for part in _parts(folder)]
        path = folder / PARTS / f"{max(numbers, default=0) + 1:06d}.parquet"
        write_whole(good.select(*LINK), path, {"reader": READER}, private=True)


def save(link: pl.DataFrame, key: bytes, folder: Path) -> None:
    """Write the link with its key, then forget the parts."""
    metadata = {"key": key.hex(), "reader": READER}
    write_whole(link.select(*LINK), folder / LINK_FILE, metadata, private=True)
    shutil.rmtree(folder / PARTS, ignore_errors=True)


def _parts(folder: Path) -> list[Path]:
    return sorted((folder / PARTS).glob("[0-9]*.parquet"))


def _read(part: Path) -> pl.DataFrame | None:
    """A part, or None where it is of another reader or was torn: it is then read again."""
    try:
        if pl.read_parquet_metadata(part).get("reader") != READER:
            return None
        return pl.read_parquet(part).select(pl.col(n).cast(t) for n, t in LINK.items())
    except (pl.exceptions.PolarsError, OSError):
        return None
