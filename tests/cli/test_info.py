"""`hounsfield info`: numbered images, faults as rows, geometry in words, nobody named."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import Answer, dicom, picture
from made_segmentations import made_ct, write_ct
from PIL import Image as Picture

from hounsfield import formats
from hounsfield.geometry import Patient
from hounsfield.image import Channel, Image

Ask = Callable[..., Answer]


def lines(answer: Answer) -> list[str]:
    return [" ".join(line.split()) for line in answer.out.splitlines()]


@pytest.fixture
def hospital(tmp_path: Path) -> Path:
    """A whole series, one with a missing slice, a radiograph, a volume; named after somebody."""
    root = tmp_path / "scans"
    root.mkdir()
    for number, name in enumerate(("MUSTERMANN", "2"), 1):
        ct = made_ct()
        for one in ct:
            one.SeriesInstanceUID, one.SeriesNumber = f"1.2.3.{number}", 7 * number
            one.PatientName = "MUSTERMANN^XANTHIPPE"
        write_ct(ct, root / name)
    (root / "2" / "3.dcm").unlink()
    dicom(root / "3.dcm", np.zeros((5, 4), np.uint16))
    times = tuple(Channel(time=2.5 * t, unit="s") for t in range(4))
    sheared = np.diag([2.0, 2, 3, 1])
    sheared[1, 2] = 1.0
    image = Image(np.zeros((4, 5, 6, 7), np.int16), Patient(sheared), times)
    formats.write(image, root / "4.nii.gz")
    (root / "notes.txt").write_text("nothing")
    (root / "XANTHIPPE.png").write_bytes(b"\x89PNG\r\n\x1a\nthen nothing")
    return root


def test_a_folder_is_a_numbered_table(hospital: Path, ask: Ask) -> None:
    answer = ask("info", hospital)
    told = lines(answer)
    assert answer.code == 0
    assert told[1] == "# series size mm orientation unit channels files where"
    assert told[2].startswith("1 1 slice is missing between ")
    assert told[2].endswith("; 5 files 2")
    assert "find the missing files" in told[3]
    assert re.fullmatch(r"2 dicom C\w .*1 3.dcm", told[4])
    row = "3 nifti 7 × 6 × 5 2 × 2 × 3.162 RAS sheared s 4 times, 0 to 7.5 s 1 4.nii.gz"
    assert told[5] == row
    assert told[6] == "4 dicom CT 7 7 × 5 × 6 0.5 × 0.8 × 2.5 LPS oblique HU 6 (hidden)"
    assert "1 no images (1 .txt)" in told
    assert "5 no PNG header; (hidden)" in told
    assert "names hidden, as they may be somebody's: --phi shows them" in told
    assert f"`hounsfield info {hospital}#2` says more of one" in told


def test_a_number_names_the_image_of_its_row(hospital: Path, ask: Ask) -> None:
    assert "nifti" in ask("info", f"{hospital}#3").said
    ct = ask("info", f"{hospital}#4").said
    assert "series number 7 " in ct
    assert "size 7 × 5 × 6 (3.5 × 4 × 15 mm)" in ct
    assert re.search(r"lies oblique, slices turned \d+\.\d° from the body's axes", ct)
    ask("info", f"{hospital}#1").refuses(3, "1 slice is missing between", "What to do")
    ask("info", f"{hospital}#9").refuses(3, "1 to 5")


def test_nobody_is_named_unless_asked(hospital: Path, ask: Ask) -> None:
    for words in ((hospital,), (f"{hospital}#4",), (f"{hospital}#5",), (f"{hospital}#1",)):
        said = ask("info", *words).said.upper()
        assert not re.search("MUSTERMANN|XANTHIPPE|PLANTED", said)
        assert "1.2.3.9" not in said  # the frame of reference
    said = ask("info", hospital, "--phi").said
    assert "MUSTERMANN" in said
    assert "XANTHIPPE.png" in said
    said = ask("info", f"{hospital}#4", "--phi").said
    assert "planted" in said
    assert "frame of reference 1.2.3.9" in said


def test_names_of_channels_that_may_be_somebodys(tmp_path: Path, ask: Ask) -> None:
    image = Image(np.zeros((2, 2, 3, 4), np.int16), Patient(np.eye(4)), (
        Channel("T1"), Channel("FLAIR")))  # fmt: skip
    formats.write(image, tmp_path / "1.nii.gz")
    assert "channels 2 volumes; T1, FLAIR" in ask("info", tmp_path / "1.nii.gz").said
    image = Image(image.array, image.geometry, (Channel("T1"), Channel("Mustermann")))
    formats.write(image, tmp_path / "2.nii.gz")
    assert "Mustermann" not in ask("info", tmp_path / "2.nii.gz").said
    assert "Mustermann" not in ask("info", tmp_path).said
    assert "T1, Mustermann" in ask("info", tmp_path / "2.nii.gz", "--phi").said


def test_channels_of_several_units_have_each_its_own(tmp_path: Path, ask: Ask) -> None:
    channels = (Channel("SUVbw", "g/mL"), Channel("CT", "HU"))
    image = Image(np.zeros((2, 2, 3, 4), np.float32), Patient(np.eye(4)), channels)
    formats.write(image, tmp_path / "1.nii.gz")
    said = ask("info", tmp_path / "1.nii.gz").said
    assert "values float32 (g/mL, HU)" in said
    assert "channels 2 volumes; SUVbw (g/mL), CT (HU)" in said


def test_a_series_folder_is_told_like_a_file(hospital: Path, ask: Ask) -> None:
    answer = ask("info", hospital / "MUSTERMANN", "--values", "--affine")
    assert "spacing 0.5 × 0.8 × 2.5 mm" in answer.said
    assert "range 0 to 0, mean 0" in answer.said
    rows = [line.split() for line in answer.out.split("affine")[1].splitlines()[1:5]]
    image = formats.read(hospital / "MUSTERMANN")
    assert isinstance(image.geometry, Patient)
    np.testing.assert_allclose(np.array(rows, float), image.geometry.affine, rtol=1e-5)


def test_many_images_are_counted(tmp_path: Path, ask: Ask) -> None:
    for number in range(41):
        picture(tmp_path / f"{number}.png")
    write_ct([one for i, one in enumerate(made_ct()) if i != 3], tmp_path / "9")
    told = lines(ask("info", tmp_path))
    assert "41 png" in told
    assert "1 unreadable" in told
    assert any(re.match(r"#\d+: 1 slice is missing between", line) for line in told)
    assert not any("says more" in line for line in told)


def test_one_image_of_several_must_be_named(hospital: Path, ask: Ask) -> None:
    ask("info", hospital, "--picture", "x.png").refuses(2, "holds 5 images", "scans#1")
    ask("info", hospital, "--affine").refuses(2, "holds 5 images", "one, for --affine", "scans#1")
    ask("info", f"{hospital}#3", "--picture", "x.jpg").refuses(2, "PNG")
    ask("info", f"{hospital}#3", "--window", "0", "-1").refuses(2, "width")


def test_a_picture_of_a_channel(hospital: Path, ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    answer = ask("info", f"{hospital}#3", "--picture", out, "--channel", "2", "--window", "0", "9")
    assert answer.code == 0
    assert str(out) in answer.said
    with Picture.open(out) as drawn:
        assert drawn.size[0] > 500
        assert "mustermann" not in str(drawn.info).lower()
    ask("info", f"{hospital}#3", "--picture", out, "--channel", "4").refuses(2, "no channel '4'")


def test_flags_that_would_do_nothing_are_refused(hospital: Path, ask: Ask, tmp_path: Path) -> None:
    for flag in (("--channel", "99"), ("--window", "0", "9")):
        ask("info", f"{hospital}#3", *flag).refuses(2, f"{flag[0]} says what is drawn", "--picture")
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    ask("info", tmp_path / "t.csv", "--values").refuses(2, "is a table", "leave --values away")


# The quick look


@pytest.fixture
def watch(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> Ask:
    """As `ask`, on a terminal of 24-bit colours."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLORTERM", "truecolor")
    monkeypatch.delenv("NO_COLOR", raising=False)

    def watched(*words: object) -> Answer:
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        return ask(*words)

    return watched


PIXELS = re.compile(r"\x1b\[38;2;(\d+);(\d+);(\d+);48;2;(\d+);(\d+);(\d+)m(▀+)")


def seen(out: str) -> np.ndarray:
    """The picture that a terminal shows, (rows, columns, 3)."""
    rows: list[list[list[int]]] = []
    for line in out.splitlines():
        upper, lower = list[list[int]](), list[list[int]]()
        for *shades, blocks in PIXELS.findall(line):
            upper += [[int(v) for v in shades[:3]]] * len(blocks)
            lower += [[int(v) for v in shades[3:]]] * len(blocks)
        rows += [upper, lower] if upper else []
    return np.array(rows)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    """RAS, bright at the right, the front, in the middle slice alone; pixels twice as wide."""
    array = np.zeros((1, 5, 20, 20), np.int16)
    array[0, 2, 15:, 10:] = 100
    formats.write(Image(array, Patient(np.diag([2.0, 1, 3, 1]))), tmp_path / "1.nii")
    return tmp_path / "1.nii"


def test_the_middle_slice_in_the_terminal(
    volume: Path, watch: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("the rest was read")

    monkeypatch.setattr(formats.Opened, "read", refused)
    answer = watch("info", volume, "--window", "60", "80")
    shown = seen(answer.out)
    assert shown.shape == (32, 64, 3)
    assert (shown[:7, :31] == 255).all()  # right is left, front is above
    assert (shown[:, 33:] == 0).all()
    assert (shown[9:] == 0).all()
    assert "axial, slice 2 of 0 to 4, R on the left, A above, black 20, white 100" in answer.said
    assert not seen(watch("info", volume, "--no-look").out).size
    watch("info", volume, "--no-look", "--channel", "0").refuses(2, "nothing is drawn")
    watch("info", volume, "--channel", "9").refuses(2, "no channel '9'")


def test_nothing_is_drawn_into_a_pipe(
    volume: Path, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("FORCE_COLOR", "1"), ("COLORTERM", "truecolor"), ("TERM", "xterm")):
        monkeypatch.setenv(name, value)
    assert "▀" not in ask("info", volume).out


def test_pixels_that_cannot_be_read_are_a_sentence(tmp_path: Path, watch: Ask) -> None:
    path = tmp_path / "1.png"
    rng = np.random.default_rng(0)
    formats.write(Image.from_numpy(rng.integers(0, 255, (40, 40), np.uint8)), path)
    path.write_bytes(path.read_bytes()[:400])
    answer = watch("info", path)
    assert answer.code == 0
    assert "40 × 40" in answer.out
    assert "No quick look: " in answer.out
    assert not answer.err


def test_a_film_shows_one_frame_in_its_colours(watch: Ask) -> None:
    from pydicom.data import get_testdata_file

    path = get_testdata_file("examples_ybr_color.dcm")
    answer = watch("info", path, "--channel", "7")
    assert "30 frames of RGB, 0 to 0.96666 s" in answer.said
    assert "frame 7 of 0 to 29 (0.233331 s)" in answer.said
    shown = seen(answer.out)
    assert shown.shape == (48, 64, 3)
    assert (np.ptp(shown, axis=2) > 20).any()
    watch("info", path, "--channel", "30", "--picture", "x.png").refuses(2, "no frame '30'")


def test_a_tilted_head(real_data: Path, ask: Ask, tmp_path: Path) -> None:
    out = tmp_path / "x.png"
    said = ask("info", real_data / "dicom-ct-tilt" / "In", "--picture", out).said
    assert "1 this is a DICOMDIR" in said
    assert "oblique, slices turned 18.5°" in said
    assert "sheared, the stack leans 18.5° from the slices' normal" in said
    assert "window centre 40, width 80 HU" in said
    with Picture.open(out) as drawn:
        pixels = np.asarray(drawn.convert("L"))
    assert (pixels == 255).sum() > 1000
