"""The command line: one file a command, no logic; nothing heavy is imported for help."""

from __future__ import annotations

import sys
from collections.abc import Sequence

# command -> function, imported when its help or the command itself is asked for
COMMANDS = {
    "demo": "hounsfield.cli.demo:demo",
    "phantom": "hounsfield.cli.phantom:app",
    "info": "hounsfield.cli.info:info",
    "convert": "hounsfield.cli.convert:convert",
    "index": "hounsfield.cli.index:index",
    "split": "hounsfield.cli.split:split",
    "audit": "hounsfield.cli.audit:audit",
    "plan": "hounsfield.cli.plan:plan",
    "train": "hounsfield.cli.train:train",
    "predict": "hounsfield.cli.predict:predict",
    "evaluate": "hounsfield.cli.evaluate:evaluate",
    "report": "hounsfield.cli.report:report",
    "compare": "hounsfield.cli.compare:compare",
    "layouts": "hounsfield.cli.layouts:layouts",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or the error's own (130 after Ctrl-C)."""
    from cyclopts import App, CycloptsError

    from hounsfield import __version__
    from hounsfield.cli.failures import explained

    app = App(
        name="hounsfield",
        version=__version__,
        help="Deep learning on medical images, from the scanner to a report that can be believed.",
        result_action="return_value",
    )
    for name, function in COMMANDS.items():
        app.command(function, name=name)
    with explained() as outcome:
        try:
            app(arguments, exit_on_error=False, print_error=True)
        except CycloptsError:
            outcome.code = 2
    return outcome.code


if __name__ == "__main__":
    sys.exit(main())
