"""Three planes: letters, proportions and shear against the voxels' places in the world."""

from __future__ import annotations

import itertools
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given, settings
from PIL import Image as Picture
from worlds import affine_of, world_image, world_images

from hounsfield.errors import UsageError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import RGB, Channel, Image
from hounsfield.reports import planes_figure
from hounsfield.reports.planes import cut, grey, layer, layers, middle_cuts, pose_of

TOWARDS = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
INK = (242, 245, 248)


@given(world_images)
@settings(max_examples=60)
def test_paper_keeps_distances_and_its_edges_are_where_the_letters_say(image: Image) -> None:
    assert isinstance(image.geometry, Patient)
    for along in range(3):
        one = cut(image.array, image.geometry, along, image.shape[3 - along] // 2)
        world = one.pixels  # (rows, columns, 3): where each pixel is, in mm
        rows, columns = world.shape[:2]
        far = np.array([columns - 1, rows - 1])
        on_paper = np.linalg.norm(one.paper_from_pixel @ far)
        assert on_paper == pytest.approx(np.linalg.norm(world[-1, -1] - world[0, 0]), abs=1e-6)
        left, right, top, bottom = one.edges
        for steps, before, after in (
            (np.diff(world, axis=1), left, right),
            (np.diff(world, axis=0), top, bottom),
        ):
            for letter, sign in ((after, 1), (before, -1)):
                axis, way = TOWARDS[letter]
                assert (sign * way * steps[..., axis] >= 0).all()
        assert (
            "".join(one.edges)
            in {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}[one.title]
        )


def tilted(degrees: float) -> np.ndarray:
    """A gantry's tilt: slices turned about x, the table along z. LPS in RAS+."""
    angle = np.radians(degrees)
    affine = np.eye(4)
    affine[:3, 0] = (-0.5, 0, 0)
    affine[:3, 1] = (0, -0.5 * np.cos(angle), -0.5 * np.sin(angle))
    affine[:3, 2] = (0, 0, 2.5)
    return affine


@pytest.mark.parametrize("degrees", [18.5, -18.5])
def test_a_tilted_gantry_stands_upright(degrees: float) -> None:
    image = world_image((6, 9, 8), tilted(degrees))
    sagittal = next(one for one in middle_cuts(image) if one.title == "sagittal")
    world = sagittal.pixels
    for y, x in ((0, 8), (5, 0), (5, 8)):
        moved = world[y, x] - world[0, 0]  # to the back is right on paper, to the feet is down
        np.testing.assert_allclose(
            sagittal.paper_from_pixel @ (x, y), (-moved[1], -moved[2]), atol=1e-9
        )
    pose = pose_of(Patient(tilted(degrees)))
    assert (pose.turned, pose.leaning) == pytest.approx((18.5, 18.5))
    assert pose.skewed == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("degrees", [18.5, -18.5])
def test_a_leaning_plane_is_drawn_whole_and_beside_the_others(degrees: float) -> None:
    white = Image(np.full((1, 40, 180, 120), 9, np.int16), Patient(tilted(degrees)))
    pixels = drawn(white, (4, 2))
    filled = (pixels == 255).all(2)
    ends = np.flatnonzero(np.diff(np.pad(filled.any(0), 1).astype(int)))
    axial, coronal, sagittal = (filled[:, a:b] for a, b in ends.reshape(3, 2))
    inch = axial.sum() / (60 * 90)  # dots of a square millimetre
    assert coronal.sum() / inch == pytest.approx(60 * 100, rel=0.02)
    assert sagittal.sum() / inch == pytest.approx(90 * 100 * np.cos(np.radians(18.5)), rel=0.02)
    middles = [np.flatnonzero(one.any(1)).mean() for one in (axial, coronal, sagittal)]
    assert np.ptp(middles) < 2


def test_angles_of_a_pose() -> None:
    for code in itertools.permutations(range(3)):
        matrix = np.eye(4)
        matrix[:3, :3] = np.eye(3)[list(code)] * (0.5, 2, -3)
        assert max(vars(pose_of(Patient(matrix))).values()) < 1e-6
    turn = np.radians(30)
    matrix = np.diag([2.0, 3, 4, 1])
    matrix[:2, :2] = [[2 * np.cos(turn), -3 * np.sin(turn)], [2 * np.sin(turn), 3 * np.cos(turn)]]
    assert pose_of(Patient(matrix)).turned == pytest.approx(30)
    matrix = np.diag([2.0, 3, 4, 1])
    matrix[0, 1] = 3.0  # y leans by 45 degrees towards x
    assert pose_of(Patient(matrix)).skewed == pytest.approx(45)


def body(shape: tuple[int, int, int] = (8, 7, 6)) -> Image:
    """RAS: bright where it is right, front and head; else black. 2 × 3 × 5 mm."""
    array = np.zeros((1, *shape), np.int16)
    z, y, x = (n // 2 - (n % 2 == 0) for n in shape)
    array[0, z:, y:, x:] = 100
    return Image(array, Patient(np.diag([2.0, 3, 5, 1])), (Channel(unit="HU"),))


def turned(image: Image, order: tuple[int, ...], flips: tuple[bool, ...]) -> Image:
    """The same body with its voxels stored in another order."""
    assert isinstance(image.geometry, Patient)
    array, affine = image.array[0], image.geometry.affine.copy()
    for axis, flip in enumerate(flips):
        if flip:
            array = np.flip(array, 2 - axis)
            affine[:3, 3] += affine[:3, axis] * (array.shape[2 - axis] - 1)
            affine[:3, axis] *= -1
    array = array.transpose([2 - order[2 - axis] for axis in range(3)])
    affine[:3, :3] = affine[:3, list(order)]
    return Image(array[None], Patient(affine), image.channels)


def drawn(image: Image, window: tuple[float, float] | None = (50, 100)) -> np.ndarray:
    png = planes_figure.png(planes_figure.view(image, window))
    return np.asarray(Picture.open(BytesIO(png)).convert("RGB"))


def panels(pixels: np.ndarray) -> list[np.ndarray]:
    """The planes on a picture: parts that are wholly black or white."""
    inside = (pixels == 0).all(2) | (pixels == 255).all(2)
    columns = np.flatnonzero(inside.sum(0) > 9)
    parts = np.split(columns, np.flatnonzero(np.diff(columns) > 20) + 1)
    found = []
    for part in parts:
        rows = np.flatnonzero(inside[:, part].mean(1) > 0.8)
        found.append(pixels[rows[0] : rows[-1] + 1, part[0] : part[-1] + 1, 0])
    return found


def test_the_same_body_is_the_same_picture_however_it_is_stored() -> None:
    rng = np.random.default_rng(0)
    noise = Image(rng.integers(0, 100, (1, 8, 7, 6), np.int16), body().geometry)
    seen = planes_figure.view(noise, (50, 100))
    for order in itertools.permutations(range(3)):
        for flips in itertools.product((False, True), repeat=3):
            other = planes_figure.view(turned(noise, order, flips), (50, 100))
            assert other.notes == seen.notes
            for one, two in zip(seen.cuts, other.cuts, strict=True):
                assert (one.title, one.edges, one.step) == (two.title, two.edges, two.step)
                np.testing.assert_array_equal(one.pixels, two.pixels)
    again = drawn(turned(body(), (2, 0, 1), (True, False, True)))
    np.testing.assert_array_equal(again, drawn(body()))


def test_the_bright_corner_is_right_front_and_head() -> None:
    found = panels(drawn(turned(body(), (1, 2, 0), (True, True, False))))
    assert len(found) == 3
    for panel in found:  # R and A, R and S, A and S: always left and above
        rows, columns = np.nonzero(panel > 128)
        assert rows.min() <= 1
        assert columns.min() <= 1
        assert rows.max() < 0.8 * panel.shape[0]
        assert columns.max() < 0.8 * panel.shape[1]
    figure = planes_figure.draw(planes_figure.view(body()))
    words = {(text.get_text(), round(text.get_position()[0], 2)) for text in figure.axes[0].texts}
    rights = [x for word, x in words if word == "R"]
    lefts = [x for word, x in words if word == "L"]
    assert len(rights) == len(lefts) == 2
    assert sorted(rights)[0] < sorted(lefts)[0] < sorted(rights)[1] < sorted(lefts)[1]


def test_millimetres_are_as_long_in_all_planes_and_on_the_bar() -> None:
    pixels = drawn(body())
    sizes = [np.array(panel.shape) for panel in panels(pixels)]
    # rows × columns: 7 × 6 voxels of 3 × 2 mm, 8 × 6 of 5 × 2, 8 × 7 of 5 × 3
    mm = [np.array((21, 12)), np.array((40, 12)), np.array((40, 21))]
    scale = sizes[2][0] / 40
    for size, wanted in zip(sizes, mm, strict=True):
        np.testing.assert_allclose(size / scale, wanted, rtol=0.02)
    figure = planes_figure.draw(planes_figure.view(body()))
    told = next(t.get_text() for t in figure.axes[0].texts if t.get_text().endswith(" mm"))
    is_ink = (pixels == INK).all(2)
    runs = (len(list(run)) for row in is_ink for ink, run in itertools.groupby(row) if ink)
    longest = max(runs)
    assert longest / scale == pytest.approx(float(told.removesuffix(" mm")), rel=0.03)


def test_a_volume_is_cut_and_not_copied() -> None:
    image = body()
    assert all(np.shares_memory(one.pixels, image.array) for one in middle_cuts(image))


def test_what_is_said() -> None:
    plain = planes_figure.view(body()).notes
    assert "the patient's right is on the left" in plain[0]
    assert "0, white 100 HU, the 1st and 99th percentile" in plain[-1]
    assert "Oblique" not in " ".join(plain)
    away = Image(body().array, Patient(affine_of(1, "sheared")))
    said = " ".join(planes_figure.view(away, (0, 1), "channel 2 of 0 to 4").notes)
    for words in ("Oblique: the planes follow the voxels", "Sheared by", "Channel 2 of 0 to 4"):
        assert words in said


def test_sides_by_convention_only_get_no_letters() -> None:
    for said in ({"orientation": "none"}, {"handedness": "undefined"}):
        unknown = Image(body().array, body().geometry, stored=said)
        seen = planes_figure.view(unknown)
        assert {one.edges for one in seen.cuts} == {""}
        assert "no letters" in seen.notes[0]
        assert "on the left" not in " ".join(seen.notes)


def test_flat_pictures_and_single_slices() -> None:
    array = np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4)
    (none,), (plane,) = (
        planes_figure.view(Image(array, geometry)).cuts
        for geometry in (None, Plane((0.2, 0.1), "detector"))
    )
    assert (none.edges, plane.edges) == ("", "")
    assert plane.step == (0.2, 0.1)
    assert "no millimetres" in planes_figure.view(Image(array)).notes[0]
    seen = planes_figure.view(Image(array, Plane((0.2, 0.1), "detector")))
    assert "at the detector" in seen.notes[0]
    assert [p.shape[1] / p.shape[0] for p in panels(drawn(Image(array * 0, plane_of())))] == [
        pytest.approx(4 * 0.2 / (3 * 0.1), rel=0.02)
    ]
    slice_only = middle_cuts(Image(array, Patient(np.diag([1.0, 1, 5, 1]))))
    assert [one.title for one in slice_only] == ["axial"]
    coronal = Image(np.zeros((1, 4, 1, 3)), Patient(np.diag([1.0, 5, 1, 1])))
    assert [one.title for one in middle_cuts(coronal)] == ["coronal"]


def plane_of() -> Plane:
    return Plane((0.2, 0.1), "detector")


def test_colours_stay_as_they_are() -> None:
    array = np.zeros((3, 1, 70, 70), np.uint8)
    array[0] = 200
    array[2, 0, :35] = 90
    pixels = drawn(Image(array, None, RGB), None)
    assert (pixels == (200, 0, 90)).all(2).sum() > 1e4
    assert (pixels == (200, 0, 0)).all(2).sum() > 1e4
    deep, ends = grey([cut(array.astype(np.uint16) * 100, None, 2, 0)], None)
    assert ends is None
    assert deep[0].pixels.max() == 255


def test_the_channel_that_is_drawn() -> None:
    names = tuple(Channel(name, time=float(t)) for t, name in enumerate(("FLAIR", "T1", "T2")))
    image = Image(np.arange(3, dtype=np.int16)[:, None, None, None] * np.ones((3, 2, 2, 2)), None,
                  names)  # fmt: skip
    assert layer(image, None)[0].array.max() == 0
    assert layer(image, "T2")[0].array.max() == 2
    assert layer(image, "1")[0].array.max() == 1
    assert layer(image, "1")[1] == "channel 1 of 0 to 2 (1 s)"
    with pytest.raises(UsageError, match="'T3'") as caught:
        layer(image, "T3")
    assert "FLAIR" in (caught.value.expected or "")
    assert layers(RGB * 2) == [[0, 1, 2], [3, 4, 5]]
    assert layers((*RGB, Channel())) == [[0], [1], [2], [3]]


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_pictures_without_contrast(value: float) -> None:
    image = Image(np.full((1, 3, 4, 5), value, np.float32), Patient(np.eye(4)))
    assert drawn(image, None).size


def test_labels_are_seen_where_most_of_them_are_each_in_its_colour() -> None:
    array = np.zeros((1, 12, 10, 9), np.uint8)
    array[0, 9:11, 7:9, 0:2] = 1
    array[0, 9, 7, 1] = 3
    image = Image(array, Patient(np.diag([2.0, 2, 3, 1])))
    seen = planes_figure.view(image)
    for one in seen.cuts:
        colours = {tuple(map(int, pixel)) for pixel in one.pixels.reshape(-1, 3)}
        assert colours <= {(0, 0, 0), (230, 159, 0), (86, 180, 233)}
        assert (230, 159, 0) in colours
    said = " ".join(seen.notes)
    assert "The slices with the most labels: axial 10 of 0 to 11, coronal 8 of 0 to 9" in said
    assert "sagittal 1 of 0 to 8" in said
    assert "Labels: 1 orange, 3 sky blue" in said
    assert planes_figure.view(image, (1, 2)).cuts[0].pixels.ndim == 2  # as asked
    many = np.arange(1080, dtype=np.int32).reshape(array.shape)
    told = planes_figure.view(Image(many % 20, image.geometry))
    assert "19 labels, 1 to 19, a colour each" in " ".join(told.notes)
    assert len(np.unique(told.cuts[0].pixels.reshape(-1, 3), axis=0)) == 20


def test_brightness_is_no_label() -> None:
    array = np.zeros((1, 4, 10, 9), np.int16)
    array[0, 3] = 5
    place = Patient(np.diag([2.0, 2, 3, 1]))
    for image in (
        Image(array, place, (Channel(unit="HU"),)),
        Image(array - 1, place),
        Image(array.astype(np.float32), place),
        Image(array, place, stored={"format": "dicom"}),
        Image(np.arange(360, dtype=np.int16).reshape(array.shape), place),
        Image(array[:, :1] + 1, place),
        Image(array * 0, place),
    ):
        assert "abel" not in " ".join(planes_figure.view(image).notes)
    labels = {"format": "dicom", "values": "labels"}
    assert "Labels: 5 orange" in planes_figure.view(Image(array, place, stored=labels)).notes
    fractions = {"format": "dicom", "values": "fractions"}
    seen = planes_figure.view(Image(array * np.float32(0.1), place, stored=fractions))
    assert "The slices with the most labels: axial 3 of 0 to 3" in " ".join(seen.notes)
    assert seen.cuts[0].pixels.min() == seen.cuts[1].pixels.max() == 255
