"""hounsfield export RUN"""

from __future__ import annotations

from pathlib import Path


def export(
    run: Path, /, *, out: Path | None = None, int8: bool = False, patient_images: bool = False
) -> None:
    """Export a trained run as a bundle: a folder that predicts without PyTorch and without data.

    It holds the network for ONNX Runtime and OpenVINO, its preprocessing, calibration, threshold
    and labels, what it may be used for, and five reference cases with their answers, which are
    checked now and each time it is opened. `hounsfield predict BUNDLE IMAGES` uses it.

    Parameters
    ----------
    run
        The run's folder.
    out
        The bundle's folder, new; by default RUN.bundle.
    int8
        Also in 8 bits, calibrated on training images, if the headline metric of the validation
        part changes by less than 0.002. Needs the images, and hounsfield[int8].
    patient_images
        Take the reference cases from the test part. Without this they are made by a computer,
        and no patient's picture leaves.
    """
    from hounsfield import workflow
    from hounsfield.cli.console import Terminal

    watch = Terminal()
    made = workflow.export(run, out, int8=int8, patients=patient_images, watch=watch)
    for note in made.manifest.notes:
        watch.say(f"warning: {note}")
    for way in made.manifest.variants:
        watch.say(
            f"{way.runtime} {way.precision}: {way.images_per_second:,.1f} images/s, at most "
            f"{way.difference:.1g} from PyTorch's answers"
        )
    watch.say(str(made.path))
