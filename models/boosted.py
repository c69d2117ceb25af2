"""Boosted trees on lags, fitted to each series for each window and level.

The usual way to forecast with scikit-learn, and therefore what the pooled network has to beat.
"""

from typing import Self

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits

from models.contract import FloatArray, Forecaster, Window
from models.persistence import Persistence, peaks, steps_of

_DAY_SECONDS, _HOUR_SECONDS = 86_400, 3_600
# Lags in steps: the last quarter of an hour one by one, then ever farther apart.
_RECENT = (*range(1, 15), 20, 30, 45, 60, 90, 120)
_DAYS_AGO = (1, 7)
# With fewer examples persistence is the better answer.
_LEAST_EXAMPLES = 200
# More make a fit slower and hardly better.
_MOST_EXAMPLES = 10_000
# Stands for a load that is not known: trees set it apart, as none that is known is negative.
_UNKNOWN = -1.0


class BoostedTrees(Forecaster):
    """Quantile regression by gradient boosting, fitted to all series together.

    Inputs are loads before, relative to the mean of the last hour, and the time of day; the answer
    is the maximum over the window relative to the same mean.
    Which window is asked for shows in `predict`, so the trees for it are fitted then, once.

    References
    ----------
    Friedman, "Greedy function approximation: a gradient boosting machine", 2001.
    """

    def fit(self, y: FloatArray, *, step_seconds: int, end_seconds: float) -> Self:
        """Keep `y`, shape (n_series, n_samples), oldest first, NaN where unknown."""
        self.fallback_ = Persistence().fit(y, step_seconds=step_seconds, end_seconds=end_seconds)
        self.step_seconds_ = step_seconds
        self.end_seconds_ = end_seconds
        self.trees_: dict[tuple[int, int, float], HistGradientBoostingRegressor | None] = {}
        return self

    def predict(
        self, y: FloatArray, *, end_seconds: float, window: Window, levels: FloatArray
    ) -> FloatArray:
        """Return the load not exceeded with chance `levels`, shape (n_series, n_levels)."""
        plain = self.fallback_.predict(y, end_seconds=end_seconds, window=window, levels=levels)
        first, last = steps_of(window, self.step_seconds_)
        newest = np.full(1, y.shape[1] - 1)
        given, level = self._inputs(y, newest, first, last, end_seconds=end_seconds)
        with threadpool_limits(1):  # threads would wait for each other longer than they work
            trees = [self._trees(first, last, chance) for chance in levels.tolist()]
            ratios = [one.predict(given) for one in trees if one is not None]
        if len(ratios) < len(trees):
            return plain
        answer = np.maximum.accumulate(np.array(ratios).T, axis=1) * level[:, None]
        known = np.isfinite(level) & (level > 0.0)
        return np.where(known[:, None], np.maximum(answer, 0.0), plain)

    def _trees(self, first: int, last: int, chance: float) -> HistGradientBoostingRegressor | None:
        """Return the trees of a window and level, None where there are too few examples."""
        key = (first, last, chance)
        if key not in self.trees_:
            given, wanted = self._examples(first, last)
            trees = HistGradientBoostingRegressor(
                loss="quantile", quantile=chance, early_stopping=False, random_state=0
            )
            enough = len(wanted) >= _LEAST_EXAMPLES
            self.trees_[key] = trees.fit(given, wanted) if enough else None
        return self.trees_[key]

    def _examples(self, first: int, last: int) -> tuple[FloatArray, FloatArray]:
        """Return inputs and what came, evenly spread over the past."""
        y = self.fallback_.past_
        came = peaks(y, first, last)
        every = max(1, came.size // _MOST_EXAMPLES)
        at = np.arange(came.shape[1])[::-1][::every][::-1]
        given, level = self._inputs(y, at, first, last, end_seconds=self.end_seconds_)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = came[:, at].ravel() / level
        usable = np.isfinite(ratio) & (level > 0.0)
        return given[usable], ratio[usable]

    def _inputs(
        self, y: FloatArray, at: np.ndarray, first: int, last: int, *, end_seconds: float
    ) -> tuple[FloatArray, FloatArray]:
        """Return inputs, shape (n_series * n_at, n_inputs), and the hour's mean, as of columns."""
        step = self.step_seconds_
        day = _DAY_SECONDS // step
        lags = [*(0, *_RECENT), *(d * day - k for d in _DAYS_AGO for k in (0, first, last))]
        before = np.stack([_lagged(y, at, lag) for lag in lags], axis=-1)
        hour = np.arange(max(1, _HOUR_SECONDS // step))
        recent = np.stack([_lagged(y, at, lag) for lag in hour.tolist()])
        n_known = np.isfinite(recent).sum(axis=0)
        level = np.nansum(recent, axis=0) / np.where(n_known > 0, n_known, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = np.nan_to_num(before / level[..., None], nan=_UNKNOWN)
        ends = end_seconds - (y.shape[1] - 1 - at) * step
        time_of_day = np.broadcast_to(ends % _DAY_SECONDS, level.shape)
        inputs = np.concatenate([relative, time_of_day[..., None]], axis=-1)
        return inputs.reshape(-1, inputs.shape[-1]), level.ravel()


def _lagged(y: FloatArray, at: np.ndarray, lag: int) -> FloatArray:
    """Return the load `lag` steps before the given columns, NaN where it is not in `y`."""
    column = at - lag
    inside = (column >= 0) & (column < y.shape[1])
    return np.where(inside, y[:, np.where(inside, column, 0)], np.nan)
