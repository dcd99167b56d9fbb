"""What numbers mean, in the words of someone who treats patients."""

from __future__ import annotations

import re

import numpy as np

from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.evaluate import ABSENT
from hounsfield.evaluation.record import Evaluation
from hounsfield.metrics.classification import actual
from hounsfield.metrics.contract import UNKNOWN, Cases
from hounsfield.reports import numbers
from hounsfield.reports.view import View

MEANING = {  # metric -> what it says; a metric without words shows its name alone
    "auroc": "how often it ranks a case with the finding above one without; 0.5 is a coin",
    "auprc": "average precision over all thresholds; a coin reaches the finding's share",
    "accuracy": "share of all cases called right",
    "balanced_accuracy": "mean over classes of the share called right",
    "recall": "of those with the finding, the share found (sensitivity)",
    "specificity": "of those without it, the share left in peace",
    "precision": "of the alarms, the share that is true",
    "f1": "harmonic mean of precision and recall",
    "mcc": "correlation of answer and truth; 0 is chance",
    "brier": "squared error of the probabilities; lower is better",
    "ece": "how far probabilities are from what is observed; lower is better",
    "mae": "how far the predictions are from the truth, on average; lower is better",
    "rmse": "the same, large errors counting more; lower is better",
    "r2": "share of the cases' differences that is predicted; 0 is no better than their mean",
    "pearson": "how well a straight line joins prediction and truth; 1 is perfect",
    "spearman": "how well the order of the cases is predicted; 1 is perfect",
    "bias": "above 0 the predictions are too high on average",
    "agreement": "95 % of the errors lie within the bias ± this, where they are normal",
    "coverage": "share of the cases whose interval of prediction holds the truth",
    "kappa": "agreement beyond chance, far grades weighing more; 1 is perfect, 0 is chance",
    "grade_error": "how many grades it is off, on average; lower is better",
    "auroc_from": "how often it ranks a higher grade above a lower one; 0.5 is a coin",
    "dice": "overlap with the true outline; 1 is perfect",
    "iou": "overlap divided by union; 1 is perfect",
    "rsna_score": "precision of the boxes over several overlaps",
    "box_sensitivity": "share of the true boxes found",
    "false_positives": "false boxes an image; lower is better",
}
PARTS = {"test": "the test part", "val": "the validation part", "train": "the training part"}


def part_of(evaluation: Evaluation) -> str:
    """Where the cases come from."""
    return PARTS.get(evaluation.name, f"the data “{evaluation.name}”")


def who(view: View) -> str:
    """ "300 cases of 120 patients, 100 of them with pneumonia"."""
    evaluation = view.evaluation
    cases = numbers.count(evaluation.cases, "case")
    if per_image(evaluation):
        counted = numbers.count(evaluation.cases, "image")
    else:
        counted = f"{numbers.count(evaluation.patients, 'patient')} ({cases})"
    positive = _positive(view.cases)
    if positive is None:
        return counted
    name, patients, images = positive
    return f"{counted}, {images if per_image(evaluation) else patients:,} of them with {name}"


def headline(view: View) -> str:
    """The sentence that a reader takes home: whom, how good, and how sure."""
    first = view.evaluation.first()
    where = f"On {part_of(view.evaluation)}, {who(view)}: "
    value, (low, high) = numbers.value(first), numbers.ends(first)
    if numbers.UNDEFINED in (value, low, high):
        return f"{where}{first.title} cannot be computed ({first.note or 'undefined'})."
    sure = f"with 95\N{NO-BREAK SPACE}% certainty it lies between {low} and {high}"
    positive = _positive(view.cases)
    if first.metric == "auroc" and positive is not None:
        share = f"{100 * first.value:.0f}\N{NO-BREAK SPACE}%"
        return (
            f"{where}shown one case with {positive[0]} and one without, the model gives the higher "
            f"probability to the right one in {share} of such pairs. "
            f"This is {first.title} {value}; {sure}."
        )
    return f"{where}{first.title} is {value}; {sure}."


def warnings(view: View) -> list[str]:
    """What must be known before the first number is believed."""
    evaluation = view.evaluation
    first = evaluation.first()
    absent = [note for note in evaluation.notes if note.startswith(ABSENT)]
    found = [] if first.reliable else [f"{first.title} is unreliable: {first.note}."]
    if per_image(evaluation):
        found.append("Per image, patients unknown: the intervals may be too narrow.")
    stops = [finding.text for finding in view.run.findings if finding.severity == "stop"]
    said = [note for note in evaluation.notes if note not in (*left_out(evaluation), *absent)]
    if per_image(evaluation):  # said already
        said = [note for note in said if not note.startswith("Patients are unknown")]
    alien = [unlike(view)] if evaluation.unlike == evaluation.cases else []
    return [*absent, *alien, *found, *stops, *said]


def cautions(evaluation: Evaluation) -> list[str]:
    """What all measures suffer from, once: classes without a patient, or with few."""
    unreliable = (one for one in evaluation.overall() if not one.reliable)
    return list(dict.fromkeys(said for one in unreliable for said in one.cautions if said))


def left_out(evaluation: Evaluation) -> list[str]:
    """The notes about subgroups that were not measured, "sex=F: only 3 patients"."""
    return [note for note in evaluation.notes if re.match(r"(sex|age|view|source)=", note)]


def fall(view: View) -> str:
    """How the result differs from the internal test's; empty where it is the internal one."""
    found = view.evaluation.fall
    if found is None:
        return ""
    if np.isnan((found.low, found.high)).any():
        return f"{found.title} cannot be compared with the internal test ({found.note})."
    change, interval = numbers.difference(found)
    places = numbers.places_of(found)
    verdict = "This is more than chance explains." if fallen(view) else "Chance could explain it."
    return (
        f"{found.title} was {found.a:.{places}f} on the internal test and is {found.b:.{places}f} "
        f"here: a fall of {change} (95 % interval {interval}). {verdict}"
    )


def fallen(view: View) -> bool:
    """Whether the result differs from the internal test's by more than chance."""
    found = view.evaluation.fall
    return found is not None and (found.low > 0 or found.high < 0)


def failing(view: View) -> str:
    """What the pictures of failures show."""
    if view.cases.classes:
        which = "those in which the model was most sure, and wrong"
    else:
        which = f"the cases with the poorest {view.evaluation.first().title}"
    return f"Below are {which}. Look at them: do the pictures, or the labels, explain it?"


def mistaken(cases: Cases) -> str:
    """How many cases were called wrong; empty for a task without classes."""
    if not cases.classes:
        return ""
    differs = (cases.truth != cases.decision) & (cases.truth != UNKNOWN)
    wrong = int((differs.any(axis=1) if cases.multilabel else differs).sum())
    if not wrong:
        return "No case was called wrong. The intervals say how far that can be trusted."
    return f"{wrong:,} of {numbers.count(len(cases), 'case')} were called wrong."


def unlike(view: View) -> str:
    """How many images are unlike the training data."""
    number, total = view.evaluation.unlike, view.evaluation.cases
    if not number:
        return ""
    if number == total:
        return (
            "None of these cases resembles the training data in modality, colour, size and "
            "intensity: do not use the predictions. predictions.csv says how each differs."
        )
    share = numbers.percent(number, total)
    return (
        f"{numbers.count(number, 'case')} of {total:,} ({share}) unlike the training data in "
        "modality, colour, size or intensity. The numbers above count them, but say little about "
        "them; predictions.csv marks each row."
    )


def meaning(estimate: Estimate) -> str:
    return MEANING.get(estimate.metric, "")


def per_image(evaluation: Evaluation) -> bool:
    """Whether nothing is known of which images show the same patient."""
    return {how for how, number in evaluation.patients_known.items() if number} <= {"unknown"}


def counts(evaluation: Evaluation) -> str:
    """How many were evaluated."""
    if per_image(evaluation):
        return f"{numbers.count(evaluation.cases, 'image')}, patients unknown"
    patients = numbers.count(evaluation.patients, "patient")
    return f"{numbers.count(evaluation.cases, 'case')}, {patients}"


def title(view: View) -> str:
    """What the report is about."""
    task, target = view.plan.task.name, view.plan.task.target
    if target:
        return f"{target}: {task}"
    return f"{task}: {numbers.listed(list(view.cases.classes), 3)}" if view.cases.classes else task


def _positive(cases: Cases) -> tuple[str, int, int] | None:
    """The finding of a two-class task, its patients and its cases."""
    if len(cases.classes) != 2 or cases.multilabel:
        return None
    mine = actual(cases, 1)
    return cases.classes[1], len(set(cases.cluster[mine].tolist())), int(mine.sum())
