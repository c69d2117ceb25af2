"""Fewer, larger steps: every rescale starts or ends pods, and the next one often undoes it.

In: what the forecast needs again soon is kept, and a step waits until it is worth taking: until the
share of the pods that were too many, summed over the time they were, comes to half of the
stabilization window for the whole workload, two and a half minutes by default.
A tenth too many then waits for 25 minutes, a half for five; a surplus that ends was not worth it,
and who asks for no window does not wait at all.
On a load's first day less is worth it: what is too many then is often a young forecast's mistake,
which the next hour puts right.
Out: nothing waits; while a rise is under way, what it rose by lately is added once more, so that
one step does for two, where a scale-in waits at all: else the next cycle would take it back.

Both hold where a forecast sizes the workload; what is sized by measured load alone follows HPA.

Measured on 22 recorded loads (start-up 120 s, priors that have not seen them, geometric means):
half of the HPA's rescales at equal slow time, for 1 to 2 % of cost against taking every step that
stabilization and cooldown let pass (1.5 times the HPA's rescales); on their first day alone, with
the whole wait, slow time at equal cost was 0.55 of the HPA's instead of 0.44.
"""

from datetime import datetime, timedelta

from autoscaler.decide.cooldown import seconds_text
from autoscaler.decide.decision import Decision, Limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState

# What a scale-in must have been able to save of the whole workload, in stabilization windows.
WORTH = 0.5
# A reconcile that comes late says nothing about the time between.
_LONGEST_CYCLE = timedelta(minutes=1)
# How long ago a rise began that is met at once, and how much is added at most.
RISE_WITHIN = timedelta(minutes=5)
MOST_ADDED = 0.05
_NOTHING = timedelta(0)
_DAY = timedelta(days=1)
# While these wait, a surplus goes on.
_WAITS = frozenset({Reason.CHURN_HOLD, Reason.COOLDOWN_ACTIVE})


def kept_for_later(
    number: int,
    *,
    current_replicas: int,
    keep_replicas: int,
    worth: timedelta,
    surplus: timedelta,
) -> Limit | None:
    """Keep what is needed again soon, and wait until what is left is worth a rescale."""
    after = min(max(number, keep_replicas), current_replicas)
    if after > number:
        return Limit(Reason.CHURN_HOLD, number, after, "needed again soon")
    missing = worth - surplus
    if missing <= _NOTHING:
        return None
    left = missing / (1.0 - number / current_replicas)
    told = f"scale-in in {seconds_text(left)}, if the surplus lasts"
    return Limit(Reason.CHURN_HOLD, number, current_replicas, told)


def worth_waiting_for(window: timedelta, *, history: timedelta) -> timedelta:
    """Return the surplus that is worth a rescale; it grows to the whole on a load's first day."""
    return WORTH * window * min(history / _DAY, 1.0)


def surplus_at(state: WorkloadState, *, now: datetime) -> timedelta:
    """Return the surplus up to now: since it was last seen, the same share was idle."""
    if not state.idle_share or state.seen_at is None:
        return state.surplus
    return state.surplus + state.idle_share * min(now - state.seen_at, _LONGEST_CYCLE)


def idle_share_after(decision: Decision) -> float:
    """Return the share of the pods that the rules before any wait would have taken away."""
    waits = (limit.before for limit in decision.chain if limit.reason in _WAITS)
    wanted = next(waits, decision.desired_replicas)
    current = decision.current_replicas
    return 1.0 - wanted / current if wanted < current else 0.0


def rise_met_at_once(number: int, *, state: WorkloadState, now: datetime) -> Limit | None:
    """Add what the recommendation rose by lately, at most a twentieth."""
    lately = [r.replicas for r in state.recommendations if now - r.at <= RISE_WITHIN]
    more = min(number - min(lately, default=number), int(MOST_ADDED * number))
    if more <= 0:
        return None
    return Limit(Reason.RISE_MET_AT_ONCE, number, number + more)
