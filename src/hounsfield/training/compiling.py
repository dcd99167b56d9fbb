"""A compiled training step, tried in a process of its own: compilers crash what calls them.

python -m hounsfield.training.compiling < what `try_away` writes
"""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from hounsfield.plan.schema import Plan
from hounsfield.preprocessing.table import TableSpec
from hounsfield.tasks import load as load_task
from hounsfield.tasks.contract import Settings
from hounsfield.training.data import Raw
from hounsfield.training.train import build
from hounsfield.training.trial import Trial, Way

LONGEST = 900  # seconds; a compiler that needs more does not pay


@dataclass(frozen=True, eq=False)
class Away:
    """What the other process needs: a plan, its task's settings, a batch and its table."""

    plan: Plan
    settings: Settings
    raw: Raw
    table: TableSpec | None

    def trial(self) -> Trial:
        """The same trial as here."""
        plan, task = self.plan, load_task(self.plan.task.name)
        return Trial.of_batch(
            lambda: build(plan, task, self.settings, self.table),
            self.raw,
            plan,
            task,
            self.settings,
        )


def try_away(away: Away, way: Way) -> tuple[float, float]:
    """`Trial.seconds` of the way, in another process.

    Raises:
        RuntimeError: it could not be compiled, took too long, or the process crashed.
    """
    try:
        done = subprocess.run(  # noqa: S603  # this very module
            [sys.executable, "-m", __name__],
            input=pickle.dumps((away, way)),
            capture_output=True,
            check=False,
            timeout=LONGEST,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not done after {LONGEST} s") from None
    if done.returncode < 0:
        raise RuntimeError(f"the compiled network crashed with signal {-done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1]) if done.stdout else {}
    if "error" in answer or done.returncode:
        raise RuntimeError(answer.get("error", "the process ended without an answer"))
    return answer["first"], answer["fastest"]


def _answer(away: Away, way: Way) -> dict[str, Any]:
    try:
        first, fastest = away.trial().seconds(way, away.plan.training)
    except Exception as error:  # noqa: BLE001  # whatever the compiler raises is told
        words = str(error).strip().partition("\n")[0]
        return {"error": f"{type(error).__name__}: {words}"}
    return {"first": first, "fastest": fastest}


if __name__ == "__main__":
    # Of the pipe that `try_away` alone writes to.
    given: tuple[Away, Way] = pickle.load(sys.stdin.buffer)
    sys.stdout.write(json.dumps(_answer(*given)))
