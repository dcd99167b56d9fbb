"""What the image adds, what the table adds: in words, and as rows of the report."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hounsfield.evaluation.added_value import AddedValue
from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.estimate import Estimate
from hounsfield.reports import numbers
from hounsfield.reports.comparison import TESTS
from hounsfield.run import Run

ONE_TRAINING = (
    "Image alone and both are one network each: the intervals hold for other patients, not for "
    "another training, whose chance moves a value too. `--seeds 3` trains three of each."
)


@dataclass(frozen=True)
class Step:
    """One way of adding to another, as the report's second table shows it."""

    title: str
    difference: str
    interval: str
    p: str
    test: str
    clear: bool


@dataclass(frozen=True)
class Shown:
    """The section: its sentences, the estimates by name, and the differences."""

    sentences: tuple[str, ...]
    arms: tuple[tuple[str, Estimate], ...]
    steps: tuple[Step, ...]
    note: str


def added(run: Run) -> Shown | None:
    """What the report shows of a run with a table; None where nothing was compared."""
    if not run.added_value_file.exists():
        return None
    found = AddedValue.load(run.added_value_file)
    columns = numbers.listed(list(found.columns))
    arms = [("Image and table together", found.both), ("Image alone", found.image)]
    if found.table is not None:
        arms.append((f"Table alone: {columns} ({found.model})", found.table))
    if found.weighed is not None:
        arms.append(("Image alone, then weighed with the table", found.weighed))
    pairs = [("the image to the table", found.image_adds)]
    pairs += [("the table to the image", found.table_adds)]
    pairs += [("the table to the image, its network held fixed", found.fixed)]
    return Shown(
        tuple(sentences(found)),
        tuple(arms),
        tuple(_step(title, one) for title, one in pairs if one is not None),
        ONE_TRAINING if found.networks == 1 else "",
    )


def sentences(found: AddedValue) -> list[str]:
    """One of the image, one of the table: what is shown, and never more."""
    columns = numbers.listed(list(found.columns))
    better = found.higher_is_better
    said = []
    if found.image_adds is not None:
        said.append(_sentence(f"the image to the table ({columns})", found.image_adds, better))
    said.append(_sentence(f"the table ({columns}) to the image", found.table_adds, better))
    return [*said, *_fixed(found)]


def _fixed(found: AddedValue) -> list[str]:
    """Whether what the table adds could be the chance of one training."""
    held = found.fixed
    if held is None or np.isnan((held.difference, held.low, held.high)).any():
        return []
    change, interval = numbers.difference(held)
    start = "With the image's network held fixed, and its answer and the table weighed on the "
    start += f"validation part, the table changes {held.title} by {change} (95 % interval "
    start += f"{interval})"
    if not held.reliable:
        return [f"{start}. Unreliable: {held.note}."]
    together = _direction(found.table_adds)
    if _direction(held) == together:
        return [f"{start}: the same finding."]
    if together == 0:
        return [f"{start}: clearer than by training both together."]
    return [f"{start}: what the sentence before tells may be the chance of a training."]


def _direction(found: Difference) -> int:
    """1 or -1 where an interval shows a gain or a loss, 0 where it includes 0."""
    return int(found.low > 0) - int(found.high < 0)


def _sentence(what: str, found: Difference, higher_is_better: bool) -> str:
    """What adding changes between networks that were trained, each with its own chance."""
    start = f"Adding {what}"
    if np.isnan((found.difference, found.low, found.high)).any():
        return f"{start} cannot be judged: {found.title} cannot be computed ({found.note})."
    places = numbers.places_of(found)
    change, interval = numbers.difference(found)
    if found.low <= 0 <= found.high:
        told = f"changes {found.title} by {change} (95 % interval {interval}): the interval "
        told += "includes 0, so no gain is shown"
    else:
        up = found.difference > 0
        ends = sorted((abs(found.low), abs(found.high)))
        size, low, high = (numbers.plain(x, places) for x in (abs(found.difference), *ends))
        told = f"{'raises' if up else 'lowers'} {found.title} by {size} (95 % interval {low} to "
        told += f"{high}, which leaves out the chance of training)"
        told += "" if up == higher_is_better else ": no gain is shown, and harm is not either"
    weak = "" if found.reliable else f" Unreliable: {found.note}."
    return f"{start} {told}.{weak}"


def _step(title: str, found: Difference) -> Step:
    change, interval = numbers.difference(found)
    clear = found.reliable and _direction(found) != 0
    p = numbers.p_value(found.p_value)
    return Step(title, change, interval, p, TESTS[found.test], clear)
