"""When does a workload scale to zero, and when does it come back: `minReplicas: 0`.

The last pod goes after `IDLE_BEFORE_ZERO`, in which every metric was known and read zero, and no
trusted forecast expected load.
It comes back once a metric reads more than zero, or a trusted forecast expects load.
Until then the workload stays at zero, also while metrics are absent: most sources have no series
without pods, so their absence is what is to be expected, and no doubt.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoscaler.decide.facts import Doubt, Sample, Signal, Trust, WorkloadFacts
from autoscaler.decide.measured import known_load

# As long as the longest default hold: whoever came a moment ago may come again.
IDLE_BEFORE_ZERO = timedelta(minutes=10)
# Of one pod's capacity: a quantile is never quite zero, and a tenth of a pod is not worth a pod.
_EXPECTED_NOTHING = 0.1


def idle(signals: Sequence[Signal], *, now: datetime) -> bool:
    """Whether nothing is asked of the workload now and nothing is expected."""
    return all(
        signal.sample.doubt is None
        and known_load(signal.sample, now=now) == 0.0
        and not _expected(signal)
        for signal in signals
    )


def asleep(signals: Sequence[Signal], *, workload: WorkloadFacts, now: datetime) -> bool:
    """Whether there are no pods, and every metric is either known or has no series without them.

    A source that does not answer, or is not scraped, is unknown here as everywhere.
    """
    if workload.spec_replicas or workload.ready_replicas:
        return False
    return all(_heard(signal.sample, now=now) or _ended(signal.sample) for signal in signals)


def _heard(sample: Sample, *, now: datetime) -> bool:
    return sample.doubt is None and known_load(sample, now=now) is not None


def _ended(sample: Sample) -> bool:
    """Whether a series is gone; one that was scraped too long ago may go on unseen."""
    gone = sample.doubt is Doubt.STALE and sample.sampled_at is None
    return sample.doubt is Doubt.ABSENT or gone


def replicas_around_zero(
    replicas: int | None,
    signals: Sequence[Signal],
    *,
    workload: WorkloadFacts,
    idle_since: datetime | None,
    now: datetime,
) -> int | None:
    """Return the recommendation of a workload that may have no pods at all.

    Parameters
    ----------
    replicas
        What load and forecast ask for; None = unknown.
    """
    if replicas is not None and replicas > 1:
        return replicas
    if workload.spec_replicas == 0:
        asked = any(known_load(signal.sample, now=now) for signal in signals)
        ahead = replicas == 1 and any(_expected(signal) for signal in signals)
        if asked or ahead:
            return 1
        nothing = replicas is not None or asleep(signals, workload=workload, now=now)
        return 0 if nothing else None
    if replicas is None:
        return None
    waited = idle_since is not None and now - idle_since >= IDLE_BEFORE_ZERO
    return 0 if waited and idle(signals, now=now) else 1


def _expected(signal: Signal) -> bool:
    """Whether a trusted forecast expects more than a tenth of what one pod carries."""
    forecast, capacity = signal.forecast, signal.capacity
    if forecast is None or capacity is None or forecast.trust is not Trust.TRUSTED:
        return False
    return forecast.quantile > _EXPECTED_NOTHING * capacity.per_pod
