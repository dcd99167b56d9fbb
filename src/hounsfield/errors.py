"""The errors a user sees.

HounsfieldError            anything we refuse, with the remedy
├── UsageError             a command, flag or plan field that does not fit         exit code 2
├── InputError             a file, folder, table or label that cannot be used      exit code 3
│   ├── FormatError        one file that cannot be read as an image
│   ├── GeometryError      a position, spacing or orientation that is wrong
│   └── LeakError          a patient in two parts of a split
├── RunError               a run folder that is locked, foreign, newer, finished   exit code 4
├── StorageError           disk full, no permission                                exit code 5
└── MissingExtraError           an optional package is needed                           exit code 6
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import ClassVar, Self


class HounsfieldError(Exception):
    """What is wrong, where, what was expected and what to do next."""

    exit_code: ClassVar[int] = 1

    def __init__(
        self,
        problem: str,
        *,
        file: str | Path | None = None,
        expected: str | None = None,
        remedy: str | None = None,
    ) -> None:
        self.problem, self.file, self.expected, self.remedy = problem, file, expected, remedy
        super().__init__(problem, file, expected, remedy)

    def __str__(self) -> str:
        where = f"{self.file}: " if self.file is not None else ""
        parts = [f"{where}{self.problem}"]
        parts += [f"Expected: {self.expected}"] if self.expected else []
        parts += [f"What to do: {self.remedy}"] if self.remedy else []
        return "\n".join(parts)

    def of(self, file: str | Path) -> Self:
        """The same error, told of a file."""
        return type(self)(self.problem, file=file, expected=self.expected, remedy=self.remedy)

    def __reduce__(self) -> tuple[object, ...]:
        # Errors cross process borders whole: a worker's error reaches the user as itself.
        return _rebuild, (type(self), self.problem, self.file, self.expected, self.remedy)


def _rebuild(
    kind: type[HounsfieldError],
    problem: str,
    file: str | Path | None,
    expected: str | None,
    remedy: str | None,
) -> HounsfieldError:
    return kind(problem, file=file, expected=expected, remedy=remedy)


class UsageError(HounsfieldError):
    exit_code = 2


class InputError(HounsfieldError):
    exit_code = 3


class FormatError(InputError):
    pass


class GeometryError(InputError):
    pass


class LeakError(InputError):
    pass


class RunError(HounsfieldError):
    exit_code = 4


class StorageError(HounsfieldError):
    exit_code = 5


class MissingExtraError(HounsfieldError):
    exit_code = 6


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """The remedy for an unknown name: the nearest known one, then all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    near = near or [name for name in names if word and name.startswith(word)]
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"{hint}Known: {', '.join(names)}"
