"""Where a catalog may be written: among nobody's files."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from hounsfield.catalog import pseudonym
from hounsfield.errors import InputError
from hounsfield.folders import MADE_HERE, is_hidden

RUN = "run.json"
TABLE = "images.parquet"
MOST_NAMES = 3


def check(out: Path, besides: Collection[str] = ()) -> None:
    """Refuse a folder that holds anything but a catalog, the beginning of one, or `besides`.

    Raises:
        InputError: a run, or files of another kind, are in the way.
    """
    try:
        held = sorted(path.name for path in out.iterdir())
    except OSError:
        return  # a new folder; or one that writing will tell of
    remedy = "give a new folder with --out"
    in_a_run = RUN in held or (TABLE in held and _within_a_run(out))
    if in_a_run:
        raise InputError("a run is here: no catalog is written into it", file=out, remedy=remedy)
    if TABLE in held or any(name in MADE_HERE for name in held):
        return
    foreign = [name for name in held if not is_hidden(name) and name not in besides]
    if foreign:
        raise InputError(
            f"this is no catalog: it holds {_named(foreign)}",
            file=out,
            expected="a new or empty folder, or a catalog that was indexed before",
            remedy=remedy,
        )


def _within_a_run(out: Path) -> bool:
    """A run keeps a copy of the tables in a folder of its own."""
    return any((folder / RUN).is_file() for folder in out.absolute().parents)


def _named(names: Sequence[str]) -> str:
    """How many there are, and the first whose names say nothing of a person."""
    plain = [name for name in names if pseudonym.plain(name, pseudonym.PLACES)][:MOST_NAMES]
    told = f" ({', '.join(plain)}{', …' if len(names) > len(plain) else ''})" if plain else ""
    return f"{len(names)} other {'file or folder' if len(names) == 1 else 'files or folders'}{told}"
