"""A batch of forecasts, told as `ForecastFacts`: what the rules read of it, one value per series.

The daemon and the replay tell it alike; neither the models nor the rules know the other's words.
A forecast that cannot be a load is told as none: measured load then sizes the workload by HPA's own
rules, and neither its record nor the page that shows it breaks.
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
    known = batch.known.copy()
    for load in (batch.median, batch.quantile, batch.reactive_quantile):
        known &= np.isfinite(load) & (load >= 0.0)
    facts = map(
        ForecastFacts,
        batch.median.tolist(),
        batch.quantile.tolist(),
        batch.reactive_quantile.tolist(),
        horizon.risk.tolist(),
        map(_span, horizon.lead_seconds.tolist()),
        map(_span, horizon.hold_seconds.tolist()),
        map(_TRUST.__getitem__, batch.trust.tolist()),
        map(_known, batch.skill.tolist()),
        map(_known, batch.coverage.tolist()),
        batch.burst.tolist(),
        map(_span, np.where(known, batch.age_seconds, 0.0).tolist()),
        map(_span, np.where(known, batch.history_seconds, 0.0).tolist()),
    )
    return [
        fact if is_known else None for is_known, fact in zip(known.tolist(), facts, strict=True)
    ]


def _known(score: float) -> float | None:
    return None if math.isnan(score) else score


@lru_cache(maxsize=1024)  # the same few spans in every cycle
def _span(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
