"""What happened, in one sentence for a person: the number first, then the one reason that decided.

Rules that changed the number before it are told last, as overruled: of two holds in a row a reader
cannot tell at three in the morning which one stands.
It is told from the fields of a decision line alone, so a line read back from a log tells the same
sentence, and every figure in it is a field; nothing is computed here but its form.
"""

from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import seconds_text
from autoscaler.policy.schema import Actuator, Mode
from autoscaler.ports import UNANSWERED, held_back_as
from autoscaler.review.answer import times
from autoscaler.review.evidence import evidence, leading_signal
from autoscaler.review.fields import (
    MESSAGE_LIMIT,
    DecisionFields,
    LimitFields,
    bounded,
)

# What each rule means to somebody who was woken up; `{to}` is the number it leaves.
_PHRASES = {
    Reason.TOO_FEW_REPLICAS: "minReplicas asks for {to}",
    Reason.TOO_MANY_REPLICAS: "maxReplicas caps it at {to}",
    Reason.SCALE_UP_LIMIT: "the scale-up rate limit allows {to}",
    Reason.SCALE_DOWN_LIMIT: "the scale-down rate limit allows {to}",
    Reason.SCALE_UP_STABILIZED: "the scale-up stabilization window holds {to}",
    Reason.SCALE_DOWN_STABILIZED: "the scale-down stabilization window holds {to}",
    Reason.COOLDOWN_ACTIVE: "the scale-{way} cooldown keeps {to}",
    Reason.METRICS_UNKNOWN_HOLD: "metrics are unknown, which never lowers, so {to} {stay}",
    Reason.METRICS_PARTIAL_HOLD: "more load may be there than is measured, so {to} {stay}",
    Reason.METRICS_CONTRADICT_HOLD: "metrics contradict each other, so {to} {stay}",
    Reason.LOAD_VANISHED_HOLD: "the load vanished suddenly and may return, so {to} {stay}",
    Reason.FORECAST_CARRIES_FLOOR: "the forecast carries on without metrics and keeps {to}",
    Reason.CAPACITY_UNKNOWN_HOLD: "what a pod can carry is not known yet, so {to} {stay}",
    Reason.ROLLOUT_HOLD: "a rollout is running, so {to} {stay}",
    Reason.PODS_NOT_READY_HOLD: "ordered pods are not ready yet, so {to} {stay}",
    Reason.RESTART_HOLD: "the recent past is not known here, so {to} {stay}",
    Reason.CLOCK_JUMP_HOLD: "the clock jumped, so {to} {stay}",
    Reason.BURST_HOLD: "a burst began lately, so {to} {stay}",
    Reason.CHURN_HOLD: "{to} {stay} for now, to spare a rescale",
    Reason.RISING_LOAD: "the load is rising, so one rescale goes to {to}, to spare the next",
    Reason.PODS_NEVER_READY: "pods that never become ready make it {to}",
    Reason.SCHEDULE_FLOOR: "the schedule asks for at least {to}",
    Reason.SCHEDULE_CEILING: "the schedule caps it at {to}",
    Reason.HPA_MAX_REPLICAS: "the HPA's own maxReplicas caps it at {to}",
    Reason.PAUSED: "paused at {to}",
    Reason.SCALE_IN_PAUSED: "scale-in is paused at {to}",
    Reason.SCALE_OUT_PAUSED: "scale-out is paused at {to}",
    Reason.PAUSED_REPLICAS: "paused at a fixed number, {to}",
    Reason.REPLICAS_CONTESTED: "somebody else writes spec.replicas, so {to} {stay}",
    Reason.WOKEN_FROM_ZERO: "woken from zero with {to}",
    Reason.SCALING_DISABLED: "hands off at {to}",
}

# A bound that lifts a number: who stands above the highest goes there first, and on from there.
_FIRST_STEP = {
    Reason.TOO_MANY_REPLICAS: "maxReplicas is {to}, and the first step in ends there",
    Reason.SCHEDULE_CEILING: "the schedule's ceiling is {to}, and the first step in ends there",
}


def sentence(line: DecisionFields) -> str:
    """Return what was done and why, on one line of bounded length."""
    told = f"{_did(line)}: {_because(line)}{_unroutable(line)}{_overruled(line)}"
    return f"{bounded(told, MESSAGE_LIMIT)}."


def limit_phrase(limit: LimitFields) -> str:
    """Return one step of the chain in words: what the rule did to the number."""
    reason, to = limit["reason"], limit["to"]
    lifted = to > limit["from"]
    phrases = _FIRST_STEP if lifted and reason in _FIRST_STEP else _PHRASES
    told = phrases.get(reason, "{reason} makes it {to}").format(
        to=to, reason=reason, stay=_stay(to), way="down" if lifted else "up"
    )
    return f"{told} ({limit['detail']})" if limit["detail"] else told


def _stay(replicas: int) -> str:
    return "stays" if replicas == 1 else "stay"


def _unroutable(line: DecisionFields) -> str:
    """Return what Consul says against the pods, when they have been out of reach for too long."""
    seen = line["routability"]
    if seen is None or not seen["alarming"]:
        return ""
    lasted = seconds_text(seen["unroutable_seconds"])
    return f"; not routable for {lasted}: {seen['detail']} in Consul"


def _did(line: DecisionFields) -> str:
    current, desired = line["current_replicas"], line["desired_replicas"]
    if current is None or desired is None:
        return "has nothing to scale"
    wanted = times(desired, "replica")
    if current == desired:
        return f"kept {wanted}"
    if line["rescaled"]:
        return _asked_of_hpa(line, current, wanted) or f"scaled from {current} to {wanted}"
    return _would(line, current, wanted)


def _would(line: DecisionFields, current: int, wanted: str) -> str:
    """Return what became of a change that was not written, or is not known to be."""
    because = line["not_rescaled_because"]
    if line["mode"] == Mode.FORECAST_ONLY:
        return f"would scale from {current} to {wanted} ({Mode.FORECAST_ONLY})"
    if not because:
        return _asked_of_hpa(line, current, wanted) or f"would scale from {current} to {wanted}"
    if held_back_as(because):
        return f"would scale from {current} to {wanted} ({because})"
    if because.startswith(UNANSWERED):
        return f"wanted {wanted}, and whether that was written is not known yet ({because})"
    return f"wanted {wanted} but {current} {_stay(current)}, not written ({because})"


def _asked_of_hpa(line: DecisionFields, current: int, wanted: str) -> str:
    """Return what was asked of the HPA that scales on our behalf; empty where we do ourselves."""
    if line["actuator"] != Actuator.HPA:
        return ""
    asked = "asked the HPA" if line["rescaled"] else "the HPA is asked already"
    are = "is" if current == 1 else "are"
    return f"{asked} for at least {wanted}, {current} {are} there"


def _because(line: DecisionFields) -> str:
    """Return the rule whose number stands, then what was asked for."""
    if not line["chain"]:
        return evidence(line)
    decided = limit_phrase(line["chain"][-1])
    return f"{decided}{_against_what_is_needed(line)}{evidence(line)}"


def _overruled(line: DecisionFields) -> str:
    """Return the rules whose numbers do not stand, because a later one changed them again."""
    earlier = "; ".join(map(limit_phrase, line["chain"][:-1]))
    return f"; overruled: {earlier}" if earlier else ""


def _against_what_is_needed(line: DecisionFields) -> str:
    """Return on which side of the need the rule came out: two numbers follow each other here."""
    needed, desired = line["recommendation"]["replicas"], line["desired_replicas"]
    if needed is None or desired is None or needed == desired or leading_signal(line) is None:
        return "; "
    return ", more than is needed: " if desired > needed else ", fewer than are needed: "
