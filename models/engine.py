"""What load will be there when a pod ordered now is ready: one stateful batch over all series.

State is arrays with one row per series; nothing reads a clock, a file or a network.
The daemon and the replay drive the same methods: `append` once a minute, `observe_now` in between,
`learn` once an hour, `predict` at every reconcile.
"""

import numpy as np
from numpy.typing import NDArray

from models.batch import ForecastBatch
from models.trust import Trust

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

__all__ = ["ForecastBatch", "ForecastEngine", "Trust"]

_DAY_SECONDS = 86_400
# Older than this the newest sample says nothing about now: the profile may carry, but only upwards.
_STALE_SECONDS = 300.0
# The first minutes hold no spread to speak of.
_WARM_SAMPLES = 10


class ForecastEngine:
    """Quantiles of the maximum load over a window, for thousands of series at once."""

    def __init__(self, *, step_seconds: int = 60, history_days: int = 14) -> None:
        self.step_seconds = step_seconds
        self._n_slots = history_days * _DAY_SECONDS // step_seconds
        self._load = np.full((self._n_slots, 0), np.nan, dtype=np.float32)
        self._newest = np.zeros(0)
        self._sampled_at = np.full(0, -np.inf)
        self._n_samples = np.zeros(0, dtype=np.int64)
        self._variance = np.zeros(0)
        self._free: list[int] = []
        self._end_slot: int | None = None

    @property
    def capacity(self) -> int:
        """How many rows there are, free ones included."""
        return len(self._newest)

    def add(self, n: int) -> IntArray:
        """Return `n` fresh rows; rows that were removed are used again first."""
        while len(self._free) < n:
            self._grow(max(8, self.capacity, n))
        rows = np.array([self._free.pop() for _ in range(n)], dtype=np.intp)
        self._forget(rows)
        return rows

    def remove(self, rows: IntArray) -> None:
        """Give rows back."""
        self._forget(rows)
        self._free.extend(np.asarray(rows).tolist())

    def _grow(self, n: int) -> None:
        old = self.capacity
        self._load = np.hstack([self._load, np.full((self._n_slots, n), np.nan, np.float32)])
        self._newest = np.concatenate([self._newest, np.zeros(n)])
        self._sampled_at = np.concatenate([self._sampled_at, np.full(n, -np.inf)])
        self._n_samples = np.concatenate([self._n_samples, np.zeros(n, dtype=np.int64)])
        self._variance = np.concatenate([self._variance, np.zeros(n)])
        self._free.extend(range(old + n - 1, old - 1, -1))

    def _forget(self, rows: IntArray) -> None:
        self._load[:, rows] = np.nan
        self._newest[rows] = 0.0
        self._sampled_at[rows] = -np.inf
        self._n_samples[rows] = 0
        self._variance[rows] = 0.0

    def backfill(self, rows: IntArray, y: FloatArray, *, end_seconds: float) -> None:
        """Take in the past of `rows`: `y` (len(rows), n_samples), gaps NaN, newest last."""
        for column in range(y.shape[1]):
            ends = end_seconds - (y.shape[1] - 1 - column) * self.step_seconds
            self.append(y[:, column], end_seconds=ends, rows=rows)

    def append(
        self, values: FloatArray, *, end_seconds: float, rows: IntArray | None = None
    ) -> None:
        """Close the step that ends at `end_seconds`: its mean load per row, NaN where unknown."""
        rows = np.arange(self.capacity) if rows is None else np.asarray(rows)
        values = np.asarray(values, dtype=np.float64)
        known = np.isfinite(values) & (values >= 0)
        at, load = rows[known], values[known]
        seen = self._n_samples[at] > 0
        change = np.where(seen, np.log1p(load) - np.log1p(self._newest[at]), 0.0)
        # One hour of memory: long enough for a quantile, short enough to follow the day.
        gain = 1.0 / np.minimum(self._n_samples[at] + 1, 60)
        self._variance[at] += gain * (change**2 - self._variance[at])
        self._newest[at] = load
        self._n_samples[at] += 1
        self.observe_now(values, at_seconds=end_seconds, rows=rows)

    def observe_now(
        self, values: FloatArray, *, at_seconds: float, rows: IntArray | None = None
    ) -> None:
        """Take the freshest trailing mean between two steps; it is not kept as history."""
        rows = np.arange(self.capacity) if rows is None else np.asarray(rows)
        values = np.asarray(values, dtype=np.float64)
        known = np.isfinite(values) & (values >= 0)
        at = rows[known]
        self._newest[at] = values[known]
        self._sampled_at[at] = at_seconds

    def learn(self, rows: IntArray, *, now_seconds: float) -> None:
        """Refit these rows from their own history."""

    def set_time_zone(self, rows: IntArray, names: list[str]) -> None:
        """Tell in which IANA zone the days and weeks of these rows run."""

    def predict(
        self,
        *,
        now_seconds: float | None = None,
        rows: IntArray | None = None,
        lead_seconds: FloatArray | float,
        hold_seconds: FloatArray | float,
        risk: FloatArray | float,
    ) -> ForecastBatch:
        """Return the quantile 1 - `risk` of the maximum load over [now + lead, now + lead + hold].

        `now_seconds` defaults to the newest sample's time; given, it ages the samples.
        """
        rows = np.arange(self.capacity) if rows is None else np.asarray(rows)
        sampled_at = self._sampled_at[rows]
        now = float(sampled_at.max(initial=0.0)) if now_seconds is None else now_seconds
        known = np.isfinite(sampled_at)
        age = np.where(known, np.maximum(0.0, now - np.where(known, sampled_at, 0.0)), np.inf)
        steps = (np.asarray(lead_seconds) + np.asarray(hold_seconds)) / self.step_seconds
        spread = np.sqrt(np.maximum(self._variance[rows], 1e-6) * np.maximum(steps, 1.0))
        # Cantelli-like: a heavier tail than the normal's, for want of any better knowledge.
        width = np.minimum(spread * np.sqrt(2.0 * np.log(1.0 / np.asarray(risk))), 2.0)
        median = np.where(known, self._newest[rows], 0.0)
        quantile = np.where(known, np.expm1(np.log1p(median) + width), 0.0)
        trust = np.where(age > _STALE_SECONDS, Trust.STALE, Trust.TRUSTED)
        trust = np.where(self._n_samples[rows] < _WARM_SAMPLES, Trust.WARMING, trust)
        nothing = np.full(len(rows), np.nan)
        return ForecastBatch(
            known=known,
            median=median,
            quantile=quantile,
            reactive_quantile=quantile.copy(),
            trust=trust.astype(np.int8),
            skill=nothing,
            coverage=nothing.copy(),
            burst=np.zeros(len(rows), dtype=np.bool_),
            age_seconds=age,
        )
