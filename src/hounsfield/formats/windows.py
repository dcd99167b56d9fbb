"""CT windows by organ: names for the centre and width that radiologists look with."""

from __future__ import annotations

from hounsfield.errors import UsageError, did_you_mean

# name -> (centre, width) in HU. From Radiopaedia's "Windowing (CT)" (rID 52108), its typical
# values by region; where it gives a range or two, the middle or the wider one. `angio` is
# the preset for contrast-filled vessels that viewers share.
WINDOWS: dict[str, tuple[float, float]] = {
    "abdomen": (50, 400),
    "angio": (300, 600),
    "bone": (400, 1800),
    "brain": (40, 80),
    "liver": (30, 150),
    "lung": (-600, 1500),
    "mediastinum": (50, 350),
    "soft-tissue": (40, 375),
    "spine": (50, 250),
    "stroke": (40, 40),
    "subdural": (75, 215),
    "temporal-bone": (600, 2800),
}


def named_window(text: str) -> tuple[float, float]:
    """The centre and width, in HU, of a window by its name: "lung", "soft-tissue", "Soft tissue".

    Raises:
        UsageError: no window has this name.
    """
    name = "-".join(text.lower().replace("_", " ").replace("-", " ").split())
    if name not in WINDOWS:
        raise UsageError(f"no CT window {text!r}", remedy=did_you_mean(name, WINDOWS))
    return WINDOWS[name]
