"""The verbs: index, split, audit, plan, train, predict, evaluate, report, compare; n4, quality,
vectorise, pet_ct, temperatures, spectra.

The command line and Python call the same functions. They hand results from room to room.
Heavy rooms are imported where they are entered, so that help appears at once.
"""

from hounsfield.workflow.benchmark import benchmark_medmnist
from hounsfield.workflow.data import audit, beside_run, index, split
from hounsfield.workflow.exporting import export
from hounsfield.workflow.featurizing import Backbone, featurize
from hounsfield.workflow.finding_rate import find_rate
from hounsfield.workflow.fusion import compare_fusion
from hounsfield.workflow.infrared import spectra, temperatures
from hounsfield.workflow.leave_out import LeaveOut, leave_out
from hounsfield.workflow.measuring import compare, evaluate, predict, report
from hounsfield.workflow.pet import pet_ct
from hounsfield.workflow.planning import plan
from hounsfield.workflow.preparing import n4, quality
from hounsfield.workflow.reading import read_case
from hounsfield.workflow.training import demo, loader, resume, train
from hounsfield.workflow.tuning import Search, tune
from hounsfield.workflow.vectorising import vectorise

__all__ = [
    "Backbone",
    "LeaveOut",
    "Search",
    "audit",
    "benchmark_medmnist",
    "beside_run",
    "compare",
    "compare_fusion",
    "demo",
    "evaluate",
    "export",
    "featurize",
    "find_rate",
    "index",
    "leave_out",
    "loader",
    "n4",
    "pet_ct",
    "plan",
    "predict",
    "quality",
    "read_case",
    "report",
    "resume",
    "spectra",
    "split",
    "temperatures",
    "train",
    "tune",
    "vectorise",
]
