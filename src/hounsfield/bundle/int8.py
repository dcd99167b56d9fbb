"""8-bit weights and activations (post-training, NNCF's for OpenVINO), and what they cost.

Calibrated on training images; kept only where the headline metric of the validation part stays.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hounsfield.bundle.graph import openvino_files
from hounsfield.bundle.manifest import Quantised
from hounsfield.bundle.opened import computed
from hounsfield.bundle.quiet import keep_quiet
from hounsfield.bundle.runtimes import Array, Session
from hounsfield.errors import InputError, MissingExtraError, UsageError
from hounsfield.tasks.contract import Calibration
from hounsfield.training.study import Study

MOST_CHANGE = 0.002  # of the headline metric on validation data
IMAGES = 300  # of the training part, at most
SEED = 0


def quantised(onnx: bytes, images: Iterator[tuple[Array, Array | None]], count: int) -> Any:
    """An OpenVINO model's .xml and .bin in 8 bits, its ranges taken from single images.

    Raises:
        MissingExtraError: NNCF is not installed.
        UsageError: it cannot take this network.
    """
    keep_quiet()
    try:
        with _silent():
            import nncf
    except ImportError as error:
        raise MissingExtraError(
            "8 bits need NNCF", remedy="pip install 'hounsfield[int8]'"
        ) from error
    import openvino

    model = openvino.Core().read_model(onnx)
    given = [list(one) if one[1] is not None else one[0] for one in images]
    with _silent():
        try:
            found = nncf.quantize(model, nncf.Dataset(given), subset_size=count)
        except Exception as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
            raise UsageError(
                f"NNCF cannot quantise this network ({reason})", remedy="export without --int8"
            ) from error
    return openvino_files(found)


def training_images(study: Study) -> tuple[Iterator[tuple[Array, Array | None]], int]:
    """Prepared cases of the training part, drawn by a fixed seed, and how many."""
    training, _ = study.run.split.fold(0)
    rng = np.random.default_rng(SEED)
    chosen = sorted(rng.permutation(len(training))[:IMAGES].tolist())
    return cases_of(study, [training[i] for i in chosen]), len(chosen)


def cases_of(study: Study, cases: list[str]) -> Iterator[tuple[Array, Array | None]]:
    """Prepared cases (1, C, D, Y, X) with their rows (1, W), one after the other."""
    dataset = study.dataset(cases)
    for i, case in enumerate(cases):
        table = None if dataset.table is None else dataset.table[i : i + 1].numpy()
        yield study.cache.images([case]), table


def change(
    study: Study, before: Session, after: Session, calibration: Calibration
) -> Quantised | None:
    """The headline metric of the validation part by two networks; None where it has no value."""
    held = [study.run.split.fold(k)[1] for k in range(study.plan.training.folds)]
    truths = {case: truth for fold in held for case, truth in _labelled(study, fold)}
    cases = list(truths)
    if not cases:
        return None
    both: list[list[NDArray[Any]]] = [[], []]
    for image, row in cases_of(study, cases):
        for session, found in zip((before, after), both, strict=True):
            found.append(computed(session, image, row)[0])
    scores = [_headline(study, truths, np.stack(found), calibration) for found in both]
    if not np.isfinite(scores).all():
        return None
    name = study.task.metrics(study.settings)[0].title
    return Quantised(
        metric=name, cases=len(cases), before=scores[0], after=scores[1], calibrated_on=0
    )


def _labelled(study: Study, cases: list[str]) -> list[tuple[str, Any]]:
    pairs = zip(cases, study.truths(cases), strict=True)
    return [(case, truth) for case, truth in pairs if truth is not None]


def _headline(
    study: Study, truths: dict[str, Any], outputs: NDArray[Any], calibration: Calibration
) -> float:
    import polars as pl

    task: Any = study.task
    predictions = [task.from_output(np.float64(one), study.settings) for one in outputs]
    known = list(truths.values())
    rows = task.rows(predictions, known, calibration, study.settings)
    patients = dict(study.catalog.cases.select("case", "patient").rows())
    table = rows.with_columns(patient=pl.Series([patients[case] for case in truths]))
    try:
        cases = task.cases(table, known, study.settings)
    except InputError:
        return float("nan")
    return float(task.metrics(study.settings)[0].point(cases))


@contextmanager
def _silent() -> Iterator[None]:
    """NNCF speaks of its progress, and torch, which it imports, of devices that are not there."""
    loggers = [logging.getLogger(name) for name in ("nncf", "torch.utils.cpp_extension")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings(), redirect_stdout(StringIO()):
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
