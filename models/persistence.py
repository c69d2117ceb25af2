"""Persistence: the last load, raised by as much as loads rose over such a window before.

The yardstick: a forecast that does not beat it is of no use.
"""

from typing import Self

import numpy as np

from models.contract import FloatArray, Forecaster, NotEnoughHistoryError, Window


class Persistence(Forecaster):
    """Quantiles of past rises over the same window, added to the newest load.

    References
    ----------
    Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2.
    """

    min_samples = 10

    def fit(self, y: FloatArray, *, step_seconds: int, end_seconds: float) -> Self:
        """Keep `y`, shape (n_series, n_samples), oldest first, NaN where unknown."""
        if y.shape[1] < self.min_samples:
            raise NotEnoughHistoryError(f"needs {self.min_samples} samples, got {y.shape[1]}")
        self.step_seconds_ = step_seconds
        self.past_ = y.copy()
        return self

    def predict(
        self, y: FloatArray, *, end_seconds: float, window: Window, levels: FloatArray
    ) -> FloatArray:
        """Return the load not exceeded with chance `levels`, shape (n_series, n_levels)."""
        first, last = steps_of(window, self.step_seconds_)
        rises = peaks(self.past_, first, last) - self.past_[:, : self.past_.shape[1] - last]
        newest = newest_known(y)[:, None]
        return np.asarray(np.maximum(newest + quantiles_of(rises, levels), 0.0))


def steps_of(window: Window, step_seconds: int) -> tuple[int, int]:
    """Return the first and last step ahead that the window touches; the next step is 1."""
    first = int(window.lead_seconds // step_seconds) + 1
    last = int(np.ceil((window.lead_seconds + window.hold_seconds) / step_seconds))
    return first, max(first, last)


def peaks(y: FloatArray, first: int, last: int) -> FloatArray:
    """Return the maximum over [t + first, t + last] at each t that has one; NaN where unknown."""
    n = y.shape[1] - last
    if n <= 0:
        return np.full((len(y), 0), np.nan)
    windows = np.lib.stride_tricks.sliding_window_view(y[:, first:], last - first + 1, axis=1)
    return np.asarray(windows.max(axis=2)[:, :n])


def newest_known(y: FloatArray) -> FloatArray:
    """Return each series' newest known load, 0 where there is none."""
    known = np.isfinite(y)
    at = y.shape[1] - 1 - np.argmax(known[:, ::-1], axis=1)
    newest = np.take_along_axis(y, at[:, None], axis=1)[:, 0]
    return np.where(known.any(axis=1), newest, 0.0)


def quantiles_of(values: FloatArray, levels: FloatArray) -> FloatArray:
    """Return quantiles of the known values per series, 0 where none is known."""
    out = np.zeros((len(values), len(levels)))
    for i, row in enumerate(values):
        known = row[np.isfinite(row)]
        if known.size:
            out[i] = np.quantile(known, levels)
    return out
