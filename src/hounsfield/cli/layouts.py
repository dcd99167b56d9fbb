"""hounsfield layouts [NAME]"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def layouts(name: str | None = None, /) -> None:
    """List the public layouts that `index` knows, or show the folder tree of one.

    Parameters
    ----------
    name
        A layout, e.g. "rsna-pneumonia".
    """
    from rich.console import Console

    from hounsfield.catalog.layouts import LAYOUTS, load

    console = Console(soft_wrap=name is not None)
    if name is not None:
        module = load(name)
        console.print(f"{module.TITLE}\nLicence: {module.LICENCE}", markup=False, highlight=False)
        console.print(f"\n{module.GET}", end="", markup=False, highlight=False)
        return
    console.print(_list(LAYOUTS))
    console.print("`hounsfield layouts NAME` shows the folder tree.", highlight=False)


def _list(names: Iterable[str]) -> Table:
    from rich.table import Table

    from hounsfield.catalog.layouts import load

    table = Table("layout", "data set", "licence", "how to get it", box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    table.columns[3].overflow = "fold"  # an address that is cut off is of no use
    for name in names:
        module = load(name)
        first = module.GET.partition("\n")[0]
        where = "your own folder" if first.endswith("/") else first.rstrip(":")
        table.add_row(name, module.TITLE, module.LICENCE, where)
    return table
