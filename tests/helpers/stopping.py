"""Jobs in children of one process that has imported everything; some are stopped on the way.

    Children().run({"verb": "resume", "arguments": [run], "stop": {"after": "plan.yaml"}}, log)

A stop is one of
  call: "module:Class.method", nth    before the nth call
  half: the end of a file's path      when half of its bytes lie in the unfinished file
  after, before: such an end          after or before that file appears
  status: "trained"                   before the run is said to be so
and sends SIGKILL, or `signal`. `seconds` lets the parent send SIGKILL then; `largest` is the
largest file in bytes that the child may write.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def predictions(run: Any) -> dict[str, bytes]:
    """The bytes of a run's predictions.csv of both parts."""
    return {
        name: (run.predictions(name) / "predictions.csv").read_bytes() for name in ("val", "test")
    }


ROOMS = (
    "hounsfield.workflow", "hounsfield.training.settle", "hounsfield.training.results",
    "hounsfield.audit", "hounsfield.evaluation.evaluate", "hounsfield.cli.train",
    "hounsfield.cli.console", "hounsfield.models.cnn", "hounsfield.tasks.classification",
    "hounsfield.catalog.scan", "hounsfield.catalog.layouts.medmnist", "hounsfield.formats.npz",
)  # fmt: skip


class Children:
    """The parent's side."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.jobs = 0

    def run(self, job: dict[str, Any], log: Path) -> int:
        """The exit code, or minus the signal that ended the child; `log` is what it printed."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.jobs += 1
        named = job | {"number": self.jobs, "log": str(log)}
        self.process.stdin.write(json.dumps(named, default=str) + "\n")
        self.process.stdin.flush()
        number = code = 0
        while number != self.jobs:  # a test that timed out has left its answer unread
            number, code = map(int, self.process.stdout.readline().split())
        return code

    def close(self) -> None:
        self.process.communicate()


def main() -> None:
    for room in ROOMS:
        importlib.import_module(room)
    for line in sys.stdin:
        job = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _child(job)
        print(job["number"], _ended(pid, job.get("seconds")), flush=True)


def _ended(pid: int, seconds: float | None) -> int:
    if seconds is not None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _child(job: dict[str, Any]) -> None:
    import traceback

    log = os.open(job["log"], os.O_CREAT | os.O_WRONLY | os.O_TRUNC)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    code = 1
    try:
        _prepare(job)
        code = _work(job)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _work(job: dict[str, Any]) -> int:
    from hounsfield import cli, workflow

    if job["verb"] == "cli":
        return cli.main([str(one) for one in job["arguments"]])
    getattr(workflow, job["verb"])(*job["arguments"], **job.get("keywords", {}))
    return 0


def _prepare(job: dict[str, Any]) -> None:
    from hounsfield.workflow import measuring

    if not job.get("reports"):  # predictions are what is compared
        measuring.evaluate_own = lambda study: None
        measuring.write_report = lambda study, name: Path()
    if "largest" in job:
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest"], job["largest"]))
    stop = job.get("stop", {})
    end = _Stop(stop.get("nth", 1), getattr(signal, stop.get("signal", "SIGKILL")))
    if "call" in stop:
        _stop_call(stop["call"], end)
    if "half" in stop:
        _stop_half(stop["half"], end)
    if "after" in stop or "before" in stop:
        _stop_file(stop, end)
    if "status" in stop:
        _stop_status(stop["status"], end)


class _Stop:
    """Ends this process at the nth time that it is called."""

    def __init__(self, nth: int, number: signal.Signals) -> None:
        self.left, self.number = nth, number

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), self.number)


def _stop_call(where: str, end: _Stop) -> None:
    module, _, path = where.partition(":")
    *parents, name = path.split(".")
    owner = importlib.import_module(module)
    for parent in parents:
        owner = getattr(owner, parent)
    before = getattr(owner, name)

    def stopped(*arguments: Any, **keywords: Any) -> Any:
        end()
        return before(*arguments, **keywords)

    setattr(owner, name, stopped)


def _stop_half(suffix: str, end: _Stop) -> None:
    from hounsfield.training import checkpoint

    whole_file = checkpoint.whole_file

    @contextmanager
    def halved(path: Path) -> Any:
        with whole_file(path) as file:
            yield _Half(file, end) if str(path).endswith(suffix) else file

    checkpoint.whole_file = halved


class _Half:
    def __init__(self, file: Any, end: _Stop) -> None:
        self.file, self.end = file, end

    def write(self, data: Any) -> None:
        middle = len(data) // 2
        self.file.write(data[:middle])
        self.file.flush()
        self.end()
        self.file.write(data[middle:])


def _stop_file(stop: dict[str, Any], end: _Stop) -> None:
    replace = Path.replace

    def replaced(part: Path, target: Path) -> Path:
        if "before" in stop and str(target).endswith(stop["before"]):
            end()
        moved = replace(part, target)
        if "after" in stop and str(target).endswith(stop["after"]):
            end()
        return moved

    Path.replace = replaced


def _stop_status(status: str, end: _Stop) -> None:
    from hounsfield.run import Run

    update = Run.update

    def updated(run: Run, **values: Any) -> None:
        if values.get("status") == status:
            end()
        update(run, **values)

    Run.update = updated


if __name__ == "__main__":
    main()
