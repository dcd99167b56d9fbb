"""What the image adds to the table, and the table to the image: paired, on the test part."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from hounsfield.evaluation.bootstrap import Resampling
from hounsfield.evaluation.compare import Difference, paired_difference
from hounsfield.evaluation.estimate import Estimate, estimate
from hounsfield.metrics.contract import Cases, Metric
from hounsfield.run import load_model


class AddedValue(BaseModel):
    """The headline metric of table alone, image alone and both, with the differences.

    image_adds: both minus table. table_adds: both minus image. weighed: image alone's answer and
    the table in a logistic regression fitted on the validation part; fixed: weighed minus image,
    which holds no chance of a training. None for a task that no model of a table is fitted for.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")

    columns: tuple[str, ...]
    model: str  # of the table alone, e.g. "logistic regression"
    networks: int  # of image alone and of both: more of them, less chance of one training
    higher_is_better: bool
    both: Estimate
    image: Estimate
    table: Estimate | None
    image_adds: Difference | None
    table_adds: Difference
    weighed: Estimate | None = None
    fixed: Difference | None = None

    @classmethod
    def load(cls, file: Path) -> AddedValue:
        return load_model(file, cls)


class Arms(BaseModel):
    """The same test cases in the same order, predicted in three ways."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    both: Cases
    image: Cases
    table: Cases | None = None
    weighed: Cases | None = None


def added_value(
    metric: Metric,
    arms: Arms,
    resampling: Resampling,
    *,
    columns: tuple[str, ...],
    model: str,
    networks: int,
) -> AddedValue:
    """The metric of each arm, and of both arms against each single one.

    Raises:
        InputError: the cases are not the same.
    """

    def valued(cases: Cases) -> Estimate:
        return estimate(metric, cases, resampling=resampling)

    def over(single: Cases, more: Cases = arms.both) -> Difference:
        return paired_difference(metric, more, single, resampling)

    return AddedValue(
        columns=columns,
        model=model,
        networks=networks,
        higher_is_better=metric.higher_is_better,
        both=valued(arms.both),
        image=valued(arms.image),
        table=None if arms.table is None else valued(arms.table),
        image_adds=None if arms.table is None else over(arms.table),
        table_adds=over(arms.image),
        weighed=None if arms.weighed is None else valued(arms.weighed),
        fixed=None if arms.weighed is None else over(arms.image, arms.weighed),
    )
