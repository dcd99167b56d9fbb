"""Labelled intervals of videos become images: which frames, whose, and what is refused."""

from __future__ import annotations

import hashlib
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import polars as pl
import pytest

import hounsfield as hf
from hounsfield import formats
from hounsfield.catalog import layouts
from hounsfield.catalog.layouts import video_intervals
from hounsfield.errors import InputError
from hounsfield.formats import video

HEAD = ("video", "start", "end", "label")


def moments(root: Path) -> list[tuple[str, str, str]]:
    return [
        (entry.source.paths[0], entry.source.member or "", str(entry.labels[0].label))
        for entry in video_intervals.entries(root)
    ]


def test_intervals_are_sampled_in_the_middle_of_each_second(tmp_path: Path, make: Any) -> None:
    make.touch(tmp_path, "films/a.mp4")
    make.table(
        tmp_path / "t.csv", HEAD, ("a", "1:02:03.25", "1:02:06", "x"), ("a", "7", "7.4", "y")
    )
    a = "films/a.mp4"
    assert moments(tmp_path) == [
        (a, "time/7.200", "y"), (a, "time/3723.750", "x"), (a, "time/3724.750", "x"),
    ]  # fmt: skip
    (tmp_path / "intervals.yaml").write_text("seconds: 0.5")
    assert len(moments(tmp_path)) == 1 + 5
    first = next(video_intervals.entries(tmp_path / "t.csv"))  # the table itself works too
    assert (first.patient, first.known) == ("a", "guessed")


def test_rows_say_of_what_interval_a_sample_is(tmp_path: Path, make: Any) -> None:
    make.table(
        tmp_path / "t.csv", HEAD, ("a.mp4", 0, 2, "x"), ("a.mp4", 1, 4, "x"), ("a.mp4", 8, 9, "y")
    )
    assert video_intervals.table_rows(tmp_path) == {
        **{f"a.mp4/{second}.500": 2 for second in (0, 1)},
        **{f"a.mp4/{second}.500": 3 for second in (2, 3)},
        "a.mp4/8.500": 4,
    }


def test_frames_are_sampled_by_number(tmp_path: Path, make: Any) -> None:
    make.touch(tmp_path, "a.avi")
    make.table(
        tmp_path / "t.csv",
        ("Video", "start frame", "end_frame", "Phase", "Patient ID", "split"),
        ("a.avi", 100, 150, "x", "p", "validation"), ("a.avi", 200, 210, "y", "", ""),
    )  # fmt: skip
    found = list(video_intervals.entries(tmp_path))
    assert [entry.source.frames for entry in found] == [(112, 113), (137, 138), (205, 206)]
    assert {(entry.patient, entry.known, entry.part) for entry in found} == {("p", "given", "val")}


def test_where_labels_contradict_no_frame_is_taken_and_it_is_told(
    tmp_path: Path, make: Any
) -> None:
    make.touch(tmp_path, "a.mp4", "b.mp4", "forgotten.mkv")
    make.table(
        tmp_path / "t.csv", HEAD, ("a.mp4", 0, 10, "x"), ("a.mp4", 8, 12, "y"),
        ("a.mp4", 9, 11, "y"), ("b.mp4", 0, 2, "x"), ("b.mp4", 1, 3, "x"), ("b.mp4", 3, 4, "y"),
    )  # fmt: skip
    taken = [(film, float(member[5:]), label) for film, member, label in moments(tmp_path)]
    assert taken == [
        *(("a.mp4", k + 0.5, "x") for k in range(8)), ("a.mp4", 10.5, "y"), ("a.mp4", 11.5, "y"),
        *(("b.mp4", k + 0.5, "x") for k in range(3)), ("b.mp4", 3.5, "y"),
    ]  # fmt: skip
    overlap, unnamed = layouts.noticed("video-intervals", tmp_path)
    assert overlap.kind == "interval-overlap"
    assert "2 pairs" in overlap.text
    assert "rows 2 and 3, 2 and 4" in overlap.text
    assert unnamed.text.startswith("1 video of the folder has no row")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (("a.mp4", 5, 5, "x"), "row 2: the interval ends where it starts"),
        (("a.mp4", "", 5, "x"), "row 2: start is ''"),
        (("a.mp4", 0, "1:75", "x"), "row 2: end is '1:75'"),
        (("a.mp4", "-1", 5, "x"), "row 2: start is '-1'"),
        (("a.mp4", 0, "inf", "x"), "row 2: end is 'inf'"),
        (("a.mp4", 0, 1e12, "x"), "within a day"),
        (("a.mp4", 0, 5, ""), "row 2: label is empty"),
        (("", 0, 5, "x"), "row 2: video is empty"),
        (("../a.mp4", 0, 5, "x"), "outside of this folder"),
    ],
)
def test_rows_that_say_nothing_are_refused(
    row: tuple[Any, ...], message: str, tmp_path: Path, make: Any
) -> None:
    make.touch(tmp_path, "in/a.mp4")
    make.table(tmp_path / "in/t.csv", HEAD, row)
    with pytest.raises(InputError, match=message) as caught:
        list(video_intervals.entries(tmp_path / "in"))
    assert caught.value.remedy


def test_a_video_has_one_patient_and_one_part(tmp_path: Path, make: SimpleNamespace) -> None:
    make.touch(tmp_path, "a.mp4")
    for column in ("patient", "split"):
        make.table(
            tmp_path / "t.csv", (*HEAD, column), ("a.mp4", 0, 1, "x", "train"),
            ("a.mp4", 1, 2, "x", "test"),
        )  # fmt: skip
        with pytest.raises(InputError, match=f"row 3: another {column} than in row 2"):
            list(video_intervals.entries(tmp_path))
    make.table(tmp_path / "t.csv", (*HEAD, "split"), ("a.mp4", 0, 1, "x", "some"))
    with pytest.raises(InputError, match="split is 'some'"):
        list(video_intervals.entries(tmp_path))
    (tmp_path / "intervals.yaml").write_text("second: 2")
    with pytest.raises(InputError, match="second"):
        list(video_intervals.entries(tmp_path))


# ---- the whole way


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve videos of 4 s: in the middle two a bright patch above to the left, "lesion"."""
    av = pytest.importorskip("av")
    root = tmp_path_factory.mktemp("theatre")
    rows = ["film,start,end,label"]
    for film in range(12):
        rng = np.random.default_rng(film)
        path = root / f"film{film}.{('mp4', 'mkv', 'avi')[film % 3]}"
        with av.open(str(path), "w") as out:
            stream = out.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
            for number in range(40):
                pixels = rng.normal(100, 20, (32, 32, 3))
                pixels[4:16, 3:17] += 60 * (10 <= number < 30)
                frame = av.VideoFrame.from_ndarray(np.clip(pixels, 0, 255).astype(np.uint8))
                frame.pts, frame.time_base = number, Fraction(1, 10)
                out.mux(stream.encode(frame))
            out.mux(stream.encode())
        rows += [f"{path.name},0,1,none", f"{path.name},1,3,lesion", f"{path.name},3,4,none"]
    rows += ["film0.mp4,9,10,none", "gone.mp4,0,1,none", "broken.mp4,0,1,none"]
    (root / "broken.mp4").write_bytes((root / "film0.mp4").read_bytes()[:200])
    (root / "intervals.csv").write_text("\n".join(rows))
    return root


def test_intervals_become_a_catalog_that_is_split_by_video(films: Path, tmp_path: Path) -> None:
    (films / "intervals.yaml").write_text("seconds: 0.5")
    made = hf.index(films, tmp_path / "catalog")
    catalog = made.catalog
    assert catalog.images["format"].unique().to_list() == ["video"]
    assert catalog.images.select("channels", "depth", "height", "width").unique().rows() == [
        (3, 1, 32, 32)
    ]
    assert catalog.cases.height == 12 * 8
    outside, gone, broken = made.rejected["reason"].to_list()
    assert outside.startswith(
        "row 38 of the table: there is no 'time/9.250' in this video of 40 frames"
    )
    assert outside.endswith(" (2 samples)")
    assert gone == "row 39 of the table: there is no such file (2 samples)"
    assert broken.startswith("row 40 of the table: the video cannot be opened")
    assert made.rejected["file"].n_unique() == 3  # the films
    assert catalog.images["hash"].n_unique() == 12 * 8
    assert catalog.cases["patient"].n_unique() == 12
    split = hf.split(catalog, {"min_per_class": 0})
    parts = catalog.cases.drop("part").join(split.table, on="case")
    assert set(parts["part"]) == {"train", "val", "test"}
    assert parts.select("patient", "part").n_unique() == 12  # a video is in one part
    for image, source in zip(
        catalog.images["image"], catalog.sources(catalog.images["image"].to_list()), strict=True
    ):
        case = catalog.annotations.filter(case=image)["label"].item()
        array = formats.read(source).array.astype(float)
        bright = array[:, 0, 4:16, 3:17].mean() - array[:, 0, 18:, 18:].mean() > 30
        assert bright == (case == "lesion")
    video.forget()
    again = hf.index(films, tmp_path / "catalog")
    assert (again.read, again.unchanged) == (4, 96)


def test_a_model_is_trained_on_intervals(
    films: Path, tiny_plan: dict[str, Any], tmp_path: Path
) -> None:
    (films / "intervals.yaml").write_text("seconds: 1")
    before = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in films.iterdir()}
    run = hf.train(films, tiny_plan, out=tmp_path / "run")
    assert run.status == "finished"
    table = pl.read_csv(tmp_path / "run/predictions/test/predictions.csv")
    assert table.height >= 4
    assert table.height % 4 == 0  # whole videos
    after = {path.name: hashlib.sha256(path.read_bytes()).digest() for path in films.iterdir()}
    assert after == before
