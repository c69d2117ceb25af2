"""Is it too soon: no second rescale in a direction until this long after the last one in it.

This is not the stabilization window: a window looks at recommendations, a cooldown at rescales.
A burst overrides the scale-out cooldown; nothing overrides the scale-in one.
"""

from datetime import datetime, timedelta

from autoscaler.policy.quantity import duration_text

_NONE = timedelta(0)


def cooldown_left(
    *, last_rescale_at: datetime | None, cooldown: timedelta, now: datetime
) -> timedelta:
    """Return how long rescales in this direction still have to wait, zero when they need not."""
    if last_rescale_at is None:
        return _NONE
    left = last_rescale_at + cooldown - now
    return left if left > _NONE else _NONE


def left_text(left: timedelta) -> str:
    """Return the time left for a record, to the second."""
    return f"{duration_text(timedelta(seconds=round(left.total_seconds())))} left"
