"""What the planner chooses for MONAI's 3-D networks."""

from __future__ import annotations

from choosing import chosen


def test_a_densenet_gets_volumes_that_it_can_halve_five_times() -> None:
    choices = chosen("densenet121-3d", 28, depth=20)
    assert choices["preprocessing.depth"] == 32
    assert choices["preprocessing.size"] == (32, 32)
    kept = chosen("densenet121-3d", 40, {"preprocessing.depth": 40}, depth=20)
    assert not {"preprocessing.depth", "preprocessing.size"} & set(kept)


def test_tiny_volumes_get_a_gentle_stem() -> None:
    assert chosen("resnet18-3d", 28, depth=28)["model.settings.stem_stride"] == 1
    assert "model.settings.stem_stride" not in chosen("resnet18-3d", 200, depth=40)
