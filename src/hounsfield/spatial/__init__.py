"""Moving an image's voxels while its body stays where it is in the world."""

from hounsfield.spatial.grid import Grid
from hounsfield.spatial.moves import crop, flip, pad, reorient
from hounsfield.spatial.resample import resample, resample_at, straight
from hounsfield.spatial.slices import even_slices
from hounsfield.spatial.threads import threads

__all__ = [
    "Grid",
    "crop",
    "even_slices",
    "flip",
    "pad",
    "reorient",
    "resample",
    "resample_at",
    "straight",
    "threads",
]
