"""What computes an exported network: opened from bytes, on this machine's processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.bundle.manifest import Precision
from hounsfield.bundle.quiet import keep_quiet
from hounsfield.errors import MissingExtraError, RunError, did_you_mean

Array = NDArray[np.float32]
# Prepared images (B, C, D, Y, X) in [0, 1], and a table (B, W) or None -> outputs (B, …)
Session = Callable[[Array, Array | None], Array]
Contents = Mapping[str, bytes]  # file -> what it holds
MODEL_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")  # operators that the ONNX standard defines


@dataclass(frozen=True)
class Runtime:
    """One way to compute: the files that it needs of each precision, and what opens them."""

    package: str
    files: Mapping[Precision, tuple[str, ...]]
    start: Callable[[tuple[bytes, ...], int], Session]


def started(name: str, precision: Precision, contents: Contents, threads: int) -> Session:
    """A network, ready to compute.

    Raises:
        RunError: there is no such runtime, or the files are damaged.
        MissingExtraError: the runtime is not installed.
    """
    if name not in RUNTIMES or precision not in RUNTIMES[name].files:
        raise RunError(f"no runtime {name!r} of {precision}", remedy=did_you_mean(name, RUNTIMES))
    files = RUNTIMES[name].files[precision]
    with _refusing(name, files[0]):
        return RUNTIMES[name].start(tuple(contents[file] for file in files), threads)


def _onnxruntime(contents: tuple[bytes, ...], threads: int) -> Session:
    import onnxruntime

    check_graph(contents[0])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 4  # what goes wrong comes as an exception
    # Threads that wait by spinning take the processor from those that read images.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    onnxruntime.disable_telemetry_events()  # of the Windows build
    session = onnxruntime.InferenceSession(contents[0], options, providers=["CPUExecutionProvider"])
    names = [one.name for one in session.get_inputs()]

    def compute(images: Array, table: Array | None) -> Array:
        given = dict(zip(names, _given(images, table), strict=True))
        found: Array = session.run(None, given)[0]
        return found

    return compute


def _openvino(contents: tuple[bytes, ...], threads: int) -> Session:
    keep_quiet()
    import openvino

    core = openvino.Core()
    weights = openvino.Tensor(np.frombuffer(contents[1], np.uint8))
    compiled = core.compile_model(
        core.read_model(model=contents[0], weights=weights),
        "CPU",
        {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",  # some processors would take bf16 unasked
        },
    )
    request = compiled.create_infer_request()

    def compute(images: Array, table: Array | None) -> Array:
        return np.array(request.infer(list(_given(images, table)))[0])

    return compute


RUNTIMES = {
    "onnxruntime": Runtime("onnxruntime", {"fp32": ("model.onnx",)}, _onnxruntime),
    "openvino": Runtime(
        "openvino",
        {"fp32": ("model.xml", "model.bin"), "int8": ("int8.xml", "int8.bin")},
        _openvino,
    ),
}


def check_graph(content: bytes) -> None:
    """Refuse an ONNX graph that names other files, or operators outside the standard.

    Raises:
        RunError: it does, or it is no ONNX graph.
    """
    import onnx

    with _refusing("onnx", "model.onnx"):
        model = onnx.load_from_string(content)
        outside = any(tensor.data_location == tensor.EXTERNAL for tensor in _tensors(model))
        foreign = {one.domain for one in model.opset_import} - {*MODEL_DOMAINS, *_own(model)}
    if outside or foreign:
        said = "names other files" if outside else f"has operators of {min(foreign)[:50]!r}"
        raise RunError(
            f"the exported network {said}",
            file="model.onnx",
            expected="one file of the ONNX standard's operators",
            remedy="export the run again",
        )


def _own(model: Any) -> set[str]:
    """The domains of functions that the graph defines of standard operators."""
    return {function.domain for function in model.functions}


def _tensors(model: Any) -> Iterator[Any]:
    """All constants, also those of graphs within nodes."""
    graphs = [model.graph]
    nodes = [node for function in model.functions for node in function.node]
    while graphs or nodes:
        if graphs:
            graph = graphs.pop()
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
            nodes += graph.node
            continue
        for attribute in nodes.pop().attribute:
            graphs += [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
            yield from [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]


def _given(images: Array, table: Array | None) -> Iterator[Array]:
    yield np.ascontiguousarray(images)
    if table is not None:
        yield np.ascontiguousarray(table)


@contextmanager
def _refusing(package: str, file: str) -> Iterator[None]:
    """Whatever a runtime raises about a network becomes our error."""
    try:
        yield
    except (RunError, MemoryError):
        raise
    except ImportError as error:
        raise MissingExtraError(
            f"{package} is not installed", remedy=f"pip install {package}"
        ) from error
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise RunError(
            f"the exported network is damaged, or not for this {package} ({reason})",
            file=file,
            expected="the file as `hounsfield export` wrote it",
            remedy="copy the bundle again, or export the run again",
        ) from error
