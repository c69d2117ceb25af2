"""What may be found wrong with a metric, and what to do about it: values, nothing is asked here."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

import numpy as np

from autoscaler.metrics.grid import FloatArray
from autoscaler.policy.quantity import duration_text

# Below two weeks no weekday was seen twice; over a tenth of gaps a rhythm has holes.
ENOUGH_PAST = timedelta(days=14)
_ALMOST_ENOUGH = ENOUGH_PAST - timedelta(hours=4)
_MOST_GAPS = 0.1
DOUBTFUL = "Prometheus answered with a warning: a store may be away, and the load shown too low"


class Level(StrEnum):
    """How bad a finding is: an error makes decisions impossible, a warning makes them worse."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at, what was found, and what to do about it."""

    level: Level
    subject: str
    says: str
    fix: str = ""


def of_past(load: FloatArray, *, step: timedelta) -> Finding:
    """Return what is to be said of a recorded load, NaN where unknown, ending now."""
    known = np.flatnonzero(~np.isnan(load))
    if known.size == 0:
        return Finding(Level.WARNING, "history", "nothing recorded", "forecasts begin reactive")
    since_first = np.isnan(load[known[0] :])
    span, missing = since_first.size * step, float(since_first.mean())
    says = f"{span / timedelta(days=1):.1f} days, {_gaps_text(since_first, step=step)}"
    if missing > _MOST_GAPS:
        fix = "find out why scrapes were missed: a rhythm is learned with the same holes"
        return Finding(Level.WARNING, "history", says, fix)
    if span < _ALMOST_ENOUGH:
        fix = "raise Prometheus's retention to 15 days, or give --prometheus-history-url"
        return Finding(Level.WARNING, "history", says, fix)
    return Finding(Level.OK, "history", says)


def _gaps_text(unknown: np.ndarray, *, step: timedelta) -> str:
    """Return how many gaps there are, the longest, and their share of the time."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], unknown, [False]]).astype(np.int8)))
    lengths = edges[1::2] - edges[::2]
    if not lengths.size:
        return "no gaps"
    longest = duration_text(int(lengths.max()) * step)
    gaps = "1 gap" if lengths.size == 1 else f"{lengths.size} gaps"
    return f"{gaps}, the longest {longest}, {unknown.mean():.1%} of it missing"
