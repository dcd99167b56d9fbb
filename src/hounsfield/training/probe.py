"""A short measurement before a run: how fast this network learns here, in each way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch

from hounsfield.catalog.fingerprint import Choice
from hounsfield.models.memory_format import FORMATS
from hounsfield.plan.device import computing
from hounsfield.plan.schema import TrainingPlan
from hounsfield.training.room import fits, too_large
from hounsfield.training.trial import Trial, Way, is_narrow, untrusted

GAIN = 1.05  # a change must be this much faster to be worth it
LONG = 300.0  # seconds of training for which compiling, often a minute, may pay
NO_ROOM = "does not fit into memory"


@dataclass(frozen=True)
class Speed:
    """Images learned from a second in one way; 0 where it was not measured, and `note` says why.

    `setup` is what its first step took longer, in seconds: compiling.
    """

    way: Way
    images: float = 0.0
    setup: float = 0.0
    note: str = ""

    def __str__(self) -> str:
        if self.note:
            return f"{self.way}: {self.note}"
        setup = f" after {self.setup:.0f} s" if self.way.compile else ""
        return f"{self.way}: {_told(self.images)} images/s{setup}"

    def seconds(self, images: float) -> float:
        return self.setup + images / self.images


def probe(trial: Trial, plan: TrainingPlan, fixed: Mapping[str, str], cases: int) -> list[Speed]:
    """Time training steps on one batch, in every way that the device can.

    `fixed` holds the precision or memory format that is no longer open. Each way: two steps
    to warm up, four timed, the fastest counts. The network is thrown away. The fastest way is
    tried compiled too, where training on so many `cases` is long enough.

    Raises:
        UsageError: the batch fits in no way; it names one that does. Or the one way that is
            left open is wrong for this network.
    """
    device = computing(plan)
    narrow = device.type == "cpu" and is_narrow(trial.fresh())
    ways = [way for way in _open_ways(device, fixed) if not (narrow and _last(way))]
    if not ways:
        raise untrusted()
    speeds = [_timed(trial, way, plan) for way in ways]
    if not any(speed.images for speed in speeds):
        batch = len(trial.images)
        raise too_large(batch, trial.largest(ways[0], plan), device.type, plan.accumulate)
    if "compile" in fixed:
        return speeds
    best = _best(speeds)
    if narrow:  # whose convolutions are channels last
        return [*speeds, Speed(_compiling(best.way), note="not tried, for its narrow convolutions")]
    return [*speeds, _compiled(trial, best, plan, _work(best, plan, cases))]


def choices(speeds: list[Speed], plan: TrainingPlan, cases: int) -> Iterator[Choice]:
    """Precision, memory format and compiling by speed, and epochs that fit the budget."""
    evidence = "; ".join(map(str, speeds))
    best = _best([speed for speed in speeds if not speed.way.compile])
    work = _work(best, plan, cases)
    for speed in speeds:
        if speed.way.compile and speed.images and speed.seconds(work) * GAIN < best.seconds(work):
            best = speed
    why = "the fastest of a short measurement before the first step"
    way = best.way
    yield Choice("training.precision", way.precision, why, "measured", evidence)
    yield Choice("training.memory_format", way.memory_format, why, "measured", evidence)
    yield Choice("training.compile", way.compile, why, "measured", evidence)
    affordable = int((60 * plan.budget - best.setup) * best.images / max(1, cases))
    if affordable < plan.epochs:
        why = f"what {plan.budget:g} minutes allow at {_told(best.images)} images/s"
        yield Choice("training.epochs", max(1, affordable), why, "measured", evidence)


def _told(images: float) -> str:
    return f"{images:.0f}" if images >= 100 else f"{images:.3g}"


def _best(speeds: list[Speed]) -> Speed:
    """The first that fits, unless another is faster by a margin."""
    known = [speed for speed in speeds if speed.images]
    best = known[0]
    for speed in known[1:]:
        best = speed if speed.images > GAIN * best.images else best
    return best


def _work(best: Speed, plan: TrainingPlan, cases: int) -> float:
    """Images that the run's networks learn from, epoch by epoch, within the budget."""
    affordable = 60 * plan.budget * best.images
    return plan.folds * plan.seeds * min(plan.epochs * cases, affordable)


def _timed(trial: Trial, way: Way, plan: TrainingPlan) -> Speed:
    measured: list[tuple[float, float]] = []
    if not fits(lambda: measured.append(trial.seconds(way, plan))):
        return Speed(way, note=NO_ROOM)
    first, fastest = measured[0]
    return Speed(way, len(trial.images) / fastest, max(0.0, first - fastest) * way.compile)


def _compiled(trial: Trial, best: Speed, plan: TrainingPlan, work: float) -> Speed:
    way = _compiling(best.way)
    long = best.seconds(work)
    if long < LONG:
        return Speed(way, note=f"not tried, for {long:.0f} s of training it does not pay")
    if torch.cuda.is_available():
        torch.cuda.empty_cache()  # for the process that tries it
    try:
        return _timed(trial, way, plan)
    except Exception as error:  # noqa: BLE001  # of whatever compiler there is, or is not: none fails a run
        return Speed(way, note=f"not possible here ({_first_line(error)})")


def _compiling(way: Way) -> Way:
    return replace(way, compile=True)


def _last(way: Way) -> bool:
    return way.memory_format == "channels-last"


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:120] or type(error).__name__


def _ways(device: torch.device) -> Iterator[Way]:
    """The first is the safe one."""
    yield from (Way("fp32", memory_format) for memory_format in FORMATS)
    if device.type == "cuda" and torch.cuda.is_bf16_supported():
        yield from (Way("bf16", memory_format) for memory_format in FORMATS)
    elif device.type == "cpu" and torch.cpu._is_avx512_bf16_supported():
        yield Way("bf16", "channels-last")


def _open_ways(device: torch.device, fixed: Mapping[str, str]) -> list[Way]:
    """Where nothing measured is left, what is fixed alone: the speed still sets the epochs."""
    asked = (fixed.get("precision"), fixed.get("memory_format"))
    ways = [
        way
        for way in _ways(device)
        if asked[0] in (None, way.precision) and asked[1] in (None, way.memory_format)
    ]
    return ways or [Way(asked[0] or "fp32", asked[1] or "channels-last")]
