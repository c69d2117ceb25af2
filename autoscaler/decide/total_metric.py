"""How many replicas does a total ask for: HPA's arithmetic for Object and External metrics.

The amounts are in any one unit: milli-units as in HPA, or requests per second.

References
----------
Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

import math

from autoscaler.decide.replica_calculator import HpaProposal
from autoscaler.decide.sizing import whole_pods
from autoscaler.decide.usage_ratio import Tolerances


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
