"""Which values are no MR: a unit that another machine's values have."""

from __future__ import annotations

from hounsfield.image import Image

# MR has no unit of its own; what its makers write in this place ("normalized") says nothing.
OTHERS = {
    "HU": "a CT",
    "g/mL": "a PET",
    "cm2/mL": "a PET",
    "Bq/ml": "a PET",
    "Gy": "a dose",
    "°C": "a thermal image",
    "reflectance": "a hyperspectral image",
    "absorbance": "a hyperspectral image",
}


def other_than_mr(image: Image) -> str | None:
    """What an image is that is no MR, in words; None where nothing says so."""
    for channel in image.channels:
        if channel.unit in OTHERS:
            return f"{OTHERS[channel.unit]} (its values are in {channel.unit})"
        if channel.colour is not None:
            return "a colour picture"
    return None
