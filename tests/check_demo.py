"""The main job must find pneumonia in the phantoms: AUROC's lower bound above 0.75."""

from __future__ import annotations

import sys
from pathlib import Path

from hounsfield.evaluation.record import Evaluation

FLOOR = 0.75

first = Evaluation.load(Path(sys.argv[1]) / "evaluations" / "test").first()
print(f"{first.title} {first.value:.3f}, 95 % interval {first.low:.3f} to {first.high:.3f}")
sys.exit(0 if first.low > FLOOR else f"the lower bound is not above {FLOOR}")
