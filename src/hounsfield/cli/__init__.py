"""The command line: one file a command, no logic; nothing heavy is imported for help."""

from __future__ import annotations

import sys
from collections.abc import Sequence

# command -> function and what it is for; imported when its help or the command is asked for
COMMANDS = {
    "demo": ("demo:demo", "The whole way on simulated radiographs; ends with a report."),
    "phantom": ("phantom:app", "Simulate data with known truth, in a public layout."),
    "info": ("info:info", "What is this file or folder?"),
    "convert": ("convert:convert", "Any readable format to any writable one, geometry exact."),
    "masks": ("masks:masks", "DICOM structures and segmentations as masks on an image's grid."),
    "thermal": ("thermal:thermal", "Temperatures of a radiometric JPEG, in °C."),
    "spectra": ("spectra:spectra", "Reflectance and spectra of a hyperspectral cube."),
    "index": ("index:index", "Folders of images become a catalog."),
    "split": ("split:split", "Share a catalog out by patient."),
    "audit": ("audit:audit", "Duplicates, leaks, label conflicts and shortcuts."),
    "plan": ("plan:plan", "What `train` would do, each value with its reason."),
    "find-rate": ("find_rate:find_rate", "The learning rate, by a sweep of a few minutes."),
    "train": ("train:train", "From a folder of images to a model and its report."),
    "tune": ("tune:tune", "Search for better hyper-parameters on validation data."),
    "predict": ("predict:predict", "Predict new images with a trained run or a bundle."),
    "export": ("export:export", "A run as a bundle that predicts without PyTorch."),
    "evaluate": ("evaluate:evaluate", "Measure a run on its test part, or on other data."),
    "report": ("report:report", "Write a run's report again."),
    "compare": ("compare:compare", "Runs on the same cases: paired differences."),
    "benchmark": ("benchmark:app", "Public benchmarks, our numbers beside the published ones."),
    "leave-out": ("leave_out:leave_out", "What a number on merged sources is worth."),
    "compare-fusion": (
        "compare_fusion:compare_fusion",
        "Slices joined in every way: one split, one budget.",
    ),
    "n4": ("n4:n4", "Divide an MR volume by its bias field."),
    "quality": ("quality:quality", "Noise, SNR, motion and ghosting of volumes."),
    "vectorise": ("vectorise:vectorise", "Images as a matrix of features, for scikit-learn."),
    "featurize": ("featurize:featurize", "Images as features of a network's layer; baselines."),
    "pet-ct": ("pet_ct:pet_ct", "PET in SUV and its CT or MR on one grid."),
    "layouts": ("layouts:layouts", "The public data sets' layouts, and how to get each."),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is 0, or the error's own (130 after Ctrl-C)."""
    from cyclopts import App, CycloptsError, Parameter

    from hounsfield import __version__
    from hounsfield.cli.failures import converted, explained, refused

    app = App(
        name="hounsfield",
        version=__version__,
        help="Deep learning on medical images, from the scanner to a report that can be believed.",
        help_format="plaintext",  # Markdown's parser alone takes a fifth of a second
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # `explained` says what Ctrl-C leaves
        default_parameter=Parameter(
            negative_bool=(),
            negative_iterable=(),  # no --empty-size
            converter=converted,
        ),
        error_formatter=refused,
    )
    given = list(sys.argv[1:] if arguments is None else arguments)
    for name, (function, purpose) in COMMANDS.items():
        # The list shows the purpose; a command's own help its docstring.
        shown = {} if given[:1] == [name] else {"help": purpose}
        app.command(f"hounsfield.cli.{function}", name=name, **shown)
    with explained(given[0] if given else "") as outcome:
        try:
            app(given, exit_on_error=False, print_error=True)
        except CycloptsError:
            outcome.code = 2
    return outcome.code
