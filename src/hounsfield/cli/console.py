"""What a terminal shows of long work: bars while it runs, sentences and times when it is done."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID


class Terminal:
    """A `Watch` that shows bars on a terminal and only finished stages where output is piped."""

    def __init__(self, *, times: bool = True) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            SpinnerColumn,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.out: Console = Console(soft_wrap=True, highlight=False)
        shown = Console(stderr=True)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self.bars = Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal)
        self.times, self.seconds = times, dict[str, float]()
        self._tasks: dict[str, TaskID] = {}

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        began = time.perf_counter()
        with self.bars:
            yield
        for task in self._tasks.values():
            self.bars.remove_task(task)
        self._tasks.clear()
        self.seconds[title] = time.perf_counter() - began
        if self.times:
            self.out.print(f"{title:<10} {self.seconds[title]:6.1f} s", markup=False)

    def tell(self, what: str, done: int, of: int | None) -> None:
        name = what.partition(":")[0]  # "training: loss 0.3" is one bar whose words change
        if name not in self._tasks:
            self._tasks[name] = self.bars.add_task(what, total=of)
        self.bars.update(self._tasks[name], description=what, completed=done, total=of)

    def say(self, sentence: str) -> None:
        self.out.print(sentence, markup=False)
