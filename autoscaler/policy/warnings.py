"""What of a good policy cannot hold as written: said to its author, and no reason to refuse it.

A refused policy would leave a workload without any; a bound that another one overrules is a
smaller evil, as long as somebody is told.
"""

from collections.abc import Iterator
from datetime import timedelta

from autoscaler.policy.metric import MetricType
from autoscaler.policy.quantity import duration_text
from autoscaler.policy.schema import WorkloadPolicy

# As far ahead as the forecaster was ever shown (`models.horizon.MOST_LEAD_SECONDS`).
FARTHEST_FORECAST = timedelta(minutes=30)
# What is measured at pods, and so not at all where there are none.
_OF_PODS = frozenset({MetricType.RESOURCE, MetricType.CONTAINER_RESOURCE, MetricType.PODS})


def warnings_of(policy: WorkloadPolicy) -> Iterator[str]:
    """Yield one line per lead time or bound that cannot hold as written."""
    lead = policy.forecast.lead_time
    if lead is not None and lead > FARTHEST_FORECAST:
        farthest = duration_text(FARTHEST_FORECAST)
        yield (
            f"forecast.leadTime: {duration_text(lead)} is above {farthest}, farther ahead than "
            "the forecast was ever measured"
        )
    if policy.min_replicas == 0 and all(metric.type in _OF_PODS for metric in policy.metrics):
        yield (
            "minReplicas: 0 with metrics of pods alone, which measure nothing where there are "
            "none: only a forecast would start the first one"
        )
    yield from _overruled_bounds(policy)


def _overruled_bounds(policy: WorkloadPolicy) -> Iterator[str]:
    low, high = policy.min_replicas, policy.max_replicas
    for number, entry in enumerate(policy.schedule):
        where = f"schedule[{number}]"
        floor, ceiling = entry.min_replicas, entry.max_replicas
        if floor is not None and floor > high:
            yield f"{where}.minReplicas: {floor} is above maxReplicas {high}, which caps it"
        if ceiling is not None and ceiling < low:
            yield f"{where}.maxReplicas: {ceiling} is below minReplicas {low}, which wins"
