"""Rigid registration of two volumes by mutual information (Mattes et al. 2003), with SimpleITK.

For pictures of one body by two machines: no relation between their values is assumed. The same
input gives the same result: samples are drawn from a seed, and sums run in one thread.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.errors import GeometryError, InputError
from hounsfield.formats.places import RAS_FROM_LPS
from hounsfield.geometry import Patient
from hounsfield.image import Image
from hounsfield.preprocessing.itk import one_thread

Matrix = NDArray[np.float64]

FINEST = 4.0  # mm: finer voxels are averaged first; the answer is far finer than a voxel
BINS = 48
LEVELS = ((4, 8.0), (2, 4.0), (1, 2.0))  # shrink factor, blur in mm
SAMPLES = 100_000  # voxels looked at in each step, at most
CLIP = (0.5, 98.0)  # percentiles: a hot bladder or a metal clip must not take most of the bins
SEED = 7


@dataclass(frozen=True, eq=False)
class Registration:
    """How a moving image's world (RAS+ mm) lies in a fixed one's, and how sure that is.

    `residual` is the farthest, in mm, that a corner of the fixed volume comes back from itself
    when it goes by this registration and returns by one computed with the roles exchanged.
    """

    ras_fixed_from_ras_moving: Matrix
    before: float  # mutual information in nats, where the headers put the images
    after: float
    residual: float
    centre: tuple[float, float, float]  # of the fixed volume, RAS+ mm

    @property
    def shift(self) -> tuple[float, float, float]:
        """How far the moving image's content at the fixed volume's centre moves; RAS+ mm."""
        x, y, z = (self.ras_fixed_from_ras_moving @ (*self.centre, 1.0))[:3] - self.centre
        return float(x), float(y), float(z)

    @property
    def degrees(self) -> float:
        """The angle of the turn."""
        trace = np.trace(self.ras_fixed_from_ras_moving[:3, :3])
        return float(np.degrees(np.arccos(np.clip((trace - 1) / 2, -1, 1))))

    def __str__(self) -> str:
        x, y, z = self.shift
        return (
            f"moved by {x:+.1f} mm to the right, {y:+.1f} to the front, {z:+.1f} up, turned by "
            f"{self.degrees:.1f}°; mutual information {self.before:.3f} → {self.after:.3f} nats; "
            f"there and back {self.residual:.1f} mm off"
        )


def register(fixed: Image, moving: Image) -> Registration:
    """The rigid move of `moving` that makes it tell most about `fixed`; first channels.

    It starts where the headers put both. Where they do not overlap, or tell different frames of
    reference, centre upon centre is tried as well, and what tells more is taken.

    Raises:
        GeometryError: an image without a place in a patient, or a sheared one.
        InputError: an image of one value, or no start from which the two overlap.
    """
    with one_thread():
        return _registered(_prepared(fixed, "fixed"), _prepared(moving, "moving"),
                           strangers=_strangers(fixed, moving))  # fmt: skip


def _registered(one: Any, other: Any, *, strangers: bool) -> Registration:
    centre = _centre(one)
    identity = _transform(np.zeros(6), centre)
    before = _information(one, other, identity)
    starts = [identity]
    if before is None or strangers:
        starts.append(_transform(np.array([0, 0, 0, *(_centre(other) - centre)]), centre))
    there = _best(one, other, starts)
    after = _information(one, other, there)
    if after is None or (before is not None and after <= before):
        there, after = identity, before
    back = _best(other, one, [there.GetInverse()])
    lps_moving_from_fixed = _matrix(there)
    return Registration(
        ras_fixed_from_ras_moving=RAS_FROM_LPS
        @ np.linalg.inv(lps_moving_from_fixed)
        @ RAS_FROM_LPS,
        before=before or 0.0,
        after=after or 0.0,
        residual=_off(one, _matrix(back) @ lps_moving_from_fixed),
        centre=_point(RAS_FROM_LPS[:3, :3] @ centre),
    )


def moved(moving: Image, registration: Registration, frame_uid: str | None = None) -> Image:
    """The moving image in the fixed one's world: another affine, the same voxels.

    Raises:
        GeometryError: it has no place in a patient.
    """
    geometry = _place(moving, "moving")
    ras_fixed_from_voxel = registration.ras_fixed_from_ras_moving @ geometry.affine
    return replace(moving, geometry=Patient(ras_fixed_from_voxel, frame_uid))


def _place(image: Image, which: str) -> Patient:
    if not isinstance(image.geometry, Patient):
        raise GeometryError(
            f"the {which} image has no place in a patient",
            expected="a volume with an affine",
            remedy="a plane cannot be registered in space",
        )
    return image.geometry


def _strangers(fixed: Image, moving: Image) -> bool:
    one, other = _place(fixed, "fixed").frame_uid, _place(moving, "moving").frame_uid
    return one is not None and other is not None and one != other


def _prepared(image: Image, which: str) -> Any:
    """A float ITK image of the first channel: clipped, and averaged to about `FINEST`."""
    import SimpleITK

    from hounsfield.interop import to_sitk

    _place(image, which)
    values = image.array[:1].astype(np.float32)
    if not np.isfinite(values).all():
        raise InputError(f"the {which} image holds values that are no numbers")
    low, high = np.percentile(values, CLIP)
    if not low < high:
        low, high = values.min(), values.max()
    if not low < high:
        raise InputError(f"the {which} image has one value only: nothing to register")
    # A copy: interop shares no memory with ITK
    volume = to_sitk(Image(np.clip(values, low, high), image.geometry))
    factors = [
        int(max(1, min(FINEST // spacing, size // 16 or 1)))
        for spacing, size in zip(volume.GetSpacing(), volume.GetSize(), strict=True)
    ]
    return SimpleITK.BinShrink(volume, factors)


def _method(fixed: Any) -> Any:
    import SimpleITK

    method = SimpleITK.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(BINS)
    method.SetMetricSamplingStrategy(method.RANDOM)
    method.SetMetricSamplingPercentage(min(1.0, SAMPLES / fixed.GetNumberOfPixels()), SEED)
    method.MetricUseFixedImageGradientFilterOff()  # whole gradient images cost more than the search
    method.MetricUseMovingImageGradientFilterOff()
    method.SetInterpolator(SimpleITK.sitkLinear)
    return method


def _best(fixed: Any, moving: Any, starts: list[Any]) -> Any:
    """Where the start that tells most leads to.

    Raises:
        InputError: from no start do the images overlap.
    """
    known = [(_information(fixed, moving, one), one) for one in starts]
    usable = [(value, one) for value, one in known if value is not None]
    if not usable:
        raise InputError(
            "the images do not overlap enough to be registered",
            expected="two volumes of one part of one body",
            remedy="check that they belong together",
        )
    start = max(usable, key=lambda pair: pair[0])[1]
    return _optimised(fixed, moving, start)


def _optimised(fixed: Any, moving: Any, start: Any) -> Any:
    import SimpleITK

    method = _method(fixed)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4.0,
        minStep=0.005,
        numberOfIterations=150,
        relaxationFactor=0.6,
        gradientMagnitudeTolerance=1e-7,
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([factor for factor, _ in LEVELS])
    method.SetSmoothingSigmasPerLevel([mm for _, mm in LEVELS])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    found = SimpleITK.Euler3DTransform(SimpleITK.Euler3DTransform(start))
    method.SetInitialTransform(found, inPlace=True)
    try:
        method.Execute(fixed, moving)
    except RuntimeError:  # they drifted apart: the start is all that is known
        return start
    return found


def _information(fixed: Any, moving: Any, transform: Any) -> float | None:
    """Mutual information in nats; None where too little overlaps."""
    method = _method(fixed)
    method.SetInitialTransform(transform)
    try:
        return -float(method.MetricEvaluate(fixed, moving))
    except RuntimeError:
        return None


def _centre(volume: Any) -> Matrix:
    """The middle of an ITK image, LPS mm."""
    middle = [(size - 1) / 2 for size in volume.GetSize()]
    return np.array(volume.TransformContinuousIndexToPhysicalPoint(middle))


def _transform(six: Matrix, centre: Matrix) -> Any:
    """Three angles and three mm, about a centre."""
    import SimpleITK

    made = SimpleITK.Euler3DTransform()
    made.SetCenter(centre.tolist())
    made.SetParameters(six.tolist())
    return made


def _matrix(transform: Any) -> Matrix:
    """(4, 4) of any affine ITK transform: what it does to the origin and the axes."""
    points = np.array([transform.TransformPoint(p) for p in ((0.0, 0.0, 0.0), *np.eye(3).tolist())])
    matrix = np.eye(4)
    matrix[:3, :3] = (points[1:] - points[0]).T
    matrix[:3, 3] = points[0]
    return matrix


def _off(fixed: Any, there_and_back: Matrix) -> float:
    """The farthest that a corner of the fixed volume comes back from itself, mm."""
    ends = np.array(fixed.GetSize()) - 1.0
    corners = [
        fixed.TransformContinuousIndexToPhysicalPoint((ends * pick).tolist())
        for pick in np.ndindex(2, 2, 2)
    ]
    homogeneous = np.c_[np.array(corners), np.ones(8)]
    moved_by = (homogeneous @ there_and_back.T - homogeneous)[:, :3]
    return float(np.linalg.norm(moved_by, axis=1).max())


def _point(values: Matrix) -> tuple[float, float, float]:
    x, y, z = (float(value) for value in values)
    return x, y, z
