"""hounsfield phantom KIND OUT"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from hounsfield.catalog.phantoms import PHANTOMS, load

app = App(name="phantom", help="Simulate data with known truth, in a public data set's layout.")


def _command(kind: str) -> Callable[..., None]:
    module = load(kind)
    settings: Any = module.Settings
    flags = Annotated[settings | None, Parameter(name="*", group="Settings")]

    def phantom(out: Path, /, *, settings: flags = None) -> None:
        from hounsfield.cli.console import Terminal

        watch = Terminal(times=False)
        with watch.stage(kind):
            made = module.make(
                out,
                settings or module.Settings(),
                lambda done, of: watch.tell(f"simulating {kind}", done, of),
            )
        watch.say(str(made))
        watch.say(str(out))

    phantom.__doc__ = f"{(module.__doc__ or kind).splitlines()[0]}\n\nOUT: the folder to write."
    phantom.__annotations__ |= {"out": Path, "settings": flags, "return": None}
    return phantom


for _kind in PHANTOMS:
    app.command(_command(_kind), name=_kind)
