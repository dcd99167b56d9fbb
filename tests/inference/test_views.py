"""Averaging over slightly moved views: which they are, and that they are averaged."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from hounsfield.inference.predict import Seers, each_prediction
from hounsfield.preprocessing.augment import STILL, still_views
from hounsfield.preprocessing.normalise import normalise
from hounsfield.preprocessing.settings import Augmentation
from hounsfield.run import Run
from hounsfield.training.data import Raw
from hounsfield.training.train import trained
from hounsfield.workflow.training import study_of

SIZE = (40, 60)
STRONG = Augmentation(flip=True, rotate=180, scale=0.5, stretch=0.5, shift=0.5)


def test_the_views_are_the_same_each_time() -> None:
    first, again = still_views(STRONG, 5, SIZE), still_views(STRONG, 7, SIZE)
    for one, other in zip(first, again, strict=False):
        assert torch.equal(one.input_from_output, other.input_from_output)
    assert still_views(STRONG, 0, SIZE) == still_views(STRONG, -1, SIZE) == []


def test_a_view_moves_little_and_never_mirrors() -> None:
    turns = []
    for view in still_views(STRONG, 64, SIZE):
        matrix = view.input_from_output[0].double().numpy()
        linear = matrix[:2, :2]
        assert np.linalg.det(linear) > 0
        zoom = np.linalg.svd(linear, compute_uv=False)
        most = (1 + STILL["scale"]) * (1 + STILL["stretch"])
        assert 1 / most <= zoom.min() <= zoom.max() <= most
        centre = np.array([(SIZE[1] - 1) / 2, (SIZE[0] - 1) / 2])
        moved = np.abs(linear @ centre + matrix[:2, 2] - centre)
        assert (moved <= 1.2 * STILL["shift"] * np.array(SIZE[::-1])).all()
        left, _, right = np.linalg.svd(linear)
        turn = left @ right
        turns.append(np.degrees(np.arctan2(turn[1, 0], turn[0, 0])))
    assert max(map(abs, turns)) <= STILL["rotate"]
    assert max(turns) > 4 > -4 > min(turns)


def test_what_training_does_not_vary_no_view_does() -> None:
    still = Augmentation(rotate=0, scale=0, stretch=0, shift=0)
    for view in still_views(still, 4, SIZE):
        torch.testing.assert_close(view.input_from_output[0], torch.eye(3))


@pytest.mark.parametrize("views", [0, 1, 4])
def test_predictions_are_the_mean_of_the_views(views: int, tiny_run: Run) -> None:
    study = study_of(tiny_run)
    network = trained(tiny_run.members[0], study)
    evaluation = study.plan.evaluation.model_copy(update={"views": views})
    plan = study.plan.model_copy(update={"evaluation": evaluation})
    dataset = study.dataset(tiny_run.split.cases("test")[:5])
    found = list(each_prediction(study.task, study.settings, plan, [network], dataset))
    images = normalise(dataset.__getitems__([*range(5)]).images, plan.preprocessing)
    size = (images.shape[-2], images.shape[-1])
    seen = [images]
    for view in still_views(plan.augmentation, views - 1, size):
        seen.append(view.repeated(5).images(images))
    with torch.inference_mode():
        expected = torch.stack([network(one) for one in seen]).double().mean(0)
    assert len(seen) == max(1, views)
    np.testing.assert_allclose(np.stack(found), expected.numpy(), atol=1e-6)


def test_the_slices_of_a_volume_move_together(tiny_run: Run) -> None:
    """Of a volume of equal slices, each view has equal slices."""
    study = study_of(tiny_run)
    seen: list[torch.Tensor] = []

    class Notes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            seen.append(images)
            return images.mean((1, 2, 3, 4))[:, None].expand(-1, 2) * self.scale

    update = {"evaluation": study.plan.evaluation.model_copy(update={"views": 3})}
    update |= {"model": study.plan.model.model_copy(update={"fusion": "volume"})}
    plan = study.plan.model_copy(update=update)
    picture = torch.rand(2, 1, 1, 12, 12, generator=torch.Generator().manual_seed(0))
    raw = Raw(picture.expand(2, 1, 5, 12, 12), None, (0, 1))
    found = Seers(study.task, study.settings, plan, [Notes()]).see(raw)
    assert [len(one) for one in found] == [3, 3]
    assert [one.shape for one in seen] == [(2, 1, 5, 12, 12)] * 3
    for one in seen:
        torch.testing.assert_close(one, one[:, :, :1].expand_as(one))
    assert not torch.equal(seen[0], seen[1])
