"""Between which numbers must the answer lie: the policy's bounds, and HPA's built-in growth cap."""

from autoscaler.decide.decision import Limit
from autoscaler.decide.reason import Reason

# HPA's built-in cap without a behavior section: never more than double, four are always allowed.
SCALE_UP_LIMIT_FACTOR = 2
SCALE_UP_LIMIT_MINIMUM = 4


def growth_capped_replicas(
    recommended_replicas: int,
    *,
    current_replicas: int,
    min_replicas: int,
    max_replicas: int,
    scale_up_limit_factor: float = SCALE_UP_LIMIT_FACTOR,
    scale_up_limit_minimum: float = SCALE_UP_LIMIT_MINIMUM,
) -> Limit:
    """Return HPA's last step without a behavior section: bounds and the growth cap."""
    growth_cap = int(max(scale_up_limit_factor * current_replicas, scale_up_limit_minimum))
    cap = min(growth_cap, max_replicas)
    after, reason = recommended_replicas, Reason.DESIRED_WITHIN_RANGE
    if recommended_replicas < min_replicas:
        after, reason = min_replicas, Reason.TOO_FEW_REPLICAS
    elif recommended_replicas > cap:
        after = cap
        capped = max_replicas > growth_cap
        reason = Reason.SCALE_UP_LIMIT if capped else Reason.TOO_MANY_REPLICAS
    return Limit(reason, recommended_replicas, after)
