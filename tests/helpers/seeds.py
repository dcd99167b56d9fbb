"""Small valid files of every format, from which damaged ones and the table in the docs are made.

A new format adds its line to `SEEDS`; a test fails for a format without one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom

from hounsfield import formats
from hounsfield.geometry import Patient
from hounsfield.image import Image

GREY = np.random.default_rng(0).integers(0, 256, (24, 20)).astype(np.uint8)
STACK = np.stack([GREY] * 3)
COLOUR = np.random.default_rng(1).integers(0, 256, (12, 10, 3)).astype(np.uint8)


def oblique_affine() -> np.ndarray:
    """Spacing (0.5, 0.8, 1.2), turned about two axes, away from the origin."""
    a, b = 0.4, -0.7
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    affine = np.eye(4)
    affine[:3, :3] = about_z @ about_x @ np.diag([0.5, 0.8, 1.2])
    affine[:3, 3] = (-11.5, 7.25, 40.0)
    return affine


def oblique() -> Image:
    """(1, 3, 4, 5) int16, oblique, with one bright corner."""
    array = np.arange(60, dtype=np.int16).reshape(1, 3, 4, 5) - 30
    array[0, 2, 0, 4] = 1000
    return Image(array, Patient(oblique_affine()))


@dataclass(frozen=True)
class Seed:
    """A format's small file: `make` writes it into an empty folder and gives what to read."""

    format: str
    make: Callable[[Path], Path]


def written(name: str) -> Callable[[Path], Path]:
    """The oblique body, written by our own writer."""

    def make(folder: Path) -> Path:
        formats.write(oblique(), folder / name)
        return folder / name

    return make


def slice_of_ct(folder: Path, syntax: str | None = None, **elements: Any) -> Path:
    """A DICOM slice; with a syntax its pixels are one compressed frame."""
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.uid import ExplicitVRLittleEndian

    data = Dataset()
    data.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    data.SOPInstanceUID, data.SeriesInstanceUID = "1.2.3.1", "1.2.3"
    data.StudyInstanceUID = data.FrameOfReferenceUID = "1.2"
    data.PatientID, data.Modality, data.InstanceNumber = "x", "CT", 1
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = GREY.shape
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.PixelSpacing, data.SliceThickness = [0.8, 0.5], 1.2
    data.ImageOrientationPatient = [0.8, 0.6, 0, 0, 0, -1]
    data.ImagePositionPatient = [-11.5, 7.25, 40]
    data.RescaleSlope, data.RescaleIntercept = 1, -1024
    data.WindowCenter, data.WindowWidth = 40, 400
    data.PixelData = GREY.tobytes()
    for name, value in elements.items():
        if value is None:
            delattr(data, name)
        else:
            setattr(data, name, value)
    data["PixelData"].VR = "OW" if syntax is None else "OB"
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax or ExplicitVRLittleEndian
    data.save_as(folder / "x.dcm", enforce_file_format=True)
    return folder / "x.dcm"


def radiograph(folder: Path) -> Path:
    """Without a place in the patient, with a pixel size at the detector."""
    return slice_of_ct(
        folder, Modality="CR", SOPClassUID="1.2.840.10008.5.1.4.1.1.1", PixelSpacing=None,
        ImagerPixelSpacing=[0.8, 0.5], ImageOrientationPatient=None, ImagePositionPatient=None,
        RescaleSlope=None, RescaleIntercept=None,
    )  # fmt: skip


NORMAL = np.cross([0.8, 0.6, 0], [0, 0, -1])


def position(number: int) -> list[float]:
    """Of a slice of the series, 1.2 mm apart along the normal."""
    return [round(float(v), 6) for v in np.array([-11.5, 7.25, 40]) + 1.2 * number * NORMAL]


def series(folder: Path) -> Path:
    """Three slices, a file each; the folder is read."""
    for number in range(3):
        path = slice_of_ct(folder, ImagePositionPatient=position(number),
                           SOPInstanceUID=f"1.2.3.{number}", InstanceNumber=number)  # fmt: skip
        path.rename(folder / f"{number}.dcm")
    return folder


def enhanced(folder: Path) -> Path:
    """Three slices in one file, each with its own position (PS3.3 C.7.6.16)."""
    from pydicom.dataset import Dataset

    def one(**elements: Any) -> Dataset:
        item = Dataset()
        for name, value in elements.items():
            setattr(item, name, value)
        return item

    shared = one(
        PlaneOrientationSequence=[one(ImageOrientationPatient=[0.8, 0.6, 0, 0, 0, -1])],
        PixelMeasuresSequence=[one(PixelSpacing=[0.8, 0.5], SliceThickness=1.2)],
        PixelValueTransformationSequence=[one(RescaleSlope=1, RescaleIntercept=-1024,
                                              RescaleType="HU")],
    )  # fmt: skip
    frames = [
        one(PlanePositionSequence=[one(ImagePositionPatient=position(number))])
        for number in range(3)
    ]
    return slice_of_ct(
        folder, SOPClassUID="1.2.840.10008.5.1.4.1.1.2.1", NumberOfFrames=3,
        PixelData=STACK.tobytes(), SharedFunctionalGroupsSequence=[shared],
        PerFrameFunctionalGroupsSequence=frames, PixelSpacing=None, SliceThickness=None,
        ImageOrientationPatient=None, ImagePositionPatient=None, RescaleSlope=None,
        RescaleIntercept=None,
    )  # fmt: skip


def compressed(syntax: str, encode: Callable[[Any], bytes]) -> Callable[[Path], Path]:
    """A DICOM slice whose pixels are one frame of a codec."""

    def make(folder: Path) -> Path:
        from pydicom.encaps import encapsulate

        frame = encode(GREY)
        return slice_of_ct(folder, f"1.2.840.10008.1.2.{syntax}", PixelData=encapsulate([frame]))

    return make


def _codec(name: str, **choices: Any) -> Callable[[Any], bytes]:
    def encode(pixels: Any) -> bytes:
        import imagecodecs

        return bytes(getattr(imagecodecs, f"{name}_encode")(pixels, **choices))

    return encode


def _rle(pixels: Any) -> bytes:
    """One segment (PS3.5 annex G) of literal runs of 128 bytes."""
    data = pixels.tobytes()
    runs = [data[at : at + 128] for at in range(0, len(data), 128)]
    body = b"".join(bytes([len(run) - 1]) + run for run in runs)
    head = (1).to_bytes(4, "little") + (64).to_bytes(4, "little") + bytes(56)
    return head + body + b"\0" * (len(body) % 2)


def picture(name: str, pixels: Any, **choices: Any) -> Callable[[Path], Path]:
    """A picture written by Pillow."""

    def make(folder: Path) -> Path:
        from PIL import Image as Picture

        Picture.fromarray(pixels).save(folder / name, **choices)
        return folder / name

    return make


def tiff(pixels: Any, **choices: Any) -> Callable[[Path], Path]:
    """A TIFF written by tifffile."""

    def make(folder: Path) -> Path:
        import tifffile

        tifffile.imwrite(folder / "x.tif", pixels, **choices)
        return folder / "x.tif"

    return make


def _npy(folder: Path) -> Path:
    np.save(folder / "x.npy", GREY)
    return folder / "x.npy"


def _npz(folder: Path) -> Path:
    path = folder / "x.npz"
    np.savez_compressed(path, a_images=np.stack([GREY] * 3), a_labels=np.arange(3), b=GREY)
    return path


def _csv(folder: Path) -> Path:
    names = ",".join(f"pixel{i}" for i in range(16))
    (folder / "x.csv").write_text(f"label,{names}\n3{',7' * 16}\n5{',200' * 16}\n")
    return folder / "x.csv"


def by_itk(name: str, *, zipped: bool = False) -> Callable[[Path], Path]:
    """The oblique body, written by ITK."""

    def make(folder: Path) -> Path:
        import SimpleITK as sitk  # noqa: N813  (its own documentation's name)

        from hounsfield import interop

        sitk.WriteImage(interop.to_sitk(oblique()), str(folder / name), zipped)
        return folder / name

    return make


def by_nibabel(kind: str, name: str) -> Callable[[Path], Path]:
    """The oblique body, written by nibabel."""

    def make(folder: Path) -> Path:
        import nibabel

        body = oblique()
        voxels = np.ascontiguousarray(body.array[0].transpose(2, 1, 0))
        image = getattr(nibabel, kind)(voxels, body.geometry.affine)  # type: ignore[union-attr]
        image.to_filename(folder / name)
        return folder / name

    return make


def segmentation(folder: Path) -> Path:
    """One bit a voxel, by pydicom's own file."""
    path = folder / "x.dcm"
    path.write_bytes(Path(str(pydicom.data.get_testdata_file("liver_1frame.dcm"))).read_bytes())
    return path


def packaged(name: str) -> Callable[[Path], Path]:
    """A file of nibabel's own tests, for formats that no library here writes."""

    def make(folder: Path) -> Path:
        import nibabel

        data = (Path(nibabel.__file__).parent / "tests/data" / name).read_bytes()
        (folder / name).write_bytes(data)
        return folder / name

    return make


def _envi(folder: Path) -> Path:
    from spectral.io import envi

    cube = np.arange(5 * 4 * 3, dtype=np.int16).reshape(5, 4, 3)
    metadata = {"wavelength": [700.5, 800, 900], "wavelength units": "nm"}
    envi.save_image(str(folder / "x.hdr"), cube, interleave="bil", ext="img", metadata=metadata)
    return folder / "x.hdr"


def film(codec: str, name: str) -> Callable[[Path], Path]:
    """A second of a moving picture."""

    def make(folder: Path) -> Path:
        import av

        with av.open(str(folder / name), "w") as container:
            stream: Any = container.add_stream(codec, rate=5)
            stream.width, stream.height, stream.pix_fmt = 48, 32, "yuv420p"
            if codec == "mjpeg":
                stream.pix_fmt = "yuvj420p"
            for number in range(5):
                pixels = np.full((32, 48, 3), 40 * number, np.uint8)
                pixels[:, : 8 * number] = 255
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return folder / name

    return make


def _thermal(folder: Path) -> Path:
    import thermal_files as made

    (folder / "x.jpg").write_bytes(made.thermal_jpeg(made.scene(12, 16), "PNG"))
    return folder / "x.jpg"


LENGTHS = {"PhysicalSizeX": 0.5, "PhysicalSizeY": 0.8, "PhysicalSizeZ": 1.2}

_ALL = {  # name -> format, and how its file is made
    "dicom": Seed("dicom", slice_of_ct),
    "dicom-radiograph": Seed("dicom", radiograph),
    "dicom-series": Seed("dicom", series),
    "dicom-enhanced": Seed("dicom", enhanced),
    "dicom-seg": Seed("dicom", segmentation),
    "dicom-jpeg-ls": Seed("dicom", compressed("4.80", _codec("jpegls"))),
    "dicom-jpeg-2000": Seed("dicom", compressed("4.90", _codec("jpeg2k", codecformat="j2k"))),
    "dicom-jpeg": Seed("dicom", compressed("4.70", _codec("jpeg8", lossless=True, predictor=1))),
    "dicom-rle": Seed("dicom", compressed("5", _rle)),
    "nii": Seed("nifti", written("x.nii")),
    "nii.gz": Seed("nifti", written("x.nii.gz")),
    "nifti-pair": Seed("nifti", by_nibabel("Nifti1Pair", "x.hdr")),
    "analyze": Seed("analyze", by_nibabel("AnalyzeImage", "x.hdr")),
    "minc1": Seed("minc", packaged("tiny.mnc")),
    "minc2": Seed("minc", packaged("small.mnc")),
    "mgh": Seed("mgh", by_nibabel("MGHImage", "x.mgh")),
    "mgz": Seed("mgh", by_nibabel("MGHImage", "x.mgz")),
    "nrrd": Seed("nrrd", written("x.nrrd")),
    "nrrd-zipped": Seed("nrrd", by_itk("x.nrrd", zipped=True)),
    "nrrd-detached": Seed("nrrd", by_itk("x.nhdr")),
    "mha": Seed("metaimage", by_itk("x.mha")),
    "mha-zipped": Seed("metaimage", by_itk("x.mha", zipped=True)),
    "mhd": Seed("metaimage", by_itk("x.mhd")),
    "envi": Seed("envi", _envi),
    "thermal": Seed("thermal", _thermal),
    "mp4": Seed("video", film("mpeg4", "x.mp4")),
    "avi": Seed("video", film("mjpeg", "x.avi")),
    "mkv": Seed("video", film("libx264", "x.mkv")),
    "png": Seed("png", picture("x.png", COLOUR)),
    "jpeg": Seed("jpeg", picture("x.jpg", COLOUR)),
    "tiff": Seed("tiff", tiff(STACK, compression="zlib", photometric="minisblack")),
    "tiff-colour": Seed("tiff", tiff(COLOUR, photometric="rgb", resolution=(50, 25),
                                     resolutionunit="CENTIMETER")),
    "tiff-jpeg": Seed("tiff", tiff(GREY, compression="jpeg", tile=(16, 16))),
    "tiff-ome": Seed("tiff", tiff(STACK, ome=True, photometric="minisblack",
                                  metadata={"axes": "ZYX", **LENGTHS})),
    "tiff-imagej": Seed("tiff", tiff(STACK, imagej=True, resolution=(2, 4),
                                     metadata={"axes": "ZYX", "unit": "mm", "spacing": 1.2})),
    "npy": Seed("numpy", _npy),
    "npz": Seed("numpy", _npz),
    "pixel-csv": Seed("pixel-csv", _csv),
}  # fmt: skip
SEEDS = {name: seed for name, seed in _ALL.items() if seed.format in formats.FORMATS}
