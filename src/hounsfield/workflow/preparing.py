"""What is done to single volumes before anything is learned from them: bias fields, quality."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hounsfield.errors import HounsfieldError, InputError, UsageError
from hounsfield.files import refuse_existing
from hounsfield.progress import SILENT, Watch
from hounsfield.workflow.data import Data

if TYPE_CHECKING:
    from hounsfield.formats.contract import Source
    from hounsfield.preprocessing.mr.bias_field import N4, BiasCorrected
    from hounsfield.preprocessing.mr.quality import Quality


@contextmanager
def about(file: Data) -> Iterator[None]:
    """Errors name this file where they name none, and this folder for a person's name in it."""
    from hounsfield.catalog.pseudonym import plain_path

    try:
        yield
    except HounsfieldError as error:
        named, given = error.file, Path(str(file).partition("#")[0])
        below = named is not None and given in Path(named).parents
        if named is not None and not (below and not plain_path(Path(named).relative_to(given))):
            raise
        told = type(error)
        raise told(
            error.problem, file=str(file), expected=error.expected, remedy=error.remedy
        ) from None


FLAT = ("png", "jpeg")  # formats of one picture of whole numbers


def refuse_target(target: Path, shape: Sequence[int] = (), *, whole: bool = True) -> None:
    """Refuse, before any work, a name whose format cannot hold an image of this shape (C, Z, Y, X).

    With `whole`, the values are whole numbers. A TIFF's pages hold volumes, too, but not where
    they lie in the patient, so what has several slices goes elsewhere.

    Raises:
        UsageError: no format writes the suffix, or the format cannot hold it.
    """
    from hounsfield import formats

    name = formats.format_of(target)
    several = tuple(shape[:2]) != (1, 1)
    if (name in FLAT and (several or not whole)) or (name == "tiff" and several):
        what = "a volume, or several channels" if several else "numbers that are not whole"
        raise UsageError(
            f"{target.suffix} does not hold {what}",
            file=target,
            expected="a format of volumes: .nii.gz, .nrrd, .mha, .mgz, .mnc",
        )


def n4(
    source: Data,
    target: Data,
    how: N4 | None = None,
    *,
    mask: Data | None = None,
    figure: Path | None = None,
    overwrite: bool = False,
) -> BiasCorrected:
    """Read an MR volume, divide it by its bias field, write it, and draw it if asked to.

    Raises:
        UsageError: a file is there already, no format writes its suffix, or it holds no volume.
        InputError, GeometryError: as `correct_bias`.
    """
    from hounsfield import formats
    from hounsfield.preprocessing.figures import refuse_suffix, save
    from hounsfield.preprocessing.mr.bias_field import correct_bias

    target = Path(target)
    formats.format_of(target)
    refuse_suffix(figure)
    refuse_existing((target, figure), overwrite=overwrite)
    with about(source):
        opened = formats.open(str(source))
        refuse_target(target, opened.header.shape, whole=False)
        image = opened.read()
        found = correct_bias(image, formats.read(str(mask)) if mask else None, how)
    formats.write(found.image, target)
    if figure:
        from hounsfield.reports.bias_figure import figure as drawn

        save(drawn(image, found), figure)
    return found


@dataclass(frozen=True)
class Measured:
    """One image's number, name and size, and its quality or what is wrong with it.

    A name that may be somebody's is hidden: it is the number, as in scans#3.
    """

    image: int
    name: str
    size: str
    quality: Quality | None
    problem: str | None = None
    hidden: bool = False

    def row(self) -> dict[str, object]:
        """A flat row, as the CSV file has it."""
        from dataclasses import fields

        from hounsfield.preprocessing.mr.quality import Quality

        names = [one.name for one in fields(Quality)]
        found = asdict(self.quality) if self.quality else dict.fromkeys(names)
        return {
            "image": self.image,
            "name": self.name,
            "size": self.size,
            **found,
            "problem": self.problem,
        }


def quality(
    data: Data,
    *,
    csv: Path | None = None,
    names: bool = False,
    overwrite: bool = False,
    watch: Watch = SILENT,
) -> list[Measured]:
    """The quality of an image, or of each in a file or folder, one in memory at a time.

    Names of files that may be those of people give way to their numbers unless `names` asks for
    them.
    `csv` is a table to write.

    Raises:
        UsageError: the table is there already.
        InputError: there is no image.
    """
    refuse_existing((csv,), overwrite=overwrite)
    path = Path(data)
    sources, first = _sources(path, watch)
    rows = []
    for done, source in enumerate(sources):
        watch.tell("measuring", done, len(sources))
        rows.append(_measured(first + done, source, path, names=names))
    if csv is not None:
        _save(rows, csv)
    return rows


def _save(rows: list[Measured], path: Path) -> None:
    """As CSV, whole or not at all."""
    from csv import DictWriter
    from io import StringIO

    from hounsfield.files import write_text

    text = StringIO()
    writer = DictWriter(text, list(rows[0].row()), lineterminator="\n")
    writer.writeheader()
    writer.writerows(one.row() for one in rows)
    write_text(path, text.getvalue())


def _sources(path: Path, watch: Watch) -> tuple[list[Source], int]:
    """The images, and the number of the first; what cannot be read is said to `watch`."""
    from hounsfield import formats
    from hounsfield.formats.contract import Source
    from hounsfield.formats.folder import contents

    text, mark, member = str(path).partition("#")
    if mark and not path.exists():
        if not Path(text).is_dir():
            return [Source.of(text, member)], 1
        with about(path):
            return [formats.named(str(path))], int(member) if member.isdigit() else 1
    if not path.is_dir():
        return formats.find(path), 1
    held = contents(path)
    if held.bad:
        what = "file or folder" if len(held.bad) == 1 else "files or folders"
        watch.say(f"{len(held.bad)} {what} cannot be read: `hounsfield info {path}` tells why")
    if not held.sources:
        raise InputError("holds no image", file=path, remedy="`hounsfield info` says what it is")
    return held.sources, 1


def _measured(number: int, source: Source, path: Path, *, names: bool) -> Measured:
    from hounsfield import formats
    from hounsfield.catalog.pseudonym import plain_path
    from hounsfield.preprocessing.mr.quality import quality as quality_of

    folder = Path(str(path).partition("#")[0]) if not path.exists() else path
    inside = source.file.relative_to(folder) if folder.is_dir() else Path(source.file.name)
    hidden = folder.is_dir() and not names and not plain_path(inside)
    name = f"#{number}" if hidden else f"{inside}#{source.member}" if source.member else f"{inside}"
    size = ""
    try:
        image = formats.read(source)
        c, z, y, x = image.shape
        size = f"{x}×{y}×{z}" + (f"×{c}" if c > 1 else "")
        return Measured(number, name, size, quality_of(image), hidden=hidden)
    except HounsfieldError as error:
        return Measured(number, name, size, None, error.problem, hidden)
