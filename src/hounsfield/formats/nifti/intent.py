"""What a NIfTI header's intent code says that the values are (nifti1.h, "Intent of the data")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_KINDS = {
    2: "correlation", 3: "t statistic", 4: "F statistic", 5: "z score", 6: "chi-squared",
    7: "beta", 8: "binomial", 9: "gamma", 10: "Poisson", 11: "normal", 12: "non-central F",
    13: "non-central chi-squared", 14: "logistic", 15: "Laplace", 16: "uniform",
    17: "non-central t", 18: "Weibull", 19: "chi", 20: "inverse Gaussian", 21: "extreme value",
    22: "p value", 23: "ln p value", 24: "log10 p value",
    1001: "estimate", 1002: "labels", 1003: "labels of NeuroNames", 1004: "matrices",
    1005: "symmetric matrices", 1006: "displacement vectors", 1007: "vectors", 1008: "points",
    1009: "triangles", 1010: "quaternions", 1011: "numbers without a dimension",
    2001: "time series", 2002: "node indices", 2003: "RGB vectors", 2004: "RGBA vectors",
    2005: "shape",
}  # fmt: skip
_NAMES_ITS_CHANNEL = (*range(2, 25), 1002, 1003)
COMPONENTS = (1004, 1005, 1006, 1007, 1010, 2003, 2004)  # along the fifth axis


@dataclass(frozen=True)
class Intent:
    """Code, the writer's own name for it (up to 15 bytes), and the three parameters."""

    code: int
    name: str
    parameters: tuple[float, float, float]

    @property
    def words(self) -> str:
        """Its kind in words; never the writer's own name, which may be a person's."""
        return _KINDS.get(self.code, f"intent {self.code}")

    @property
    def channel(self) -> str:
        """The name of a channel that holds it, for statistics and labels."""
        return self.words if self.code in _NAMES_ITS_CHANNEL else ""

    @property
    def components(self) -> bool:
        """Do volumes along the fifth axis belong together, as a vector's components do?"""
        return self.code in COMPONENTS

    @property
    def stored(self) -> dict[str, Any]:
        """As it stands in `Image.stored["intent"]`, from where it is written back."""
        return {
            "code": self.code,
            "kind": self.words,
            "name": self.name,
            "parameters": self.parameters,
        }


def intent_of(values: Mapping[str, Any]) -> Intent | None:
    """The intent of a header's fields; None where there is none (code 0)."""
    code = int(values["intent_code"])
    if code == 0:
        return None
    name = bytes(values["intent_name"]).split(b"\0")[0].decode("latin-1")
    p1, p2, p3 = (float(values[f"intent_p{number}"]) for number in (1, 2, 3))
    return Intent(code, name, (p1, p2, p3))
