"""Mean and standard deviation from parts that were seen anywhere, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Moments:
    """Per channel: how many values, their mean, and the sum of squares around that mean.

    Parts merge by Chan, Golub and LeVeque (1979), which does not cancel as plain sums of
    squares do: CT at 30,000 ± 1 keeps its deviation. `mean` and `squares` are (C,) float64.
    """

    count: int
    mean: NDArray[np.float64]
    squares: NDArray[np.float64]

    @classmethod
    def none(cls, channels: int) -> Self:
        return cls(0, np.zeros(channels), np.zeros(channels))

    @classmethod
    def of(cls, array: NDArray[Any]) -> Self:
        """The moments of an array (C, …), all channels with as many values."""
        values = np.asarray(array).reshape(len(array), -1)
        if values.shape[1] == 0:
            return cls.none(len(values))
        mean = values.mean(1, dtype=np.float64)
        away = values - mean[:, None]
        return cls(values.shape[1], mean, np.einsum("cv,cv->c", away, away))

    @classmethod
    def pooled(
        cls, counts: NDArray[Any], means: NDArray[np.float64], squares: NDArray[np.float64]
    ) -> Self:
        """All parts as one: counts (P,), means and squares (P, C); at least one is needed."""
        total = counts.sum()
        if total == 0:
            return cls.none(means.shape[1])
        shift = means[0]  # deviations from a value near all of them: sums stay small and exact
        mean = shift + counts @ (means - shift) / total
        return cls(int(total), mean, squares.sum(0) + counts @ (means - mean) ** 2)

    @property
    def std(self) -> NDArray[np.float64]:
        """The deviation of all values (NumPy's default, without Bessel's correction), (C,)."""
        return np.sqrt(self.squares / max(self.count, 1))
