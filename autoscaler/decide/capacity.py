"""How much load may one ready pod carry, as far as the policy and what pods request say it."""

import math
from collections.abc import Mapping
from functools import lru_cache

from autoscaler.decide.facts import WHOLE_POD, Capacity, CapacitySource, WorkloadFacts
from autoscaler.policy.metric import MetricSpec, TargetType


def declared_capacity(metric: MetricSpec, workload: WorkloadFacts) -> Capacity | None:
    """Return the capacity in the metric's unit; None = it has to be learned, or has no meaning.

    A `Value` target is a total for the whole workload: no pod has a share of it.
    """
    target = metric.target
    if target is None or target.type is TargetType.VALUE:
        return None
    if target.type is TargetType.AVERAGE_VALUE:
        return _declared(target.amount, CapacitySource.POLICY)
    request = requested_per_pod(metric, workload)
    if not request:
        return None
    return _declared(request * target.amount / 100.0, CapacitySource.REQUEST)


@lru_cache(maxsize=16_384)  # asked for in every cycle, and always the same
def _declared(per_pod: float, source: CapacitySource) -> Capacity:
    return Capacity(per_pod, source)


def requested_per_pod(metric: MetricSpec, workload: WorkloadFacts) -> float | None:
    """Return cores or bytes one pod requests in the metric's scope; None = nowhere declared.

    What the pods were given counts, as HPA adds it up: a LimitRange or a webhook may have made it
    another request than the template's, or one where that has none.
    While pods of two templates run, the smallest counts: a rollout may be stuck for longer than any
    hold, and what the new template asks for is then not what serves.
    """
    declared = _per_pod(workload.requests, metric)
    pods = workload.pods or ()
    if all(pod.requests is workload.requests for pod in pods):
        return declared
    serving = (pod.requests for pod in pods if pod.goes_on)
    given = [amount for requests in serving if (amount := _per_pod(requests, metric))]
    if workload.rollout_in_progress:
        return min([*given, declared] if declared else given, default=None)
    return sum(given) / len(given) if given else declared


def limit_per_pod(metric: MetricSpec, workload: WorkloadFacts) -> float | None:
    """Return the most cores or bytes one pod gets in the metric's scope; None = no limit."""
    limit = _per_pod(workload.limits, metric)
    return None if limit is None or math.isinf(limit) else limit


def _per_pod(amounts: Mapping[tuple[str, str], float], metric: MetricSpec) -> float | None:
    """Return the amount in the metric's scope; None = not declared, or no metric of a resource."""
    if metric.container_resource is not None:
        section = metric.container_resource
        return amount_of(amounts, section.container, section.name)
    if metric.resource is not None:
        return amount_of(amounts, None, metric.resource.name)
    return None


def amount_of(
    amounts: Mapping[tuple[str, str], float], container: str | None, resource: str
) -> float | None:
    """Return the amount of one container, or (None) of the pod; None = not declared.

    The pod's is its own where it has one, as for HPA, else that of all its containers together.
    """
    if container is not None:
        return amounts.get((container, resource))
    whole = amounts.get((WHOLE_POD, resource))
    if whole is not None:
        return whole
    found = [amount for (_, its_resource), amount in amounts.items() if its_resource == resource]
    return sum(found) if found else None
