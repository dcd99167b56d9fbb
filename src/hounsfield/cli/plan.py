"""hounsfield plan DATA"""

from __future__ import annotations

from pathlib import Path

from hounsfield.cli.asking import Flags, asked


def plan(data: str, /, *, out: Path = Path("plan.yaml"), flags: Flags = None) -> None:
    """Show what `train` would do with DATA, each value with its reason; train nothing.

    The plan is written to a file that can be edited and given to `train DATA --plan FILE`.

    Parameters
    ----------
    data
        A folder of images, an .npz or .csv file, a catalog, or dataset:digits.
    out
        The file to write.
    """
    from rich.table import Table
    from rich.text import Text

    from hounsfield import workflow
    from hounsfield.cli.console import Terminal
    from hounsfield.files import write_text
    from hounsfield.plan.resolved import leaves

    watch = Terminal(times=False)
    resolved = workflow.plan(data, asked(flags, None, {}), out=out, watch=watch)
    table = Table("field", "value", "chosen by", "why", box=None)
    table.columns[0].no_wrap = True
    defaults = 0
    for path, value in leaves(resolved.plan):
        choice = resolved.choices[path]
        if choice.by == "default":
            defaults += 1
        else:
            shown = " ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(path, Text(shown), choice.by, Text(choice.reason))
    watch.out.print(table)
    watch.say(
        f"{defaults} fields more have their defaults; the file has them too, but for what is "
        "measured before training"
    )
    write_text(out, resolved.draft())
    watch.say(str(out))
