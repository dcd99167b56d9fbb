"""How noisy an image is: from the air around the body, or from its finest details.

The magnitude of a complex signal with Gaussian noise sigma on both parts is Rician; in air it
is Rayleigh, with the median sigma · √(2 ln 2).
H. Gudbjartsson and S. Patz, "The Rician distribution of noisy MRI data", Magn. Reson. Med. 34
(1995).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hounsfield.image import Image
from hounsfield.preprocessing.foreground import inside
from hounsfield.preprocessing.mr.units import other_than_mr

Method = Literal["air", "details"]
RAYLEIGH_MEDIAN = float(np.sqrt(2 * np.log(2)))
GAUSSIAN_MAD = 0.6744897501960817  # median of |N(0, 1)|
AIR_VOXELS, DETAILS = 500, 200  # fewer say too little
MOST_ZERO = 0.2  # of the air: more was set to 0 by the scanner or by skull stripping
RATIO_WITHIN = (1.2, 2.4)  # mean over deviation of the darker 95 %: 2.10 of noise, less of ghosts
DARKER = 5  # the air's median is at least so many times below the body's
MARGIN = 3  # voxels from the body that are not counted as air


@dataclass(frozen=True)
class Noise:
    """`sigma` in the image's own unit, of one channel; `snr` in the body, None of what is no MR.

    `why` tells why the air was not used.
    """

    sigma: float
    method: Method
    snr: float | None
    why: str = ""


def noise(image: Image, mask: Image | None = None, channel: int = 0) -> Noise:
    """The noise of one channel, from air where there is air that is noise, else from details.

    The signal of the SNR is the mean in the mask (Otsu's without one), where the air was used
    without the noise's own share: √(M² - sigma²). NaN where even details are too few.

    Raises:
        GeometryError: the mask lies on another grid.
        InputError: the image has one value, or the mask is empty.
    """
    values = image.array[channel].astype(np.float32)
    one = Image(values[None], image.geometry, image.channels[channel : channel + 1])
    body = inside(one, mask)
    sigma, why = from_air(values, body, image.channels[channel].unit)
    method: Method = "air"
    if sigma is None:
        sigma, method = from_details(values, body), "details"
    signal = values[body].astype(np.float64)
    if other_than_mr(one):
        return Noise(sigma, method, None, why)  # 0 HU and 0 °C are not the absence of signal
    if method == "air":
        signal = np.sqrt(np.maximum(signal**2 - sigma**2, 0))
    snr = float(signal.mean()) / sigma if sigma > 0 else float("nan")
    return Noise(sigma, method, snr, why)


def air_of(body: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(Z, Y, X): outside of the body, its holes and a margin, slice by slice."""
    from scipy.ndimage import binary_dilation, binary_fill_holes

    air = np.empty_like(body)
    for plane, target in zip(body, air, strict=True):
        target[:] = ~binary_dilation(binary_fill_holes(plane), iterations=MARGIN)
    return air


def from_air(
    values: NDArray[np.float32], body: NDArray[np.bool_], unit: str | None = None
) -> tuple[float | None, str]:
    """Sigma from the median of the air, which single ghosts do not move; or why it is not used."""
    outside = values[air_of(body)]
    if outside.size >= AIR_VOXELS and not dark(outside, values[body]):
        return None, "what lies around the body is no air"
    if unit == "HU" or (outside.size and float(outside.min()) < 0):
        return None, "the values are no magnitudes"
    if outside.size < AIR_VOXELS:
        return None, "too little air around the body"
    if np.count_nonzero(outside == 0) > MOST_ZERO * outside.size:
        return None, "the air was set to 0"
    # The upper tail is ghosts and skin; the ratio is judged without it.
    usual = outside[outside <= np.percentile(outside, 95)]
    deviation = float(usual.std(dtype=np.float64))
    ratio = float(usual.mean(dtype=np.float64)) / deviation if deviation else float("inf")
    if not RATIO_WITHIN[0] <= ratio <= RATIO_WITHIN[1]:
        return None, f"the air is no noise (mean over deviation {ratio:.2f})"
    return float(np.median(outside)) / RAYLEIGH_MEDIAN, ""


def dark(outside: NDArray[Any], within: NDArray[Any]) -> bool:
    """Is what lies outside so much darker than the body that it is air?"""
    return DARKER * float(np.median(outside)) <= float(np.median(within))


def from_details(values: NDArray[Any], body: NDArray[np.bool_]) -> float:
    """Sigma from the finest diagonal details of each slice, within the body.

    The median absolute coefficient of Haar's wavelet, which edges do not move: D. L. Donoho and
    I. M. Johnstone, "Ideal spatial adaptation by wavelet shrinkage", Biometrika 81 (1994). Too
    low where the image was interpolated or smoothed, because its noise is correlated then.
    """
    rows, columns = values.shape[1] // 2 * 2, values.shape[2] // 2 * 2
    block = values[:, :rows, :columns].astype(np.float32)
    parts = [block[:, i::2, j::2] for i in (0, 1) for j in (0, 1)]
    details = (parts[0] - parts[1] - parts[2] + parts[3]) / 2
    marked = body[:, :rows, :columns]
    whole = np.logical_and.reduce([marked[:, i::2, j::2] for i in (0, 1) for j in (0, 1)])
    chosen = np.abs(details[whole & np.isfinite(details)])
    return float(np.median(chosen)) / GAUSSIAN_MAD if chosen.size >= DETAILS else float("nan")
