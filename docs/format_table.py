"""The table of formats in docs/formats.md, made by reading and writing.

python docs/format_table.py        writes it anew; a test holds it to what the code does

Read: the small files of tests/helpers/seeds.py. Written: an oblique body, a flat picture, every
type of number and named channels, each read back and compared.
"""

from __future__ import annotations

import math
import sys
import tempfile
from pathlib import Path

import numpy as np

sys.path.append(str(Path(__file__).parents[1] / "tests/helpers"))
from seeds import SEEDS, oblique

from hounsfield import formats
from hounsfield.errors import HounsfieldError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image

PAGE = Path(__file__).parent / "formats.md"
BEGIN, END = "<!-- made by docs/format_table.py -->", "<!-- end -->"
TYPES = ("bool", "u1", "i1", "u2", "i2", "u4", "i4", "f4", "f8")

# name -> what it is called, and whose reading and writing ours is compared with in tests/formats
TOLD = {
    "dicom": ("DICOM", "pydicom, SimpleITK (GDCM), dcm2niix, nibabel, highdicom"),
    "nifti": ("NIfTI-1, NIfTI-2", "nibabel, SimpleITK, dcm2niix"),
    "analyze": ("Analyze 7.5", "nibabel, SimpleITK"),
    "minc": ("MINC 1, MINC 2", "nibabel, SimpleITK"),
    "mgh": ("MGH, MGZ", "nibabel"),
    "nrrd": ("NRRD", "SimpleITK"),
    "metaimage": ("MetaImage", "SimpleITK"),
    "png": ("PNG", "Pillow"),
    "jpeg": ("JPEG", "Pillow"),
    "tiff": ("TIFF, OME-TIFF, ImageJ", "tifffile, Pillow"),
    "numpy": ("NumPy", "NumPy"),
    "envi": ("ENVI", "spectral"),
    "thermal": ("radiometric JPEG (FLIR)", "flyr"),
    "video": ("video", "PyAV, pydicom"),
    "pixel-csv": ("pixel CSV", "by hand"),
}


def table() -> str:
    """The rows, in the order in which formats are asked."""
    heads = ("format", "read", "geometry read", "written", "place after writing",
             "pixel size after writing", "values after writing", "channels after writing",
             "tested against")  # fmt: skip
    lines = [_row(heads), _row(("---",) * len(heads))]
    with tempfile.TemporaryDirectory() as folder:
        for name in formats.FORMATS:
            called, against = TOLD[name]
            cells = (called, *_read(name, Path(folder)), *_written(name, Path(folder)), against)
            lines.append(_row(cells))
    return "\n".join(lines)


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _read(name: str, folder: Path) -> tuple[str, str]:
    """The suffixes that were read, and the geometries that they had."""
    suffixes, kinds = [], []
    for seed, made in SEEDS.items():
        if made.format != name:
            continue
        place = folder / seed
        place.mkdir()
        path = made.make(place)
        geometry = formats.read(formats.find(path)[0]).geometry
        suffixes.append("".join(path.suffixes) if path.is_file() else "a folder")
        kinds.append("none" if geometry is None else type(geometry).__name__)
    names = (one if " " in one else f"`{one}`" for one in dict.fromkeys(suffixes))
    return ", ".join(names), ", ".join(dict.fromkeys(kinds))


def _written(name: str, folder: Path) -> tuple[str, str, str, str, str]:
    module = formats.load(name)
    if not hasattr(module, "write"):
        return ("no", "–", "–", "–", "–")
    path = folder / f"{name}{module.SUFFIX}"
    suffixes = ", ".join(f"`{suffix}`" for suffix in formats.suffixes(name))
    return (suffixes, _place(path), _size(path), _values(path), _channels(path))


def _again(image: Image, path: Path) -> Image | str:
    """The image as it is read back, or why it is not written."""
    try:
        formats.write(image, path)
        return formats.read(path)
    except HounsfieldError:
        return "refused"


def _place(path: Path) -> str:
    """How far the corners of an oblique body moved."""
    body = oblique()
    found = _again(body, path)
    if isinstance(found, str):
        return found
    if not isinstance(found.geometry, Patient) or not isinstance(body.geometry, Patient):
        return "lost"
    _, z, y, x = body.shape
    corners = np.array([(i, j, k, 1) for i in (0, x) for j in (0, y) for k in (0, z)]).T
    apart = np.abs((found.geometry.affine - body.geometry.affine) @ corners).max()
    return "exact" if apart < 1e-9 else f"to 10^{math.ceil(math.log10(apart))} mm"


def _size(path: Path) -> str:
    """What becomes of a flat picture's pixel size."""
    flat = Image(np.arange(20, dtype=np.uint8).reshape(1, 1, 4, 5), Plane((0.2, 0.3), "detector"))
    found = _again(flat, path)
    if isinstance(found, str):
        return found
    if not isinstance(found.geometry, Plane):
        return "lost" if found.geometry is None else "as a volume"
    if not np.allclose(found.geometry.spacing, flat.geometry.spacing):  # type: ignore[union-attr]
        return "WRONG"
    return "kept" if found.geometry.calibration == "detector" else "kept, calibration lost"


def _values(path: Path) -> str:
    """The types whose least and greatest numbers come back."""
    kept, other = [], []
    for kind in TYPES:
        dtype = np.dtype(kind)
        numbers = np.array([[0, 1, 1], [1, 0, 1]]).astype(dtype)
        if dtype.kind in "iuf":
            limits = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
            numbers[0] = (limits.min, 1, limits.max)
        found = _again(Image(numbers[None, None]), path)
        same = not isinstance(found, str) and np.array_equal(found.array[0, 0], numbers)
        (kept if same else other).append(dtype.name)
        if not same and not isinstance(found, str):
            other[-1] += " (changed)"
    if not other:
        return "all types"
    return ", ".join(kept) if len(kept) < len(other) else f"all but {', '.join(other)}"


def _channels(path: Path) -> str:
    """What becomes of two named channels with unit and time, and of colours."""
    named = tuple(Channel(name, "Bq/ml", time) for name, time in (("rest", 0.0), ("stress", 1.5)))
    body = oblique()
    told = []
    found = _again(Image(np.concatenate([body.array] * 2), body.geometry, named), path)
    if isinstance(found, Image):
        kept = [field for field in ("name", "unit", "time")
                if [getattr(c, field) for c in found.channels]
                == [getattr(c, field) for c in named]]  # fmt: skip
        told.append(f"several ({', '.join(kept)})" if kept else "several")
    picture = Image(np.arange(60, dtype=np.uint8).reshape(3, 1, 4, 5), None, RGB)
    found = _again(picture, path)
    if isinstance(found, Image) and found.channels == RGB:
        told.append("colours")
    return ", ".join(told) or "one"


def page(text: str, rows: str) -> str:
    """The page with these rows between the marks."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{rows}\n{END}{after}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(), table()))
