"""What does a sample say that can be relied on: its value, and whether it may lower anything.

Absent, NaN, stale or foreign is *unknown*, which is not zero.
A partial answer is a lower bound: the load is at least that.
"""

from datetime import datetime, timedelta

from autoscaler.decide.facts import Doubt, Sample

# A cycle or two of scrape, rule evaluation and query lag stay well below this; beyond it the load
# may be anything. HPA's own metrics are refused after about as long.
MOST_SAMPLE_AGE = timedelta(minutes=5)
# Clocks of two machines with NTP differ by less; a sample further ahead is of another time.
MOST_CLOCK_SKEW = timedelta(seconds=30)

_LOWER_BOUNDS = frozenset({Doubt.PARTIAL, Doubt.WARNED})
_INFINITY = float("inf")


def known_load(sample: Sample, *, now: datetime) -> float | None:
    """Return the load this sample vouches for, at least; None = unknown."""
    value = sample.value
    if value is None or not 0.0 <= value < _INFINITY:
        return None
    if sample.doubt is not None and sample.doubt not in _LOWER_BOUNDS:
        return None
    at = sample.sampled_at
    if at is not None and not -MOST_CLOCK_SKEW <= now - at <= MOST_SAMPLE_AGE:
        return None
    return value
