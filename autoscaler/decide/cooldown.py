"""Is it too soon: no second rescale in a direction until this long after the last one in it.

This is not the stabilization window: a window looks at recommendations, a cooldown at rescales.
A burst overrides the scale-out cooldown; nothing overrides the scale-in one.
"""

from datetime import datetime, timedelta

from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import Cooldown

_NONE = timedelta(0)


def scale_in_cooldown_left(cooldown: Cooldown, *, state: WorkloadState, now: datetime) -> timedelta:
    """Return how long a scale-in still has to wait, zero when it need not."""
    return _left(state.last_scale_down_at, cooldown.scale_down, now)


def scale_out_cooldown_left(
    cooldown: Cooldown, *, state: WorkloadState, now: datetime
) -> timedelta:
    """Return how long a scale-out still has to wait, zero when it need not; a burst need not."""
    if state.since(Reason.BURST_HOLD) is not None:
        return _NONE
    return _left(state.last_scale_up_at, cooldown.scale_up, now)


def _left(last_rescale_at: datetime | None, cooldown: timedelta, now: datetime) -> timedelta:
    if last_rescale_at is None or not cooldown:
        return _NONE
    return max(last_rescale_at + cooldown - now, _NONE)
