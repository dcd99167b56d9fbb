"""What a study of sources says in words: source, disease, or nothing that can be known."""

from __future__ import annotations

import pytest

from hounsfield.evaluation.compare import Difference, fall
from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.record import Evaluation
from hounsfield.evaluation.sources import Probe, SourceStudy, Unseen
from hounsfield.evaluation.verdict import verdict

CLASSES = ("healthy", "ill")


def estimate(
    value: float, low: float, high: float, metric: str = "auroc", of: str | None = None
) -> Estimate:
    return Estimate(
        metric=metric,
        title={"auroc": "AUROC", "recall": "Sensitivity (recall)"}.get(metric, metric),
        group="all",
        class_name=of,
        value=value,
        low=low,
        high=high,
        method="delong",
        cases=100,
        patients=100,
        reliable=True,
        note="",
    )


MIXED = estimate(0.98, 0.95, 0.99)


def unseen(value: float, low: float, high: float, paired: Difference | None = None) -> Unseen:
    found = estimate(value, low, high)
    return Unseen(
        source="west",
        run="without-west",
        tested={"healthy": 40, "ill": 40},
        trained=100,
        estimates=(found,),
        fall=fall(MIXED, found),
        paired=paired,
    )


def one_class(value: float, low: float, high: float) -> Unseen:
    inside = estimate(0.9, 0.85, 0.95, "recall", "ill")
    outside = estimate(value, low, high, "recall", "ill")
    return Unseen(
        source="north",
        run="without-north",
        tested={"healthy": 0, "ill": 40},
        trained=100,
        estimates=(outside,),
        fall=fall(inside, outside),
        paired=None,
    )


def probe(look: str, value: float, low: float, high: float) -> Probe:
    return Probe(
        look=look,
        class_name="ill",
        sources=("north", "west"),
        auroc=estimate(value, low, high),
        accuracy=estimate(value, low, high, "balanced_accuracy"),
        chance=0.5,
    )


ALIKE = (probe("whole", 0.51, 0.42, 0.6), probe("border", 0.5, 0.41, 0.59))
TOLD = (probe("whole", 0.99, 0.97, 1.0), probe("border", 0.97, 0.93, 0.99))


def study(*left_out: Unseen, probes: tuple[Probe, ...] = ALIKE, **values: object) -> SourceStudy:
    mixed = Evaluation(
        name="test",
        task="classification",
        headline="auroc",
        cases=120,
        patients=120,
        patients_known={"given": 120},
        classes=CLASSES,
        estimates=(MIXED,),
    )
    made = SourceStudy(
        by="source",
        classes=CLASSES,
        counts={"healthy": {"west": 40}, "ill": {"west": 40, "north": 40}},
        cramers_v=0.5,
        mixed=mixed,
        trained=150,
        unseen=left_out,
        impossible={},
        probes=probes,
        blanked="by hand",
        notes=(),
    )
    return made.model_copy(update=values)


def test_chance_on_an_unseen_source_says_that_the_source_is_measured() -> None:
    first, *rest = verdict(study(unseen(0.52, 0.44, 0.60), probes=TOLD))
    assert first.text == (
        "The mixed test says AUROC 0.98 (0.95 to 0.99). On west, a source that was not trained "
        "on, it is 0.52 (0.44 to 0.60), no better than chance, and the source can be told from "
        "the border alone with 0.97: this number measures the source, not the disease."
    )
    assert (first.kind, first.severity) == ("source-not-disease", "warning")
    assert [one.kind for one in rest] == ["source-told"]
    assert "border alone 0.97 (0.93 to 0.99)" in rest[0].text
    assert rest[0].text.endswith("where no lung is to be seen.")


def test_what_holds_is_said_to_hold() -> None:
    first, rest = verdict(study(unseen(0.97, 0.94, 0.99)))
    assert (first.kind, first.severity) == ("holds", "info")
    assert "it holds" in first.text
    assert "although" not in first.text
    assert (rest.kind, "are not told apart" in rest.text) == ("source-not-told", True)
    told = verdict(study(unseen(0.97, 0.94, 0.99), probes=TOLD))[0]
    assert told.text.endswith("although the sources can be told apart.")


@pytest.mark.parametrize(
    ("value", "low", "high", "kind"),
    [
        (0.75, 0.68, 0.82, "source-in-part"),
        (0.90, 0.70, 0.98, "undecided"),  # neither a fall nor that there is none
        (0.93, 0.40, 0.99, "undecided"),  # hardly a picture
        (0.40, 0.30, 0.50, "source-not-disease"),
    ],
)
def test_between_the_two_it_says_what_is_known(
    value: float, low: float, high: float, kind: str
) -> None:
    assert verdict(study(unseen(value, low, high)))[0].kind == kind


def test_the_worst_source_decides() -> None:
    first = verdict(study(unseen(0.97, 0.94, 0.99), unseen(0.52, 0.44, 0.60)))[0]
    assert first.kind == "source-not-disease"


def test_the_mixed_network_within_the_source_is_told_where_it_is_no_better() -> None:
    paired = fall(estimate(0.55, 0.4, 0.7), estimate(0.52, 0.4, 0.65))
    first = verdict(study(unseen(0.52, 0.44, 0.60, paired)))[0]
    assert first.text.endswith(
        "Within that source the mixed network, which knew it, reaches no more than 0.55 "
        "(200 pictures)."
    )


def test_sources_of_one_class_have_no_auroc_and_leave_the_question_open() -> None:
    first, second, _ = verdict(study(one_class(0.35, 0.28, 0.43)))
    assert (first.kind, second.severity) == ("undecided", "warning")
    assert "Sensitivity (recall) on north falls by 0.55" in first.text
    assert "of these 100, a network that never saw the source calls 0.35" in second.text
    assert verdict(study(one_class(0.9, 0.85, 0.95)))[1].severity == "info"


def test_where_each_class_is_a_source_no_test_can_tell() -> None:
    lost = {"north": "without it there is no case of ill to train on"}
    first, second, _ = verdict(study(impossible=lost))
    assert first.kind == "class-is-source"
    assert "class and source are one thing here" in first.text
    assert second.text == f"north is not left out: {lost['north']}"


def test_where_the_mixed_test_is_at_chance_there_is_no_number_to_judge() -> None:
    made = study(unseen(0.42, 0.13, 0.78))
    chance = made.mixed.model_copy(update={"estimates": (estimate(0.55, 0.45, 0.65),)})
    first = verdict(made.model_copy(update={"mixed": chance}))[0]
    assert first.kind == "nothing-learned"
    assert "no number to judge" in first.text


def test_a_source_of_two_classes_of_three_is_told_by_the_first() -> None:
    source = one_class(0.35, 0.28, 0.43)
    source = source.model_copy(update={"tested": {"healthy": 0, "ill": 40, "worse": 9}})
    said = verdict(study(source))[1].text
    assert "north holds ill and worse alone: of its ill, 100, a network" in said
    assert said.endswith("Without every class there is no AUROC.")
