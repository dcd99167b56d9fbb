"""What a study of sources says, in sentences: is it the disease that is measured?"""

from __future__ import annotations

from hounsfield.catalog.findings import Finding
from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.estimate import Estimate
from hounsfield.evaluation.sources import Probe, SourceStudy, Unseen

SMALL = 0.1  # a fall that surely stays below it is none that matters
LARGE = 0.05  # one that is surely above it matters
PLAIN = 0.75  # AUROC of a probe from which a source is told plainly
REMEDY = (
    "give every class from every source, or judge the model on the unseen source's number; "
    "docs/covid_study.md tells why"
)


def verdict(study: SourceStudy) -> tuple[Finding, ...]:
    """The verdict first, then what each measurement adds to it."""
    whole = [one for one in study.unseen if one.whole]
    if study.mixed.headline == "auroc" and study.mixed.first().low <= 0.5:
        first = _nothing_learned(study)
    elif not study.unseen:
        first = _nothing_left_out(study)
    elif whole:
        first = _from_whole(study, min(whole, key=lambda one: one.fall.b))
    else:
        first = _from_parts(study)
    return (first, *_impossible(study), *_one_class(study), *_probed(study))


def _from_whole(study: SourceStudy, worst: Unseen) -> Finding:
    """The verdict where a source with every class was left out; the worst one counts."""
    mixed, unseen = study.mixed.first(), _headline(worst, study)
    said = f"The mixed test says {of(mixed)}. On {worst.source}, a source that was not trained on, "
    said += f"it is {ranged(unseen)}"
    fall = worst.fall
    if unseen.low <= 0.5 and fall.low > 0:
        said += f", no better than chance{_border(study)}: this number measures the source, "
        said += f"not the disease.{_within(worst, mixed)}"
        return Finding(kind="source-not-disease", severity="warning", text=said, remedy=REMEDY)
    if fall.low > LARGE:
        said += f": it falls by {change(fall)}. Better than chance, but part of the mixed number "
        said += f"is the source{_border(study)}."
        return Finding(kind="source-in-part", severity="warning", text=said, remedy=REMEDY)
    if unseen.low > 0.5 and fall.high < SMALL:
        said += f": it holds (the fall is {change(fall)}). What was learned is not bound to the "
        said += f"sources{_although(study)}."
        return Finding(kind="holds", severity="info", text=said)
    said += f". The fall of {change(fall)} is not measured well enough to say whether the number "
    said += "holds: the source has too few pictures."
    return Finding(
        kind="undecided",
        severity="warning",
        text=said,
        remedy="add pictures of a source that holds every class",
    )


def _from_parts(study: SourceStudy) -> Finding:
    """The verdict where each source that could be left out holds one class."""
    said = (
        f"The mixed test says {of(study.mixed.first())}. No source that can be left out holds "
        "every class, so its AUROC on an unseen source cannot be measured"
    )
    fallen = [one for one in study.unseen if one.fall.low > LARGE]
    if fallen:
        worst = max(fallen, key=lambda one: one.fall.difference)
        said += f", but {worst.fall.title} on {worst.source} falls by {change(worst.fall)}"
    said += ": what the number is worth is open."
    return Finding(kind="undecided", severity="warning", text=said, remedy=REMEDY)


def _nothing_left_out(study: SourceStudy) -> Finding:
    said = (
        f"The mixed test says {of(study.mixed.first())}. No source can be left out without losing "
        "a class: class and source are one thing here, and no test on these data can tell which "
        f"of the two was learned{_border(study)}."
    )
    return Finding(kind="class-is-source", severity="warning", text=said, remedy=REMEDY)


def _nothing_learned(study: SourceStudy) -> Finding:
    said = (
        f"The mixed test says {of(study.mixed.first())}, which is not shown to be better than "
        "chance: whether disease, source or nothing was learned is open, and there is no number "
        "to judge."
    )
    return Finding(
        kind="nothing-learned",
        severity="warning",
        text=said,
        remedy="train longer, start from pretrained weights, or give more pictures",
    )


def _impossible(study: SourceStudy) -> list[Finding]:
    return [
        Finding(kind="not-left-out", severity="info", text=f"{source} is not left out: {why}")
        for source, why in study.impossible.items()
    ]


def _one_class(study: SourceStudy) -> list[Finding]:
    """What a source that lacks a class can tell, and what it cannot."""
    found = []
    for one in study.unseen:
        if one.whole:
            continue
        held = [name for name, count in one.tested.items() if count]
        name = held[0]  # whose recall the fall is of
        rate = next(e for e in one.estimates if e.metric == "recall" and e.class_name == name)
        single = len(held) == 1
        which = "these" if single else f"its {name},"
        why = "One class has" if single else "Without every class there is"
        text = (
            f"{one.source} holds {' and '.join(held)} alone: of {which} {rate.cases:,}, a network "
            f"that never saw the source calls {ranged(rate)} rightly, the mixed one "
            f"{one.fall.a:.2f} of its own. {why} no AUROC."
        )
        grave = one.fall.low > LARGE
        found.append(
            Finding(kind="one-class-source", severity="warning" if grave else "info", text=text)
        )
    return found


def _probed(study: SourceStudy) -> list[Finding]:
    """One sentence for each class whose source was probed."""
    found = []
    for name in dict.fromkeys(probe.class_name for probe in study.probes):
        mine = [probe for probe in study.probes if probe.class_name == name]
        told = [probe for probe in mine if probe.told]
        who = " and ".join(mine[0].sources) if len(mine[0].sources) == 2 else "the sources"
        which = f"Among {name} alone, {who}" if name else f"{who[:1].upper()}{who[1:]}"
        shown = "; ".join(f"{SEEN[p.look]} {ranged(p.auroc)}" for p in mine)
        can = "can be told apart" if told else "are not told apart"
        if told and not any(map(plainly, mine)):
            can = "can be told apart a little"
        said = f"{which} {can} by coarse grey values alone (AUROC: {shown}; chance is 0.50)"
        if any(p.told and p.look != "whole" for p in mine):
            said += ", where no lung is to be seen"
        kind = "source-told" if told else "source-not-told"
        grave = any(map(plainly, mine))
        found.append(Finding(kind=kind, severity="warning" if grave else "info", text=f"{said}."))
    return found


SEEN = {"whole": "whole pictures", "lungs blanked": "without the lungs", "border": "border alone"}


def plainly(probe: Probe) -> bool:
    """Is the source told, and told well?"""
    return probe.told and probe.auroc.value >= PLAIN


def ranged(found: Estimate) -> str:
    """ "0.52 (0.44 to 0.60)"."""
    return f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"


def of(found: Estimate) -> str:
    """ "AUROC 0.98 (0.95 to 0.99)"."""
    return f"{found.title} {ranged(found)}"


def change(found: Difference) -> str:
    """ "0.46 (0.37 to 0.54)", with a minus where it rises."""
    shown = (f"{x:.2f}".replace("-", "−") for x in (found.difference, found.low, found.high))
    value, low, high = shown
    return f"{value} ({low} to {high})"


def _headline(one: Unseen, study: SourceStudy) -> Estimate:
    mine = (e for e in one.estimates if e.metric == study.mixed.headline and e.class_name is None)
    return next(mine)


def _border(study: SourceStudy) -> str:
    """What the probe of the border adds to a bad verdict; the class it tells best."""
    told = [p for p in study.probes if p.look == "border" and plainly(p)]
    if not told:
        return ""
    best = max(told, key=lambda probe: probe.auroc.value)
    return f", and the source can be told from the border alone with {best.auroc.value:.2f}"


def _within(one: Unseen, mixed: Estimate) -> str:
    """The mixed network on the same source: sources help it nothing where there is only one."""
    paired = one.paired
    if paired is None or paired.a >= mixed.low:
        return ""
    return (
        f" Within that source the mixed network, which knew it, reaches no more than "
        f"{paired.a:.2f} ({paired.cases:,} pictures)."
    )


def _although(study: SourceStudy) -> str:
    """What the probe adds to a good verdict."""
    if any(plainly(probe) for probe in study.probes):
        return ", although the sources can be told apart"
    return ""
