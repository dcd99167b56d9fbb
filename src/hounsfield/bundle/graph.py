"""A run's networks as one graph: prepared images in, the mean of members and views out."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hounsfield.bundle.quiet import keep_quiet
from hounsfield.errors import UsageError
from hounsfield.models.fusion import bound, entering
from hounsfield.models.memory_format import network_in_format
from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.augment import still_views
from hounsfield.preprocessing.normalise import normalise

LARGEST_ONNX = (2 << 30) - (1 << 20)  # what one protobuf message holds
EXAMPLE = 3  # cases: with 1 the exporter would take the batch for a constant


class Graph(nn.Module):
    """Normalisation, the networks, and what averages them: (B, C, D, Y, X) in [0, 1] -> (B, …)."""

    def __init__(self, networks: Sequence[nn.Module], plan: Plan) -> None:
        super().__init__()
        self.networks = nn.ModuleList(network_in_format(n, "contiguous") for n in networks)
        self.plan, size = plan, plan.preprocessing.size
        moved = still_views(plan.augmentation, plan.evaluation.views - 1, size)
        self.grids = nn.ParameterList([warp.grid(size) for warp in moved]).requires_grad_(False)

    def forward(self, images: Tensor, table: Tensor | None = None) -> Tensor:
        flat = images[:, :, 0] if self.plan.preprocessing.depth == 1 else images
        fusion = self.plan.model.fusion
        views = [entering(one, fusion) for one in self._views(flat)]
        found = [bound(n, table)(view).float() for n in self.networks for view in views]
        return torch.stack(found).mean(0) if len(found) > 1 else found[0]

    def _views(self, prepared: Tensor) -> Iterator[Tensor]:
        """The normalised images as they are, mirrored, and moved, as the run predicts them."""
        images = normalise(prepared, self.plan.preprocessing)
        yield images
        if self.plan.evaluation.mirror:
            yield images.flip(-1)
        for grid in self.grids:
            stack, several = images.flatten(1, -3), grid.expand(images.shape[0], -1, -1, -1)
            moved = F.grid_sample(stack, several, "bilinear", "border", align_corners=False)
            yield moved.reshape(images.shape)


def as_onnx(graph: Graph, images: Tensor, table: Tensor | None) -> bytes:
    """The graph in ONNX, for any number of cases; the inputs are an example of them.

    Raises:
        UsageError: the network cannot be exported, and why.
    """
    names = ["images"] if table is None else ["images", "table"]
    given = (images,) if table is None else (images, table)
    any_batch = {0: torch.export.Dim("batch", min=1)}
    with _silent():
        try:
            program = torch.onnx.export(
                graph.eval(),
                given,
                dynamo=True,
                verbose=False,
                input_names=names,
                output_names=["outputs"],
                dynamic_shapes=tuple(any_batch for _ in given),
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise UsageError(
                f"the network cannot be exported ({_reason(error)})",
                expected="a network whose steps do not depend on the values in it",
                remedy="train a network of the list, or mend your own build function",
            ) from error
    assert program is not None
    model = program.model_proto
    if any(one.type.tensor_type.shape.dim[0].HasField("dim_value") for one in model.graph.input):
        raise UsageError(
            f"the exported network takes {EXAMPLE} cases and no other number",
            expected="a network that computes each case of a batch in the same way",
            remedy="in your own build function, ask for images.shape[0], not for len(images)",
        )
    if model.ByteSize() > LARGEST_ONNX:
        raise UsageError(
            f"the networks have {model.ByteSize() / 1e9:.1f} GB together",
            expected="at most 2 GB, the most that one ONNX file holds",
            remedy="export a run of fewer members",
        )
    for node in (*model.graph.node, *(n for f in model.functions for n in f.node)):
        del node.metadata_props[:]  # lines of source files, with the paths of this machine
        node.doc_string = ""
    content: bytes = model.SerializeToString(deterministic=True)
    return content


def as_openvino(onnx: bytes) -> tuple[bytes, bytes]:
    """The same graph as OpenVINO's .xml and .bin, with 32-bit weights."""
    keep_quiet()
    import openvino

    return openvino_files(openvino.Core().read_model(onnx))


def openvino_files(model: object) -> tuple[bytes, bytes]:
    """An OpenVINO model's .xml and .bin."""
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
        return path.read_bytes(), path.with_suffix(".bin").read_bytes()


def _reason(error: BaseException) -> str:
    """The first line of what lies at the bottom."""
    while error.__cause__ is not None:
        error = error.__cause__
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


@contextmanager
def _silent() -> Iterator[None]:
    """The exporter's warnings are about itself; what matters is checked on what it made."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            logger.setLevel(level)
