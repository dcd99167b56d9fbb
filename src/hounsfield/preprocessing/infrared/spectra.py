"""Hyperspectral images and their spectra: bands, reflectance, indices, smoothing, baseline.

An image has its bands along C, each with its wavelength in nm; spectra are (pixels, bands).
Nothing here clips: a mirror reflects more than the white reference, and NaN is what is not known.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hounsfield.errors import InputError, MissingExtraError, UsageError, did_you_mean
from hounsfield.image import Channel, Image

# name -> two wavelengths in nm of (A - B) / (A + B), and who defined it
INDICES = {
    "ndvi": (800.0, 670.0, "vegetation: Rouse et al., NASA SP-351 (1974) 309"),
    "ndwi": (860.0, 1240.0, "liquid water: Gao, Remote Sens. Environ. 58 (1996) 257"),
    "pri": (531.0, 570.0, "photochemistry: Gamon et al., Remote Sens. Environ. 41 (1992) 35"),
}
NEAR_ENOUGH = 15.0  # nm between a wavelength that is asked for and the nearest band
DEAD = 0.01  # of a band's median span between white and dark: a detector with less is blind
_PER_BAND = ("fwhm", "bbl")  # what `stored` of a cube holds for each of its bands


def wavelengths(image: Image) -> NDArray[np.float64]:
    """Each band's wavelength in nm.

    Raises:
        InputError: a channel without one.
    """
    known = [channel.wavelength for channel in image.channels]
    if any(nm is None for nm in known):
        raise InputError(
            "this image's channels have no wavelengths",
            expected="a cube of bands, as of an ENVI header with `wavelength`",
            remedy="add the list to the header, or make Channel(wavelength=…)",
        )
    return np.array(known, np.float64)


def select_bands(image: Image, low: float, high: float) -> Image:
    """The bands from `low` to `high` nm, both included: 700 to 900 is the near infrared.

    `hf.read("cube.hdr#700-900")` reads them without the rest.

    Raises:
        InputError: no band lies within.
    """
    nm = wavelengths(image)
    kept = np.flatnonzero((nm >= low) & (nm <= high))
    if not kept.size:
        raise InputError(
            f"no band within {low:g} to {high:g} nm", expected=f"{nm.min():g} to {nm.max():g} nm"
        )
    return _some(image, kept)


def good_bands(image: Image) -> Image:
    """The bands that the header does not mark as bad (`bbl`); all where it marks none."""
    marks = tuple(image.stored.get("bbl", ()))
    if len(marks) != image.shape[0] or all(marks):
        return image
    kept = np.flatnonzero(marks)
    if not kept.size:
        raise InputError("every band of this image is marked as bad")
    return _some(image, kept)


def _some(image: Image, kept: NDArray[np.intp]) -> Image:
    stored = dict(image.stored)
    for name in _PER_BAND:
        if len(values := stored.get(name, ())) == image.shape[0]:
            stored[name] = tuple(values[i] for i in kept)
    channels = tuple(image.channels[i] for i in kept)
    return replace(image, array=image.array[kept], channels=channels, stored=stored)


def reflectance(raw: Image, white: Image, dark: Image, *, panel: float = 1.0) -> Image:
    """(raw - dark) / (white - dark) · `panel`, float32, with the unit "reflectance".

    White and dark are of the raw image's size, or of its width and any number of lines (a line
    scanner's references), whose mean then serves each line. Where white - dark is no more than 1 %
    of its band's median, or not finite, the detector is dead and the result NaN; `panel` is the
    reflectance of the white panel itself. Nothing is clipped.

    Raises:
        InputError: other bands or widths than the raw image's, or a white that is not brighter
            than the dark in half of a band.
    """
    if not 0 < panel <= 1:
        raise UsageError(f"a white panel of reflectance {panel:g}", expected="above 0, at most 1")
    nothing = _reference(dark, raw, "dark")
    span = _reference(white, raw, "white") - nothing
    span[~np.isfinite(span)] = 0
    usual = np.median(span, axis=(1, 2, 3), keepdims=True)
    if not (usual > 0).all():
        bad = int(np.flatnonzero(~(usual.ravel() > 0))[0])
        raise InputError(
            f"the white reference is not brighter than the dark one in band {bad + 1}",
            remedy="check that the two are not exchanged; leave out bands without light",
        )
    span[~(span > DEAD * usual)] = np.nan
    values = raw.array.astype(np.float32)
    values -= nothing
    values /= span
    values *= np.float32(panel)
    channels = tuple(replace(channel, unit="reflectance") for channel in raw.channels)
    return replace(raw, array=values, channels=channels)


def _reference(image: Image, raw: Image, name: str) -> NDArray[np.float32]:
    """A reference that goes with the raw image: (C, 1, Y or 1, X) float32."""
    (c, z, y, x), wanted = image.shape, raw.shape
    if (c, z, x) != (wanted[0], wanted[1], wanted[3]):
        raise InputError(
            f"the {name} reference is {c} bands of {x} × {y}",
            expected=f"{wanted[0]} bands of width {wanted[3]}, as the image",
            remedy="select the same bands of the image and both references",
        )
    ours, theirs = ([ch.wavelength for ch in one.channels] for one in (raw, image))
    if None not in ours and None not in theirs:
        apart = np.abs(np.array(ours, float) - np.array(theirs, float)).max()
        if apart > 1:
            raise InputError(f"the {name} reference's bands are up to {apart:.3g} nm elsewhere")
    if y != wanted[2]:
        mean = image.array.mean(axis=2, keepdims=True, dtype=np.float64)
        return np.asarray(mean, np.float32)
    return image.array.astype(np.float32)


def absorbance(image: Image) -> Image:
    """-log₁₀ of reflectance; NaN where nothing came back."""
    values = image.array.astype(np.float32)
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(values > 0, -np.log10(values), np.float32(np.nan))
    channels = tuple(replace(channel, unit="absorbance") for channel in image.channels)
    return replace(image, array=values, channels=channels)


def band(image: Image, nm: float, near: float = NEAR_ENOUGH) -> int:
    """The number of the band nearest to a wavelength.

    Raises:
        InputError: none lies within `near` nm.
    """
    known = wavelengths(image)
    found = int(np.abs(known - nm).argmin())
    if not abs(known[found] - nm) <= near:
        raise InputError(
            f"no band within {near:g} nm of {nm:g} nm; the nearest is at {known[found]:g} nm"
        )
    return found


def normalised_difference(
    image: Image, a: float, b: float, near: float = NEAR_ENOUGH, name: str = ""
) -> Image:
    """(A - B) / (A + B) of the bands nearest to `a` and `b` nm, one channel of float32.

    NaN where A + B is not above 0.

    Raises:
        InputError: no band within `near` nm of one, or the same band for both.
    """
    at_a, at_b = band(image, a, near), band(image, b, near)
    if at_a == at_b:
        raise InputError(f"one band serves both {a:g} and {b:g} nm", remedy="take others")
    first, second = (image.array[i : i + 1].astype(np.float32) for i in (at_a, at_b))
    total = first + second
    with np.errstate(divide="ignore", invalid="ignore"):
        values = np.where(total > 0, (first - second) / total, np.float32(np.nan))
    name = name or f"({a:g} - {b:g}) / ({a:g} + {b:g}) nm"
    return replace(image, array=values, channels=(Channel(name),), stored={})


def index(image: Image, name: str) -> Image:
    """A published index of `INDICES` by its name."""
    if name not in INDICES:
        raise UsageError(f"no index {name!r}", remedy=did_you_mean(name, INDICES))
    a, b, _ = INDICES[name]
    return normalised_difference(image, a, b, name=name)


def spectra(image: Image, mask: NDArray[np.bool_] | None = None) -> NDArray[Any]:
    """(pixels, bands): the pixels in the order z, y, x; those of `mask` (Z, Y, X) alone."""
    if mask is None:
        return np.ascontiguousarray(image.array.reshape(image.shape[0], -1).T)
    if mask.shape != image.shape[1:]:
        raise InputError(f"a mask of {mask.shape} for an image of {image.shape[1:]}")
    return np.ascontiguousarray(image.array[:, mask.astype(bool)].T)


def as_image(values: NDArray[Any], like: Image) -> Image:
    """Spectra (pixels, bands) back in their places; the inverse of `spectra` of a whole image."""
    if values.shape != (like.array[0].size, like.shape[0]):
        raise InputError(
            f"spectra of shape {values.shape}", expected=f"{(like.array[0].size, like.shape[0])}"
        )
    return replace(like, array=values.T.reshape(like.shape))


def smooth(
    values: ArrayLike, window: int = 11, order: int = 2, derivative: int = 0, step: float = 1.0
) -> NDArray[np.float64]:
    """Spectra (…, bands) after Savitzky and Golay's filter, Anal. Chem. 36 (1964) 1627.

    A polynomial of `order` over `window` bands; `derivative` 1 or 2 gives slopes, per `step` nm
    from band to band. At both ends the last polynomial goes on. A value that no finite window
    gives is NaN.

    Raises:
        UsageError: a window that is even, not above the order, or longer than the spectrum.
    """
    from scipy.ndimage import maximum_filter1d
    from scipy.signal import savgol_filter

    array = np.asarray(values, np.float64)
    if window % 2 == 0 or not order < window <= array.shape[-1] or not 0 <= derivative <= order:
        raise UsageError(
            f"a window of {window} bands for order {order}, derivative {derivative}",
            expected=f"odd, above the order, at most {array.shape[-1]} bands",
        )
    unknown = ~np.isfinite(array)
    known = np.where(unknown, 0.0, array)
    smoothed: NDArray[np.float64] = savgol_filter(known, window, order, derivative, step, axis=-1)
    if unknown.any():
        spoiled = maximum_filter1d(unknown, window, axis=-1, mode="nearest")
        half = window // 2
        spoiled[..., :half] |= unknown[..., :window].any(-1, keepdims=True)
        spoiled[..., -half:] |= unknown[..., -window:].any(-1, keepdims=True)
        smoothed[spoiled] = np.nan
    return smoothed


def baseline(
    values: ArrayLike, smoothness: float = 1e5, asymmetry: float = 0.01, rounds: int = 20
) -> NDArray[np.float64]:
    """The slow ground below the peaks of spectra (…, bands), by asymmetric least squares.

    P. Eilers and H. Boelens, Baseline Correction with Asymmetric Least Squares Smoothing (Leiden,
    2005): minimise Σ w (y - z)² + `smoothness` Σ (Δ²z)², w = `asymmetry` above the ground and
    1 - `asymmetry` below, until no weight changes or after `rounds`. They found 10² to 10⁹ and
    0.001 to 0.1 good. A NaN has no weight; a spectrum of fewer than three numbers gives NaN.

    Raises:
        UsageError: a smoothness or asymmetry outside its range, fewer than four bands.
    """
    array = np.asarray(values, np.float64)
    if not (0 < smoothness < 1e15 and 0 < asymmetry < 1 and rounds > 0 and array.shape[-1] > 3):
        raise UsageError(
            f"smoothness {smoothness:g}, asymmetry {asymmetry:g}, {rounds} rounds, "
            f"{array.shape[-1]} bands",
            expected="smoothness above 0, asymmetry between 0 and 1, at least four bands",
        )
    penalty = smoothness * _second_differences(array.shape[-1])
    rows = [_ground(row, penalty, asymmetry, rounds) for row in array.reshape(-1, array.shape[-1])]
    return np.array(rows).reshape(array.shape)


def _second_differences(count: int) -> NDArray[np.float64]:
    """DᵀD of the second differences D, its three upper diagonals as SciPy stores a band."""
    from scipy.sparse import diags

    differences = diags([1.0, -2.0, 1.0], [0, 1, 2], shape=(count - 2, count))
    product = (differences.T @ differences).todia()
    stored = np.zeros((3, count))
    for offset, diagonal in zip(product.offsets, product.data, strict=True):
        if offset >= 0:
            stored[2 - offset] = diagonal
    return stored


def _ground(
    row: NDArray[np.float64], penalty: NDArray[np.float64], asymmetry: float, rounds: int
) -> NDArray[np.float64]:
    from scipy.linalg import solveh_banded

    known = np.isfinite(row)
    if known.sum() < 3:
        return np.full(row.shape, np.nan)
    heights, weights = np.where(known, row, 0.0), known.astype(np.float64)
    ground = heights
    for _ in range(rounds):
        system = penalty.copy()
        system[2] += weights
        ground = solveh_banded(system, weights * heights, overwrite_ab=True, check_finite=False)
        before, weights = weights, known * np.where(heights > ground, asymmetry, 1 - asymmetry)
        if np.array_equal(before, weights):
            break
    return ground


def rampy_baseline(
    nm: ArrayLike, values: ArrayLike, method: str = "arPLS", **settings: Any
) -> NDArray[np.float64]:
    """The ground of spectra (…, bands) by one of rampy's methods, with its own settings.

    rampy is under the GPL and never installed with hounsfield; `baseline` needs nothing.

    Raises:
        MissingExtraError: rampy is not installed.
    """
    try:
        import rampy
    except ImportError as error:
        raise MissingExtraError(
            "rampy is not installed",
            expected="the extra `spectra` (GPL), for rampy's baselines",
            remedy="`pip install 'hounsfield[spectra]'`, or use `baseline`, which needs nothing",
        ) from error
    x, array = np.asarray(nm, np.float64), np.asarray(values, np.float64)
    whole = np.array([[x.min() - 1, x.max() + 1]])  # rampy leaves out the ends of its regions
    rows = [
        rampy.baseline(x, row, roi=whole, method=method, **settings)[1].ravel()
        for row in array.reshape(-1, array.shape[-1])
    ]
    return np.array(rows).reshape(array.shape)
