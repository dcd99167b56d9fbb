"""The verbs: index, split, audit, plan, train, predict, evaluate, report, compare.

The command line and Python call the same functions. They hand results from room to room.
Heavy rooms are imported where they are entered, so that help appears at once.
"""

from hounsfield.workflow.data import audit, beside_run, index, split
from hounsfield.workflow.measuring import compare, evaluate, predict, report
from hounsfield.workflow.planning import plan
from hounsfield.workflow.reading import read_case
from hounsfield.workflow.training import demo, loader, resume, train

__all__ = [
    "audit",
    "beside_run",
    "compare",
    "demo",
    "evaluate",
    "index",
    "loader",
    "plan",
    "predict",
    "read_case",
    "report",
    "resume",
    "split",
    "train",
]
