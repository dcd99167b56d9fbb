"""Resampling against SciPy, SimpleITK and nibabel, and against positions in the world."""

from __future__ import annotations

import sys
import threading

import nibabel.processing
import numpy as np
import pytest
import SimpleITK
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from worlds import affine_of, affines, assert_in_place, world_image, world_images

from hounsfield import interop
from hounsfield.errors import GeometryError, InputError, UsageError
from hounsfield.geometry import Patient, Plane
from hounsfield.image import Channel, Image
from hounsfield.spatial import (
    Grid,
    engine,
    even_slices,
    general,
    resample,
    resample_at,
    separable,
    straight,
    threads,
)
from hounsfield.spatial.threads import thread_count

SHAPES = [(9, 11, 13), (1, 12, 10), (2, 3, 17), (40, 6, 7)]
GRIDS = ["spacing", "permuted", "oblique", "sheared"]


def body(shape: tuple[int, ...], seed: int = 0, kind: str = "oblique") -> Image:
    """Smooth int16 values of 1000 or so."""
    values = np.random.default_rng(seed).normal(0, 3000, shape)
    smooth = np.round(ndimage.gaussian_filter(values, 0.7)).astype(np.int16)
    return Image(smooth[None], Patient(affine_of(seed, kind)))


def grid_of(image: Image, kind: str) -> Grid:
    """A grid of a kind over and beyond the image, its voxels not on the image's."""
    here = Grid.of(image)
    middle = np.array(image.shape[:0:-1]) / 2 - 0.5
    shape = (14, 15, 16)
    if kind == "oblique":  # in the world, at right angles
        turned = affine_of(5, kind)
        turned[:3, 3] = (here.geometry.affine @ [*middle, 1])[:3]
        turned[:3, 3] -= turned[:3, :3] @ (np.array(shape[::-1]) / 2 - 0.0371)
        return Grid(shape, Patient(turned))
    turns = {
        "spacing": np.diag([0.83, -1.21, 0.67]),
        "permuted": np.array([[0, 0, 1.13], [-0.71, 0, 0], [0, 0.91, 0]]),
        "sheared": np.array([[0.9, 0.2, 0.1], [0, 1.1, -0.3], [0, 0, 0.7]]),
    }
    old_from_new = np.eye(4)
    old_from_new[:3, :3] = turns[kind]
    old_from_new[:3, 3] = middle + 0.0371 - turns[kind] @ (np.array(shape[::-1]) / 2)
    return Grid(shape, Patient(here.geometry.affine @ old_from_new))


def places(image: Image, grid: Grid) -> np.ndarray:
    """The places (z, y, x) of the grid's voxels in those of the image, by themselves."""
    old_from_new = np.linalg.inv(image.geometry.affine) @ grid.geometry.affine
    index = np.indices(grid.shape).reshape(3, -1)[::-1]
    at = (old_from_new[:3, :3] @ index + old_from_new[:3, 3:])[::-1]
    return at.reshape(3, *grid.shape)


def inside(image: Image, at: np.ndarray, margin: float = 0.5) -> np.ndarray:
    size = np.array(image.shape[1:])[:, None, None, None]
    return ((at >= -margin) & (at <= size - 1 + margin)).all(0)


@pytest.fixture(params=["numba", "general", "scipy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """As it is, with all grids taken for oblique, and as without numba."""
    if request.param == "general":
        monkeypatch.setattr(engine, "_own_axes", lambda places: None)
    if request.param == "scipy":
        monkeypatch.setattr(engine, "compiled", lambda: None)
    return str(request.param)


@pytest.mark.parametrize("kind", GRIDS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("order", [0, 1, 3])
def test_voxels_are_scipys(order: int, shape: tuple[int, ...], kind: str, way: str) -> None:
    image = body(shape, seed=len(kind))
    grid = grid_of(image, kind)
    at = places(image, grid)
    mode = {0: "nearest", 1: "nearest", 3: "mirror"}[order]
    peer = ndimage.map_coordinates(image.array[0].astype(np.float64), at, order=order, mode=mode)
    ours = resample(image, grid=grid, order=order, fill=-77)
    within = inside(image, at)
    assert 10 < within.sum() < within.size
    scale = float(np.abs(image.array).max())
    np.testing.assert_allclose(
        ours.array[0][within], peer[within], atol=0 if order == 0 else 1e-6 * scale, rtol=0
    )
    assert (ours.array[0][~within] == -77).all()
    assert ours.array.dtype == (np.int16 if order == 0 else np.float32)


@pytest.mark.parametrize("kind", ["spacing", "permuted", "oblique"])
@pytest.mark.parametrize("order", [0, 1, 3])
def test_voxels_are_simpleitks(order: int, kind: str) -> None:
    image = body((9, 11, 13))
    grid = grid_of(image, kind)
    like = interop.to_sitk(Image(np.zeros((1, *grid.shape), np.uint8), grid.geometry))
    sitk = SimpleITK
    how = {0: sitk.sitkNearestNeighbor, 1: sitk.sitkLinear, 3: sitk.sitkBSpline}[order]
    peer = sitk.GetArrayFromImage(
        sitk.Resample(interop.to_sitk(image), like, sitk.Transform(), how, -77.0, sitk.sitkFloat32)
    )
    ours = resample(image, grid=grid, order=order, fill=-77)
    np.testing.assert_allclose(ours.array[0], peer, atol=2e-3, rtol=0)  # the margin, too


@pytest.mark.parametrize("order", [0, 1, 3])
def test_voxels_are_nibabels(order: int) -> None:
    image, kind = body((9, 11, 13), kind="mirrored"), "oblique"
    grid = grid_of(image, kind)
    like = (grid.shape[::-1], grid.geometry.affine)
    peer = nibabel.processing.resample_from_to(
        nibabel.Nifti1Image(image.array[0].T.astype(np.float32), image.geometry.affine),
        like, order=order, mode="mirror" if order == 3 else "nearest",
    )  # fmt: skip
    ours = resample(image, grid=grid, order=order)
    within = inside(image, places(image, grid), 0.0)
    np.testing.assert_allclose(
        ours.array[0][within], np.asarray(peer.dataobj).T[within], atol=3e-2, rtol=0
    )
    np.testing.assert_allclose(ours.geometry.affine, peer.affine)


@given(world_images, affines, st.tuples(*[st.floats(0.3, 4)] * 3))
@settings(max_examples=60)
def test_resampled_voxels_stay_where_they_are(
    image: Image, other: np.ndarray, spacing: tuple[float, float, float]
) -> None:
    new = resample(image, spacing=spacing)
    assert new.geometry.spacing == pytest.approx(spacing)
    at = places(image, Grid.of(new))
    assert inside(image, at).all()  # no voxel of a new spacing is made up
    assert_in_place(new, inside(image, at, -1e-6), atol=1e-8)
    back = resample(new, like=image, fill=9e9)
    assert back.shape == image.shape
    middle = image.geometry.affine[:3] @ [*(np.array(image.shape[:0:-1]) / 2 - 0.5), 1]
    moved = np.array(other)
    grid = Grid((3, 4, 5), Patient(moved))
    moved[:3, 3] = middle - moved[:3, :3] @ [2, 1.5, 1]
    grid = Grid((3, 4, 5), Patient(moved))
    if not inside(image, places(image, grid)).any():
        return
    turned = resample(image, grid=grid, fill=9e9)
    at = places(image, grid)
    assert_in_place(turned, inside(image, at, -1e-6), atol=1e-8)
    far = ~inside(image, at, 0.5 + 1e-3)
    assert (turned.array[:, far] == 9e9).all()


@given(affines, st.tuples(*[st.floats(0.3, 4)] * 3), st.tuples(*[st.integers(1, 40)] * 3))
def test_a_new_spacing_covers_the_same_extent(
    affine: np.ndarray, spacing: tuple[float, float, float], shape: tuple[int, int, int]
) -> None:
    old = Grid(shape, Patient(affine))
    new = old.with_spacing(spacing)
    size, had = np.array(new.shape[::-1]), np.array(old.shape[::-1])
    ends = size * spacing - had * old.geometry.spacing
    assert (np.abs(ends) <= np.maximum(np.array(spacing) * 0.501, (size == 1) * spacing)).all()
    centre = new.geometry.affine @ [*((size - 1) / 2), 1]
    np.testing.assert_allclose(centre, affine @ [*((had - 1) / 2), 1], atol=1e-8)
    again = old.with_spacing(old.geometry.spacing)
    assert again.shape == old.shape
    np.testing.assert_array_equal(again.geometry.affine, affine)


@pytest.mark.parametrize("seed", range(6))
def test_a_tilted_gantry_becomes_straight(seed: int) -> None:
    shear = affine_of(seed, "sheared")
    image = world_image((7, 8, 9), shear)
    there = straight(image, fill=9e9)
    assert Grid.of(there).is_straight
    interop.to_sitk(there)  # which refuses shear
    kept = there.array[0] != 9e9
    at = places(image, Grid.of(there))
    np.testing.assert_array_equal(kept, inside(image, at))
    assert_in_place(there, inside(image, at, -1e-6), atol=1e-8)
    corners = np.array(list(np.ndindex(2, 2, 2))) * (np.array(image.shape[:0:-1]) - 1)
    world = corners @ shear[:3, :3].T + shear[:3, 3]
    new = np.linalg.solve(there.geometry.affine[:3, :3], (world - there.geometry.affine[:3, 3]).T)
    assert new.min() > -1e-6  # nothing of the body is cut off
    assert (new.max(1) < np.array(there.shape[:0:-1]) - 1 + 1e-6).all()
    np.testing.assert_allclose(new[2] - np.rint(new[2]), 0, atol=1e-9)  # slices stay slices
    plain = world_image((2, 3, 4), affine_of(seed, "oblique"))
    assert straight(plain) is plain


def test_labels_of_any_type_are_taken_as_they_are() -> None:
    rng = np.random.default_rng(1)
    for dtype in (np.bool_, np.uint8, np.int32, np.uint64, np.float16, np.float64):
        labels = (rng.random((1, 5, 6, 7)) * 3).astype(dtype)
        image = Image(labels, Patient(np.diag([1.0, 2, 3, 1])))
        for kind in ("spacing", "oblique"):
            grid = grid_of(image, kind)
            at = places(image, grid)
            new = resample(image, grid=grid, order=0, fill=1).array[0]
            peer = ndimage.map_coordinates(
                labels[0].astype(np.float64), at, order=0, mode="nearest"
            )
            assert new.dtype == dtype
            expected = np.where(inside(image, at), peer, 1)
            np.testing.assert_array_equal(new.astype(np.float64), expected)


@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize("dtype", [np.bool_, np.uint16, np.int32, np.float16, np.float64, ">i2"])
def test_any_type_is_resampled(dtype: str, order: int, way: str) -> None:
    values = np.random.default_rng(2).integers(0, 2, (1, 4, 5, 6)).astype(dtype)
    image = Image(values, Patient(np.eye(4)))
    new = resample(image, spacing=0.7, order=order)
    assert new.array.dtype == (np.float64 if dtype == np.float64 else np.float32)
    at = places(image, Grid.of(new))
    peer = ndimage.map_coordinates(
        values[0].astype(float), at, order=order, mode="mirror" if order == 3 else "nearest"
    )
    np.testing.assert_allclose(new.array[0], peer, atol=2e-6)


def test_the_voxels_do_not_depend_on_threads_or_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    image = body((60, 50, 70))
    grids = [Grid.of(image).with_spacing((1.7, 1.1, 0.9)), grid_of(image, "oblique")]
    with threads(1):
        alone = [resample(image, grid=g, order=o).array for g in grids for o in (0, 1, 3)]
    with threads(3):
        several = [resample(image, grid=g, order=o).array for g in grids for o in (0, 1, 3)]
    for one, other in zip(alone, several, strict=True):
        np.testing.assert_array_equal(one, other)
    monkeypatch.setattr(separable, "BETWEEN", 1)
    monkeypatch.setattr(general, "COEFFICIENTS", 40_000)
    for grid, whole in zip(grids, (alone[2], alone[5]), strict=True):
        parts = resample(image, grid=grid, order=3).array
        np.testing.assert_allclose(parts, whole, atol=1e-6 * np.abs(whole).max())


def test_a_worker_thread_resamples_alone() -> None:
    found = []
    other = threading.Thread(target=lambda: found.append(thread_count()))
    other.start()
    other.join()
    assert found == [1]
    with threads(5):
        assert thread_count() == 5


def test_without_numba_scipy_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    image = body((5, 6, 7))
    grid = grid_of(image, "sheared")
    with_numba = resample(image, grid=grid, order=3).array
    import hounsfield.spatial as room

    monkeypatch.delitem(sys.modules, "hounsfield.spatial.kernels", raising=False)
    monkeypatch.delattr(room, "kernels", raising=False)
    monkeypatch.setitem(sys.modules, "numba", None)
    assert engine.compiled() is None
    np.testing.assert_allclose(resample(image, grid=grid, order=3).array, with_numba, atol=2e-3)


def test_a_nan_stays_in_its_place(way: str) -> None:
    values = np.ones((1, 5, 6, 7), np.float32)
    values[0, 2, 3, 4] = np.nan
    image = Image(values, Patient(np.eye(4)))
    same = resample(image, grid=Grid.of(image))
    np.testing.assert_array_equal(same.array, values)
    finer = resample(image, spacing=0.5).array[0]
    assert np.isnan(finer).sum() == 4**3
    nearest = resample(image, spacing=0.5, order=0).array[0]
    assert np.isnan(nearest).sum() == 8
    with pytest.raises(InputError, match="NaN"):
        resample(image, spacing=0.7, order=3)


def test_a_voxel_met_exactly_takes_nothing_from_a_nan_beside_it() -> None:
    values = np.arange(60, dtype=np.float32).reshape(1, 3, 4, 5)
    values[0, 1, 1, 1] = np.inf
    image = Image(values, Patient(np.eye(4)))
    shifted = Grid((1, 4, 5), Patient(np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 2.0],
                                                [0, 0, 0, 1]])))  # fmt: skip
    new = resample(image, grid=shifted).array
    np.testing.assert_array_equal(new[0, 0], values[0, 2])
    z, y, x = np.indices((3, 4, 5)).astype(np.float64)
    np.testing.assert_array_equal(resample_at(image, np.stack([x, y, z])).array, values)


def test_a_deformed_grid_takes_each_voxel_from_its_place(way: str) -> None:
    image = body((6, 7, 8), kind="mirrored")
    rng = np.random.default_rng(3)
    at = rng.uniform(-1, 8, (3, 4, 5, 6))
    at[:, 0, 0, 0] = np.nan
    for order, mode in ((0, "nearest"), (1, "nearest"), (3, "mirror")):
        new = resample_at(image, at[::-1], image.geometry, order=order, fill=-5)
        filled = np.nan_to_num(at)
        peer = ndimage.map_coordinates(image.array[0].astype(float), filled, order=order, mode=mode)
        within = inside(image, at)
        assert 10 < within.sum() < within.size
        np.testing.assert_allclose(new.array[0][within], peer[within], atol=2e-3)
        assert (new.array[0][~within] == -5).all()


def test_beyond_the_volume_stands_air_or_nothing() -> None:
    values = np.stack([np.full((2, 2, 2), -1000), np.full((2, 2, 2), 5)]).astype(np.int16)
    image = Image(values, Patient(np.eye(4)), (Channel("CT", "HU"), Channel("mask")))
    grid = Grid((4, 2, 2), Patient(np.eye(4)))
    for order in (0, 1, 3):
        new = resample(image, grid=grid, order=order)
        assert new.array[:, 3, 0, 0].tolist() == [-1000, 0]
        assert new.channels == image.channels
    with pytest.raises(InputError, match="fill"):
        resample(image, grid=grid, order=0, fill=0.5)


def test_what_a_writer_needs_is_kept_for_labels_alone() -> None:
    image = Image(np.ones((1, 2, 2, 2), np.int16), Patient(np.eye(4), "1.2"), (), {"slope": 2.0})
    assert dict(resample(image, spacing=0.5, order=0).stored) == {"slope": 2.0}
    linear = resample(image, spacing=0.5)
    assert not linear.stored
    assert linear.geometry.frame_uid == "1.2"


def test_a_plane_is_resampled_in_its_plane_alone() -> None:
    values = np.random.default_rng(0).normal(size=(1, 3, 8, 10)).astype(np.float32)
    image = Image(values, Plane((0.2, 0.4), "detector"))
    new = resample(image, spacing=(0.4, 0.4))
    assert new.geometry == Plane((0.4, 0.4), "detector")
    assert new.shape == (1, 3, 8, 5)
    np.testing.assert_allclose(new.array, values.reshape(1, 3, 8, 5, 2).mean(4), atol=1e-6)
    with pytest.raises(GeometryError, match="no place in a patient"):
        resample(image, like=image)


def test_what_cannot_be_resampled_is_refused() -> None:
    image = body((3, 4, 5))
    with pytest.raises(UsageError, match="exactly one"):
        resample(image)
    with pytest.raises(UsageError, match="exactly one"):
        resample(image, spacing=1, like=image)
    with pytest.raises(UsageError, match="order of 2"):
        resample(image, spacing=1, order=2)
    for spacing in (0, -1, (1, 1), (1, 1, float("nan"))):
        with pytest.raises(GeometryError, match="spacing"):
            resample(image, spacing=spacing)
    with pytest.raises(GeometryError, match="no place"):
        resample(Image(image.array), spacing=1)
    far = Grid((3, 3, 3), Patient(np.diag([1, 1, 1, 1]) + np.eye(4, k=3) * 1e4))
    with pytest.raises(GeometryError, match="no voxel of the grid"):
        resample(image, grid=far)
    here, there = (Patient(np.eye(4), uid) for uid in ("1.2", "1.3"))
    with pytest.raises(GeometryError, match="frames of reference"):
        resample(Image(image.array, here), like=Image(image.array, there))
    for shape in ((0, 1, 1), (1, 1), (1, 1, 1.5)):
        with pytest.raises(GeometryError, match="grid of"):
            Grid(shape, here)  # type: ignore[arg-type]


@given(st.lists(st.floats(0.2, 3), min_size=1, max_size=8), st.floats(0.3, 2))
def test_even_slices_lie_between_their_neighbours(gaps: list[float], step: float) -> None:
    at = 7 + np.cumsum([0, *gaps])
    stack = np.broadcast_to(at[None, :, None, None], (2, at.size, 2, 3)).copy()
    even = even_slices(stack, at, step)
    wanted = at[0] + step * np.arange(even.shape[1])
    np.testing.assert_allclose(even[1, :, 1, 2], np.minimum(wanted, at[-1]), atol=3e-5)
    assert abs(wanted[-1] - at[-1]) <= step * 0.5001


def test_a_gap_is_filled_and_the_slices_around_it_stay() -> None:
    stack = np.array([0, 10, 30, 40], np.int16).reshape(1, 4, 1, 1)
    even = even_slices(stack, [0, 1.5, 4.5, 6], 1.5)
    assert even.dtype == np.float32
    assert even.ravel().tolist() == [0, 10, 20, 30, 40]
    wide = even_slices(np.array([-30000, 30000], np.int16).reshape(1, 2, 1, 1), [0, 2], 1)
    assert wide.ravel().tolist() == [-30000, 0, 30000]
    for positions in ([0, 1, 1, 2], [0, 1, 2, np.nan], [3, 2, 1, 0]):
        with pytest.raises(GeometryError, match="position"):
            even_slices(stack, positions, 1)
    with pytest.raises(GeometryError, match="step"):
        even_slices(stack, [0, 1, 2, 3], 0)
    with pytest.raises(InputError, match="positions"):
        even_slices(stack, [0, 1], 1)


@pytest.mark.parametrize("spacing", [1e-4, 1e-9, 1e-300, 5e-324, (1, 1, 1e-8)])
@pytest.mark.parametrize("geometry", [Patient(np.eye(4)), Plane((0.5, 0.8))])
def test_a_grid_that_no_memory_holds_is_refused(
    spacing: float | tuple[float, ...], geometry: Patient | Plane
) -> None:
    image = Image(np.zeros((1, 12, 9, 7), np.int16), geometry)
    if isinstance(geometry, Plane) and isinstance(spacing, tuple):
        spacing = spacing[1:]
    with pytest.raises(InputError, match=r"voxels") as caught:
        resample(image, spacing=spacing)
    assert "larger" in str(caught.value.remedy)


def test_a_machine_without_enough_memory_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object, **__: object) -> None:
        raise MemoryError

    image = Image(np.zeros((1, 3, 4, 5), np.int16), Patient(np.eye(4)))
    monkeypatch.setattr("hounsfield.spatial.engine.np.empty", none)
    with pytest.raises(InputError, match=r"10 × 8 × 6 voxels .* takes 960 bytes"):
        resample(image, spacing=0.5, order=0)
