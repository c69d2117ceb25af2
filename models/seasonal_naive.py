"""What if today is like a day ago: the last season again, with a spread learnt from how that went.

Where a season is not known whole, persistence stands in.
"""

from typing import Self

import numpy as np

from models.contract import FloatArray, Forecaster, Window
from models.persistence import Persistence, peaks, quantiles_of, steps_of

_DAY_SECONDS = 86_400


class SeasonalNaive(Forecaster):
    """The maximum over the same window one season ago, plus quantiles of past errors.

    References
    ----------
    Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", 3rd ed., section 5.2.
    """

    def __init__(self, *, season_seconds: int = _DAY_SECONDS) -> None:
        self.season_seconds = season_seconds

    def fit(self, y: FloatArray, *, step_seconds: int, end_seconds: float) -> Self:
        """Keep `y`, shape (n_series, n_samples), oldest first, NaN where unknown."""
        self.fallback_ = Persistence().fit(y, step_seconds=step_seconds, end_seconds=end_seconds)
        self.season_length_ = self.season_seconds // step_seconds
        self.step_seconds_ = step_seconds
        return self

    def predict(
        self, y: FloatArray, *, end_seconds: float, window: Window, levels: FloatArray
    ) -> FloatArray:
        """Return the load not exceeded with chance `levels`, shape (n_series, n_levels)."""
        plain = self.fallback_.predict(y, end_seconds=end_seconds, window=window, levels=levels)
        first, last = steps_of(window, self.step_seconds_)
        season, past = self.season_length_, self.fallback_.past_
        if y.shape[1] < season or past.shape[1] <= season + last:
            return plain
        at = y.shape[1] - 1 - season
        ago = y[:, at + first : at + last + 1].max(axis=1)
        top = peaks(past, first, last)
        errors = top[:, season:] - top[:, : top.shape[1] - season]
        again = np.maximum(ago[:, None] + quantiles_of(errors, levels), 0.0)
        known = np.isfinite(ago) & np.isfinite(errors).any(axis=1)
        return np.where(known[:, None], again, plain)
