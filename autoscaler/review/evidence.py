"""Which load asked for the pods, and by which arithmetic: what a reader can reckon again.

Told from the fields of a decision line alone; where the number is not simply the load over what a
pod carries, it is said whose it is.
"""

from autoscaler.decide.facts import Capacity, CapacitySource, Doubt, Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.scale_to_zero import IDLE_BEFORE_ZERO
from autoscaler.decide.sizing import replicas_for
from autoscaler.policy.quantity import duration_text, seconds_text, share_text
from autoscaler.review.fields import ASLEEP, DecisionFields, SignalFields
from autoscaler.review.level import level_of

# Where these decide, no measured figure is to blame.
_NOTHING_ASKED = {
    Reason.TARGET_NOT_FOUND: "the target does not exist",
    Reason.METRICS_UNKNOWN_HOLD: "metrics are unknown",
    Reason.METRICS_PARTIAL_HOLD: "what is measured says nothing of the load",
    Reason.PODS_NOT_READY_HOLD: "no pod is ready, which says nothing of the load",
    Reason.CAPACITY_UNKNOWN_HOLD: "what a pod can carry is not known yet",
}
# A doubt that is no word for a metric.
_DOUBTED = {
    Doubt.UNREACHABLE: "has its source unreachable",
    Doubt.REFUSED: "has its query refused",
    Doubt.CLOCK_SKEW: "is of a clock that differs",
}
_NEVER_LOWERS = frozenset({Reason.METRICS_UNKNOWN_HOLD, Reason.METRICS_PARTIAL_HOLD})


def evidence(line: DecisionFields) -> str:
    """Return what asked for the recommendation: a forecast, a measurement, or nothing."""
    recommendation = line["recommendation"]
    detail = f" ({recommendation['detail']})" if recommendation["detail"] else ""
    leading = leading_signal(line)
    if recommendation["replicas"] is None or leading is None:
        reason = recommendation["reason"]
        never = ", which never lowers" if reason in _NEVER_LOWERS and not line["chain"] else ""
        doubted = "; ".join(filter(None, map(_doubted, line["signals"])))
        told = f"{_NOTHING_ASKED.get(reason, str(reason))}{never}{detail}"
        return f"{told}: {doubted}" if doubted else told
    if line["trust"] == ASLEEP:
        return f"asleep, and {_silent(line)} without pods"
    ahead = _forecast_leads(leading, recommendation["reason"])
    told = f"{_load(leading, ahead=ahead)}{_needs(leading, line, ahead=ahead)}"
    return f"{told}{detail}{_unheard(leading, line)}"


def _silent(line: DecisionFields) -> str:
    """Return which metrics have no value."""
    names = [signal["metric"] for signal in line["signals"] if signal["value"] is None]
    return (
        f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} silent, as is to be expected"
    )


def leading_signal(line: DecisionFields) -> SignalFields | None:
    """Return the signal whose proposal won, or the first one when none proposed."""
    return max(line["signals"], key=proposed_replicas, default=None)


def proposed_replicas(signal: SignalFields) -> int:
    """Return what one signal asks for by itself, -1 when it asks for nothing."""
    asked = (signal["predictive_replicas"], signal["reactive_replicas"])
    return max((n for n in asked if n is not None), default=-1)


def _unheard(leading: SignalFields, line: DecisionFields) -> str:
    """Return what is wrong with the other signals, where that forbids lowering.

    Where nothing is wrong with any, of the pods of one some have no sample.
    """
    if line["recommendation"]["may_lower"]:
        return ""
    others = (_doubted(signal) for signal in line["signals"] if signal is not leading)
    told = "".join(f"; {other}" for other in others if other)
    partial = line["recommendation"]["reason"] == Reason.METRICS_PARTIAL_HOLD
    if told or not partial or leading["doubt"] is not None:
        return told
    return "; not every pod is measured, which never lowers"


def _doubted(signal: SignalFields) -> str:
    if signal["doubt"] is None:
        return ""
    detail = f", {signal['detail']}" if signal["detail"] else ""
    told = _DOUBTED.get(signal["doubt"], f"is {signal['doubt']}")
    return f"{signal['metric']} {told}{detail}"


def _load(signal: SignalFields, *, ahead: bool) -> str:
    """Return the load that asks for pods: the expected one, or the measured one."""
    forecast = signal["forecast"]
    if forecast is None or not ahead:
        return f"{signal['metric']} is {_value(signal)}"
    lead = seconds_text(forecast["lead_time_seconds"])
    return (
        f"{signal['metric']}, now {_value(signal)}, may reach {level_of(signal):.6g} in {lead} "
        f"(risk {share_text(forecast['risk'])})"
    )


def _forecast_leads(signal: SignalFields, reason: Reason) -> bool:
    """Whether the forecast asks for what is asked; the reason says which of two that agree did."""
    predictive, reactive = signal["predictive_replicas"], signal["reactive_replicas"]
    if signal["forecast"] is None or predictive is None:
        return False
    if predictive == reactive:
        return reason != Reason.METRIC_ABOVE_TARGET
    return reactive is None or predictive > reactive


def _value(signal: SignalFields) -> str:
    value = "unknown" if signal["value"] is None else f"{signal['value']:.6g}"
    if signal["doubt"] is None:
        return value
    detail = f": {signal['detail']}" if signal["detail"] else ""
    return f"{value} ({signal['doubt']}{detail})"


def _needs(signal: SignalFields, line: DecisionFields, *, ahead: bool) -> str:
    """Return what the load asks for, and what became of that where the last pod is concerned."""
    asked, replicas = proposed_replicas(signal), line["recommendation"]["replicas"]
    told = "" if asked < 0 else f", {_arithmetic(signal, asked, ahead=ahead)}"
    if asked == replicas:
        return told
    if replicas == 0:
        return f"{told}; too little, or too uncertain, to keep a pod for"
    if line["current_replicas"] == 0:
        return f"{told}; any load at all wakes the first pod"
    return (
        f"{told}; the last pod stays until nothing was asked for {duration_text(IDLE_BEFORE_ZERO)}"
    )


def _arithmetic(signal: SignalFields, asked: int, *, ahead: bool) -> str:
    """Return how the load became a count: a division, or what HPA makes of it."""
    capacity, ratio = signal["capacity"], signal["usage_ratio"]
    measured = "" if ratio is None else f"usage ratio {ratio:.6g}"
    if capacity is None:
        return f"which asks for {asked}{measured and f' ({measured})'}"
    per_pod = f"{capacity['per_pod']:.6g} per pod"
    simply = f"which needs {asked} at {per_pod}"
    level = level_of(signal) if ahead else signal["value"]
    plain = replicas_for(level or 0.0, Capacity(capacity["per_pod"], capacity["source"]))
    if plain == asked:
        return simply
    if asked > plain and _has_head_room(signal, ahead=ahead):
        return f"{simply}, with head-room for so few"
    if ahead:
        return simply
    rules = "HPA's rules (pod by pod, or its tolerance)"
    return f"to which {rules} answer {asked} ({measured and f'{measured} '}at {per_pod})"


def _has_head_room(signal: SignalFields, *, ahead: bool) -> bool:
    """Whether a few pods are given more than their share: where saturation was learned."""
    forecast, capacity = signal["forecast"], signal["capacity"]
    if capacity is None or capacity["source"] != CapacitySource.LEARNED:
        return False
    trusted = forecast is not None and forecast["trust"] == Trust.TRUSTED
    return trusted or ahead
