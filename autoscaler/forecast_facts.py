"""A batch of forecasts, told as `ForecastFacts`: what the rules read of it, one value per series.

The daemon and the replay tell it alike; neither the models nor the rules know the other's words.
"""

import math
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.facts import ForecastFacts, Trust
from models.batch import ForecastBatch

FloatArray = NDArray[np.float64]

# By code of `models.trust.Trust`.
_TRUST = (Trust.WARMING, Trust.TRUSTED, Trust.DEMOTED, Trust.STALE)


@dataclass(frozen=True, slots=True, eq=False)
class Horizon:
    """What is asked of the forecast, one entry per series: seconds, seconds, chance."""

    lead_seconds: FloatArray
    hold_seconds: FloatArray
    risk: FloatArray


def forecast_facts(batch: ForecastBatch, horizon: Horizon) -> list[ForecastFacts | None]:
    """Return the batch as one value per series, None where nothing is known."""
    columns = (
        batch.median,
        batch.quantile,
        batch.reactive_quantile,
        horizon.risk,
        horizon.lead_seconds,
        horizon.hold_seconds,
        batch.trust,
        batch.skill,
        batch.coverage,
        batch.burst,
        batch.age_seconds,
        batch.history_seconds,
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        _facts(*row) if known else None
        for known, row in zip(batch.known.tolist(), rows, strict=True)
    ]


def _facts(  # noqa: PLR0913, PLR0917 - one row of the batch, in its column order
    median: float,
    quantile: float,
    reactive: float,
    risk: float,
    lead: float,
    hold: float,
    trust: int,
    skill: float,
    coverage: float,
    burst: bool,
    age: float,
    history: float,
) -> ForecastFacts:
    return ForecastFacts(
        median,
        quantile,
        reactive,
        risk,
        _span(lead),
        _span(hold),
        _TRUST[trust],
        None if math.isnan(skill) else skill,
        None if math.isnan(coverage) else coverage,
        burst,
        timedelta(seconds=age),
        timedelta(seconds=history),
    )


@lru_cache(maxsize=1024)  # the same few spans in every cycle
def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
