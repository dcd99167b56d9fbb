"""A folder of videos and a table of intervals: `video,start,end,label[,patient]`.

Each labelled interval is sampled, by default one frame a second, and each sample is an image and
a case of its own. All frames of a video are of one patient, so they stay in one part of a split.
No video is opened here: a time that a video does not have is found when the files are read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import inside, part_of, stem
from hounsfield.catalog.layouts.rows import TABLES, Row, Table
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import folders, listing, walk
from hounsfield.formats.contract import Source

TITLE = "Videos with labelled intervals (endoscopy, operating theatre)"
LICENCE = "the data set's own"
GET = """\
FOLDER/
├── intervals.csv                        video,start,end,label and, where known, patient,split
├── intervals.yaml                       may be absent; how densely to sample, any of these lines:
│                                            seconds: 1     a frame a second, the default
│                                            frames: 25     every 25th, where the table has frames
└── videos/film1.mp4                     below the table, or below one of its folders

start and end are seconds (12.5), clock times (1:02:03.5), or frames in columns start_frame and
end_frame; the end is not part of the interval.
"""

VIDEOS = (
    *(".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".vob", ".m2v"),
    *(".ts", ".m2ts", ".mts"),
)
SIDECAR = "intervals.yaml"
DAY = 24 * 3600.0  # the longest interval in seconds
MOST_FRAMES = 10_000_000
MOST_NAMED = 5

# role -> names, in lower case without spaces, dots and underscores; the first found is taken
NAMES: dict[str, tuple[str, ...]] = {
    "video": ("video", "videofile", "videoname", "videopath", "videoid", "clip", "film"),
    "start": ("start", "begin", "from", "starttime", "startseconds", "starts", "onset"),
    "end": ("end", "stop", "to", "endtime", "endseconds", "ends", "offset"),
    "start_frame": ("startframe", "framestart", "firstframe", "beginframe"),
    "end_frame": ("endframe", "frameend", "lastframe", "stopframe"),
    "label": ("label", "class", "finding", "phase", "diagnosis", "event", "category"),
    "patient": ("patient", "patientid", "subject", "subjectid", "case", "caseid"),
    "part": ("part", "split", "subset", "partition"),
}


class Sampling(BaseModel):
    """How densely intervals are sampled."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    seconds: float = Field(1.0, ge=0.001, le=DAY)  # samples are named to the millisecond
    frames: int = Field(25, ge=1)


@dataclass(frozen=True)
class Columns:
    """Which column of the table says what."""

    video: str
    start: str
    end: str
    label: str
    patient: str | None
    part: str | None
    in_frames: bool  # start and end are frames, not seconds


@dataclass(frozen=True)
class Interval:
    """A row of the table: half open, in seconds or in frames."""

    row: int
    start: float
    end: float
    label: str


@dataclass(frozen=True)
class Film:
    """A video and all that the table says of it."""

    path: str
    patient: str | None
    part: Part | None
    intervals: tuple[Interval, ...]


def recognise(root: Path) -> bool:
    """A table with the columns video, start, end and label, or its folder."""
    if root.is_file():
        return root.suffix.lower() in TABLES and _columns(Table(root)) is not None
    return root.is_dir() and bool(_tables(root))


def entries(root: Path) -> Iterator[Entry]:
    """One entry a sample, by video and time.

    A sample lies in the middle of each second (or of what `intervals.yaml` says) of an interval;
    a shorter interval gives its middle. Where intervals of different labels overlap, no sample
    is taken.

    Raises:
        InputError: no table or several, a time that is none, an end before its start, a path out
            of the folder, a video of two patients or in two parts.
    """
    table, columns = _table(root)
    for film, label, moment in _samples(table, columns):
        yield _entry(table.path.parent, film, label, moment, columns.in_frames)


def table_rows(root: Path) -> dict[str, int]:
    """By a sample's name, the first row whose interval it is of."""
    table, columns = _table(root)
    return {
        _name(film, moment, columns.in_frames): _row(film, label, moment)
        for film, label, moment in _samples(table, columns)
    }


def _row(film: Film, label: str, moment: float) -> int:
    mine = (one for one in film.intervals if one.label == label and one.start <= moment < one.end)
    return next(mine, film.intervals[0]).row


def _samples(table: Table, columns: Columns) -> Iterator[tuple[Film, str, float]]:
    """A film, a label and a moment for each sample, by video and time."""
    sampling = _sampling(table.path.parent / SIDECAR)
    step = float(sampling.frames) if columns.in_frames else sampling.seconds
    for film in _films(table, columns):
        for label, start, end in _clear(film.intervals):
            yield from ((film, label, moment) for moment in _moments(start, end, step))


def noticed(root: Path) -> list[Finding]:
    """Intervals that contradict each other, and videos without any."""
    table, columns = _table(root)
    films = list(_films(table, columns))
    torn = [(film, pair) for film in films for pair in _overlaps(film.intervals)]
    found = []
    if torn:
        rows = ", ".join(f"{one.row} and {two.row}" for _, (one, two) in torn[:MOST_NAMED])
        found.append(
            Finding(
                kind="interval-overlap",
                severity="warning",
                text=f"{counted(len(torn), 'pair')} of overlapping intervals with different "
                f"labels (rows {rows}{', …' if len(torn) > MOST_NAMED else ''}): no frame is "
                "taken where they overlap",
                remedy="correct the table, or give one table for each question",
            )
        )
    unnamed = set(_videos(table.path.parent)) - {film.path for film in films}
    if unnamed:
        found.append(
            Finding(
                kind="video-without-interval",
                severity="info",
                text=f"{counted(len(unnamed), 'video')} of the folder "
                f"{'has' if len(unnamed) == 1 else 'have'} no row in the table and "
                f"{'is' if len(unnamed) == 1 else 'are'} left out",
                remedy="add rows, or check the spelling of the names",
            )
        )
    return found


def seconds_of(text: str) -> float | None:
    """Seconds, from "12.5", "02:03" or "1:02:03.5"; None where it is no time."""
    parts = text.strip().split(":")
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        return None
    if len(parts) > 3 or any(not math.isfinite(one) or one < 0 for one in numbers):
        return None
    if any(one >= 60 for one in numbers[1:]):
        return None
    return float(sum(one * 60**power for power, one in enumerate(reversed(numbers))))


def _entry(root: Path, film: Film, label: str, moment: float, in_frames: bool) -> Entry:
    if in_frames:
        number = int(moment)
        source = Source(str(root), (film.path,), frames=(number, number + 1))
    else:
        source = Source(str(root), (film.path,), f"time/{moment:.3f}")
    return Entry(
        source,
        _name(film, moment, in_frames),
        film.patient or stem(PurePosixPath(film.path).name),
        "given" if film.patient else "guessed",
        (Label("class", "label", label),),
        film.part,
    )


def _name(film: Film, moment: float, in_frames: bool) -> str:
    return f"{film.path}/{int(moment)}" if in_frames else f"{film.path}/{moment:.3f}"


def _moments(start: float, end: float, step: float) -> Iterator[float]:
    """The middles of the steps from start to end; the middle of what is shorter than one."""
    count = max(1, math.floor((end - start) / step + 1e-9))
    width = min(step, end - start)
    yield from (start + width / 2 + k * step for k in range(count))


def _overlaps(intervals: Sequence[Interval]) -> Iterator[tuple[Interval, Interval]]:
    """Pairs of different labels that share a moment."""
    running: list[Interval] = []
    for one in sorted(intervals, key=lambda interval: interval.start):
        running = [other for other in running if other.end > one.start]
        yield from ((other, one) for other in running if other.label != one.label)
        running.append(one)


def _clear(intervals: Sequence[Interval]) -> list[tuple[str, float, float]]:
    """Label, start and end of what only one label claims, joined, in the order of time."""
    torn = [(max(a.start, b.start), min(a.end, b.end)) for a, b in _overlaps(intervals)]
    pieces: list[tuple[str, float, float]] = []
    for label in sorted({one.label for one in intervals}):
        spans = _joined([(one.start, one.end) for one in intervals if one.label == label])
        pieces += [(label, *span) for span in _without(spans, _joined(torn))]
    return sorted(pieces, key=lambda piece: piece[1])


def _joined(spans: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    joined: list[tuple[float, float]] = []
    for start, end in sorted(spans):
        if joined and start < joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _without(
    spans: Sequence[tuple[float, float]], holes: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    kept = []
    for start, end in spans:
        at = start
        for first, last in holes:
            if first < end and last > at:
                kept += [(at, first)] if first > at else []
                at = max(at, last)
        kept += [(at, end)] if at < end else []
    return kept


def _films(table: Table, columns: Columns) -> Iterator[Film]:
    """The videos in the table's order, each with its intervals."""
    root = table.path.parent
    seen: dict[str, list[tuple[int, Row]]] = {}
    folder, suffix = _place(root, table, columns)
    for number, row in table.rows():
        if not row[columns.video]:
            raise table.row_error(number, f"{columns.video} is empty", expected="a video's file")
        path = inside(root / folder, f"{row[columns.video]}{suffix}", f"row {number}")
        seen.setdefault(str(PurePosixPath(folder, path)), []).append((number, row))
    for path, rows in seen.items():
        patient = _same(table, columns.patient, rows)
        part = _same(table, columns.part, rows)
        if part and part_of(part) is None:
            raise table.row_error(
                rows[0][0], f"{columns.part} is {part!r}", expected="train, val or test"
            )
        intervals = tuple(_interval(table, columns, number, row) for number, row in rows)
        yield Film(path, patient, part_of(part) if part else None, intervals)


def _same(table: Table, column: str | None, rows: Sequence[tuple[int, Row]]) -> str | None:
    """What all rows of a video say in a column; blanks say nothing."""
    if column is None:
        return None
    told = [(number, row[column]) for number, row in rows if row[column]]
    for number, text in told:
        if text != told[0][1]:
            raise table.row_error(
                number, f"another {column} than in row {told[0][0]}", expected="one for a video"
            )
    return told[0][1] if told else None


def _interval(table: Table, columns: Columns, number: int, row: Row) -> Interval:
    edges = []
    for column in (columns.start, columns.end):
        value = _frame_of(row[column]) if columns.in_frames else seconds_of(row[column])
        if value is None or value > (MOST_FRAMES if columns.in_frames else DAY):
            raise table.row_error(
                number,
                f"{column} is {row[column]!r}",
                expected="a frame's number"
                if columns.in_frames
                else "seconds or h:mm:ss, within a day",
            )
        edges.append(value)
    if edges[1] <= edges[0]:
        raise table.row_error(number, "the interval ends where it starts, or before")
    if not row[columns.label]:
        raise table.row_error(number, f"{columns.label} is empty", expected="a class")
    return Interval(number, edges[0], edges[1], row[columns.label])


def _frame_of(text: str) -> float | None:
    return float(text) if text.isascii() and text.isdigit() else None


def _columns(table: Table) -> Columns | None:
    """The table's column of each role; None where one that must be is not there."""
    try:
        names = {_plain(name): name for name in reversed(table.columns())}
    except InputError:
        return None
    found = {
        role: next((names[word] for word in words if word in names), None)
        for role, words in NAMES.items()
    }
    video, label = found["video"], found["label"]
    in_frames = not (found["start"] and found["end"])
    start = found["start_frame" if in_frames else "start"]
    end = found["end_frame" if in_frames else "end"]
    if not (video and label and start and end):
        return None
    return Columns(video, start, end, label, found["patient"], found["part"], in_frames)


def _plain(name: str) -> str:
    return name.lower().translate(str.maketrans("", "", " ._-"))


def _place(root: Path, table: Table, columns: Columns) -> tuple[str, str]:
    """The folder before the names and the suffix after them, so that most files are there."""
    named = list(dict.fromkeys(row[columns.video] for _, row in table.rows()))[:50]
    places = [(place, suffix) for place in ("", *folders(root)[:20]) for suffix in ("", *VIDEOS)]
    there = {
        (place, suffix): sum((root / place / f"{name}{suffix}").is_file() for name in named)
        for place, suffix in places
    }
    return max(places, key=lambda place: there[place])


def _videos(root: Path) -> list[str]:
    return [path for path in walk(root, files_only=True) if path.lower().endswith(VIDEOS)]


def _tables(root: Path) -> list[tuple[Table, Columns]]:
    there = [e.name for e in listing(root) if e.is_file() and e.name.lower().endswith(TABLES)]
    tables = [(Table(root / name), _columns(Table(root / name))) for name in there]
    return [(table, columns) for table, columns in tables if columns is not None]


def _table(root: Path) -> tuple[Table, Columns]:
    columns = _columns(Table(root)) if root.is_file() else None
    if columns is not None:
        return Table(root), columns
    found = _tables(root) if root.is_dir() else []
    if len(found) == 1:
        return found[0]
    names = ", ".join(table.path.name for table, _ in found)
    raise InputError(
        f"{len(found)} tables of intervals: {names}" if found else "no table of intervals",
        file=root,
        expected="one table with the columns video, start, end and label",
        remedy="name the table itself, e.g. FOLDER/intervals.csv",
    )


def _sampling(path: Path) -> Sampling:
    import yaml

    if not path.is_file():
        return Sampling()
    try:
        read: Any = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        return Sampling.model_validate(read)
    except ValidationError as error:
        first = error.errors()[0]
        problem = f"{'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        problem = "the file cannot be read"
    raise InputError(
        problem,
        file=path,
        expected="`seconds: 1` or `frames: 25`",
        remedy="correct it, or delete it for one frame a second",
    )
