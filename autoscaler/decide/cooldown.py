"""Is it too soon: no second rescale in a direction until this long after the last one in it.

This is not the stabilization window: a window looks at recommendations, a cooldown at rescales.
A burst overrides the scale-out cooldown; nothing overrides the scale-in one.
"""

from datetime import datetime, timedelta
from functools import lru_cache

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
    return f"{seconds_text(left)} left"


def seconds_text(span: timedelta) -> str:
    """Return a span for a record, to the second."""
    return _text(round(span.total_seconds()))


@lru_cache(maxsize=1024)  # of all that wait most wait for the same few instants
def _text(seconds: int) -> str:
    return duration_text(timedelta(seconds=seconds))
