"""Between which numbers the answer must lie: the policy's, the schedule's, those of an HPA we feed.

Bounds are the user's own word: they hold at once, whatever the rate and whatever is unknown.
"""

from dataclasses import dataclass

from autoscaler.decide.decision import Limit
from autoscaler.decide.facts import WorkloadFacts
from autoscaler.decide.reason import Reason
from autoscaler.decide.schedule import ScheduledBounds
from autoscaler.policy.schema import Actuator, WorkloadPolicy


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lowest and the highest count in force, and which rule set each."""

    low: int
    high: int
    low_reason: Reason = Reason.TOO_FEW_REPLICAS
    high_reason: Reason = Reason.TOO_MANY_REPLICAS
    low_detail: str = ""
    high_detail: str = ""


def bounds_in_force(min_replicas: int, max_replicas: int, scheduled: ScheduledBounds) -> Bounds:
    """Return the policy's bounds narrowed by the schedule.

    `max_replicas` is never exceeded; where a floor is above a ceiling the floor wins, because too
    many replicas cost money and too few cost users.
    """
    floor, ceiling = max(scheduled.floor or 0, min_replicas), scheduled.ceiling
    raised = floor > min_replicas
    low = min(floor, max_replicas)
    high = max_replicas if ceiling is None else min(max(ceiling, low), max_replicas)
    lowered = high < max_replicas
    below = ceiling is not None and ceiling < low
    wins = f": {ceiling}, but at least {low} are asked for" if below else ""
    return Bounds(
        low,
        high,
        Reason.SCHEDULE_FLOOR if raised else Reason.TOO_FEW_REPLICAS,
        Reason.SCHEDULE_CEILING if lowered else Reason.TOO_MANY_REPLICAS,
        scheduled.floor_name if raised else "",
        f"{scheduled.ceiling_name}{wins}" if lowered else "",
    )


def bounded_replicas(number: int, bounds: Bounds, *, current_replicas: int) -> Limit | None:
    """Return the bound that a number breaks, None when it lies between them.

    A workload that has more replicas than the highest bound goes exactly there in this step, even
    if fewer would do, as with HPA.
    """
    if number > bounds.high or (bounds.high < current_replicas and number != bounds.high):
        return Limit(bounds.high_reason, number, bounds.high, bounds.high_detail)
    if number < bounds.low:
        return Limit(bounds.low_reason, number, bounds.low, bounds.low_detail)
    return None


def highest_floor(workload: WorkloadFacts, policy: WorkloadPolicy) -> int | None:
    """Return the most that the HPA takes for its `minReplicas`; None = nobody limits it.

    The server refuses a floor above the HPA's own `maxReplicas`; one at it is the most that can be
    done, and none at all would be the least.
    """
    return workload.hpa_max_replicas if policy.actuator is Actuator.HPA else None
