"""Video: every frame by every way to it, in every container, against frames that bear a number."""

from __future__ import annotations

import io
import pickle
import random
import threading
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.pixels import pixel_array

from hounsfield import formats
from hounsfield.errors import (
    FormatError,
    HounsfieldError,
    InputError,
    MissingExtraError,
    UsageError,
)
from hounsfield.formats import video
from hounsfield.formats.contract import Source
from hounsfield.formats.video import decode as video_decode
from hounsfield.formats.video import index as video_index
from hounsfield.formats.video.clip import Clip

av = pytest.importorskip("av")

FRAMES, ROWS, COLUMNS = 60, 96, 128
BITS, BLOCK = 6, 16
X264 = {"x264-params": "keyint=9:open-gop=1:bframes=3:scenecut=0:log-level=-1"}
X265 = {"x265-params": "keyint=9:open-gop=1:bframes=3:log-level=none"}
CLOSED = {"x264-params": "keyint=9:bframes=3:scenecut=0:log-level=-1"}

# name -> codec, options, pixel format, B-frames, container where the suffix does not tell
CONTAINERS: dict[str, tuple[str, dict[str, str], str, int, str | None]] = {
    "h264.mp4": ("libx264", X264, "yuv420p", 3, None),
    "closed.mp4": ("libx264", CLOSED, "yuv420p", 3, None),
    "h264.mkv": ("libx264", X264, "yuv420p", 3, None),
    "h264.ts": ("libx264", X264, "yuv420p", 3, None),
    "h264.avi": ("libx264", X264, "yuv420p", 3, None),
    "hevc.mp4": ("libx265", X265, "yuv420p", 3, None),
    "hevc.ts": ("libx265", X265, "yuv420p", 3, None),
    "mpeg2.mpg": ("mpeg2video", {}, "yuv420p", 2, None),
    "mpeg2.ts": ("mpeg2video", {}, "yuv420p", 2, None),
    "mpeg4.avi": ("mpeg4", {}, "yuv420p", 2, None),
    "mpeg4.mov": ("mpeg4", {}, "yuv420p", 2, None),
    "vp9.webm": ("libvpx-vp9", {"cpu-used": "8", "deadline": "realtime"}, "yuv420p", 0, None),
    "mjpeg.avi": ("mjpeg", {}, "yuvj420p", 0, None),
    "ffv1.mkv": ("ffv1", {}, "bgr0", 0, None),
    "rgb.mkv": ("libx264rgb", {"qp": "0", **CLOSED}, "rgb24", 3, None),
    "mpeg2.m2v": ("mpeg2video", {}, "yuv420p", 2, "mpeg2video"),
    "h264.264": ("libx264", X264, "yuv420p", 3, "h264"),
    "hevc.265": ("libx265", X265, "yuv420p", 3, "hevc"),
}
LOSSLESS = ("ffv1.mkv", "rgb.mkv")
# One of each container and each kind of stream: what is damaged takes the same way in the others
KINDS = ("h264.mp4", "h264.mkv", "h264.ts", "mpeg4.avi", "mpeg2.mpg", "vp9.webm", "mpeg2.m2v",
         "hevc.265")  # fmt: skip


def stamped_cine() -> np.ndarray:
    """The ultrasound's 30 frames there and back, (60, 96, 128, 3), each with its number on it."""
    path = get_testdata_file("examples_ybr_color.dcm", download=False)
    cine = pixel_array(pydicom.dcmread(path))[:, 60 : 60 + ROWS, 90 : 90 + COLUMNS].copy()
    cine = np.concatenate([cine, cine[::-1]])
    for number, frame in enumerate(cine):
        for bit in range(BITS):
            frame[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 240 if number >> bit & 1 else 16
    return cine


def number_on(picture: np.ndarray) -> int:
    """The number that a frame (3, …, rows, columns) bears."""
    row = picture.reshape(3, *picture.shape[-2:])[1, BLOCK // 2]
    return sum(1 << bit for bit in range(BITS) if row[bit * BLOCK + BLOCK // 2] > 128)


def render(
    path: Path | io.BytesIO,
    cine: np.ndarray,
    codec: str = "libx264",
    options: dict[str, str] | None = None,
    **how: Any,
) -> None:
    """Write frames; `times` in ms where they are not 40 ms apart, `start` in ms."""
    times = how.get("times") or [40 * n for n in range(len(cine))]
    form = how.get("container")
    with av.open(path if isinstance(path, io.BytesIO) else str(path), "w", format=form) as out:
        stream = out.add_stream(codec, rate=25, options=options or dict(CLOSED))
        stream.width, stream.height = cine.shape[2], cine.shape[1]
        stream.pix_fmt = how.get("pixels", "yuv420p")
        stream.codec_context.gop_size = 9
        stream.codec_context.max_b_frames = how.get("b_frames", 3)
        if "times" in how:
            stream.codec_context.time_base = Fraction(1, 1000)
        how.get("set", lambda stream: None)(stream)
        for time, picture in zip(times, cine, strict=True):
            frame = how.get("frame", av.VideoFrame.from_ndarray)(picture, "rgb24")
            step = 1 if "times" in how else 40
            frame.pts = (time + how.get("start", 0)) // step
            frame.time_base = Fraction(step, 1000)
            for packet in stream.encode(frame):
                out.mux(packet)
        for packet in stream.encode():
            out.mux(packet)


@pytest.fixture(scope="module")
def cine() -> np.ndarray:
    return stamped_cine()


@pytest.fixture(scope="module")
def videos(cine: np.ndarray, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cine in each container."""
    folder = tmp_path_factory.mktemp("videos")
    for name, (codec, options, pixels, b_frames, container) in CONTAINERS.items():
        render(
            folder / name, cine, codec, dict(options),
            pixels=pixels, b_frames=b_frames, container=container,
        )  # fmt: skip
    return folder


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    video.forget()


# ---- every way to a frame gives the same frame


@pytest.mark.parametrize("name", CONTAINERS)
def test_every_frame_by_every_way(name: str, videos: Path, cine: np.ndarray) -> None:
    path = videos / name
    with Clip.open(path) as clip:
        assert len(clip) == FRAMES
        streamed = [image.array for image in clip]
        assert [number_on(one) for one in streamed] == list(range(FRAMES))
        numbers = random.Random(name).sample(range(FRAMES), 24)
        for number in [*numbers, *reversed(range(0, FRAMES, 7))]:
            np.testing.assert_array_equal(clip.frame(number).array, streamed[number])
    for number in (0, 8, 9, 10, 31, FRAMES - 1):  # a decoder that has seen nothing
        np.testing.assert_array_equal(Clip.open(path).frame(number).array, streamed[number])
    tolerance = 0 if name in LOSSLESS else 60
    true = np.moveaxis(cine, 3, 1)
    for number in range(0, FRAMES, 13):
        off = np.abs(streamed[number][:, 0].astype(int) - true[number])
        assert off.max() <= tolerance if name in LOSSLESS else off.mean() < 8


@pytest.mark.parametrize("name", CONTAINERS)
def test_frames_come_at_their_times(name: str, videos: Path) -> None:
    with Clip.open(videos / name) as clip:
        np.testing.assert_allclose(clip.times(), np.arange(FRAMES) / 25, atol=1e-9)
        assert clip.duration == pytest.approx(FRAMES / 25)
        assert number_on(clip.at(0.999).array) == 24
        assert number_on(clip.at(1).array) == 25
        assert clip.at(1.0399).channels[0].time == 1
        for number in range(FRAMES):
            assert clip.number_at(float(clip.times()[number])) == number
        for wrong in (-0.1, 2.41, float("nan"), float("inf")):
            with pytest.raises(InputError, match="no frame at"):
                clip.at(wrong)
        for wrong in (-1, FRAMES):
            with pytest.raises(InputError, match="no frame"):
                clip.frame(wrong)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts"])
def test_a_varying_rate_and_a_late_start(suffix: str, cine: np.ndarray, tmp_path: Path) -> None:
    steps = np.random.default_rng(3).integers(1, 12, FRAMES) * 10
    times = [0, *np.cumsum(steps)[:-1].tolist()]
    path = tmp_path / f"x{suffix}"
    render(path, cine, times=times, start=70_000)
    with Clip.open(path) as clip:
        assert len(clip) == FRAMES
        np.testing.assert_allclose(clip.times(), np.array(times) / 1000, atol=1e-4)
        for number in random.Random(1).sample(range(FRAMES - 1), 20):
            late = times[number + 1] / 1000 - 0.002
            assert number_on(clip.at(late).array) == number
            assert number_on(clip.frame(number).array) == number
        assert "varying" in video.told(clip)


@pytest.mark.parametrize("name", ["h264.ts", "mpeg2.mpg", "hevc.ts"])
def test_a_recording_that_begins_in_the_middle(name: str, videos: Path, tmp_path: Path) -> None:
    """Cut anywhere, as ring buffers do; what is before the first key frame is not there."""
    data = (videos / name).read_bytes()
    size = 188 if name.endswith(".ts") else 2048
    path = tmp_path / name
    tables = data[: 3 * 188] if name.endswith(".ts") else b""
    path.write_bytes(tables + data[len(data) // 3 // size * size :])
    with Clip.open(path) as clip:
        streamed = [image.array for image in clip]
        numbers = [number_on(one) for one in streamed]
        assert numbers == list(range(numbers[0], FRAMES))
        assert 9 < numbers[0] < 40
        for number in random.Random(2).sample(range(len(clip)), len(clip)):
            np.testing.assert_array_equal(clip.frame(number).array, streamed[number])


def test_a_seek_that_lands_wrong_costs_time_and_nothing_else(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_decode.Decoder, "_recognised", lambda self, packet: None)
    monkeypatch.setattr(video_decode, "SKIPPED", 0)
    with Clip.open(videos / "h264.mkv") as clip:
        assert [number_on(clip.frame(n).array) for n in (50, 3, 41, 40)] == [50, 3, 41, 40]


def test_time_stamps_that_lie_are_found_out(videos: Path) -> None:
    """AVI has no time of presentation; what libav makes up for H.264 is the order of decoding."""
    index = video_index.index_of(videos / "h264.avi")
    by_time = np.argsort(index.packets.pts)
    assert (by_time != index.row).any()
    assert index.row[:3].tolist() != [0, 1, 2]


def test_going_on_does_not_begin_anew(videos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[int] = []
    begin = video_decode.Decoder._begin
    monkeypatch.setattr(
        video_decode.Decoder, "_begin", lambda self, row: begun.append(row) or begin(self, row)
    )
    path = videos / "closed.mp4"
    for number in range(FRAMES):
        formats.read(Source.of(path, f"frame/{number}"))
    assert begun == [0]  # the second frame of each pair, too, was decoded once
    video.forget()
    for number in range(0, FRAMES, 20):  # the way there is shorter from the key frame before
        formats.read(Source(str(path.parent), (path.name,), frames=(number, number + 1)))
    assert begun == [0, 0, 18, 36]


# ---- the format


def test_a_frame_is_named_by_member_time_or_range(videos: Path) -> None:
    path = videos / "h264.mp4"
    one = formats.read(f"{path}#frame/17")
    assert one.shape == (3, 1, ROWS, COLUMNS)
    assert [c.colour for c in one.channels] == ["red", "green", "blue"]
    assert {c.time for c in one.channels} == {0.68}
    assert one.geometry is None
    assert number_on(one.array) == 17
    assert number_on(formats.read(f"{path}#time/0.7").array) == 17
    several = Source(str(videos), (path.name,), frames=(16, 19))
    assert formats.header(several).shape == (9, 1, ROWS, COLUMNS)
    image = formats.read(several)
    np.testing.assert_array_equal(image.array[3:6], one.array)
    assert [c.time for c in image.channels[::3]] == [0.64, 0.68, 0.72]
    assert formats.header(several).channels == image.channels
    head = formats.header(path)
    assert head.shape == (3 * FRAMES, 1, ROWS, COLUMNS)
    assert "h264" in str(head.facts.stored)
    assert "BT.601 is assumed" in str(head.facts.stored)
    for wrong in ("frame/60", "time/2.5", "time/-1", "frame/-1", "frame/1.5", "time/x", "x", ""):
        for ask in (formats.header, formats.read):
            with pytest.raises(FormatError):
                ask(Source(str(videos), (path.name,), wrong))
    for beyond in ((0, 61), (5, 5), (-1, 3)):
        with pytest.raises(FormatError, match="were asked for"):
            formats.read(Source(str(videos), (path.name,), frames=beyond))


def test_a_video_too_long_for_memory_is_refused_with_the_way_to_read_it(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video, "MAX_READ", 3 * FRAMES * ROWS * COLUMNS - 1)
    with pytest.raises(FormatError, match="60 frames of 128×96 take") as caught:
        formats.read(videos / "h264.mp4")
    assert "Clip" in str(caught.value.remedy)
    assert formats.read(f"{videos / 'h264.mp4'}#frame/3").shape == (3, 1, ROWS, COLUMNS)


def test_streams_in_memory_as_dicom_encapsulates_them(videos: Path) -> None:
    for name in ("h264.mp4", "h264.ts", "hevc.ts", "mpeg2.m2v", "mpeg2.mpg", "h264.264"):
        frames = video.frames_of(io.BytesIO((videos / name).read_bytes()), 20, 24)
        assert frames.shape == (3, 4, ROWS, COLUMNS)
        assert [number_on(frames[:, n]) for n in range(4)] == [20, 21, 22, 23]
    with pytest.raises(FormatError, match="within 0 to 60"):
        video.frames_of(io.BytesIO((videos / "h264.mp4").read_bytes()), 50, 61)
    with pytest.raises(FormatError, match="not a video"):
        video.frames_of(io.BytesIO(b"no video at all"), 0, 1)


def test_threads_read_one_video_side_by_side(videos: Path) -> None:
    path, wrong = videos / "h264.mkv", []

    def work(first: int) -> None:
        for number in range(first, FRAMES, 4):
            if number_on(formats.read(Source.of(path, f"frame/{number}")).array) != number:
                wrong.append(number)
        video.forget()

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_few_videos_stay_open(videos: Path) -> None:
    for name in CONTAINERS:
        formats.read(f"{videos / name}#frame/1")
    assert len(video._open()) == video.OPEN


def test_without_the_library_the_extra_is_named(
    videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "av", None)
    with pytest.raises(MissingExtraError, match="PyAV") as caught:
        formats.read(Source.of(videos / "h264.mp4", "frame/0"))
    assert caught.value.remedy == "pip install 'hounsfield[video]'"


# ---- the clip


def test_a_clip_streams_samples_and_travels(videos: Path) -> None:
    clip = pickle.loads(pickle.dumps(Clip.open(videos / "h264.mp4")))
    assert [number_on(image.array) for image in clip.every(7)] == list(range(0, FRAMES, 7))
    assert [number_on(i.array) for i in clip.every_seconds(0.5)] == [0, 12, 25, 37, 50]
    assert [number_on(i.array) for i in clip.every(2, 10, 15)] == [10, 12, 14]
    assert [number_on(i.array) for i in clip.every_seconds(0.01)] == list(range(FRAMES))
    for ask in (lambda: clip.every(0), lambda: clip.every_seconds(-1)):
        with pytest.raises(UsageError):
            ask()
    asked = []
    for image in clip.every(20):  # asking in between disturbs nothing
        asked.append((number_on(image.array), number_on(clip.frame(3).array)))
    assert asked == [(0, 3), (20, 3), (40, 3)]
    assert (clip.codec, clip.size, clip.rate) == ("h264", (ROWS, COLUMNS), pytest.approx(25))
    clip.close()
    assert number_on(clip.frame(5).array) == 5
    clip.close()


def test_scenes_begin_at_cuts_and_not_where_the_picture_moves(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rooms = rng.integers(0, 256, (3, 6, 8, 3)).astype(np.uint8).repeat(16, 1).repeat(24, 2)
    pictures = [
        np.roll(rooms[room], 2 * step, axis=1)[:, :COLUMNS]
        for room in range(3)
        for step in range(9)
    ]
    render(tmp_path / "x.mp4", np.array(pictures))
    with Clip.open(tmp_path / "x.mp4") as clip:
        assert clip.cuts() == [0, 9, 18]
        assert [image.channels[0].time for image in clip.scenes()] == [0, 0.36, 0.72]
        assert clip.cuts(threshold=300) == [0]


def test_deinterlacing_is_the_same_by_every_way(videos: Path, tmp_path: Path) -> None:
    """A bar that moves sideways, the second field half a frame later: combs, mended by bwdif."""
    moments = np.full((40, ROWS, COLUMNS, 3), 30, np.uint8)
    for moment, picture in enumerate(moments):
        picture[:, 4 + 2 * moment : 24 + 2 * moment] = 220
    woven = moments[0::2].copy()
    woven[:, 1::2] = moments[1::2, 1::2]

    def flagged(picture: np.ndarray, form: str) -> Any:
        graph = av.filter.Graph()
        inlet = graph.add_buffer(format="yuv420p", time_base=Fraction(1, 25),
                                 width=COLUMNS, height=ROWS)  # fmt: skip
        field = graph.add("setparams", field_mode="tff")
        graph.link_nodes(inlet, field, graph.add("buffersink")).configure()
        graph.vpush(av.VideoFrame.from_ndarray(picture, form).reformat(format="yuv420p"))
        return graph.vpull()

    def interlaced(stream: Any) -> None:
        stream.codec_context.flags |= 1 << 18 | 1 << 29  # interlaced DCT and motion
        stream.codec_context.bit_rate = 20_000_000

    path = tmp_path / "x.mpg"
    render(path, woven, "mpeg2video", {"qmin": "1"}, set=interlaced, b_frames=0, frame=flagged)
    with Clip.open(path) as plain, Clip.open(path, deinterlace=True) as mended:
        assert plain.index.interlaced
        assert "interlaced" in video.told(plain)
        streamed = [image.array for image in mended]
        for number in (7, 0, 19, 3, 4, 12):
            np.testing.assert_array_equal(mended.frame(number).array, streamed[number])
        kept = plain.frame(8).array[0, 0].astype(int)
        made = streamed[8][0, 0].astype(int)
        first = moments[16, :, :, 0].astype(int)  # the moment of the first field
        assert np.abs(kept[1::2] - first[1::2]).mean() > 5
        assert np.abs(made - first)[1::2].mean() < 1.5
        assert np.abs(made - first)[::2].mean() < 1.5
    progressive = Clip.open(videos / "mpeg2.mpg", deinterlace=True).frame(5).array
    np.testing.assert_array_equal(progressive, Clip.open(videos / "mpeg2.mpg").frame(5).array)
    forced = Clip.open(videos / "mpeg2.mpg", deinterlace="all").frame(5).array
    assert (forced != progressive).any()


# ---- colours and orientation

PATCHES = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [200, 100, 50],
     [30, 180, 220], [128, 128, 128]],
    np.uint8,
)  # fmt: skip
PATCHED = PATCHES.repeat(16, 0)[None].repeat(ROWS, 0)  # (rows, columns, 3)
WEIGHTS = {"bt709": (0.2126, 0.0722), "bt601": (0.299, 0.114), "bt2020": (0.2627, 0.0593)}
CODES = {"bt709": 1, "bt601": 6, "bt2020": 9}  # ITU-T H.273 table 4


def coded(rgb: np.ndarray, matrix: str, full: bool) -> np.ndarray:
    """Y, Cb, Cr (3, rows, columns) by ITU-R BT.601, BT.709 and BT.2020: the sums done by hand."""
    red_weight, blue_weight = WEIGHTS[matrix]
    red, green, blue = np.moveaxis(rgb / 255, -1, 0)
    luma = red_weight * red + (1 - red_weight - blue_weight) * green + blue_weight * blue
    difference = (blue - luma) / (2 * (1 - blue_weight)), (red - luma) / (2 * (1 - red_weight))
    scale, offset = (np.array(one)[:, None, None] for one in (
        ((255, 255, 255), (0, 128, 128)) if full else ((219, 224, 224), (16, 128, 128))
    ))  # fmt: skip
    return np.clip(np.rint(scale * np.stack([luma, *difference]) + offset), 0, 255).astype(np.uint8)


def yuv_frame(rgb: np.ndarray, matrix: str, full: bool, pixels: str = "yuv444p") -> Any:
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], pixels)
    for number, (plane, values) in enumerate(
        zip(frame.planes, coded(rgb, matrix, full), strict=True)
    ):
        stored = values[::2, ::2] if number and "420" in pixels else values
        whole = np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)
        whole[: stored.shape[0], : stored.shape[1]] = stored
    frame.colorspace, frame.color_range = CODES[matrix], 2 if full else 1
    return frame


@pytest.mark.parametrize("matrix", WEIGHTS)
@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("suffix", "codec", "pixels", "options"),
    [
        (".mkv", "libx264", "yuv444p", {"qp": "0"}),
        (".mp4", "libx264", "yuv420p", {"qp": "0"}),
        (".ts", "libx264", "yuv420p", {"qp": "1"}),
        (".webm", "libvpx-vp9", "yuv444p", {"lossless": "1", "cpu-used": "8"}),
        (".mp4", "libx265", "yuv420p", {"x265-params": "lossless=1:log-level=none"}),
    ],
)
def test_colours_by_the_streams_own_matrix_and_range(
    suffix: str, codec: str, pixels: str, options: dict[str, str], full: bool, matrix: str,
    tmp_path: Path,
) -> None:  # fmt: skip
    def say(stream: Any) -> None:
        stream.codec_context.colorspace = CODES[matrix]
        stream.codec_context.color_range = 2 if full else 1

    def frame(picture: np.ndarray, _: str) -> Any:
        return yuv_frame(picture, matrix, full, pixels)

    path = tmp_path / f"x{suffix}"
    render(path, PATCHED[None].repeat(3, 0), codec, options, pixels=pixels, set=say, frame=frame)
    image = formats.read(f"{path}#frame/1")
    centres = image.array[:, 0, ROWS // 2, 8::16].T.astype(int)
    assert np.abs(centres - PATCHES).max() <= 2  # rounding of Y, Cb and Cr to whole numbers
    assert ("full" if full else "limited") in str(formats.header(Source.of(path)).facts.stored)
    assert "assumed" not in str(formats.header(Source.of(path)).facts.stored)


@pytest.mark.parametrize(
    ("size", "matrix"),
    [((578, 32), "bt709"), ((32, 1026), "bt709"), ((576, 32), "bt601"), ((32, 1024), "bt601")],
)
def test_an_unsaid_matrix_is_assumed_by_size_and_told(
    size: tuple[int, int], matrix: str, tmp_path: Path
) -> None:
    picture = np.zeros((*size, 3), np.uint8)
    picture[:] = (200, 100, 50)

    def frame(rgb: np.ndarray, _: str) -> Any:
        made = yuv_frame(rgb, matrix, False)
        made.colorspace, made.color_range = 2, 0
        return made

    path = tmp_path / "x.mkv"
    render(path, picture[None], "ffv1", {}, pixels="yuv444p", frame=frame, b_frames=0)
    image = formats.read(path)
    assert np.abs(image.array[:, 0, 9, 9].astype(int) - (200, 100, 50)).max() <= 2
    assert "is assumed from the size" in str(formats.header(Source.of(path)).facts.stored)


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),  # what phones held upright write: clockwise
        ((0, -1, 1, 0), lambda a: np.rot90(a, 1)),
        ((-1, 0, 0, -1), lambda a: np.rot90(a, 2)),
        ((-1, 0, 0, 1), lambda a: a[:, ::-1]),
        ((1, 0, 0, -1), lambda a: a[::-1]),
        ((0, 1, 1, 0), lambda a: a.swapaxes(0, 1)),
    ],
)
def test_a_display_matrix_is_applied(
    matrix: tuple[int, int, int, int],
    turn: Callable[[np.ndarray], np.ndarray],
    cine: np.ndarray,
    tmp_path: Path,
) -> None:
    """ISO/IEC 14496-12 8.3.2 stores a b u c d v x y w at the end of the track header."""
    path = tmp_path / "x.mp4"
    render(path, cine[:3], "libx264rgb", {"qp": "0"}, pixels="rgb24")
    data = bytearray(path.read_bytes())
    track = data.index(b"tkhd")
    place = track + 4 + 40  # version and flags, times, ids, layer, volume
    unit = (1 << 16).to_bytes(4, "big")
    assert data[place : place + 4] == unit
    for offset, value in zip((0, 4, 12, 16), matrix, strict=True):
        data[place + offset : place + offset + 4] = (value << 16).to_bytes(4, "big", signed=True)
    path.write_bytes(data)
    head, image = formats.header(Source.of(path)), formats.read(f"{path}#frame/2")
    expected = turn(cine[2])
    np.testing.assert_array_equal(np.moveaxis(image.array[:, 0], 0, 2), expected)
    assert head.shape[2:] == expected.shape[:2]
    assert "turned upright" in str(head.facts.stored)


# ---- bad input


@pytest.mark.parametrize("name", ["h264.mkv", "h264.ts", "closed.mp4"])
def test_damage_refuses_the_frames_it_touches_and_no_others(
    name: str, videos: Path, cine: np.ndarray, tmp_path: Path
) -> None:
    data = bytearray((videos / name).read_bytes())
    good = [image.array for image in Clip.open(videos / name)]
    packets = video_index.index_of(videos / name).packets
    row = int(np.flatnonzero(packets.key)[3])
    place = int(packets.pos[row]) + 500
    data[place : place + 60] = b"\xa5" * 60
    path = tmp_path / name
    path.write_bytes(data)
    kept, lost = [], []
    with Clip.open(path) as clip:
        for number in range(len(clip)):
            try:
                found = clip.frame(number)
            except FormatError:
                lost.append(number)
            else:
                if np.array_equal(found.array, good[number]):
                    kept.append(number)
        assert len(clip) == FRAMES
        assert lost
        assert sorted(kept + lost) == list(range(FRAMES))  # none is silently another
        assert all(20 <= number < 45 for number in lost)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("kept", [0.02, 0.4, 0.9])
def test_a_cut_off_video_gives_its_beginning_or_an_error(
    name: str, kept: float, videos: Path, tmp_path: Path
) -> None:
    data = (videos / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * kept)])
    try:
        with Clip.open(path) as clip:
            count = len(clip)
            shown = [number_on(clip.frame(number).array) for number in range(count)]
            assert (np.diff(shown) > 0).all()
            if not name.endswith((".avi", ".264", ".265", ".m2v")):  # they know no times
                assert shown == np.rint(clip.times() * 25).astype(int).tolist()
    except FormatError as refused:
        assert refused.file == path  # noqa: PT017  # either outcome is right


@pytest.mark.parametrize("name", ["h264.mp4", "mpeg4.mov", "mpeg4.avi", "ffv1.mkv"])
def test_the_whole_of_a_cut_off_video_is_refused_with_the_bytes(
    name: str, videos: Path, tmp_path: Path
) -> None:
    data = (videos / name).read_bytes()
    assert Clip.open(videos / name).index.damage is None
    (tmp_path / name).write_bytes(data[:-20])
    try:
        video.header(Source.of(tmp_path / name))
    except FormatError:
        return  # without its end an MP4 may have no index
    with pytest.raises(FormatError, match=f"ends after {len(data) - 20:,} of {len(data):,} bytes"):
        video.read(Source.of(tmp_path / name))
    assert number_on(video.read(Source.of(tmp_path / name, "frame/7")).array) == 7
    assert "the file ends after" in str(video.header(Source.of(tmp_path / name)).facts.stored)


def test_no_video_inside(tmp_path: Path, cine: np.ndarray) -> None:
    path = tmp_path / "sound.mp4"
    with av.open(str(path), "w") as out:
        stream = out.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.float32), "fltp", "mono")
        frame.sample_rate = 8000
        for packet in [*stream.encode(frame), *stream.encode()]:
            out.mux(packet)
    with pytest.raises(FormatError, match="no video stream, only audio"):
        formats.read(path)
    (tmp_path / "x.mp4").write_bytes(b"\0\0\0\x18ftypisom" + b"\0" * 5000)
    (tmp_path / "x.ts").write_bytes((b"\x47\x1f\xff\x10" + b"\xff" * 184) * 50)
    (tmp_path / "x.avi").write_bytes(b"RIFF\xff\xff\xff\x7fAVI LIST" + b"\xff" * 500)
    (tmp_path / "x.264").write_bytes(b"\0\0\0\1\x67" + bytes(range(256)) * 20)
    for name in ("x.mp4", "x.ts", "x.avi", "x.264"):
        assert formats.sniff(tmp_path / name) == "video"
        with pytest.raises(FormatError):
            formats.read(tmp_path / name)


@pytest.mark.parametrize("name", ["h264.mp4", "h264.mkv", "mpeg2.ts", "mpeg4.avi", "mpeg2.mpg"])
def test_mutants_end_in_an_image_or_our_error(name: str, videos: Path, tmp_path: Path) -> None:
    data = (videos / name).read_bytes()
    rng = np.random.default_rng(5)
    path = tmp_path / name
    for number in range(16):
        changed = bytearray(data)
        head = len(data) if number % 2 else min(len(data), 1500)
        for place in rng.integers(4, head - 4, int(rng.integers(1, 12))):
            changed[place] = int(rng.integers(256))
        if number % 4 == 0:
            place = int(rng.integers(4, head - 8))
            changed[place : place + 4] = b"\x7f\xff\xff\xff"
        path.write_bytes(changed)
        try:
            image = formats.read(f"{path}#frame/{rng.integers(FRAMES)}")
            assert image.array.nbytes < 1 << 30
        except HounsfieldError:
            pass
        video.forget()
