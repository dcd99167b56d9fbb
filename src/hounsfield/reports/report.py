"""A report as a value, for notebooks."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

from hounsfield.errors import RunError


@dataclass(frozen=True)
class Report:
    """A report.html that was written; shows itself in Jupyter."""

    path: Path

    @property
    def html(self) -> str:
        """The whole page.

        Raises:
            RunError: the file is gone.
        """
        try:
            return self.path.read_text(encoding="utf-8")
        except OSError as error:
            raise RunError(
                "the report is not there",
                file=self.path,
                remedy="`hounsfield report RUN` writes it again",
            ) from error

    def __str__(self) -> str:
        return str(self.path)

    def _repr_html_(self) -> str:
        return framed(self.html)


def framed(page: str) -> str:
    """A page in a frame of its own: its style must not leak into the notebook, nor back."""
    source = escape(page, quote=True)
    return f'<iframe srcdoc="{source}" style="width:100%;height:80vh;border:0" sandbox></iframe>'
