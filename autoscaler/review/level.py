"""Which load of a forecast asks for the pods: its quantile, or that of mere persistence.

Told from the fields of a decision line alone, as `ForecastFacts.level` tells it from the facts.
"""

from datetime import UTC, datetime, timedelta

from autoscaler.decide.facts import Sample, Trust
from autoscaler.decide.measured import known_load
from autoscaler.review.fields import SignalFields

_ANY_TIME = datetime(2000, 1, 1, tzinfo=UTC)


def level_of(signal: SignalFields) -> float | None:
    """Return the load that sizes, None without a forecast."""
    forecast = signal["forecast"]
    if forecast is None:
        return None
    alone = forecast["trust"] == Trust.TRUSTED or not _is_measured(signal)
    return forecast["quantile"] if alone else forecast["reactive_quantile"]


def _is_measured(signal: SignalFields) -> bool:
    """Whether the rules took the sample for a load, at least in part."""
    age = signal["age_seconds"]
    at = None if age is None else _ANY_TIME - timedelta(seconds=age)
    return known_load(Sample(signal["value"], at, doubt=signal["doubt"]), now=_ANY_TIME) is not None
