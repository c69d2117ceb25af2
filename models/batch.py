"""What the engine answers: one entry per row asked for, arrays throughout."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.trust import Trust

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class ForecastBatch:
    """Quantiles of the maximum load over [now + lead, now + lead + hold], shape (n_rows,) each.

    Loads are finite, never negative and bounded; 0 where `known` is False, which means *no sample
    was ever seen*, not an absence of load.
    """

    known: BoolArray
    median: FloatArray
    quantile: FloatArray
    """The load exceeded with chance `risk`."""
    reactive_quantile: FloatArray
    """The same from persistence alone: it sizes a demoted series."""
    trust: NDArray[np.int8]
    """`models.trust.Trust` codes."""
    skill: FloatArray
    """1 - loss / persistence loss at this risk; NaN before there is anything to compare."""
    coverage: FloatArray
    """Share of recent windows that stayed at or below their quantile; NaN before the first."""
    burst: BoolArray
    """A jump is under way: nothing may scale in."""
    age_seconds: FloatArray
    """How old the newest sample is; inf where `known` is False."""
    history_seconds: FloatArray
    """How much of its past a row has seen, gaps left out."""

    def take(self, rows: IntArray) -> "ForecastBatch":
        """Return some of the rows."""
        return ForecastBatch(*(getattr(self, f.name)[rows] for f in fields(self)))


def concatenated(batches: Sequence[ForecastBatch]) -> ForecastBatch:
    """Return all rows of several batches, in order."""
    if len(batches) == 1:
        return batches[0]
    return ForecastBatch(
        *(np.concatenate([getattr(b, f.name) for b in batches]) for f in fields(ForecastBatch))
    )


def nothing_known(n: int) -> ForecastBatch:
    """Return the answer for rows that never had a sample."""
    zero, nothing = np.zeros(n), np.full(n, np.nan)
    return ForecastBatch(
        known=np.zeros(n, dtype=np.bool_),
        median=zero,
        quantile=zero.copy(),
        reactive_quantile=zero.copy(),
        trust=np.full(n, Trust.WARMING, dtype=np.int8),
        skill=nothing,
        coverage=nothing.copy(),
        burst=np.zeros(n, dtype=np.bool_),
        age_seconds=np.full(n, np.inf),
        history_seconds=zero.copy(),
    )
