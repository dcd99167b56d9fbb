"""To and from other libraries' images. Geometry is kept exactly or refused.

nibabel has RAS+ millimetres and (x, y, z, channel) arrays; SimpleITK has LPS+ and (x, y, z).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hounsfield.errors import GeometryError, InputError, MissingExtraError
from hounsfield.geometry import Geometry, Patient, Plane
from hounsfield.image import Image

if TYPE_CHECKING:
    import nibabel
    import SimpleITK

_RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_KINDS: dict[np.dtype[Any], Any] = {
    np.dtype(np.bool_): np.uint8,
    np.dtype(np.float16): np.float32,
}


def to_nibabel(image: Image) -> nibabel.Nifti1Image:
    """A nibabel image (x, y, z) or (x, y, z, channel) that shares the voxels.

    Booleans become uint8 and half floats float32, which NIfTI has.

    Raises:
        GeometryError: the image is a plane, whose place in the body is not known.
    """
    import nibabel as nib

    if isinstance(image.geometry, Plane):
        raise GeometryError(
            "a plane picture has no affine",
            expected="an image with Patient geometry, or none",
            remedy="write it with hf.write, or give it an affine",
        )
    affine = image.geometry.affine if image.geometry else None
    voxels = image.array.astype(_KINDS.get(image.array.dtype, image.array.dtype), copy=False)
    axes = np.moveaxis(voxels, (3, 2, 1, 0), (0, 1, 2, 3))
    axes = axes[..., 0] if image.shape[0] == 1 else axes
    return nib.Nifti1Image(axes, affine, dtype=voxels.dtype)


def from_nibabel(other: Any) -> Image:
    """An image from a nibabel one; axes behind z become channels, the fourth one fastest."""
    voxels = np.asanyarray(other.dataobj)
    if voxels.ndim > 7 or voxels.dtype.kind not in "iufb":
        raise InputError(f"a nibabel image of {voxels.dtype} with {voxels.ndim} axes")
    spatial = voxels.reshape(voxels.shape + (1,) * (3 - voxels.ndim))
    flat = spatial.reshape((*spatial.shape[:3], -1), order="F")
    array = np.ascontiguousarray(np.moveaxis(flat, (0, 1, 2, 3), (3, 2, 1, 0)))
    return Image(array, None if other.affine is None else Patient(other.affine))


def to_sitk(image: Image) -> SimpleITK.Image:
    """A SimpleITK image, 3-D, or 2-D for a plane; several channels become a vector image.

    Raises:
        MissingExtraError: SimpleITK is not installed.
        GeometryError: no geometry (ITK would make it 1 mm), or a sheared one.
    """
    itk = _simple_itk()
    if image.geometry is None:
        raise GeometryError(
            "this image has no geometry, and SimpleITK would take it for 1 mm",
            remedy="give Image.from_numpy a spacing or an affine",
        )
    voxels = image.array.astype(_KINDS.get(image.array.dtype, image.array.dtype), copy=False)
    flat = isinstance(image.geometry, Plane)
    if flat and image.shape[1] != 1:
        raise GeometryError("several slices with the geometry of a plane")
    voxels = voxels[:, 0] if flat else voxels
    vector = image.shape[0] > 1
    other = itk.GetImageFromArray(np.moveaxis(voxels, 0, -1) if vector else voxels[0], vector)
    if isinstance(image.geometry, Plane):
        other.SetSpacing(image.geometry.spacing)
        return other
    lps_from_voxel = _RAS_FROM_LPS @ image.geometry.affine
    sizes = np.linalg.norm(lps_from_voxel[:3, :3], axis=0)
    direction = lps_from_voxel[:3, :3] / sizes
    if image.geometry.skew > 1e-4:
        raise GeometryError(
            "a sheared affine, which SimpleITK cannot hold", remedy="resample to a straight grid"
        )
    other.SetSpacing(sizes.tolist())
    other.SetOrigin(lps_from_voxel[:3, 3].tolist())
    other.SetDirection(direction.reshape(-1).tolist())
    return other


def from_sitk(other: Any) -> Image:
    """An image from a SimpleITK one of two or three dimensions; vectors become channels.

    Raises:
        GeometryError: a 2-D image that is turned or mirrored.
    """
    itk = _simple_itk()
    dimensions = other.GetDimension()
    if dimensions not in (2, 3):
        raise InputError(f"a SimpleITK image of {dimensions} dimensions", expected="2 or 3")
    voxels = itk.GetArrayFromImage(other)
    vector = other.GetNumberOfComponentsPerPixel() > 1
    array = np.moveaxis(voxels, -1, 0) if vector else voxels[None]
    array = array[:, None] if dimensions == 2 else array
    return Image(np.ascontiguousarray(array), _from_itk(other, dimensions))


def _from_itk(other: Any, dimensions: int) -> Geometry:
    if dimensions == 2:
        if not np.allclose(other.GetDirection(), (1, 0, 0, 1)):
            raise GeometryError(
                f"a 2-D image with the direction {other.GetDirection()}",
                expected="the identity: a plane has no direction",
                remedy="set the direction to the identity, or make the image 3-D",
            )
        x, y = other.GetSpacing()
        return Plane((x, y))
    lps_from_voxel = np.eye(4)
    lps_from_voxel[:3, :3] = np.reshape(other.GetDirection(), (3, 3)) * other.GetSpacing()
    lps_from_voxel[:3, 3] = other.GetOrigin()
    return Patient(_RAS_FROM_LPS @ lps_from_voxel)


def _simple_itk() -> Any:
    try:
        import SimpleITK
    except ImportError:
        raise MissingExtraError(
            "SimpleITK is not installed", remedy="pip install SimpleITK"
        ) from None
    return SimpleITK
