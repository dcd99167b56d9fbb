"""From a trained run to a bundle: exported, checked against PyTorch, timed, and written whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

from hounsfield.bundle import int8, references, use
from hounsfield.bundle.graph import EXAMPLE, Graph, as_onnx, as_openvino
from hounsfield.bundle.manifest import (
    MANIFEST,
    VERSION,
    IntendedUse,
    Manifest,
    Network,
    Quantised,
    Variant,
    fingerprint_of,
    sealed,
)
from hounsfield.bundle.opened import outputs_of
from hounsfield.bundle.references import References
from hounsfield.bundle.runtimes import RUNTIMES, Array, Session, started
from hounsfield.bundle.speed import BATCH, images_per_second, repeated
from hounsfield.errors import MissingExtraError, RunError, UsageError
from hounsfield.files import whole_folder
from hounsfield.inference.unlike import Ranges
from hounsfield.progress import Watch
from hounsfield.run import installed
from hounsfield.spatial.threads import thread_count
from hounsfield.tasks.contract import Exportable
from hounsfield.training.study import Study
from hounsfield.training.train import trained

PACKAGES = ("onnx", "onnxruntime", "openvino", "nncf")


@dataclass(frozen=True)
class Wish:
    """What is asked of an export: 8 bits too; the run's own test pictures as reference cases.

    `label_map` gives labels of new images their names in the run.
    """

    int8: bool = False
    patients: bool = False
    label_map: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def needs_images(self) -> bool:
        return self.int8 or self.patients


@dataclass(frozen=True, eq=False)
class Made:
    """What a bundle is made of, before it is written."""

    contents: dict[str, bytes]
    references: References
    variants: tuple[Variant, ...]
    quantised: Quantised | None
    said: tuple[str, ...]


def check_exportable(study: Study) -> None:
    """Refuse a run that no bundle can hold, before any work.

    Raises:
        UsageError: the task's predictions need PyTorch.
    """
    if not isinstance(study.task, Exportable):
        raise UsageError(
            f"a run of {study.task.NAME} has no bundle yet: its predictions are put together by "
            "PyTorch, which a bundle does without",
            expected="a run whose network gives each case one row of numbers",
            remedy=f"predict with the run itself: `hounsfield predict {study.run.path} IMAGES`",
        )


def export(study: Study, of: IntendedUse, out: Path, wish: Wish, watch: Watch) -> Manifest:
    """Write a trained run's bundle into a new folder.

    Raises:
        UsageError: the task or the network cannot be exported.
        RunError: no runtime gives PyTorch's answers to 1e-4.
        InputError: the folder is there and not empty. StorageError: it cannot be written.
    """
    check_exportable(study)
    with whole_folder(out) as folder:
        manifest, contents = _made(study, of, wish, watch)
        for name, content in contents.items():
            (folder / name).write_bytes(content)
        (folder / MANIFEST).write_text(sealed(manifest), encoding="utf-8")
    return manifest


def _made(
    study: Study, of: IntendedUse, wish: Wish, watch: Watch
) -> tuple[Manifest, dict[str, bytes]]:
    """The bundle's files, and what it says of them."""
    watch.tell("exporting", 0, None)
    networks = [trained(member, study) for member in study.run.members]
    graph = Graph([network.cpu() for network in networks], study.plan).eval()
    found = _references(study, wish)
    found = replace(found, outputs=_by_torch(graph, found))
    contents = _contents(graph, found)
    made = _measured(study, contents, found, watch)
    if wish.int8:
        made = _with_int8(study, made, watch)
    manifest = _manifest(study, of, made, wish)
    contents = made.contents | {references.FILE: made.references.to_bytes()}
    contents[use.FILE] = use.page(manifest).encode()
    return manifest.model_copy(update={"files": fingerprint_of(contents)}), contents


def _references(study: Study, wish: Wish) -> References:
    """The reference cases, without their outputs."""
    settings, none = study.plan.preprocessing, np.zeros((0, 0), np.float32)
    if wish.patients:
        test = study.run.split.cases("test")[: references.COUNT]
        pairs = list(int8.cases_of(study, test))
        rows = [row for _, row in pairs if row is not None]
        images = np.concatenate([image for image, _ in pairs])
        return References((), images, np.concatenate(rows) if rows else None, none)
    shape = (len(settings.mean) or (3 if settings.colour else 1), settings.depth, *settings.size)
    pictures = references.made_pictures(_ranges(study), shape)
    table = references.made_rows(study.run.table) if study.run.table else None
    prepared = references.prepared_pictures(pictures, settings)
    return References(pictures, prepared, table, none)


def _ranges(study: Study) -> Ranges:
    return Ranges.model_validate_json(study.run.ranges_file.read_bytes())


def _by_torch(graph: Graph, found: References) -> Array:
    """The outputs that every runtime must give."""
    images, table = _tensors(found, slice(None))
    with torch.inference_mode():
        outputs: Array = graph(images, table).numpy()
    if outputs.ndim != 2 or not np.isfinite(outputs).all():
        raise UsageError(
            f"the network gives {outputs.shape} for {len(images)} cases, or no finite numbers",
            expected="one row of numbers a case",
        )
    return outputs


def _contents(graph: Graph, found: References) -> dict[str, bytes]:
    """The network's files in 32 bits."""
    onnx = as_onnx(graph, *_tensors(found, slice(0, EXAMPLE)))
    xml, weights = as_openvino(onnx)
    return {"model.onnx": onnx, "model.xml": xml, "model.bin": weights}


def _tensors(found: References, rows: slice) -> tuple[torch.Tensor, torch.Tensor | None]:
    table = None if found.table is None else torch.from_numpy(found.table[rows])
    return torch.from_numpy(found.prepared[rows]), table


def _measured(study: Study, contents: dict[str, bytes], found: References, watch: Watch) -> Made:
    """The runtimes that give PyTorch's answers, the fastest first.

    Raises:
        RunError: none does; with the numbers.
    """
    variants: list[Variant] = []
    said: list[str] = []
    for name, runtime in RUNTIMES.items():
        watch.tell("measuring speed", len(variants), len(RUNTIMES))
        try:
            session = started(name, "fp32", contents, thread_count())
        except MissingExtraError:
            said.append(f"{runtime.package} is not installed, so it was not tried")
            continue
        difference = _difference(study, found, session, found.outputs)
        limit = references.LARGEST_DIFFERENCE["fp32"]
        if difference > limit:
            said.append(f"{name} differs from PyTorch by {difference:.2g}, above {limit:g}")
            continue
        variants.append(_timed(name, "fp32", session, found, difference))
    if not variants:
        raise RunError(
            f"the exported network does not compute what the run does ({'; '.join(said)})",
            file=study.run.path,
            remedy="predict with the run itself; please report the network's name",
        )
    return Made(contents, found, _fastest(variants), None, tuple(said))


def _difference(study: Study, found: References, session: Session, expected: Array) -> float:
    outputs = outputs_of(session, found.prepared, found.table)
    return references.largest_difference(_answers(study, outputs), _answers(study, expected))


def _answers(study: Study, outputs: Array) -> Any:
    settings = study.settings.model_dump()
    return references.answers(outputs, study.task.NAME, settings, study.run.calibration)


def _timed(
    name: str, precision: Any, session: Session, found: References, difference: float
) -> Variant:
    images = repeated(found.prepared, BATCH)
    table = None if found.table is None else repeated(found.table, BATCH)
    return Variant(
        runtime=name,
        precision=precision,
        images_per_second=round(images_per_second(session, images, table), 2),
        batch=BATCH,
        threads=thread_count(),
        difference=difference,
    )


def _fastest(variants: Sequence[Variant]) -> tuple[Variant, ...]:
    return tuple(sorted(variants, key=lambda one: -one.images_per_second))


def _with_int8(study: Study, made: Made, watch: Watch) -> Made:
    """The same with an 8-bit network, if the headline metric of the validation part stays."""
    watch.tell("quantising", 0, None)
    images, count = int8.training_images(study)
    xml, weights = int8.quantised(made.contents["model.onnx"], images, count)
    files = {"int8.xml": xml, "int8.bin": weights}
    session = started("openvino", "int8", files, thread_count())
    watch.tell("measuring 8 bits", 0, None)
    full = started("openvino", "fp32", made.contents, thread_count())
    found = int8.change(study, full, session, study.run.calibration)
    if found is None:
        return _refused(made, "the validation part gives the headline metric no value")
    found = found.model_copy(update={"calibrated_on": count})
    change = abs(found.after - found.before)
    if change >= int8.MOST_CHANGE:
        told = f"{found.metric} of {found.cases} validation cases goes from {found.before:.4f} to "
        told += f"{found.after:.4f}, a change of {change:.4f}: at least {int8.MOST_CHANGE:g}"
        return _refused(made, told)
    outputs = outputs_of(session, made.references.prepared, made.references.table)
    changed = replace(made.references, int8=outputs)
    off = _difference(study, made.references, session, made.references.outputs)
    variant = _timed("openvino", "int8", session, changed, off)
    return Made(
        made.contents | files,
        changed,
        _fastest([*made.variants, variant]),
        found,
        made.said,
    )


def _refused(made: Made, why: str) -> Made:
    return replace(made, said=(*made.said, f"8 bits are refused: {why}. The bundle has 32 bits"))


def _manifest(study: Study, of: IntendedUse, made: Made, wish: Wish) -> Manifest:
    plan, settings = study.plan, study.settings
    notes = [*made.said]
    if plan.training.precision == "bf16":
        notes.append("The run computed in bf16; the bundle computes in 32 bits, a little nearer.")
    return Manifest(
        version=VERSION,
        made=datetime.now(UTC).date().isoformat(),
        task=study.task.NAME,
        settings=settings.model_dump(mode="json"),
        labels=tuple(map(str, getattr(settings, "classes", ()))),
        network=Network(
            name=plan.model.name,
            fusion=plan.model.fusion,
            members=len(study.run.members),
            views=max(1, plan.evaluation.views) + plan.evaluation.mirror,
            precision=plan.training.precision,
        ),
        preprocessing=plan.preprocessing,
        table=study.run.table,
        label_map=dict(wish.label_map),
        calibration=study.run.calibration,
        learned=study.run.fingerprint,
        ranges=_ranges(study),
        use=of,
        references="patients" if wish.patients else "made",
        variants=made.variants,
        quantised=made.quantised,
        notes=tuple(notes),
        versions=installed() | _versions(),
        files={},
    )


def _versions() -> dict[str, str]:
    from contextlib import suppress
    from importlib.metadata import PackageNotFoundError, version

    found = {}
    for name in PACKAGES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found
