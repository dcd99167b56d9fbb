"""Rules that hold for every task: from facts of data and machine to numbers, with reasons."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from hounsfield.catalog.fingerprint import Choice
from hounsfield.tasks.contract import Choosing

TINY_IMAGES = 150_000  # image passes: about six minutes on two cores at 28 px
LARGE_IMAGES = 12_000  # about a minute and a half at 224 px
FEWEST_EPOCHS, MOST_EPOCHS = 10, 60
SMALL = 2000  # training cases
SMALL_VOLUME = (96, 96)
MOST_SLICES, FUSED_SLICES = 48, 9
SCRATCH_RATE = 4e-3  # for a batch of 128


def rules(choosing: Choosing, dimensions: tuple[int, ...]) -> Iterator[Choice]:
    """All general choices, for a network of pictures (2), volumes (3) or both."""
    yield from _machine(choosing)
    yield from _preprocessing(choosing)
    if choosing.fingerprint.depth > 1:
        yield from _volumes(choosing, dimensions)
    yield from _augmentation(choosing)
    yield from _training(choosing)


def _machine(choosing: Choosing) -> Iterator[Choice]:
    machine = choosing.fingerprint.machine
    device = "cuda" if machine.gpu else "cpu"
    yield Choice("training.device", device, machine.gpu or "there is no GPU")
    why = f"the machine has {machine.cores} cores"
    yield Choice("training.threads", machine.cores, why)
    yield Choice("training.workers", machine.cores, why)


def _preprocessing(choosing: Choosing) -> Iterator[Choice]:
    facts = choosing.fingerprint
    if facts.tiny:
        yield Choice(
            "preprocessing.size", facts.size, f"pictures of at most {facts.largest} px stay so"
        )
        if facts.bits == 8:
            why = "tiny 8-bit pictures are already windowed"
            yield Choice("preprocessing.clip", "none", why)
    else:
        why = "fine enough for most findings, coarse enough for a quick network"
        yield Choice("preprocessing.size", (224, 224), why)
    if facts.colour:
        yield Choice("preprocessing.colour", True, "the pictures are in colour")
    if facts.colour and not facts.tiny:
        why = "a camera's dark surround tells of the camera; without one, nothing is cut"
        yield Choice("preprocessing.crop", "field", why)


def _volumes(choosing: Choosing, dimensions: tuple[int, ...]) -> Iterator[Choice]:
    """How slices enter; what is asked for goes on to decide what follows from it."""
    facts, asked = choosing.fingerprint, choosing.asked
    fusion = "volume" if 3 in dimensions else "channels"
    why = "the network takes volumes" if fusion == "volume" else "the network takes pictures"
    yield Choice("model.fusion", fusion, why)
    fusion = asked.get("model.fusion", fusion)
    if fusion == "volume":
        size = facts.size if facts.tiny else SMALL_VOLUME
        yield Choice("preprocessing.size", size, "a volume of this size learns on a laptop")
        yield Choice("preprocessing.slices", "resampled", "a 3-D network sees the whole volume")
        depth = facts.depth if facts.tiny else min(MOST_SLICES, facts.depth)
        yield Choice("preprocessing.depth", depth, f"volumes have up to {facts.depth} slices")
        return
    few = fusion == "channels"
    slices = asked.get("preprocessing.slices", "adjacent" if few else "spread")
    why = "the middle slice and its neighbours" if few else "slices evenly over the volume"
    yield Choice("preprocessing.slices", slices, why)
    depth = min(3 if few else FUSED_SLICES, facts.shallowest)
    why = f"the shallowest volume has {facts.shallowest} slices"
    yield Choice("preprocessing.depth", max(depth, 1 if few else 2), why)


def _augmentation(choosing: Choosing) -> Iterator[Choice]:
    facts = choosing.fingerprint
    why = "bodies and letters have a left and a right"
    yield Choice("augmentation.flip", False, why)
    if facts.tiny:
        why = "tiny pictures leave the network little to go by but texture: vary them strongly"
        yield Choice("augmentation.rotate", 15.0, why)
        yield Choice("augmentation.scale", 0.2, why)
        yield Choice("augmentation.stretch", 0.1, why)
        yield Choice("augmentation.shift", 0.08, why)
        yield Choice("augmentation.blur", 0.0, "there is nothing to blur away")


def _training(choosing: Choosing) -> Iterator[Choice]:
    facts, asked = choosing.fingerprint, choosing.asked
    batch = int(asked.get("training.batch", 0)) or (
        128 if facts.tiny and facts.cases > 1024 else 32
    )
    if "training.batch" not in asked and facts.cases < 512:
        batch = 16
    yield Choice("training.batch", batch, f"{facts.cases} training cases: enough steps an epoch")
    passes = TINY_IMAGES if facts.tiny else LARGE_IMAGES
    epochs = min(MOST_EPOCHS, max(FEWEST_EPOCHS, round(passes / max(1, facts.cases))))
    why = f"about {passes:,} image passes, within {FEWEST_EPOCHS} to {MOST_EPOCHS} epochs"
    yield Choice("training.epochs", epochs, why)
    if facts.cases < SMALL:
        why = f"{facts.cases} training cases are soon known by heart: the best epoch is kept"
        yield Choice("training.patience", max(FEWEST_EPOCHS, epochs // 3), why)
    rate = float(f"{SCRATCH_RATE * sqrt(batch / 128):.2g}")
    why = f"from scratch: {SCRATCH_RATE} at a batch of 128, growing with its square root"
    yield Choice("training.learning_rate", rate, why)
