"""What did the recent past recommend: the stabilization window of HPA, in both directions.

Scale-in follows the highest recommendation of its window, scale-out the lowest of its own, so one
odd sample never moves the workload.
This is not the cooldown: a window looks at recommendations, a cooldown at rescales.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from autoscaler.decide.state import TimestampedRecommendation


def stabilized_replicas(
    recommended_replicas: int,
    *,
    current_replicas: int,
    history: Sequence[TimestampedRecommendation],
    up_window: timedelta,
    down_window: timedelta,
    now: datetime,
) -> int:
    """Return current clamped between the lowest of the up and the highest of the down window.

    Parameters
    ----------
    history
        Earlier recommendations before stabilization, in any order, without the new one.
        One exactly as old as a window is outside it.
    """
    lowest = highest = recommended_replicas
    up_cutoff, down_cutoff = now - up_window, now - down_window
    for earlier in history:
        replicas, at = earlier.replicas, earlier.at
        if replicas > highest and at > down_cutoff:
            highest = replicas
        elif replicas < lowest and at > up_cutoff:
            lowest = replicas
    return min(max(current_replicas, lowest), highest)


def last_at_least(replicas: int, history: Sequence[TimestampedRecommendation]) -> datetime:
    """Return when so many or more were last recommended: a scale-in window counts from then."""
    return max(earlier.at for earlier in history if earlier.replicas >= replicas)


def last_at_most(replicas: int, history: Sequence[TimestampedRecommendation]) -> datetime:
    """Return when so many or fewer were last recommended: a scale-out window counts from then."""
    return max(earlier.at for earlier in history if earlier.replicas <= replicas)
