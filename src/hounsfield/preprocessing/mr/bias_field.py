"""N4: the slowly varying brightness that receiver coils leave in MR images, estimated and divided.

N. J. Tustison et al., "N4ITK: improved N3 bias correction", IEEE Trans. Med. Imaging 29 (2010);
computed by SimpleITK.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import InputError
from hounsfield.image import Image
from hounsfield.preprocessing.foreground import inside
from hounsfield.preprocessing.itk import one_thread
from hounsfield.preprocessing.mr.units import other_than_mr

FEWEST = 4  # voxels along an axis, for a cubic B-spline
KEPT = 8  # voxels an axis keeps when shrunk, or the field has nothing to lie on
USUAL = 4  # the shrink factor that small images take, too, as far as their size lets them
ITERATIONS = (50, 50, 50, 50)  # a level each; the mesh doubles from one to the next


@dataclass(frozen=True)
class N4:
    """How the field is looked for.

    `shrink` coarsens the grid on which it is fitted (thick slices less, so that voxels come out
    near to cubes). `points` is the B-spline's mesh of the first level; `threshold` ends a level
    when the field's coefficient of variation changes by less.
    """

    shrink: int = USUAL
    iterations: tuple[int, ...] = ITERATIONS
    points: int = 4
    threshold: float = 1e-3

    def __post_init__(self) -> None:
        if self.shrink < 1 or not self.iterations or min(self.iterations) < 1:
            raise InputError(
                f"N4 with a shrink factor of {self.shrink} and {self.iterations} iterations",
                expected="whole numbers above 0",
            )
        if self.points < FEWEST:
            raise InputError(
                f"N4 with {self.points} points", expected=f"at least {FEWEST}: the spline is cubic"
            )


@dataclass(frozen=True, eq=False)
class BiasCorrected:
    """An image without its bias field: image · field = what was given.

    `field` has a geometric mean of 1 in the mask, so brightness as a whole stays. The coefficients
    of variation (standard deviation over mean, in the mask) are one for each channel.
    """

    image: Image
    field: Image
    mask: Image
    cv_before: tuple[float, ...]
    cv_after: tuple[float, ...]

    @property
    def worse(self) -> tuple[int, ...]:
        """The channels whose tissue the field did not make more even."""
        pairs = zip(self.cv_before, self.cv_after, strict=True)
        return tuple(i for i, (before, after) in enumerate(pairs) if not after < before)


def correct_bias(image: Image, mask: Image | None = None, how: N4 | None = None) -> BiasCorrected:
    """Divide an MR image (C, Z, Y, X) by its bias field, each channel by its own; float32.

    The mask (not 0 = inside) says where the field is measured; without one Otsu's threshold
    does. The grid is the image's own, exactly. A single slice is corrected as a picture.

    Raises:
        InputError: values of another machine (HU, SUV, °C, colours), not finite, not above 0 in
            most of the mask, or too few; a shrink factor that the image is too small for.
        GeometryError: the mask lies on another grid.
    """
    how = how or N4()
    _refuse_others(image)
    _refuse_shrink(image, how.shrink)
    where = inside(image, mask)
    values = image.array.astype(np.float32)
    fields = np.stack([_field(channel, where, image, how) for channel in values])
    corrected = values / fields
    plain = replace(image, array=corrected, stored={})
    return BiasCorrected(
        plain,
        Image(fields, image.geometry),
        Image(where[None].astype(np.uint8), image.geometry),
        tuple(variation(channel[where]) for channel in values),
        tuple(variation(channel[where]) for channel in corrected),
    )


def variation(values: NDArray[Any]) -> float:
    """The coefficient of variation: standard deviation over mean; NaN where the mean is not > 0."""
    mean = float(values.mean(dtype=np.float64))
    return float(values.std(dtype=np.float64)) / mean if mean > 0 else float("nan")


def _field(
    channel: NDArray[np.float32], where: NDArray[np.bool_], image: Image, how: N4
) -> NDArray[np.float32]:
    """The bias field (Z, Y, X) of one channel."""
    import SimpleITK

    _refuse_values(channel, where)
    flat = len(channel) == 1
    whole, marked = (_plain_itk(a[0] if flat else a) for a in (channel, where.astype(np.uint8)))
    factors = _factors(image, how.shrink)[: 2 if flat else 3]
    corrector = SimpleITK.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(list(how.iterations))
    corrector.SetNumberOfControlPoints([how.points] * len(factors))
    corrector.SetConvergenceThreshold(how.threshold)
    small = SimpleITK.Shrink(whole, factors)
    with one_thread():
        corrector.Execute(small, _shrunk_mask(marked, small, factors))
    log = SimpleITK.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(whole)).reshape(
        channel.shape
    )
    log -= log[where].mean(dtype=np.float64).astype(np.float32)
    field: NDArray[np.float32] = np.exp(log, dtype=np.float32)
    return field


def _plain_itk(array: NDArray[Any]) -> Any:
    """Voxels without their place: the spline lies over the grid, whatever its millimetres."""
    import SimpleITK

    return SimpleITK.GetImageFromArray(array)


def _shrunk_mask(mask: Any, small: Any, factors: list[int]) -> Any:
    import SimpleITK

    shrunk = SimpleITK.Shrink(mask, factors)
    if not SimpleITK.GetArrayViewFromImage(shrunk).any():
        raise InputError(
            "nothing of the mask is left on the coarser grid",
            remedy="a smaller shrink factor, or a larger mask",
        )
    shrunk.CopyInformation(small)
    return shrunk


def _factors(image: Image, shrink: int) -> list[int]:
    """How much each axis (x, y, z) is shrunk."""
    spacing = image.geometry.spacing if image.geometry is not None else (1.0, 1.0, 1.0)
    finest = min(spacing)
    sizes = image.shape[:0:-1]
    wanted = [max(1, round(shrink * finest / mm)) for mm in (*spacing, finest)[:3]]
    return [max(1, min(w, size // KEPT)) for w, size in zip(wanted, sizes, strict=True)]


def _refuse_others(image: Image) -> None:
    if other := other_than_mr(image):
        raise InputError(f"this is {other}, which has no bias field", expected="an MR image")


def _refuse_shrink(image: Image, shrink: int) -> None:
    """More than the longest axis can bear; the others are shrunk as far as they can be."""
    most = max(USUAL, max(image.shape[1:]) // KEPT)
    if shrink > most:
        raise InputError(
            f"a shrink factor of {shrink} leaves fewer than {KEPT} voxels along each axis",
            expected=f"at most {most} for this image",
        )


def _refuse_values(channel: NDArray[np.float32], where: NDArray[np.bool_]) -> None:
    if not np.isfinite(channel).all():
        raise InputError("some values are not finite", expected="numbers, for N4 to compare")
    if min(channel.shape[1:]) < FEWEST or (1 < len(channel) < FEWEST):
        z, y, x = channel.shape
        raise InputError(
            f"the image has {x} × {y} × {z} voxels",
            expected=f"at least {FEWEST} along each axis, or one slice",
        )
    low = np.count_nonzero(channel[where] <= 0)
    if low > where.sum() / 2:
        raise InputError(
            f"{low:,} of {where.sum():,} values in the mask are not above 0",
            expected="an MR image's brightness: N4 works on its logarithm",
            remedy="give a mask of the body with --mask",
        )
