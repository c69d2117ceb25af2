"""Fewer steps: every rescale starts or ends pods, and the next one often undoes it.

In: what the forecast needs again soon is kept, and a small step waits for a larger one, for a
bounded time.
Out: nothing waits, and nothing is added: head-room for its own sake would be paid for all day.

Measured on 22 recorded loads (start-up 120 s, 1 % slow, geometric means): a quarter fewer rescales
for 0.2 % of cost.
Head-room of 10 % and steps of 20 % that wait an hour would save two thirds of the rescales, but
cost 3 % at equal slow time, a sixth of what the forecast saves; so we do not.
"""

from datetime import datetime, timedelta

from autoscaler.decide.cooldown import cooldown_left, left_text
from autoscaler.decide.decision import Limit, Recommendation
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState

# A scale-in of at most this share waits: HPA's tolerance, which would wait for ever.
SMALL_STEP = 0.1
# After the last rescale in either direction; then even one pod is worth taking away.
SMALL_STEP_WAIT = timedelta(minutes=30)


def kept_for_later(
    number: int,
    *,
    current_replicas: int,
    recommendation: Recommendation,
    state: WorkloadState,
    now: datetime,
) -> Limit | None:
    """Keep what is needed again soon; let small scale-ins wait."""
    if number >= current_replicas:
        return None
    after = min(max(number, recommendation.keep_replicas or 0), current_replicas)
    detail = "needed again soon"
    if 0 < current_replicas - after <= SMALL_STEP * current_replicas:
        left = _wait_left(state, now)
        if left:
            after, detail = current_replicas, f"small step, {left_text(left)}"
    return Limit(Reason.CHURN_HOLD, number, after, detail) if after > number else None


def _wait_left(state: WorkloadState, now: datetime) -> timedelta:
    """Return how long a small scale-in still waits."""
    return max(
        cooldown_left(last_rescale_at=at, cooldown=SMALL_STEP_WAIT, now=now)
        for at in (state.last_scale_up_at, state.last_scale_down_at)
    )
