"""The loss while the learning rate grows, and the rate to use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hounsfield.preprocessing.figures import ACCENT, INK, OTHER, SMALL, TITLE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hounsfield.training.rates import Rates


def figure(found: Rates) -> Figure:
    """Each step's loss, the smoothed curve, and a line at the suggested rate."""
    from matplotlib.figure import Figure

    drawn = Figure(figsize=(7, 4.2), layout="constrained")
    axis = drawn.subplots()
    axis.plot(found.rates, found.losses, ".", color=INK, alpha=0.3, label="each step")
    axis.plot(found.rates, found.smoothed, color=ACCENT, linewidth=2, label="smoothed")
    if found.suggested is not None:
        label = f"suggested: {found.suggested:g}"
        axis.axvline(found.suggested, color=OTHER, linewidth=2, label=label)
    known = np.array([one for one in found.losses if np.isfinite(one)])
    curve = np.array(found.smoothed)
    low, high = float(known.min()), float(np.nanmax(np.minimum(curve, 2 * curve[0])))
    axis.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    axis.set_xscale("log")
    axis.set_xlabel("learning rate", fontsize=SMALL, color=INK)
    axis.set_ylabel("loss", fontsize=SMALL, color=INK)
    axis.legend(frameon=False, fontsize=SMALL - 2)
    axis.spines[["top", "right"]].set_visible(False)
    title = "Where the loss falls fastest" if found.suggested else "The loss did not fall"
    drawn.suptitle(title, fontsize=TITLE, color=INK)
    return drawn
