"""How long work shows itself: stages, counts and sentences. Silent unless watched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Watch(Protocol):
    """Who is told; the command line shows bars, a notebook may show its own."""

    def stage(self, title: str) -> AbstractContextManager[None]:
        """Work with a name, whose time is worth knowing."""
        ...

    def tell(self, what: str, done: int, of: int | None) -> None:
        """How far one thing is; `of` is None where the end is not known."""
        ...

    def say(self, sentence: str) -> None:
        """Something that the user should read."""
        ...


class Silent:
    """Nobody is told."""

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        yield

    def tell(self, what: str, done: int, of: int | None) -> None:
        pass

    def say(self, sentence: str) -> None:
        pass


class Timed:
    """A watch that also keeps how long each stage took, in seconds."""

    def __init__(self, watch: Watch) -> None:
        self.tell, self.say, self._watch = watch.tell, watch.say, watch
        self.seconds = dict[str, float]()

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        began = time.perf_counter()
        try:
            with self._watch.stage(title):
                yield
        finally:
            self.seconds[title] = time.perf_counter() - began


SILENT = Silent()
