"""What happened, in one sentence for a person: the number first, then the one reason that decided.

It is told from the fields of a decision line alone, so a line read back from a log tells the same
sentence, and every figure in it is a field; nothing is computed here but its form.
"""

from datetime import timedelta

from autoscaler.decide.facts import Trust
from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import duration_text, share_text
from autoscaler.policy.schema import Mode
from autoscaler.review.fields import (
    MESSAGE_LIMIT,
    DecisionFields,
    LimitFields,
    SignalFields,
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
    Reason.COOLDOWN_ACTIVE: "the cooldown after the last rescale keeps {to}",
    Reason.METRICS_UNKNOWN_HOLD: "metrics are unknown, which never lowers, so {to} stay",
    Reason.METRICS_PARTIAL_HOLD: "metrics are partial, which never lowers, so {to} stay",
    Reason.METRICS_CONTRADICT_HOLD: "metrics contradict each other, so {to} stay",
    Reason.LOAD_VANISHED_HOLD: "the load vanished suddenly and may return, so {to} stay",
    Reason.FORECAST_CARRIES_FLOOR: "the forecast carries on without metrics and keeps {to}",
    Reason.CAPACITY_UNKNOWN_HOLD: "what a pod can carry is not known yet, so {to} stay",
    Reason.ROLLOUT_HOLD: "a rollout is running, so {to} stay",
    Reason.PODS_NOT_READY_HOLD: "ordered pods are not ready yet, so {to} stay",
    Reason.RESTART_HOLD: "the autoscaler has just started, so {to} stay",
    Reason.CLOCK_JUMP_HOLD: "the clock jumped, so {to} stay",
    Reason.BURST_HOLD: "a burst is under way, so {to} stay",
    Reason.CHURN_HOLD: "{to} stay for now, to spare a rescale",
    Reason.PODS_NEVER_READY: "pods that never become ready make it {to}",
    Reason.SCHEDULE_FLOOR: "the schedule asks for at least {to}",
    Reason.SCHEDULE_CEILING: "the schedule allows at most {to}",
    Reason.PAUSED: "paused at {to}",
    Reason.SCALE_IN_PAUSED: "scale-in is paused at {to}",
    Reason.SCALE_OUT_PAUSED: "scale-out is paused at {to}",
    Reason.PAUSED_REPLICAS: "paused at a fixed number, {to}",
    Reason.REPLICAS_CONTESTED: "somebody else writes spec.replicas, so {to} stay",
    Reason.WOKEN_FROM_ZERO: "woken from zero with {to}",
    Reason.SCALING_DISABLED: "hands off at {to}",
}

# Where these decide, no measured figure is to blame.
_NOTHING_ASKED = {
    Reason.TARGET_NOT_FOUND: "the target does not exist",
    Reason.SCALED_TO_ZERO: "spec.replicas is 0, which means hands off",
    Reason.SCALING_DISABLED: "spec.replicas is 0, which means hands off",
    Reason.PAUSED: "paused",
    Reason.REPLICAS_CONTESTED: "somebody else writes spec.replicas",
    Reason.METRICS_UNKNOWN_HOLD: "metrics are unknown, which never lowers",
    Reason.METRICS_PARTIAL_HOLD: "what is measured says nothing of the load, which never lowers",
    Reason.PODS_NOT_READY_HOLD: "no pod is ready, which says nothing of the load",
    Reason.CAPACITY_UNKNOWN_HOLD: "what a pod can carry is not known yet",
}


# Why a daemon that was told not to write did not: that is no refusal.
_HELD_BACK = ("dry run", "standby", "waiting")


def held_back(because: str) -> bool:
    """Whether a change was not written on purpose."""
    return because.startswith(_HELD_BACK)


def sentence(line: DecisionFields) -> str:
    """Return what was done and why, on one line of bounded length."""
    told = f"{_did(line)}: {_because(line)}{_unroutable(line)}"
    return f"{bounded(told, MESSAGE_LIMIT)}."


def limit_phrase(limit: LimitFields) -> str:
    """Return one step of the chain in words: what the rule did to the number."""
    phrase = _PHRASES.get(limit["reason"], "{reason} makes it {to}")
    told = phrase.format(to=limit["to"], reason=limit["reason"])
    return f"{told} ({limit['detail']})" if limit["detail"] else told


def _unroutable(line: DecisionFields) -> str:
    """Return what Consul says against the pods, when they have been out of reach for too long."""
    seen = line.get("routability")
    if seen is None or not seen["alarming"]:
        return ""
    lasted = duration_text(timedelta(seconds=round(seen["unroutable_seconds"])))
    return f"; not routable for {lasted}: {seen['detail']} in Consul"


def _did(line: DecisionFields) -> str:
    current, desired = line["current_replicas"], line["desired_replicas"]
    if line["rescaled"]:
        return f"scaled from {current} to {desired} replicas"
    if current == desired:
        return f"kept {current} replicas"
    if line["mode"] == Mode.FORECAST_ONLY:
        return f"would scale from {current} to {desired} replicas ({Mode.FORECAST_ONLY})"
    because = line["not_rescaled_because"]
    if because and held_back(because):
        return f"would scale from {current} to {desired} replicas ({because})"
    if because:
        return f"wanted {desired} replicas but {current} stay, not written ({because})"
    return f"would scale from {current} to {desired} replicas"


def _because(line: DecisionFields) -> str:
    """Return the rules that shaped the number, the one in force last, then what was asked for."""
    steps = "; then ".join(limit_phrase(limit) for limit in line["chain"])
    if not steps:
        return _asked(line)
    if line["recommendation"]["replicas"] is None:
        return steps
    return f"{steps}{_against_what_is_needed(line)}{_asked(line)}"


def _against_what_is_needed(line: DecisionFields) -> str:
    """Return on which side of the need the rules came out: two numbers follow each other here."""
    needed, desired = line["recommendation"]["replicas"], line["desired_replicas"]
    if needed is None or needed == desired or leading_signal(line) is None:
        return "; "
    return ", more than is needed: " if desired > needed else ", fewer than are needed: "


def _asked(line: DecisionFields) -> str:
    """Return what asked for the recommendation: a forecast, a measurement, or nothing."""
    recommendation = line["recommendation"]
    detail = f" ({recommendation['detail']})" if recommendation["detail"] else ""
    leading = leading_signal(line)
    if recommendation["replicas"] is None or leading is None:
        reason = recommendation["reason"]
        doubt = "" if leading is None else _doubted(leading)
        return f"{_NOTHING_ASKED.get(reason, str(reason))}{detail}{doubt}"
    return f"{_evidence(leading)}{_needs(leading, recommendation['replicas'])}{detail}"


def leading_signal(line: DecisionFields) -> SignalFields | None:
    """Return the signal whose proposal won, or the first one when none proposed."""
    return max(line["signals"], key=proposed_replicas, default=None)


def proposed_replicas(signal: SignalFields) -> int:
    """Return what one signal asks for by itself, -1 when it asks for nothing."""
    asked = (signal["predictive_replicas"], signal["reactive_replicas"])
    return max((n for n in asked if n is not None), default=-1)


def _doubted(signal: SignalFields) -> str:
    if signal["doubt"] is None:
        return ""
    detail = f", {signal['detail']}" if signal["detail"] else ""
    return f": {signal['metric']} is {signal['doubt']}{detail}"


def _evidence(signal: SignalFields) -> str:
    """Return the load that asks for pods: the expected one, or the measured one."""
    forecast = signal["forecast"]
    if forecast is None or not _forecast_leads(signal):
        return f"{signal['metric']} is {_value(signal)}"
    trusted = forecast["trust"] == Trust.TRUSTED
    level = forecast["quantile"] if trusted else forecast["reactive_quantile"]
    lead = duration_text(timedelta(seconds=forecast["lead_time_seconds"]))
    return (
        f"{signal['metric']}, now {_value(signal)}, may reach {level:.6g} in {lead} "
        f"(risk {share_text(forecast['risk'])})"
    )


def _forecast_leads(signal: SignalFields) -> bool:
    predictive, reactive = signal["predictive_replicas"], signal["reactive_replicas"]
    if signal["forecast"] is None or predictive is None:
        return False
    return reactive is None or predictive >= reactive


def _value(signal: SignalFields) -> str:
    value = "unknown" if signal["value"] is None else f"{signal['value']:.6g}"
    return value if signal["doubt"] is None else f"{value} ({signal['doubt']})"


def _needs(signal: SignalFields, replicas: int) -> str:
    capacity = signal["capacity"]
    if capacity is None:
        return f", which asks for {replicas}"
    return f", which needs {replicas} at {capacity['per_pod']:.6g} per pod"
