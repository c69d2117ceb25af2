"""How far may one rescale go: `behavior.*.policies` of autoscaling/v2.

Each policy allows a change since the start of its period; `selectPolicy` picks among them.
What was added or removed within the period is reckoned out first, in both directions, so that a
dip and a recovery do not use up the allowance.
"""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta

from autoscaler.decide.state import ScaleEvent
from autoscaler.policy.behavior import (
    RateLimitType,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)

# No rate limit may look back further than autoscaling/v2 allows a period to be.
LONGEST_PERIOD = timedelta(seconds=1800)


def scale_up_limit(
    current_replicas: int, *, rules: ScalingRules, events: Sequence[ScaleEvent], now: datetime
) -> int:
    """Return the most replicas the rules allow now, never below current.

    From zero that is the first pod at least: a percentage of none would be none for ever.
    """
    if rules.select_policy is SelectPolicy.DISABLED:
        return current_replicas
    select = min if rules.select_policy is SelectPolicy.MIN else max
    limits = (
        _raised(_replicas_at_start(current_replicas, policy, events, now), policy)
        for policy in rules.policies
    )
    limit = select(limits, default=current_replicas)
    return max(limit, current_replicas, 1)


def scale_down_limit(
    current_replicas: int, *, rules: ScalingRules, events: Sequence[ScaleEvent], now: datetime
) -> int:
    """Return the fewest replicas the rules allow now, never above current."""
    if rules.select_policy is SelectPolicy.DISABLED:
        return current_replicas
    select = max if rules.select_policy is SelectPolicy.MIN else min
    limits = (
        _lowered(_replicas_at_start(current_replicas, policy, events, now), policy)
        for policy in rules.policies
    )
    limit = select(limits, default=current_replicas)
    return min(limit, current_replicas)


def _replicas_at_start(
    current_replicas: int, policy: ScalingPolicy, events: Sequence[ScaleEvent], now: datetime
) -> int:
    """Return the replicas at the start of the period; an event exactly that old is before it."""
    if not events:
        return current_replicas
    start_at = now - timedelta(seconds=policy.period_seconds)
    return current_replicas - sum(event.change for event in events if event.at > start_at)


def _raised(base: int, policy: ScalingPolicy) -> int:
    if policy.type is RateLimitType.PODS:
        return base + policy.value
    return math.ceil(base * (1 + policy.value / 100))


def _lowered(base: int, policy: ScalingPolicy) -> int:
    if policy.type is RateLimitType.PODS:
        return base - policy.value
    return int(base * (1 - policy.value / 100))
