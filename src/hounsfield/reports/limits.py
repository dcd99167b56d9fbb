"""What a model must not be used for, as far as the facts of its data tell."""

from __future__ import annotations

import re
from collections.abc import Iterable

import polars as pl

from hounsfield.catalog.tables import Catalog
from hounsfield.evaluation.estimate import FEW_PATIENTS
from hounsfield.reports import facts, numbers, words
from hounsfield.reports.view import View

NO_DEVICE = (
    "It is not a medical device: no authority has examined it. No decision about a patient may "
    "rest on it."
)
SIMULATED = (
    "It was trained on simulated images: it is of no clinical value. Its numbers show that the "
    "software works, not that it finds disease in people."
)
_SIMULATED = re.compile(r"phantom|simulat|synthetic", re.IGNORECASE)
ADULT = 18
ENOUGH_OF_SEX = 0.1


def limits(view: View) -> list[str]:
    """Sentences, the gravest first."""
    catalog = learned_from(view)
    found = [SIMULATED] if simulated(view.data) else []
    found.append(NO_DEVICE)
    found += [*_kinds(catalog), *_people(catalog), *_places(catalog), *_classes(view)]
    return found


def learned_from(view: View) -> Catalog:
    """The cases that the run trained on."""
    table = view.split.table
    learned = table.filter((pl.col("part") == "train") | pl.col("fold").is_not_null())
    return view.data.select(learned["case"].to_list())


def simulated(catalog: Catalog) -> bool:
    """Whether any image was made by a computer: its source, or a scanner that does not exist."""
    from hounsfield.catalog.phantoms.chest_scanner import SCANNERS

    invented = {(one.maker, one.model) for one in SCANNERS.values()}
    machines = set(catalog.images.select("manufacturer", "model").unique().iter_rows())
    named = [catalog.images[name] for name in ("source", "manufacturer", "model")]
    said = (str(value) for column in named for value in column.drop_nulls().unique())
    return bool(machines & invented) or any(_SIMULATED.search(one) for one in said)


def _kinds(catalog: Catalog) -> Iterable[str]:
    modalities = list(facts.counted(catalog.images["modality"]))
    if modalities:
        kinds = numbers.listed([facts.MODALITIES.get(code, code) for code in modalities])
        yield f"It has learned from {kinds} only. It will answer for any other image, and be wrong."
    else:
        yield "The kind of its training images is not known; use it for the same kind only."
    views = list(facts.counted(catalog.cases["view"]))
    if views:
        yield f"It knows {numbers.listed(views)} views only."
    parts = list(facts.counted(catalog.images["body_part"]))
    if parts:
        yield f"Of the body it knows {numbers.listed([p.lower() for p in parts])} only."


def _people(catalog: Catalog) -> Iterable[str]:
    ages = facts.age_range(catalog)
    if ages is None:
        yield "The ages of its patients are not known: nothing says that it works for children."
    elif ages[0] >= ADULT:
        yield f"No patient under {int(ages[0])} years: it must not be used for children."
    else:
        yield f"Its patients were {ages[0]:.0f} to {ages[1]:.0f} years old: not for anyone else."
    sexes = facts.counted(catalog.cases["sex"])
    total = sum(sexes.values())
    people = {"F": "women", "M": "men"}
    rare = [people[code] for code in people if sexes.get(code, 0) < ENOUGH_OF_SEX * total]
    if rare:
        yield f"Hardly any {numbers.listed(rare)} among its patients: not for them."


def _places(catalog: Catalog) -> Iterable[str]:
    sources = list(facts.counted(catalog.cases["source"]))
    if len(sources) == 1:
        yield (
            f"All its images come from one source ({sources[0]}). Elsewhere, with other machines "
            "and other patients, models fall: measure it there first (`hounsfield evaluate`)."
        )
    elif sources:
        yield f"It knows images of {numbers.listed(sources)}; measure it before any other use."
    makers = list(facts.counted(catalog.images["manufacturer"]))
    if len(makers) == 1:
        yield f"All its images come from machines of one maker ({makers[0]})."


def _classes(view: View) -> Iterable[str]:
    classes = view.cases.classes
    if classes and not view.cases.multilabel:
        names = numbers.listed(list(classes))
        yield f"It knows only {names}: whatever else it is shown, it answers with one of these."
    for row in facts.rows(view)[:-1]:
        if row.part == facts.PARTS["train"]:
            few = [name for name, cases in row.labels.items() if cases < FEW_PATIENTS]
            if few:
                yield f"It has seen fewer than {FEW_PATIENTS} cases of {numbers.listed(few)}."
    shared = words.cautions(view.evaluation)
    if shared:
        yield f"Its numbers rest on too few patients: {'; '.join(shared)}."
