"""Checkpoints: nothing in one is run, damage is told, and the way out works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from stopping import predictions

from hounsfield import workflow
from hounsfield.errors import RunError
from hounsfield.training.checkpoint import WholeCheckpoints, write_tensors

pytestmark = pytest.mark.usefixtures("no_reports")


class _Evil:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_what_is_saved_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    values = {"step": 3, "history": [{"loss": 0.5}], "weights": torch.arange(6.0).reshape(2, 3)}
    WholeCheckpoints().save_checkpoint(values, path)
    found = WholeCheckpoints().load_checkpoint(path)
    assert torch.equal(found.pop("weights"), values.pop("weights"))
    assert found == values
    WholeCheckpoints().remove_checkpoint(path)
    WholeCheckpoints().remove_checkpoint(path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["checkpoint.pt", "best.pt"])
def test_pickled_code_is_refused_and_not_run(name: str, planned: Any, tmp_path: Path) -> None:
    patient = {"training.patience": 2, "training.epochs": 3}
    run = workflow.resume(planned.copy(patient))
    member, mark = run.members[0], tmp_path / "mark"
    torch.save({"state_dict": {}, "callbacks": _Evil(mark)}, member.path / name)
    member.weights.unlink()
    run.update(status="training")
    with pytest.raises(RunError, match="pickled code, which we do not run") as caught:
        workflow.resume(run.path)
    assert not mark.exists()
    assert str(caught.value.file) == str(member.path / name)
    assert f"delete the folder {member.path} and resume" in str(caught.value)
    for file in (p for p in member.path.rglob("*") if p.is_file()):
        file.unlink()
    assert predictions(workflow.resume(run.path)) == planned.reference(patient)


@pytest.mark.parametrize("damage", ["empty", "half", "text"])
def test_a_damaged_checkpoint_is_told(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    write_tensors({"weights": torch.zeros(1000)}, path)
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "half": whole[: len(whole) // 2], "text": b"hello"}[damage])
    with pytest.raises(RunError, match="checkpoint") as caught:
        WholeCheckpoints().load_checkpoint(path)
    assert caught.value.file == path
    assert caught.value.remedy
