"""What to do, and what to remember of it: the one entry for the loop and for replay alike.

recommend -> doubt -> stabilize -> cool down -> limit rate -> schedule and bounds -> final.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import NamedTuple

from autoscaler.decide.case import Case
from autoscaler.decide.churn import idle_share_after, surplus_at
from autoscaler.decide.contention import back_off_left, reversed_order, with_reversal
from autoscaler.decide.decision import Decision, Limit, Recommendation, left_text
from autoscaler.decide.facts import Signal, WorkloadFacts
from autoscaler.decide.holds import (
    VANISHED_WITHIN,
    after_jump,
    busiest,
    clock_jumped,
    updated_holds,
)
from autoscaler.decide.lead_time import longest_lead_time
from autoscaler.decide.limits import STEPS, at_rest, capped_by_hpa
from autoscaler.decide.rate_limits import LONGEST_PERIOD
from autoscaler.decide.reason import Reason
from autoscaler.decide.recommend import recommended
from autoscaler.decide.scale_to_zero import idle
from autoscaler.decide.standstill import standstill
from autoscaler.decide.state import (
    Order,
    TimestampedRecommendation,
    WorkloadState,
    possible_extremes,
)
from autoscaler.policy.behavior import Behavior
from autoscaler.policy.schema import Actuator, WorkloadPolicy

_ZERO = timedelta(0)


class Outcome(NamedTuple):
    """One reconcile: what is wanted, what is decided, and what is remembered either way."""

    recommendation: Recommendation
    decision: Decision
    state_if_held: WorkloadState
    resource_version: str
    at: datetime

    def carried_out(self, state: WorkloadState) -> WorkloadState:
        """Return a state, this one's or a later one, after the decision was carried out."""
        decision = self.decision
        change = decision.desired_replicas - decision.current_replicas
        order = Order(decision.desired_replicas, self.resource_version)
        return replace(
            state.with_rescale(change, now=self.at, keep=LONGEST_PERIOD),
            order=order,
            generation=None if state.generation is None else state.generation + 1,
        )

    def arrived(self, workload: WorkloadFacts) -> bool | None:
        """Return whether an unanswered write was carried out; None = nothing later was read."""
        if not workload.is_later_than(self.resource_version):
            return None
        return workload.spec_replicas == self.decision.desired_replicas

    def state_after(self, *, rescaled: bool) -> WorkloadState:
        """Return the state after the decision was, or was not, carried out."""
        return self.carried_out(self.state_if_held) if rescaled else self.state_if_held


def reconciled(
    signals: Sequence[Signal],
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
    state: WorkloadState,
    now: datetime,
    clock_moved_by: timedelta = _ZERO,
) -> Outcome:
    """Recommend, decide and remember, for one workload at one instant.

    Parameters
    ----------
    signals
        One per entry of `policy.metrics`, in that order.
    state
        What the outcome of the reconcile before said to remember.
    clock_moved_by
        By how much the clock was set since then, as far as that is known.
    """
    if clock_jumped(state, now=now, moved_by=clock_moved_by):
        state = after_jump(state, now=now)
    if state.seen_at is not None and now < state.seen_at:
        state = state.as_of(now)
    recommendation = recommended(signals, workload=workload, policy=policy, state=state, now=now)
    observed = _observed(
        signals, recommendation, workload=workload, policy=policy, state=state, now=now
    )
    decision = decide(recommendation, workload=workload, policy=policy, state=observed, now=now)
    share = idle_share_after(decision)
    if share != observed.idle_share:
        surplus = observed.surplus if share else _ZERO
        observed = replace(observed, surplus=surplus, idle_share=share)
    return Outcome(recommendation, decision, observed, workload.resource_version, now)


def decide(
    recommendation: Recommendation,
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
    state: WorkloadState,
    now: datetime,
) -> Decision:
    """Damp and bound a recommendation; the last rule that changed it names the reason.

    The chain leads from the recommendation (from current, when there is none) to the decision
    without a gap.
    """
    current = workload.spec_replicas
    number = current if recommendation.replicas is None else recommendation.replicas
    stop = standstill(number, workload=workload, policy=policy)
    if stop is None or stop.after != current:
        stop = _contested(number, workload=workload, state=state, now=now) or stop
    case = Case(current, recommendation, workload, policy, state, now)
    if stop is not None:
        return _stopped(stop, case)
    if at_rest(number, case):
        return Decision(current, number, recommendation.reason)
    return damped(number, case)


def _stopped(stop: Limit, case: Case) -> Decision:
    """Stand still, or go to the fixed count of an annotation, as far as an HPA takes that."""
    decision = Decision(case.current, stop.after, stop.reason, (stop,))
    capped = None if decision.stands_still else capped_by_hpa(stop.after, case)
    if capped is None:
        return decision
    return Decision(case.current, capped.after, capped.reason, (stop, capped))


def damped(number: int, case: Case) -> Decision:
    """Take a number through every step."""
    chain: list[Limit] = []
    for step in STEPS:
        limit = step(number, case)
        if limit is not None:
            chain.append(limit)
            number = limit.after
    reason = chain[-1].reason if chain else case.recommendation.reason
    return Decision(case.current, number, reason, tuple(chain))


def _contested(
    number: int, *, workload: WorkloadFacts, state: WorkloadState, now: datetime
) -> Limit | None:
    """Return the limit that keeps the current count after others overwrote ours repeatedly."""
    left = back_off_left(state.reverted_at, now=now) if state.reverted_at else _ZERO
    if left <= _ZERO:
        return None
    manager = workload.replicas_manager or "an unknown field manager"
    told = f"overwritten by {manager}, {left_text(left)}"
    return Limit(Reason.REPLICAS_CONTESTED, number, workload.spec_replicas, told)


def _observed(
    signals: Sequence[Signal],
    recommendation: Recommendation,
    *,
    workload: WorkloadFacts,
    policy: WorkloadPolicy,
    state: WorkloadState,
    now: datetime,
) -> WorkloadState:
    """Return the state with this cycle's facts: holds, reversals, the recommendation.

    The new recommendation is in the history already; no window's answer is changed by that,
    because `stabilized_replicas` counts it in any case.
    """
    current, reach = workload.spec_replicas, _reach(signals, policy.behavior)
    is_idle = policy.min_replicas == 0 and idle(signals, now=now)
    # An HPA whose floor we set chooses the count itself: that contradicts nobody.
    ours = policy.actuator is Actuator.SCALE
    undone = ours and reversed_order(workload, state)
    return WorkloadState(
        started_at=state.started_at,
        recommendations=_remembered(state, recommendation, current, policy, reach=reach, now=now),
        scale_events=state.scale_events,
        last_scale_up_at=state.last_scale_up_at,
        last_scale_down_at=state.last_scale_down_at,
        recovered=state.recovered,
        seen_at=now,
        holds=updated_holds(
            signals, recommendation, workload=workload, state=state, policy=policy, now=now
        ),
        idle_since=(state.idle_since or now) if is_idle else None,
        order=None if undone or not ours else state.order,
        reverted_at=with_reversal(state.reverted_at, now=now) if undone else state.reverted_at,
        generation=workload.generation if ours else None,
        surplus=surplus_at(state, now=now),
        idle_share=state.idle_share,
        busiest=busiest(state, recommendation.busy_pods, now=now),
        uid=workload.uid,
    )


def _remembered(
    state: WorkloadState,
    recommendation: Recommendation,
    current_replicas: int,
    policy: WorkloadPolicy,
    *,
    reach: timedelta,
    now: datetime,
) -> tuple[TimestampedRecommendation, ...]:
    """Return the history with this recommendation, unless doubt made it a mere lower bound.

    After a whole window in which nothing was known, the current count is noted in its place
    (`assumed`), as HPA does when it first sees a workload, and noted anew at every cycle until
    something is known: nothing is lowered before a full window of known recommendations.
    While somebody has set `spec.replicas` to 0, the history is empty: it begins anew after that.
    """
    if current_replicas == 0 and policy.min_replicas > 0:
        return ()
    replicas, history, behavior = recommendation.replicas, state.recommendations, policy.behavior
    unknown = replicas is None or (not recommendation.may_lower and replicas < current_replicas)
    if _nothing_known(state, behavior, unknown=unknown, now=now):
        known = (earlier for earlier in history if not earlier.assumed)
        history = (*known, TimestampedRecommendation(now, current_replicas, assumed=True))
    if replicas is None or unknown:
        return history
    kept = possible_extremes(history, replicas, now - reach)
    return (*kept, TimestampedRecommendation(now, replicas))


def _reach(signals: Sequence[Signal], behavior: Behavior) -> timedelta:
    """Return how far back recommendations are kept: the longest window, or the longest lead time.

    The lead time of a forecast that is not trusted counts as well, because it may be trusted again.
    """
    ahead = (signal.forecast.lead_time for signal in signals if signal.forecast is not None)
    return max(remembered_for(behavior), longest_lead_time(ahead))


def _nothing_known(
    state: WorkloadState, behavior: Behavior, *, unknown: bool, now: datetime
) -> bool:
    """Whether a whole window went by in which nothing was known.

    Where cycles are farther apart than the window, it takes one that knew nothing.
    At the very first cycle a window of either direction counts, afterwards that of scale-in alone.
    """
    window = behavior.scale_down_window
    last = next((r.at for r in reversed(state.recommendations) if not r.assumed), None)
    if last is None:
        return bool(window or (behavior.scale_up_window and not state.recommendations))
    missed = unknown or state.seen_at is None or last < state.seen_at
    return bool(window) and missed and last <= now - window


def remembered_for(behavior: Behavior) -> timedelta:
    """Return how far back any rule looks at recommendations, whatever is forecast."""
    return max(behavior.scale_up_window, behavior.scale_down_window, VANISHED_WITHIN)
