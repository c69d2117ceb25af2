"""How long until a pod ordered now is Ready: measured on this workload, not configured.

Created to Ready holds scheduling, image pull, start and readiness, whatever they are here.
Deliberately no mean: half of the pods are later than that, and the late ones are the ones missed.
"""

import math
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from autoscaler.decide.facts import Sample, WorkloadFacts
from autoscaler.decide.measured import known_load
from autoscaler.policy.warnings import FARTHEST_FORECAST

# No better reason than experience: most services pull, start and pass readiness within it, and too
# long a lead only starts pods early.
DEFAULT_LEAD_TIME = timedelta(seconds=120)
# Below five pods the 90th percentile is just the largest, and one lucky pod would set it.
FEWEST_PODS = 5
# One late pod in ten is absorbed by the risk quantile; the very slowest is often a broken node.
_SHARE = 0.9
DEFAULT_CYCLE = timedelta(seconds=15)
# Where nothing was measured yet: scrapes come every 15 to 30 s, and rules and remotes take theirs.
DEFAULT_METRIC_AGE = timedelta(seconds=30)
# The window asked of the forecast spans at least this: a shorter peak is not seen in minute data.
_SHORTEST_HOLD = timedelta(minutes=1)


def lead_time_of(
    workload: WorkloadFacts | None,
    *,
    configured: timedelta | None,
    cycle: timedelta = DEFAULT_CYCLE,
    metric_age: timedelta = DEFAULT_METRIC_AGE,
) -> timedelta:
    """Return the lead time of a workload; None is one of which nothing was measured."""
    if workload is None:
        return lead_time((), configured=configured, cycle=cycle, metric_age=metric_age)
    routability = workload.routability
    return lead_time(
        workload.lead_times,
        configured=configured,
        routable_after=timedelta(0) if routability is None else routability.delay,
        cycle=cycle,
        metric_age=metric_age,
    )


def lead_time(
    lead_times: Sequence[timedelta],
    *,
    configured: timedelta | None = None,
    routable_after: timedelta = timedelta(0),
    cycle: timedelta = DEFAULT_CYCLE,
    metric_age: timedelta = DEFAULT_METRIC_AGE,
) -> timedelta:
    """Return the P90 of created -> Ready, never below one cycle plus the metric's age.

    What is measured counts up to `FARTHEST_FORECAST`: one pod that waited hours for a node would
    otherwise have a small workload forecast hours ahead for as long as that pod lives, and what is
    ordered for a peak is kept for no longer than that.

    Parameters
    ----------
    lead_times
        Of recent pods of the current template, any order.
    configured
        The policy's own word, which is taken as it is but for the lower bound.
    routable_after
        From Ready to where callers find the pod, on top of what is measured.
    """
    if configured is not None:
        measured = configured
    elif len(lead_times) < FEWEST_PODS:
        measured = max(DEFAULT_LEAD_TIME, *lead_times, timedelta(0)) + routable_after
    else:
        measured = upper_share(lead_times) + routable_after
    if configured is None:
        measured = min(measured, FARTHEST_FORECAST)
    return max(measured, cycle + metric_age)


def metric_age_of(samples: Sequence[Sample], *, now: datetime) -> timedelta:
    """Return how old the oldest of a workload's samples is; the default where none is known.

    Unknown samples do not count: the length of an outage must not lengthen the lead time.
    """
    oldest: timedelta | None = None
    for sample in samples:
        at = sample.sampled_at
        if at is not None and known_load(sample, now=now) is not None:
            age = now - at
            oldest = age if oldest is None or age > oldest else oldest
    return DEFAULT_METRIC_AGE if oldest is None else max(oldest, timedelta(0))


def upper_share(times: Sequence[timedelta]) -> timedelta:
    """Return the P90 of some times, at least one; of fewer than ten it is the longest."""
    return sorted(times)[math.ceil(_SHARE * len(times)) - 1]


def longest_lead_time(lead_times: Iterable[timedelta]) -> timedelta:
    """Return the longest of some lead times, as far as any forecast can look ahead."""
    return min(max(lead_times, default=timedelta(0)), FARTHEST_FORECAST)


def hold_seconds(cycle: timedelta) -> float:
    """Return how long the window of a forecast is: two cycles, and no less than a minute."""
    return max(2 * cycle, _SHORTEST_HOLD).total_seconds()
