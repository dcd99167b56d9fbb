"""A bundle that was opened: whole, and proven to compute right on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.bundle import references as refs
from hounsfield.bundle.manifest import (
    MANIFEST,
    Manifest,
    Variant,
    damaged,
    read_file,
    read_manifest,
)
from hounsfield.bundle.references import References
from hounsfield.bundle.runtimes import RUNTIMES, Array, Session, started
from hounsfield.catalog.fingerprint import Fingerprint
from hounsfield.errors import MissingExtraError, RunError, UsageError
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks import TASKS
from hounsfield.tasks import load as load_task
from hounsfield.tasks.contract import Exportable, Settings, Task

BATCH_BYTES = 256 << 20  # of prepared images that are computed together


@dataclass(frozen=True, eq=False)
class Bundle:
    """A bundle's folder with its manifest, task and reference cases; no network yet."""

    path: Path
    manifest: Manifest
    task: Task[Any, Any]
    settings: Settings
    references: References

    @property
    def fingerprint(self) -> Fingerprint:
        return self.manifest.learned

    @property
    def table(self) -> TableSpec | None:
        return self.manifest.table

    @classmethod
    def open(cls, path: str | Path) -> Bundle:
        """Read what is not a network, and check that it fits together.

        Raises:
            RunError: no bundle, a newer one, or a damaged one.
        """
        folder = Path(path)
        manifest = read_manifest(folder)
        if manifest.task not in TASKS:
            raise damaged(folder / MANIFEST, "names a task that is not known")
        task = load_task(manifest.task)
        if not isinstance(task, Exportable):
            raise damaged(folder / MANIFEST, f"holds {task.NAME}, which no bundle can")
        try:
            settings = task.Settings.model_validate(manifest.settings)
        except ValueError as error:
            raise damaged(folder / MANIFEST, "the task's settings do not fit it") from error
        found = References.from_bytes(read_file(folder, manifest, refs.FILE))
        if not _fit(found, manifest):
            raise damaged(folder / refs.FILE, "does not fit the bundle")
        return cls(folder, manifest, task, settings, found)

    def answers(self, outputs: NDArray[Any]) -> NDArray[np.float64]:
        """The numbers of predictions.csv that outputs become.

        Raises:
            RunError: outputs of another kind than the task's.
        """
        m = self.manifest
        try:
            with np.errstate(all="ignore"):  # what is no number is never alike
                return refs.answers(outputs, m.task, m.settings, m.calibration)
        except (ValueError, IndexError, TypeError) as error:
            raise damaged(self.path / MANIFEST, "outputs and task do not fit") from error


def _fit(found: References, manifest: Manifest) -> bool:
    """Are the reference cases of the network's shape, with the table that goes with it?"""
    if found.prepared.shape[1:] != manifest.shape or manifest.table is None:
        return found.prepared.shape[1:] == manifest.shape and found.table is None
    try:
        width = refs.made_rows(manifest.table).shape[1]
    except ValueError:  # a table without columns
        return False
    return found.table is not None and found.table.shape == (len(found.prepared), width)


@dataclass(frozen=True, eq=False)
class Computing:
    """A bundle's network, ready; `said` tells what was tried before."""

    bundle: Bundle
    variant: Variant
    session: Session
    difference: float  # from the reference cases' answers
    said: tuple[str, ...]

    @property
    def batch(self) -> int:
        """Cases that are computed together."""
        each = 4 * int(np.prod(self.bundle.manifest.shape))
        return max(1, min(self.variant.batch, BATCH_BYTES // each))

    def outputs(self, images: Array, table: Array | None) -> Array:
        """(B, C, D, Y, X) in [0, 1] and (B, W) -> (B, K)."""
        return computed(self.session, images, table)


def computing(
    bundle: Bundle, threads: int, *, runtime: str | None = None, precision: str | None = None
) -> Computing:
    """The fastest way to compute that gives the reference cases' answers here.

    Raises:
        RunError: none does; with the numbers.
        UsageError: the runtime or precision that is asked for is not in the bundle.
    """
    check_preparing(bundle)
    said: list[str] = []
    for variant in _asked(bundle.manifest.variants, runtime, precision):
        name = f"{variant.runtime} {variant.precision}"
        try:
            session = _session(bundle, variant, threads)
            difference = measure(bundle, variant, session)
        except MissingExtraError:
            said.append(f"{name}: not installed here")
            continue
        limit = refs.LARGEST_DIFFERENCE[variant.precision]
        if difference <= limit:
            return Computing(bundle, variant, session, difference, tuple(said))
        said.append(f"{name}: the reference answers differ by {difference:.2g}, above {limit:g}")
    raise RunError(
        f"the bundle does not compute right on this machine ({'; '.join(said)})",
        file=bundle.path,
        expected="the reference cases' answers, as they were exported",
        remedy="install the versions that bundle.json names, or copy the bundle again",
    )


def check_preparing(bundle: Bundle) -> None:
    """Refuse where this hounsfield or machine prepares the made pictures in another way.

    Raises:
        RunError: it does; with the numbers.
    """
    found, settings = bundle.references, bundle.manifest.preprocessing
    if not found.raw:
        return
    if any(one.ndim != 4 or one.size > refs.LARGEST_PICTURE for one in found.raw):
        raise damaged(bundle.path / refs.FILE, "holds no pictures")
    made = refs.prepared_pictures(found.raw, settings)
    same = made.shape == found.prepared.shape
    difference = float(np.abs(made - found.prepared).max()) if same else float("inf")
    if difference > refs.STEP:
        raise RunError(
            f"the reference pictures are prepared differently here, by {difference:.2g} of the "
            "range from 0 to 1",
            file=bundle.path,
            expected=f"at most {refs.STEP:.2g}",
            remedy=f"install hounsfield {bundle.manifest.versions.get('hounsfield', '')}, which "
            "exported the bundle, or export the run again",
        )


def measure(bundle: Bundle, variant: Variant, session: Session) -> float:
    """How far a network's answers for the reference cases are from what they must be.

    Raises:
        RunError: it cannot compute them.
    """
    found = bundle.references
    outputs = outputs_of(session, found.prepared, found.table)
    if outputs.shape != found.outputs.shape:
        return float("inf")
    expected = bundle.answers(found.expected(variant.precision))
    return refs.largest_difference(bundle.answers(outputs), expected)


def outputs_of(session: Session, prepared: Array, table: Array | None) -> Array:
    """A network's outputs for prepared cases, one at a time: in memory they may be large.

    Raises:
        RunError: it cannot compute them.
    """
    found = []
    for i in range(len(prepared)):
        row = None if table is None else table[i : i + 1]
        found.append(computed(session, prepared[i : i + 1], row))
    return np.concatenate(found)


def computed(session: Session, images: Array, table: Array | None) -> Array:
    """What a network says of some cases.

    Raises:
        RunError: the runtime fails, or gives not one row a case.
    """
    try:
        found = np.asarray(session(images, table), np.float32)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise RunError(
            f"the exported network cannot compute ({reason})",
            expected=f"inputs of shape {images.shape}",
            remedy="copy the bundle again, or export the run again",
        ) from error
    if found.ndim != 2 or len(found) != len(images):
        raise RunError(
            f"the exported network gives {found.shape} for {len(images)} cases",
            remedy="export the run again",
        )
    return found


def _session(bundle: Bundle, variant: Variant, threads: int) -> Session:
    known = RUNTIMES.get(variant.runtime)
    names = known.files.get(variant.precision, ()) if known else ()
    contents = {name: read_file(bundle.path, bundle.manifest, name) for name in names}
    return started(variant.runtime, variant.precision, contents, threads)


def _asked(
    variants: Sequence[Variant], runtime: str | None, precision: str | None
) -> Iterator[Variant]:
    found = [
        one
        for one in variants
        if runtime in (None, one.runtime) and precision in (None, one.precision)
    ]
    if not found:
        known = ", ".join(f"{one.runtime} {one.precision}" for one in variants)
        asked = " ".join(filter(None, (runtime, precision)))
        raise UsageError(f"the bundle has no {asked}", expected=f"one of {known}")
    return iter(found)
