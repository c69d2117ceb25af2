"""HPA's own steps where ours differ: kept, so that its conformance cases can be put to them.

| HPA | ours |
|---|---|
| the largest proposal wins; one in error forbids scaling in | `recommend.py` says which |
| bounds and speed limit in one step, the nearer one named | `limits.py`: a step for each |
| no behavior section: at most double, four always | `policy/behavior.py`: v2's defaults |
| no behavior section: the highest of five minutes | `stabilization.py`: a window each way |
| a source that answers nothing is an error | `measured.py`: it is unknown |

References
----------
Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoscaler.decide.decision import Limit
from autoscaler.decide.facts import PodPhase
from autoscaler.decide.pod_classes import MeasuredPod
from autoscaler.decide.rate_limits import scale_down_limit, scale_up_limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.replica_calculator import MetricErrorKind, ReplicaCalculationError
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation
from autoscaler.policy.behavior import Behavior

# HPA's built-in cap without a behavior section: never more than double, four are always allowed.
SCALE_UP_LIMIT_FACTOR = 2
SCALE_UP_LIMIT_MINIMUM = 4
# HPA without a behavior section: `--horizontal-pod-autoscaler-downscale-stabilization`.
DEFAULT_DOWNSCALE_STABILIZATION = timedelta(seconds=300)


def largest_proposal(proposals: Sequence[int | None], *, current_replicas: int) -> int | None:
    """Return the largest proposal; None = no decision, the workload keeps what it has.

    Parameters
    ----------
    proposals
        One per metric; None = that metric is in error.
    """
    known = [replicas for replicas in proposals if replicas is not None]
    if not known:
        return None
    largest = max(known)
    in_error = len(known) < len(proposals)
    return None if in_error and largest < current_replicas else largest


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


def rate_limited_replicas(
    recommended_replicas: int,
    *,
    current_replicas: int,
    bounds: tuple[int, int],
    behavior: Behavior,
    events: Sequence[ScaleEvent],
    now: datetime,
) -> Limit:
    """Return HPA's last step with a behavior section: the speed limit or the bound.

    `bounds` is (min, max); max is not applied on the way down, nor min on the way up.
    A `Limit` that changes nothing has the reason `DesiredWithinRange`.
    """
    low, high = bounds
    after, reason = recommended_replicas, Reason.DESIRED_WITHIN_RANGE
    if recommended_replicas > current_replicas:
        limit = scale_up_limit(current_replicas, rules=behavior.scale_up, events=events, now=now)
        cap = min(limit, high)
        if recommended_replicas > cap:
            after = cap
            reason = Reason.SCALE_UP_LIMIT if limit < high else Reason.TOO_MANY_REPLICAS
    elif recommended_replicas < current_replicas:
        limit = scale_down_limit(
            current_replicas, rules=behavior.scale_down, events=events, now=now
        )
        floor = max(limit, low)
        if recommended_replicas < floor:
            after = floor
            reason = Reason.SCALE_DOWN_LIMIT if limit > low else Reason.TOO_FEW_REPLICAS
    return Limit(reason, recommended_replicas, after)


def downscale_stabilized_replicas(
    recommended_replicas: int,
    *,
    history: Sequence[TimestampedRecommendation],
    now: datetime,
    window: timedelta = DEFAULT_DOWNSCALE_STABILIZATION,
) -> int:
    """Return the highest recommendation of the window: HPA without a behavior section."""
    cutoff = now - window
    return max(recommended_replicas, *(r.replicas for r in history if r.at >= cutoff), 0)
