"""The study of three sources, whole: with a planted shortcut, and with a real sign of disease."""

from __future__ import annotations

from pathlib import Path

import pytest

from hounsfield import workflow
from hounsfield.catalog.phantoms.covid_sources import (
    COHEN,
    MOONEY,
    RADIOGRAPHY,
    Settings,
    make,
)
from hounsfield.cli import main
from hounsfield.errors import InputError, UsageError
from hounsfield.evaluation.sources import SourceStudy
from hounsfield.run import Run

pytestmark = [pytest.mark.timeout(600), pytest.mark.usefixtures("no_pictures")]
LABELS = Path(__file__).parents[2] / "examples/covid-three-sources/labels.yaml"
DATA = Settings(cohen=44, mooney=44, radiography=20, others=2, copies=2, size=64, workers=1)
PLAN = {
    "data.label_map": LABELS,
    "task.settings.classes": ("healthy", "COVID"),
    "preprocessing.size": (48, 48),
    "model.name": "cnn",
    "audit.near": "off",
    "model.settings.widths": (8, 16),
    "model.settings.blocks": (1, 1),
    "model.settings.stem_stride": 2,
    "model.settings.dropout": 0.0,
    "training.epochs": 8,
    "training.batch": 16,
    "training.threads": 1,
    "training.workers": 1,
    "training.precision": "fp32",
    "training.memory_format": "contiguous",
    "evaluation.resamples": 100,
}


def folders(root: Path) -> list[Path]:
    return [root / name for name in (COHEN, MOONEY, RADIOGRAPHY)]


@pytest.fixture(scope="module")
def shortcut(tmp_path_factory: pytest.TempPathFactory, no_pictures: None) -> Path:
    root = tmp_path_factory.mktemp("shortcut")
    make(root / "data", DATA.model_copy(update={"shortcut": True}))
    workflow.leave_out(folders(root / "data"), PLAN, out=root / "out")
    return root


def test_a_planted_shortcut_is_called_by_its_name(shortcut: Path) -> None:
    study = SourceStudy.load(shortcut / "out")
    mixed, unseen = study.mixed.first(), {one.source: one for one in study.unseen}
    assert mixed.value > 0.9
    whole = unseen[RADIOGRAPHY]
    assert whole.whole
    assert whole.tested == {"healthy": 22, "COVID": 22}
    assert whole.fall.b == pytest.approx(0.5, abs=0.2)
    assert study.findings[0].kind == "source-not-disease"
    assert "this number measures the source, not the disease" in study.findings[0].text
    border = [probe for probe in study.probes if probe.look == "border"]
    assert {probe.class_name for probe in border} == {"healthy", "COVID"}
    assert all(probe.told and probe.auroc.value > 0.9 for probe in border)
    page = (shortcut / "out/leave_out.html").read_text(encoding="utf-8")
    assert study.findings[0].text in page


def test_nothing_of_an_unseen_source_or_its_copies_was_trained_on(shortcut: Path) -> None:
    for folder, source in (
        ("without-cohen-covid", "cohen-covid"),
        ("without-chest_xray", MOONEY),
        (f"without-{RADIOGRAPHY}", RADIOGRAPHY),
    ):
        run = Run(shortcut / "out" / folder)
        of = dict(run.catalog.cases.select("case", "source").rows())
        assert {of[case] for case in run.split.cases("test")} == {source}
        assert source not in {of[c] for part in ("train", "val") for c in run.split.cases(part)}
    cases = run.split.cases("train") + run.split.cases("val")
    assert len(cases) == 2 * 44 - 2 * 2  # copies of what the Radiography folder holds are out


def test_what_is_known_of_patients_and_copies_is_said(shortcut: Path) -> None:
    said = " ".join(SourceStudy.load(shortcut / "out").notes)
    assert "cohen-covid: the patients of 44 cases are given by the data set" in said
    assert f"{MOONEY}: the patients of 44 cases are guessed from file names" in said
    assert f"{RADIOGRAPHY}: the patients of 44 cases are unknown" in said
    assert "4 pictures stand in several sources" in said


def test_a_second_call_trains_nothing(shortcut: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = sorted((shortcut / "out").rglob("weights.safetensors"))
    before = [path.stat().st_mtime_ns for path in weights]
    again = workflow.leave_out(folders(shortcut / "data"), PLAN, out=shortcut / "out")
    assert len(weights) == 4
    assert [path.stat().st_mtime_ns for path in weights] == before
    from rich.console import Console

    from hounsfield.reports.sources import print_study

    print_study(again, Console(width=200))
    printed = capsys.readouterr().out
    assert printed.splitlines()[1].split() == ["precision", "recall", "F1", "tested"]
    assert "accuracy" in printed


def test_a_sign_of_disease_holds_on_an_unseen_source(tmp_path: Path) -> None:
    make(tmp_path / "data", DATA.model_copy(update={"copies": 0}))
    study = workflow.leave_out(folders(tmp_path / "data"), PLAN, out=tmp_path / "out")
    unseen = next(one for one in study.unseen if one.whole)
    assert study.mixed.first().value > 0.9
    assert unseen.fall.b > 0.85
    assert study.findings[0].kind in ("holds", "undecided")
    assert not any(probe.auroc.value > 0.75 for probe in study.probes)


def test_what_the_study_decides_itself_cannot_be_asked_for(tmp_path: Path) -> None:
    for asked in ({"data.group": "study"}, {"training.folds": 3}):
        with pytest.raises(UsageError, match=f"{next(iter(asked))} cannot be asked for"):
            workflow.leave_out(tmp_path, asked, out=tmp_path / "out")


def test_one_source_is_no_study(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = Settings(cohen=1, mooney=4, radiography=1, others=4, size=64, workers=1)
    make(tmp_path / "data", small)
    with pytest.raises(InputError, match="all cases have one source"):
        workflow.leave_out(tmp_path / "data" / MOONEY, {"audit.near": "off"}, out=tmp_path / "out")
    assert main(["leave-out"]) != 0
    assert "nothing to study" in capsys.readouterr().err
