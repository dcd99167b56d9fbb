"""The picture of a search."""

from __future__ import annotations

from io import BytesIO

import polars as pl
from PIL import Image as Picture

from hounsfield.reports.tuning_figure import figure


def test_a_search_is_one_panel_and_with_importances_two() -> None:
    states = ["finished", "finished", "stopped early", "refused"]
    table = pl.DataFrame({"trial": [1, 2, 3, 4], "state": states, "mae": [3.0, 2.5, 900.0, None]})
    sizes = []
    for importances in ({}, {"training.learning_rate": 0.8, "model.settings.dropout": 0.2}):
        with Picture.open(BytesIO(figure(table, importances, "mae"))) as picture:
            assert len(set(picture.convert("L").tobytes())) > 3
            sizes.append(picture.size)
    assert sizes[1][0] == 2 * sizes[0][0]
