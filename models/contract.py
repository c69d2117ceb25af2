"""What a forecaster is: a batch of evenly spaced loads in, quantiles of a window's maximum out.

Shapes: `y` is (n_series, n_samples), oldest first, NaN where nothing is known.
Column k is the mean load of the step that ends at `end - (n_samples - 1 - k) * step`, all in
unix seconds.
"""

from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


class NotEnoughHistoryError(ValueError):
    """Fewer known samples than the forecaster needs; the message holds both numbers."""


@dataclass(frozen=True, slots=True)
class Window:
    """The span whose maximum load is forecast: [end + lead, end + lead + hold], in seconds."""

    lead_seconds: float
    hold_seconds: float


class Forecaster(Protocol):
    """Learns from loads, answers with quantiles of the maximum load over a window."""

    def fit(self, y: FloatArray, *, step_seconds: int, end_seconds: float) -> Self:
        """Learn from `y`, shape (n_series, n_samples), whose last column ends at `end_seconds`."""

    def predict(
        self, y: FloatArray, *, end_seconds: float, window: Window, levels: FloatArray
    ) -> FloatArray:
        """Return the load not exceeded with chance `levels`, shape (n_series, n_levels), never NaN.

        `y` is the recent past that ends at `end_seconds`, same series and step as in `fit`.
        """
