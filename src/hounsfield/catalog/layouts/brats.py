"""BraTS 2017 and later: brain tumours in four MR contrasts on one grid, as NIfTI.

A case is a folder with FLAIR, T1, T1ce and T2, and the mask `seg` where it is given out. From 2023
on the last number of a name is a time point: one patient can have several. Where the mapping of
names is there, a patient has the oldest of its names, so that one who comes again in a later year
is known to be the same. Survival, age, resection and grade become columns. A case that lacks a
contrast is left out, and told.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hounsfield.catalog.findings import Finding, counted
from hounsfield.catalog.layouts.contract import Entry, Label
from hounsfield.catalog.layouts.reading import part_of
from hounsfield.catalog.layouts.rows import Row, Table
from hounsfield.catalog.tables import Part
from hounsfield.errors import InputError
from hounsfield.folders import folders, listing
from hounsfield.formats.contract import Source

TITLE = "BraTS, Brain Tumor Segmentation Challenges (2017 and later)"
LICENCE = "the organisers' terms, other ones each year: registration, no resale, cite the papers"
GET = """\
med.upenn.edu/cbica/brats2020/data.html (2017–2020), synapse.org/brats2021, brats2023 and later
FOLDER/, also with HGG/ and LGG/ in it, or with ...TrainingData/ and ...ValidationData/
├── BraTS20_Training_001/                or Brats17_..., BraTS19_..., BraTS2021_00000
│   ├── BraTS20_Training_001_flair.nii.gz, _t1, _t1ce, _t2      .nii too
│   └── BraTS20_Training_001_seg.nii.gz  1: core, 2: oedema, 4: enhancing (from 2023 on: 3)
├── BraTS-GLI-00000-000/                 from 2023 on: PATIENT-TIME, also MEN, MET, PED, SSA
│   └── BraTS-GLI-00000-000-t2f.nii.gz, -t1n, -t1c, -t2w, -seg
├── name_mapping.csv                     grade, and names in earlier years (may be absent)
└── survival_info.csv                    age, survival, extent of resection (may be absent)
"""

CONTRASTS = {  # channel -> how files call it, up to 2021 and from 2023 on
    "FLAIR": ("flair", "t2f"),
    "T1": ("t1", "t1n"),
    "T1ce": ("t1ce", "t1c"),
    "T2": ("t2", "t2w"),
}
_CASE = re.compile(r"brats(\d\d_.+|20\d\d_\d+|-[a-z]+-\d+-\d{3})", re.I)
_TIME = re.compile(r"(brats-[a-z]+-\d+)-\d{3}", re.I)
_NIFTI = re.compile(r"(.+)\.nii(\.gz)?", re.I)
_TABLE = re.compile(r".*(mapping|survival).*\.(csv|xlsx)", re.I)
_ID = re.compile(r"brats_?(20)?(?P<year>\d\d)(_?subject)?(_?id)?", re.I)
_PART = re.compile(r"(?<![a-z])(train|valid|test)(ing|ation)?", re.I)
_ALIVE = re.compile(r"alive \((\d+) days later\)", re.I)
_AGE, _GRADE = ("age",), ("grade",)
_SURVIVAL = ("survival", "survival_days")
_RESECTION = ("resectionstatus", "extent_of_resection")
_DEEP = 3  # folders between the one given and the cases': a download, a part of it, HGG
_LOOKED_AT = 5  # folders of each, to recognise the layout


@dataclass(frozen=True)
class _Case:
    """A folder of one examination: its path below the root, and its files by what they are."""

    path: str
    files: dict[str, str]  # channel or "seg" -> file name

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    @property
    def missing(self) -> list[str]:
        return [channel for channel in CONTRASTS if channel not in self.files]


@dataclass(frozen=True)
class _Told:
    """What the tables say, by names in lower case."""

    facts: dict[str, Row]  # of each case
    oldest: dict[str, str]  # patient -> the patient's name in the earliest year


def recognise(root: Path) -> bool:
    return root.is_dir() and next(_cases(root, few=True), None) is not None


def entries(root: Path) -> Iterator[Entry]:
    """Four entries a case, FLAIR, T1, T1ce and T2, sorted by folder.

    Raises:
        InputError: no case is there, or a table that names a case twice or holds no numbers.
    """
    told = _read(root)
    none = True
    for case in _cases(root):
        none = False
        yield from _incomplete(root, case) if case.missing else _complete(root, case, told)
    if none:
        raise InputError("no folder of a BraTS case", file=root, remedy=GET)


def noticed(root: Path) -> list[Finding]:
    """Cases that lack a contrast."""
    all_cases = list(_cases(root))
    lacking = Counter(channel for case in all_cases for channel in case.missing)
    count = sum(bool(case.missing) for case in all_cases)
    if not count:
        return []
    told = ", ".join(f"{lacking[name]} × {name}" for name in CONTRASTS if name in lacking)
    return [
        Finding(
            kind="missing-contrast",
            severity="warning",
            text=f"{counted(count, 'case')} of {len(all_cases):,} without all four contrasts "
            f"(missing: {told}): left out",
            remedy="download these folders again; rejected.csv lists the missing files",
        )
    ]


def _cases(root: Path, *, few: bool = False, below: str = "", deep: int = 0) -> Iterator[_Case]:
    """The cases, depth first; with `few` only the first folders of each are looked at."""
    for name in folders(root / below)[: _LOOKED_AT if few else None]:
        path = f"{below}/{name}" if below else name
        files = _files(root / path, name) if _CASE.fullmatch(name) else {}
        if files:
            yield _Case(path, files)
        elif deep < _DEEP:
            yield from _cases(root, few=few, below=path, deep=deep + 1)


def _files(folder: Path, case: str) -> dict[str, str]:
    """Channel or "seg" -> file; none where the folder holds no contrast of its own name."""
    stems: dict[str, str] = {}
    for entry in listing(folder):
        match = _NIFTI.fullmatch(entry.name)
        if match and entry.is_file():
            stems.setdefault(match[1].lower(), entry.name)  # x.nii before x.nii.gz
    own = {
        stem[len(case) + 1 :]: name
        for stem, name in stems.items()
        if stem.startswith(case.lower()) and stem[len(case) : len(case) + 1] in ("_", "-")
    }
    found = {
        channel: own[word] for channel, words in CONTRASTS.items() for word in words if word in own
    }
    # One mask of 2020 kept the name that it had in its hospital: ..._Segm.nii
    masks = [own["seg"]] if "seg" in own else [n for s, n in stems.items() if s.endswith("segm")]
    return found | ({"seg": masks[0]} if found and len(masks) == 1 else {})


def _complete(root: Path, case: _Case, told: _Told) -> Iterator[Entry]:
    mask = case.files.get("seg")
    labels = (Label("mask", "tumour", mask=_source(root, case, mask)),) if mask else ()
    columns = _columns(case, told.facts.get(case.name.lower(), {}))
    patient = _patient(case.name)
    for channel in CONTRASTS:
        yield Entry(
            _source(root, case, case.files[channel]),
            f"{case.path}/{channel}",
            told.oldest.get(patient.lower(), patient),
            "mapped",
            labels if channel == "FLAIR" else (),
            _part(root, case),
            case.path,
            channel,
            columns,
        )


def _incomplete(root: Path, case: _Case) -> Iterator[Entry]:
    """Only what is not there: the scan lists it, and no case of fewer channels comes about."""
    new = next(iter(case.files.values())).startswith(f"{case.name}-")
    for channel in case.missing:
        file = f"{case.name}{'-' if new else '_'}{CONTRASTS[channel][new]}.nii.gz"
        yield Entry(
            _source(root, case, file),
            f"{case.path}/{channel}",
            _patient(case.name),
            "mapped",
            case=case.path,
            channel=channel,
        )


def _source(root: Path, case: _Case, file: str) -> Source:
    return Source(str(root), (f"{case.path}/{file}",))


def _patient(case: str) -> str:
    """A case's name, without its time point."""
    match = _TIME.fullmatch(case)
    return match[1] if match else case


def _part(root: Path, case: _Case) -> Part | None:
    """By the nearest word for it: in the case's own name, its folders, the folder given."""
    for name in (*reversed(case.path.split("/")), root.name):
        if match := _PART.search(name):
            return part_of(match[1])
    return None


def _columns(case: _Case, row: Row) -> dict[str, str | float | None]:
    grades = [word for word in case.path.split("/") if word.upper() in ("HGG", "LGG")]
    days = row.get("survival_days")
    columns: dict[str, str | float | None] = {
        "modality": "MR",
        "grade": grades[-1].upper() if grades else row.get("grade") or None,
        "age": float(row["age"]) if row.get("age") else None,
        "survival_days": float(days) if days else None,
        "survival_censored": float(row["censored"]) if days else None,
        "resection": row.get("resection") or None,
    }
    return {name: value for name, value in columns.items() if value is not None}


def _read(root: Path) -> _Told:
    found = _Told({}, {})
    for path in _tables(root):
        table = Table(path)
        years = _years(table.columns())
        seen: set[str] = set()
        for number, row in table.rows():
            names = [row[column] for column in years if row[column]]
            if names and names[-1].lower() in seen:
                raise table.row_error(number, "this case was already given")
            facts = _row(table, number, row)
            for name in names:
                found.facts[name.lower()] = facts | found.facts.get(name.lower(), {})
                if len(names) > 1:
                    found.oldest.setdefault(_patient(name).lower(), _patient(names[0]))
            seen.update(name.lower() for name in names[-1:])
    return found


def _tables(root: Path, below: str = "", deep: int = 0) -> Iterator[Path]:
    """The tables beside the cases, and in the folders above."""
    if not root.is_dir():
        return
    for entry in listing(root / below):
        path = f"{below}/{entry.name}" if below else entry.name
        if _TABLE.fullmatch(entry.name) and entry.is_file():
            yield root / path
        elif deep < _DEEP and entry.is_dir() and not _CASE.fullmatch(entry.name):
            yield from _tables(root, path, deep + 1)


def _years(columns: list[str]) -> list[str]:
    """The columns of names, the oldest year's first."""
    found = {column: match["year"] for column in columns if (match := _ID.fullmatch(column))}
    return sorted(found, key=found.__getitem__)


def _row(table: Table, number: int, row: Row) -> Row:
    """A row's facts, under our names; numbers are checked here and kept as text."""
    plain = {name.lower(): cell for name, cell in row.items()}

    def cell(names: tuple[str, ...]) -> str:
        return next((plain[name] for name in names if plain.get(name)), "")

    told = {"grade": cell(_GRADE).upper(), "resection": cell(_RESECTION), "age": cell(_AGE)}
    days = cell(_SURVIVAL)
    alive = _ALIVE.fullmatch(days)
    if days:
        told |= {"survival_days": alive[1] if alive else days, "censored": "1" if alive else "0"}
    for name in {"age", "survival_days"} & told.keys():
        table.number(number, told, name)
    return {name: value for name, value in told.items() if value}
