"""INTENDED_USE.md: what a hospital reads before it uses a bundle."""

from __future__ import annotations

from hounsfield.bundle.manifest import IntendedUse, Manifest, Score, Variant
from hounsfield.reports import facts, limits, numbers, words
from hounsfield.reports.view import View

FILE = "INTENDED_USE.md"


def intended_use(view: View) -> IntendedUse:
    """From the run's own report: what it learned from, how good it is, what it is not for."""
    evaluation = view.evaluation
    return IntendedUse(
        title=words.title(view),
        headline=words.headline(view),
        learned_from=(
            *((row.part, _row(row)) for row in facts.rows(view)),
            *facts.people(limits.learned_from(view)),
        ),
        limits=(*words.warnings(view), *limits.limits(view)),
        measured_on=f"{words.part_of(evaluation)}, {words.counts(evaluation)}",
        scores=tuple(
            Score(title=e.title, value=e.value, low=e.low, high=e.high, note=e.note)
            for e in evaluation.overall()
        ),
    )


def page(manifest: Manifest) -> str:
    """The same for people, with what else they must know of this bundle."""
    use, first = manifest.use, manifest.variants[0]
    return "\n".join(
        [
            f"# {use.title}",
            "",
            use.headline,
            "",
            "## What it is for",
            "",
            _purpose(manifest),
            "",
            "## What it must not be used for, and what is not known of it",
            "",
            *(f"- {sentence}" for sentence in use.limits),
            "",
            "## What it learned from",
            "",
            *(f"- {name}: {said}" for name, said in use.learned_from),
            "",
            f"## How good it is on {use.measured_on}",
            "",
            "| measure | value | 95 % interval |",
            "|---|---|---|",
            *(f"| {s.title} | {s.value:.3f} | {s.low:.3f} to {s.high:.3f} |" for s in use.scores),
            "",
            "## How it decides",
            "",
            *(f"- {sentence}" for sentence in _decisions(manifest)),
            *(f"- {reason}" for reason in manifest.calibration.reasons),
            "",
            "## What is in this folder",
            "",
            f"{_network(manifest)} `hounsfield predict BUNDLE IMAGES --out OUT` prepares images, "
            "computes and writes predictions.csv; it needs no PyTorch and no training data.",
            _references(manifest),
            *manifest.notes,
            "",
            f"Fastest where it was exported: {_way(first)}.",
            "",
        ]
    )


def _purpose(manifest: Manifest) -> str:
    """What it is asked, what it answers, and by whom that may be used."""
    labels = numbers.listed(list(manifest.labels), 20)
    answer = f"a probability for each of {labels}" if labels else "a number"
    asked = "an image"
    if manifest.table is not None:
        columns = numbers.listed([column.name for column in manifest.table.columns], 20)
        asked = f"an image with a row of a table (columns {columns})"
    return (
        f"It is given {asked}, and answers with {answer}. It is for research, and for measuring "
        "on images of your own how good it is there, before anyone relies on it."
    )


def _decisions(manifest: Manifest) -> list[str]:
    """How probabilities become names, and which answers not to trust."""
    thresholds, labels = manifest.calibration.thresholds, manifest.labels
    named = labels[1:] if len(labels) == 2 and len(thresholds) == 1 else labels
    pairs = zip(named, thresholds, strict=True) if len(named) == len(thresholds) else ()
    return [
        *(f"A case is called {name} from a probability of {at:.3g} on." for name, at in pairs),
        "A case that is unlike the training images is marked in the column `unlike` of "
        "predictions.csv, with the reason: do not trust its answer.",
    ]


def _row(row: facts.Row) -> str:
    people = "" if row.patients is None else f" of {numbers.count(row.patients, 'patient')}"
    labels = ", ".join(f"{name} {n:,}" for name, n in row.labels.items())
    return f"{numbers.count(row.images, 'image')}{people} ({labels})"


def _network(manifest: Manifest) -> str:
    network = manifest.network
    members = f"the mean of {network.members} networks {network.name}"
    return f"It is {members}." if network.members > 1 else f"It is a network {network.name}."


def _references(manifest: Manifest) -> str:
    what = (
        "made by a computer: no patient's picture is in this folder"
        if manifest.references == "made"
        else "PICTURES OF PATIENTS: treat this folder as you treat their images"
    )
    return (
        "Each time it is opened, its five reference cases must give the answers that they gave "
        f"when it was exported. They are {what}."
    )


def _way(variant: Variant) -> str:
    return (
        f"{variant.runtime} {variant.precision}, {variant.images_per_second:,.1f} images/s in "
        f"batches of {variant.batch} on {numbers.count(variant.threads, 'thread')}"
    )
