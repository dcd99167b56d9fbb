"""How numbers are written: as many digits as the interval justifies, never more."""

from __future__ import annotations

import math

from hounsfield.evaluation.compare import Difference
from hounsfield.evaluation.estimate import Estimate

UNDEFINED = "–"


def digits(low: float, high: float, parts: int = 4) -> int:
    """Decimals, 2 to 4, whose last one is at most this part of the interval's width: a quarter."""
    width = high - low
    if not math.isfinite(width) or width <= 0:
        return 2
    return min(max(math.ceil(-math.log10(width / parts)), 2), 4)


def value(estimate: Estimate) -> str:
    """The value alone, "0.93"."""
    return plain(estimate.value, digits(estimate.low, estimate.high))


def ends(estimate: Estimate) -> tuple[str, str]:
    """The interval's ends, ("0.88", "0.96")."""
    places = digits(estimate.low, estimate.high)
    return plain(estimate.low, places), plain(estimate.high, places)


def interval(estimate: Estimate) -> str:
    """The interval in words, "0.88 to 0.96"; a dash where there is none."""
    low, high = ends(estimate)
    return UNDEFINED if UNDEFINED in (low, high) else f"{low} to {high}"


def places_of(found: Difference) -> int:
    """Decimals of a difference: a tenth of its interval, for its end may lie close to 0."""
    return digits(found.low, found.high, 10)


def difference(found: Difference) -> tuple[str, str]:
    """The difference and its interval with their signs, ("+0.04", "+0.01 to +0.07")."""
    places = places_of(found)
    shown = [plain(x, places, sign=True) for x in (found.difference, found.low, found.high)]
    return shown[0], UNDEFINED if UNDEFINED in shown else f"{shown[1]} to {shown[2]}"


def p_value(p: float | None) -> str:
    """A p-value as journals print it."""
    if p is None or math.isnan(p):
        return UNDEFINED
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def count(number: int, noun: str, plural: str = "") -> str:
    """ "1 patient", "1,200 patients"."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def percent(part: float, whole: float) -> str:
    """A share without false precision; a dash for a share of nothing."""
    return f"{100 * part / whole:.0f}\N{NO-BREAK SPACE}%" if whole else UNDEFINED


def listed(names: list[str], most: int = 8) -> str:
    """ "a, b and c"; a long list is cut and counted."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def sentence(text: str) -> str:
    """A capital first and a full stop last; what begins with a command stays as it is."""
    text = text.strip()
    text = text[:1].upper() + text[1:]
    return text if not text or text[-1] in ".!?…:" else f"{text}."


def seconds(duration: float) -> str:
    """ "42 s", "3 min 5 s", "2 h 10 min"."""
    whole = round(duration)
    if whole < 60:
        return f"{duration:.1f} s" if duration < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def plain(x: float, places: int, sign: bool = False) -> str:
    """A number with this many decimals and a true minus; a dash where it is undefined."""
    if not math.isfinite(x):
        return UNDEFINED
    text = f"{x:{'+' if sign else ''}.{places}f}"
    return text.lstrip("+-") if float(text) == 0 else text.replace("-", "−")
