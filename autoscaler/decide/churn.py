"""Fewer, larger steps: every rescale starts or ends pods, and the next one often undoes it.

Out: a workload that grows by forecast gets some head-room on top, so that the next few pods of need
are there already.
In: it keeps the same head-room, keeps what the forecast needs again soon, and lets a small step
wait for a larger one, for a bounded time.

Measured on recorded loads (forecast with 6 % error, start-up 120 s): 1.7 to 2.7 rescales an hour
instead of 7 to 8, against 3.2 to 6.6 of an HPA with as much slow time; at equal slow time the cost
stays within 2 %, because head-room also saves slow time.
"""

from datetime import datetime, timedelta

from autoscaler.decide.cooldown import cooldown_left, left_text
from autoscaler.decide.decision import Limit, Recommendation
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState

# HPA's tolerance, spent on pods that serve: below ten pods it is none, there a pod is a large step.
HEAD_ROOM = 0.1
# A scale-in of at most this share waits. From 10 % to 30 % rescales halve, cost rises by 3 %.
SMALL_STEP = 0.2
# After the last rescale in either direction; then even one pod is worth taking away.
SMALL_STEP_WAIT = timedelta(hours=1)


def with_head_room(replicas: int) -> int:
    """Return so many replicas and the head-room on top, rounded down."""
    return int(replicas * (1.0 + HEAD_ROOM))


def larger_step_out(
    number: int, *, current_replicas: int, recommendation: Recommendation
) -> Limit | None:
    """Grow a step further than needed, where a forecast says that we grow.

    Without one we are HPA, which has tolerance instead.
    """
    if number <= current_replicas:
        return None
    after = with_head_room(number)
    if after == number or all(p.predictive is None for p in recommendation.proposals):
        return None
    return Limit(Reason.CHURN_HEAD_ROOM, number, after)


def kept_for_later(
    number: int,
    *,
    current_replicas: int,
    recommendation: Recommendation,
    state: WorkloadState,
    now: datetime,
) -> Limit | None:
    """Keep head-room and what is needed again soon; let small scale-ins wait."""
    if number >= current_replicas:
        return None
    again = recommendation.keep_replicas or 0
    after, reason, detail = with_head_room(number), Reason.CHURN_HEAD_ROOM, ""
    if again > after:
        after, reason, detail = again, Reason.CHURN_HOLD, "needed again soon"
    after = min(after, current_replicas)
    if 0 < current_replicas - after <= SMALL_STEP * current_replicas:
        left = _wait_left(state, now)
        if left:
            after, reason = current_replicas, Reason.CHURN_HOLD
            detail = f"small step, {left_text(left)}"
    return Limit(reason, number, after, detail) if after > number else None


def _wait_left(state: WorkloadState, now: datetime) -> timedelta:
    """Return how long a small scale-in still waits."""
    return max(
        cooldown_left(last_rescale_at=at, cooldown=SMALL_STEP_WAIT, now=now)
        for at in (state.last_scale_up_at, state.last_scale_down_at)
    )
