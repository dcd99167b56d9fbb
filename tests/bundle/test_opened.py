"""What is damaged, forged, newer or computes otherwise is refused, with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from spoiling import changed_weights

from hounsfield import workflow
from hounsfield.bundle import opened, runtimes
from hounsfield.bundle.manifest import read_manifest, seal_of
from hounsfield.bundle.opened import Bundle, computing
from hounsfield.bundle.references import References
from hounsfield.errors import HounsfieldError, MissingExtraError, RunError, UsageError

Forge = Callable[[str, bytes], None]
Tell = Callable[..., None]
FILES = ("model.onnx", "model.xml", "model.bin", "references.safetensors")


def use(path: Path) -> float:
    """Open a bundle as `predict` does."""
    return computing(Bundle.open(path), 1).difference


def test_a_whole_one_computes(bundle: Path) -> None:
    assert use(bundle) < 1e-6


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file_is_refused(bundle: Path, name: str, runtime: str) -> None:
    """One bit, wherever it is."""
    content = bytearray((bundle / name).read_bytes())
    content[len(content) // 2] ^= 1
    (bundle / name).write_bytes(content)
    used = {"onnxruntime": ("model.onnx",), "openvino": ("model.xml", "model.bin")}[runtime]
    if name not in (*used, "references.safetensors"):
        return
    with pytest.raises(RunError, match="SHA-256 differs") as refused:
        computing(Bundle.open(bundle), 1, runtime=runtime)
    assert str(bundle / name) in str(refused.value)


def test_a_file_that_is_cut_or_gone_is_refused(bundle: Path) -> None:
    (bundle / "references.safetensors").write_bytes(b"")
    with pytest.raises(RunError, match="has 0 bytes"):
        use(bundle)
    (bundle / "references.safetensors").unlink()
    with pytest.raises(RunError, match="is missing"):
        use(bundle)


def test_a_link_to_elsewhere_is_no_file_of_it(bundle: Path, tmp_path: Path) -> None:
    name = bundle / "references.safetensors"
    name.rename(tmp_path / "elsewhere")
    name.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match="is missing"):
        use(bundle)


@pytest.mark.parametrize("name", ["../model.onnx", "/etc/passwd", "a/b", ".hidden", "a\0b", ""])
def test_paths_lead_nowhere(bundle: Path, told: Tell, name: str) -> None:
    manifest = json.loads((bundle / "bundle.json").read_text())
    told("files", manifest["files"] | {name: {"size": 1, "sha256": "0" * 64}})
    with pytest.raises(RunError, match="no name of a file in the bundle"):
        use(bundle)


def test_a_newer_one_is_refused(bundle: Path, told: Tell) -> None:
    told("version", 99)
    told("something", "new")
    with pytest.raises(RunError, match="newer hounsfield") as refused:
        use(bundle)
    assert "upgrade" in str(refused.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("version", "1"),
        ("task", "os:system"),
        ("task", "segmentation"),
        ("settings", {"classes": "no"}),
        ("preprocessing/size", [16384, 16384]),
        ("preprocessing/depth", 0),
        ("variants", []),
        ("variants/0/runtime", "pickle"),
        ("variants/0/batch", 10**9),
        ("calibration/temperatures", [0.0]),
        ("calibration/temperatures", [1.0, 2.0, 3.0]),
        ("files/model.onnx/size", 1 << 60),
        ("table", {"columns": []}),
    ],
)
def test_absurd_values_are_refused(bundle: Path, told: Tell, path: str, value: object) -> None:
    told(path, value)
    if path.startswith("variants/0/runtime"):
        manifest = json.loads((bundle / "bundle.json").read_text())
        told("variants", manifest["variants"][:1])
    with pytest.raises(RunError):
        use(bundle)


def resealed(text: bytes) -> bytes:
    """With the seal that belongs to it, where it is still JSON."""
    try:
        said = json.loads(text)
        return json.dumps(said | {"sha256": seal_of(said)}).encode()
    except (ValueError, TypeError):
        return text


@given(cut=st.integers(0, 4000), byte=st.integers(0, 255))
def test_mutated_manifests_end_in_our_error(whole_bundle: Path, cut: int, byte: int) -> None:
    import tempfile

    text = (whole_bundle / "bundle.json").read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.json"
        for spoilt in (text[:cut], text[:cut] + bytes([byte]) + text[cut + 1 :]):
            path.write_bytes(resealed(spoilt))
            try:
                read_manifest(Path(folder))
            except HounsfieldError:
                continue


def test_what_was_changed_by_hand_is_refused(bundle: Path, told: Tell) -> None:
    """A threshold, a temperature or the order of labels: no reference case would tell."""
    told("settings/smoothing", 0.0)  # with the seal that belongs to it
    assert use(bundle) < 1e-6
    text = (bundle / "bundle.json").read_text()
    (bundle / "bundle.json").write_text(text.replace('["0", "1"]', '["1", "0"]'))
    with pytest.raises(RunError, match=r"changed after the export: its SHA-256 differs"):
        use(bundle)
    (bundle / "bundle.json").write_text(json.dumps(json.loads(text), indent=3))
    assert use(bundle) < 1e-6


def test_a_bundle_without_its_first_file_is_still_one(bundle: Path) -> None:
    (bundle / "bundle.json").unlink()
    with pytest.raises(RunError, match=r"there is no bundle\.json in it"):
        workflow.predict(bundle, bundle, bundle / "out")


def test_deep_nesting_is_refused(bundle: Path) -> None:
    (bundle / "bundle.json").write_text("[" * 100_000)
    with pytest.raises(RunError, match="cannot be read"):
        use(bundle)


def test_what_is_no_bundle_is_told(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is no bundle"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\0" * 64, b"garbage" * 100])
@pytest.mark.parametrize("name", FILES)
def test_forged_rubbish_is_refused(bundle: Path, forged: Forge, name: str, content: bytes) -> None:
    forged(name, content)
    runtime = "onnxruntime" if name == "model.onnx" else "openvino"
    with pytest.raises(RunError):
        computing(Bundle.open(bundle), 1, runtime=runtime)


def test_other_weights_are_refused_with_the_number(bundle: Path, forged: Forge) -> None:
    forged("model.onnx", changed_weights((bundle / "model.onnx").read_bytes()))
    with pytest.raises(RunError, match=r"reference answers differ by [\d.e-]+, above 0.0001"):
        computing(Bundle.open(bundle), 1, runtime="onnxruntime")


def test_the_next_runtime_serves_where_the_fastest_computes_otherwise(
    bundle: Path, forged: Forge
) -> None:
    forged("model.onnx", changed_weights((bundle / "model.onnx").read_bytes()))
    manifest = json.loads((bundle / "bundle.json").read_text())
    assert manifest["variants"][0]["runtime"] == "onnxruntime"  # of so small a network
    found = computing(Bundle.open(bundle), 1)
    assert found.variant.runtime == "openvino"
    assert "onnxruntime fp32: the reference answers differ" in found.said[0]


def test_a_runtime_that_is_absent_is_passed_over(
    bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(*_: object) -> None:
        raise MissingExtraError("onnxruntime is not installed")

    real = opened.started
    monkeypatch.setattr(
        opened, "started", lambda name, *a: absent() if name == "onnxruntime" else real(name, *a)
    )
    found = computing(Bundle.open(bundle), 1)
    assert found.variant.runtime == "openvino"
    assert found.said == ("onnxruntime fp32: not installed here",)


def test_another_preparing_is_refused(bundle: Path, told: Tell) -> None:
    """bundle.json is no file with a hash: what it says is proven by the reference pictures."""
    told("preprocessing/percentiles", [5.0, 95.0])
    told("preprocessing/clip", "percentile")
    with pytest.raises(RunError, match=r"prepared differently here, by 0\.\d+"):
        use(bundle)


def test_graphs_that_name_files_or_foreign_operators_are_refused(bundle: Path) -> None:
    model = onnx.load_from_string((bundle / "model.onnx").read_bytes())
    outside = onnx.ModelProto()
    outside.CopyFrom(model)
    tensor = outside.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../etc/passwd")
    with pytest.raises(RunError, match="names other files"):
        runtimes.check_graph(outside.SerializeToString())
    foreign = onnx.ModelProto()
    foreign.CopyFrom(model)
    foreign.opset_import.add(domain="evil.example", version=1)
    with pytest.raises(RunError, match=r"operators of 'evil\.example'"):
        runtimes.check_graph(foreign.SerializeToString())
    runtimes.check_graph(model.SerializeToString())


def test_a_precision_that_is_not_there(bundle: Path) -> None:
    with pytest.raises(UsageError, match="the bundle has no int8") as refused:
        computing(Bundle.open(bundle), 1, precision="int8")
    assert "onnxruntime fp32" in str(refused.value)


def test_references_survive_their_file() -> None:
    raw = (np.arange(12, dtype=np.uint8).reshape(1, 1, 3, 4),)
    prepared, outputs = np.ones((1, 1, 1, 2, 2), np.float32), np.ones((1, 3), np.float32)
    table = np.full((1, 2), 0.5, np.float32)
    back = References.from_bytes(References(raw, prepared, table, outputs, -outputs).to_bytes())
    assert np.array_equal(back.raw[0], raw[0])
    assert back.table is not None
    assert np.array_equal(back.table, table)
    assert np.array_equal(back.expected("fp32"), outputs)
    assert np.array_equal(back.expected("int8"), -outputs)
