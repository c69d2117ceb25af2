"""How many replicas does a total ask for: HPA's arithmetic for Object and External metrics.

The amounts are in any one unit: milli-units as in HPA, or requests per second.

References
----------
Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

import math
from collections.abc import Sequence

from autoscaler.decide.facts import PodPhase
from autoscaler.decide.pod_classes import MeasuredPod
from autoscaler.decide.replica_calculator import (
    HpaProposal,
    MetricErrorKind,
    ReplicaCalculationError,
)
from autoscaler.decide.sizing import whole_pods
from autoscaler.decide.usage_ratio import Tolerances


def serving_pods(pods: Sequence[MeasuredPod]) -> int:
    """Return how many pods run and are ready; a pod being deleted still serves."""
    return sum(pod.phase is PodPhase.RUNNING and pod.ready for pod in pods)


def summed(metric_values: Sequence[int]) -> int:
    """Return the total of what a source answered.

    Raises
    ------
    ReplicaCalculationError
        It answered nothing, which is not zero.
    """
    if not metric_values:
        raise ReplicaCalculationError(MetricErrorKind.NO_SAMPLES, "the source returned nothing")
    return sum(metric_values)


def replicas_for_value(
    total: float,
    *,
    target: float,
    current_replicas: int,
    ready_replicas: int,
    tolerances: Tolerances,
) -> HpaProposal:
    """Return HPA's answer for a `Value` target: the whole workload should see `target`."""
    ratio = total / target
    if current_replicas == 0:
        replicas = whole_pods(ratio)
    elif tolerances.hold(ratio):
        replicas = current_replicas
    else:
        replicas = whole_pods(ratio * ready_replicas)
    return HpaProposal(replicas, ratio, None, math.ceil(total))


def replicas_for_average_value(
    total: float, *, target: float, current_replicas: int, tolerances: Tolerances
) -> HpaProposal:
    """Return HPA's answer for an `AverageValue` target: each pod should carry `target`.

    `current_replicas` is what exists (`status.replicas`); with none, any load at all is too much.
    """
    if current_replicas == 0:
        return HpaProposal(whole_pods(total / target), math.inf if total > 0 else 0.0)
    ratio = total / (target * current_replicas)
    replicas = current_replicas if tolerances.hold(ratio) else whole_pods(total / target)
    return HpaProposal(replicas, ratio, None, math.ceil(total / current_replicas))
