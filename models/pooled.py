"""The engine behind the forecasters' interface: for benches, notebooks and arrays without a daemon.

`fit` plays the whole past through a fresh engine; `predict` asks it. The engine calibrates one
level per series at a time, so each level has a row of its own.
"""

from typing import Self

import numpy as np

from models.contract import FloatArray, Forecaster, NotEnoughHistoryError, Window
from models.engine import ForecastEngine
from models.horizon import LEAST_RISK, MOST_RISK


class Pooled(Forecaster):
    """The pooled quantile network, calibrated on each series' own past.

    Every series has a row of the engine for each risk that is usual; other levels take the nearest.
    """

    min_samples = 10
    risks = np.array([0.1, 0.01])

    def fit(self, y: FloatArray, *, step_seconds: int, end_seconds: float) -> Self:
        """Learn from `y`, shape (n_series, n_samples), whose last column ends at `end_seconds`."""
        if y.shape[1] < self.min_samples:
            raise NotEnoughHistoryError(f"needs {self.min_samples} samples, got {y.shape[1]}")
        self.engine_ = ForecastEngine(step_seconds=step_seconds)
        n = len(self.risks)
        self.rows_ = self.engine_.add(n * len(y)).reshape(n, len(y))
        risk = np.repeat(self.risks, len(y))
        past = np.tile(y, (n, 1))
        self.engine_.backfill(self.rows_.ravel(), past, end_seconds=end_seconds, risk=risk)
        self.end_seconds_ = end_seconds
        return self

    def predict(
        self, y: FloatArray, *, end_seconds: float, window: Window, levels: FloatArray
    ) -> FloatArray:
        """Return the load not exceeded with chance `levels`, shape (n_series, n_levels)."""
        self._catch_up(y, end_seconds)
        out = np.zeros((len(y), len(levels)))
        for i, level in enumerate(levels.tolist()):
            risk = min(max(1.0 - level, LEAST_RISK), MOST_RISK)
            nearest = np.abs(np.log(risk / self.risks)).argmin()
            batch = self.engine_.predict(
                rows=self.rows_[nearest],
                now_seconds=end_seconds,
                lead_seconds=window.lead_seconds,
                hold_seconds=window.hold_seconds,
                risk=risk,
            )
            # Risk is spent unevenly only where it is a risk: at a half or more it is the median.
            out[:, i] = batch.median if level <= 1.0 - MOST_RISK else batch.quantile
        return np.maximum.accumulate(out, axis=1)

    def _catch_up(self, y: FloatArray, end_seconds: float) -> None:
        """Take in the columns of `y` that came after what was seen."""
        step = self.engine_.step_seconds
        n_new = min(round((end_seconds - self.end_seconds_) / step), y.shape[1])
        for column in range(y.shape[1] - n_new, y.shape[1]):
            ends = end_seconds - (y.shape[1] - 1 - column) * step
            newest = np.tile(y[:, column], len(self.risks))
            self.engine_.append(newest, end_seconds=ends, rows=self.rows_.ravel())
        self.end_seconds_ = max(self.end_seconds_, end_seconds)
