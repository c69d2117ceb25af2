"""Does somebody else keep writing the same number: notice it, name them, back off.

One change by another hand is their good right and just the new starting point.
Two reversals of our orders within half an hour are a fight (GitOps, a second autoscaler), which
nobody wins: we stop writing, longer each time, and try again.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from autoscaler.decide.facts import WorkloadFacts
from autoscaler.decide.state import WorkloadState

# GitOps tools resync every 3 to 10 minutes: two reversals fit well within.
_REMEMBERED = timedelta(minutes=30)
_FEWEST_REVERSALS = 2
# Doubled at every further reversal: polite at once, never gone for long.
_FIRST_BACK_OFF = timedelta(minutes=5)
_LONGEST_BACK_OFF = timedelta(hours=1)
# Reversals beyond these add nothing to the back-off: 5, 10, 20, 40, 60 minutes.
_MOST_REVERSALS = 6


def reversed_order(workload: WorkloadFacts, state: WorkloadState) -> bool:
    """Whether the count we ordered was overwritten by somebody else.

    A watch that still shows the object as it was before our write, or earlier, is late, not
    contrary; nor is an API server contrary whose data was restored from a backup.
    """
    order = state.order
    return (
        order is not None
        and workload.spec_replicas != order.replicas
        and workload.is_later_than(order.over_version)
    )


def with_reversal(reverted_at: tuple[datetime, ...], *, now: datetime) -> tuple[datetime, ...]:
    """Return the remembered reversals with one more."""
    return (*reverted_at, now)[-_MOST_REVERSALS:]


def back_off_left(reverted_at: tuple[datetime, ...], *, now: datetime) -> timedelta:
    """Return how long we still keep our hands off, zero or less when we need not."""
    if len(reverted_at) < _FEWEST_REVERSALS:
        return timedelta(0)
    return reverted_at[-1] + _back_off(_consecutive(reverted_at)) - now


def _back_off(n_reversals: int) -> timedelta:
    """Return how long to keep our hands off after so many reversals in a row."""
    if n_reversals < _FEWEST_REVERSALS:
        return timedelta(0)
    return min(_FIRST_BACK_OFF * (1 << (n_reversals - _FEWEST_REVERSALS)), _LONGEST_BACK_OFF)


def _consecutive(reverted_at: tuple[datetime, ...]) -> int:
    """Return how many reversals up to the last follow each other closely.

    The back-off itself lies between two of them, so it does not count as peace.
    """
    n_recent = 1
    for earlier, later in pairwise(reverted_at):
        close = later - earlier <= _REMEMBERED + _back_off(n_recent)
        n_recent = n_recent + 1 if close else 1
    return n_recent
