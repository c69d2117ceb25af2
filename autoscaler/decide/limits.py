"""The rules between a recommendation and a decision, each a step that may change the number.

Order: hold on doubt -> stabilize -> ready pods that would go -> replacements for pods that never
become ready -> fewer and larger steps -> cool down -> limit rate -> bounds -> hold after a clock
jump -> paused direction -> the `maxReplicas` of an HPA whose floor we set.
A step returns the `Limit` it imposes, or None when it leaves the number alone.
"""

from collections.abc import Callable
from datetime import timedelta

from autoscaler.decide.bounds import bounded_replicas, highest_floor
from autoscaler.decide.case import Case
from autoscaler.decide.churn import (
    enough_for_now,
    further_on_a_rise,
    kept_for_later,
    worth_waiting_for,
)
from autoscaler.decide.cooldown import scale_in_cooldown_left, scale_out_cooldown_left
from autoscaler.decide.decision import Limit, left_text
from autoscaler.decide.holds import (
    hold_after_restart,
    hold_left,
    longest_hold_after_restart,
    restart_hold_left,
)
from autoscaler.decide.never_ready import made_up_for
from autoscaler.decide.rate_limits import scale_down_limit, scale_up_limit
from autoscaler.decide.reason import Reason
from autoscaler.decide.stabilization import last_at_least, last_at_most, stabilized_replicas
from autoscaler.decide.standstill import paused_direction

_ZERO = timedelta(0)
# The kind whose pods go by their number, ready or not.
_LAST_ONES_GO = "StatefulSet"


Step = Callable[[int, Case], Limit | None]


def held(number: int, case: Case) -> Limit | None:
    """Keep what is there while anything forbids scaling in."""
    if number >= case.current:
        return None
    recommendation, state = case.recommendation, case.state
    if not recommendation.may_lower:
        return Limit(recommendation.reason, number, case.current)
    window, now = longest_hold_after_restart(case.policy, recommendation), case.now
    left = restart_hold_left(state, window=window, now=now)
    if left > _ZERO:
        return Limit(Reason.RESTART_HOLD, number, case.current, left_text(left))
    for reason, since in state.holds:
        left = hold_left(reason, since, window=window, now=now)
        if left > _ZERO:
            return Limit(reason, number, case.current, f"at most {left_text(left)}")
    return None


def stabilized(number: int, case: Case) -> Limit | None:
    """Follow the highest recommendation of the scale-in window, the lowest of the scale-out one.

    The scale-in window is at least as long as the lead time of a trusted forecast: what that asked
    for is needed a lead time later, and must not be given back before.
    """
    behavior = case.policy.behavior
    up_window = behavior.scale_up_window
    down_window = max(behavior.scale_down_window, case.recommendation.promised_for)
    after = stabilized_replicas(
        number,
        current_replicas=case.current,
        history=case.state.recommendations,
        up_window=up_window,
        down_window=down_window,
        now=case.now,
    )
    if after > number:
        left = last_at_least(after, case.state.recommendations) + down_window - case.now
        longer = down_window > behavior.scale_down_window
        whose = ", as long as the forecast looks ahead" if longer else ""
        return Limit(Reason.SCALE_DOWN_STABILIZED, number, after, f"{left_text(left)}{whose}")
    if after < number:
        left = last_at_most(after, case.state.recommendations) + up_window - case.now
        return Limit(Reason.SCALE_UP_STABILIZED, number, after, left_text(left))
    return None


def spared(number: int, case: Case) -> Limit | None:
    """Give up no ready pod that is needed where ready ones go before those that are not ready.

    While a rollout runs, however long it has been stuck, a Deployment takes pods of the old
    template rather than those of the new one that never come; a StatefulSet always takes its last
    ones. Elsewhere those that are not ready go first.
    """
    workload = case.workload
    ready, rolls = workload.ready_replicas, workload.rollout_in_progress
    if not (rolls or workload.target.kind == _LAST_ONES_GO):
        return None
    if not (ready and 0 < number < case.current):
        return None
    not_ready = max(0, case.current - ready)
    after = min(number + not_ready, case.current)
    if after == number:
        return None
    reason = Reason.ROLLOUT_HOLD if rolls else Reason.PODS_NOT_READY_HOLD
    return Limit(reason, number, after, f"{not_ready} not ready")


def fewer_steps(number: int, case: Case) -> Limit | None:
    """Let a scale-in wait until it is worth it, and a scale-out until it is needed."""
    worth = _worth_of_a_step(case)
    if worth and number < case.current:
        surplus = case.state.surplus
        wait = kept_for_later(number, current_replicas=case.current, worth=worth, surplus=surplus)
        return None if wait is None or _kept_anyway(number, case) else wait
    if worth and _more_is_recommended(number, case):
        enough = case.recommendation.enough_replicas
        return enough_for_now(number, current_replicas=case.current, enough=enough)
    return None


def larger_steps(number: int, case: Case) -> Limit | None:
    """Let a scale-out go further at once where the load is rising and forecasts steer.

    Never beyond a bound, which would be told as what is needed; nor where a window of scale-out
    wants the lowest recommendation.
    """
    recommendation, behavior = case.recommendation, case.policy.behavior
    worth = _worth_of_a_step(case)
    wanted = recommendation.steered and recommendation.may_lower
    if not worth or not wanted or behavior.scale_up_window:
        return None
    if not _more_is_recommended(number, case):
        return None
    floor = highest_floor(case.workload, case.policy)
    high = case.bounds().high
    return further_on_a_rise(
        number,
        current_replicas=case.current,
        most=high if floor is None else min(high, floor),
        worth=worth,
        events=case.state.scale_events,
        now=case.now,
    )


def _worth_of_a_step(case: Case) -> timedelta:
    """Return the surplus that is worth a rescale; none where measured load alone has a say."""
    history = case.recommendation.forecast_history
    if history is None:
        return _ZERO
    return worth_waiting_for(case.policy.behavior.scale_down_window, history=history)


def _more_is_recommended(number: int, case: Case) -> bool:
    """Whether pods are added for load; replacements for pods never ready are more than that."""
    return case.current < number <= (case.recommendation.replicas or 0)


def _kept_anyway(number: int, case: Case) -> bool:
    """Whether a rate limit, a floor or a pause keeps every pod, however long anything waits.

    That is then told at once and in each cycle, instead of a wait that would change nothing.
    """
    later = (step(number, case) for step in (bounded, not_paused, rate_limited))
    return number < case.current and any(
        limit is not None and limit.after >= case.current for limit in later
    )


def cooled_down(number: int, case: Case) -> Limit | None:
    """Wait for the cooldown of the direction; a burst does not wait to grow."""
    if number == case.current:
        return None
    cooldown_left = scale_in_cooldown_left if number < case.current else scale_out_cooldown_left
    left = cooldown_left(case.policy.cooldown, state=case.state, now=case.now)
    if not left or _kept_anyway(number, case):
        return None
    return Limit(Reason.COOLDOWN_ACTIVE, number, case.current, left_text(left))


def rate_limited(number: int, case: Case) -> Limit | None:
    """Go no further at once than `behavior` allows.

    Where a bound is the same number the reason is left to the bound, as in HPA: waiting for the
    next period would change nothing.
    """
    behavior, events, now = case.policy.behavior, case.state.scale_events, case.now
    if number > case.current:
        limit = scale_up_limit(case.current, rules=behavior.scale_up, events=events, now=now)
        if number > limit and limit != case.bounds().high:
            return Limit(Reason.SCALE_UP_LIMIT, number, limit)
    elif number < case.current:
        limit = scale_down_limit(case.current, rules=behavior.scale_down, events=events, now=now)
        bounds = case.bounds()
        bound_says_so = limit == bounds.low or limit == bounds.high < case.current
        if number < limit and not bound_says_so:
            return Limit(Reason.SCALE_DOWN_LIMIT, number, limit)
    return None


def floored_beyond_max(number: int, case: Case) -> Limit | None:
    """Raise to a schedule's floor above `maxReplicas`, which caps it next: the chain shows both."""
    highest = case.policy.max_replicas
    if not any((entry.min_replicas or 0) > highest for entry in case.policy.schedule):
        return None
    scheduled = case.scheduled()
    if scheduled.floor is None or scheduled.floor <= max(highest, number):
        return None
    return Limit(Reason.SCHEDULE_FLOOR, number, scheduled.floor, scheduled.floor_name)


def bounded(number: int, case: Case) -> Limit | None:
    """Stay within the bounds, at once and whatever the rate: they are the user's own word."""
    policy = case.policy
    if not policy.schedule and (
        policy.min_replicas <= number and max(number, case.current) <= policy.max_replicas
    ):
        return None
    return bounded_replicas(number, case.bounds(), current_replicas=case.current)


def held_after_clock_jump(number: int, case: Case) -> Limit | None:
    """Take no pods away for a schedule's ceiling after a clock jump: it may not be its time."""
    since = case.state.since(Reason.CLOCK_JUMP_HOLD) if case.state.holds else None
    there = min(case.current, case.policy.max_replicas)
    if since is None or number >= there:
        return None
    window = hold_after_restart(case.policy)
    left = hold_left(Reason.CLOCK_JUMP_HOLD, since, window=window, now=case.now)
    if left <= _ZERO:
        return None
    return Limit(Reason.CLOCK_JUMP_HOLD, number, there, f"at most {left_text(left)}")


def not_paused(number: int, case: Case) -> Limit | None:
    """Respect a pause of one direction."""
    return paused_direction(number, workload=case.workload, policy=case.policy)


def capped_by_hpa(number: int, case: Case) -> Limit | None:
    """Cap the number at the `maxReplicas` of the HPA whose `minReplicas` is written.

    The API server refuses a higher one, and what is told has to be what is written.
    """
    most = highest_floor(case.workload, case.policy)
    if most is None or number <= most:
        return None
    return Limit(Reason.HPA_MAX_REPLICAS, number, most)


def at_rest(number: int, case: Case) -> bool:
    """Whether no step has anything to say, as for most workloads most of the time.

    With the number that is there already every step but two is silent: pods that never come need
    pods that are missing, and a bound needs a number outside of it.
    """
    workload, policy = case.workload, case.policy
    return (
        number == case.current
        and (workload.ready_replicas >= number or workload.pods is None)
        and not policy.schedule
        and policy.min_replicas <= number <= policy.max_replicas
        and capped_by_hpa(number, case) is None
    )


STEPS: tuple[Step, ...] = (
    held,
    stabilized,
    spared,
    made_up_for,
    fewer_steps,
    larger_steps,
    cooled_down,
    rate_limited,
    floored_beyond_max,
    bounded,
    held_after_clock_jump,
    not_paused,
    capped_by_hpa,
)
