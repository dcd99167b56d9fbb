"""Compiling is tried in another process, which gets all it needs and may die."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest
import torch
from torch import nn

from hounsfield.run import Run
from hounsfield.training import compiling
from hounsfield.training.compiling import Away, try_away
from hounsfield.training.trial import Trial, Way, first_batch
from hounsfield.workflow.training import study_of

WAY = Way("fp32", "contiguous", compile=True)


@pytest.fixture
def away(tiny_run: Run) -> Away:
    study = study_of(tiny_run)
    dataset = study.dataset(tiny_run.split.cases("train"), targets=True)
    return Away(study.plan, study.settings, first_batch(dataset, study.plan), tiny_run.table)


def test_it_is_the_same_trial_there(away: Away, tiny_run: Run) -> None:
    study = study_of(tiny_run)
    dataset = study.dataset(tiny_run.split.cases("train"), targets=True)
    here = Trial.of(away.trial().make, dataset, study.plan, study.task, study.settings)
    there = away.trial()
    assert torch.equal(here.images, there.images)
    network = nn.Sequential(nn.Flatten(), nn.Linear(144, 2))
    assert torch.equal(here.losses(network, here.images), there.losses(network, there.images))
    few = here.images[:3]
    assert float(here.losses(network, few).detach()) > 0


def test_the_other_process_answers(away: Away) -> None:
    first, fastest = try_away(away, Way("fp32", "contiguous"))  # compiling itself takes a minute
    assert 0 < fastest <= first


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", "crashed with signal 11"),
        ("""print('noise'); print('{"error": "no compiler"}')""", "no compiler"),
        ("import sys; sys.exit(3)", "without an answer"),
        ("import time; time.sleep(9)", "not done after 0.5 s"),
    ],
)
@pytest.mark.skipif(os.name == "nt", reason="signals are told otherwise there")
def test_what_becomes_of_it_is_told(
    program: str, said: str, away: Away, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = compiling.subprocess.run

    def instead(command: list[str], **how: Any) -> Any:
        return run([command[0], "-c", program], **how)

    monkeypatch.setattr(compiling.subprocess, "run", instead)
    monkeypatch.setattr(compiling, "LONGEST", 0.5 if "sleep" in program else 60)
    with pytest.raises(RuntimeError, match=said):
        try_away(away, WAY)
