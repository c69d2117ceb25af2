"""Why does this workload have so many replicas now: the newest line, and the last rescale."""

from autoscaler.policy.quantity import seconds_text, share_text
from autoscaler.remedies import END_OF, remedy
from autoscaler.review.answer import Answer, Lines, at, clock, number_text
from autoscaler.review.fields import ASLEEP, DecisionFields, SignalFields
from autoscaler.review.level import level_of
from autoscaler.review.reading import who


def why_now(lines: Lines) -> Answer:
    """Answer from the lines of one target, oldest first, at least one."""
    newest, did = lines[-1], last_rescale(lines)
    told = f"At {clock(newest)} UTC {who(newest)} {newest['message']}"
    if did is not None and did is not newest:
        told += f" The last rescale was at {clock(did)}: {did['message']}"
    return Answer(
        told, chain_of_numbers(newest, rescaled=did), {"decision": newest, "last_rescale": did}
    )


def last_rescale(lines: Lines) -> DecisionFields | None:
    """Return the newest line that was written, if there is one."""
    return next((line for line in reversed(lines) if line["rescaled"]), None)


def chain_of_numbers(
    line: DecisionFields, *, rescaled: DecisionFields | None = None
) -> tuple[str, ...]:
    """Return the way from the load to the decision, one step per line.

    `rescaled` is the line of the last rescale, if there was one.
    """
    rows = [row for signal in line["signals"] for row in _signal_rows(signal)]
    rows += [f"{'way out':<22} {way}" for way in ways_out(line, rescaled=rescaled)]
    rows += _routability_rows(line)
    asked = line["recommendation"]
    rows.append(_row("recommendation", number_text(asked["replicas"]), asked["reason"]))
    rows += [
        _row(step["reason"], f"{step['from']} -> {step['to']}", step["detail"])
        for step in line["chain"]
    ]
    written = "written" if line["rescaled"] else line["not_rescaled_because"] or "nothing to write"
    current, desired = number_text(line["current_replicas"]), number_text(line["desired_replicas"])
    ready = f"{number_text(line['ready_replicas'])} ready"
    return (*rows, _row("decision", f"{current} -> {desired}", f"{written}, {ready}"))


def _signal_rows(signal: SignalFields) -> list[str]:
    """Return a signal's measurement, forecast and capacity, with what each asks for."""
    forecast, capacity = signal["forecast"], signal["capacity"]
    rows = [
        _row("metric", signal["metric"], _quality(signal)),
        _row("measured", number_text(signal["value"]), _asks(signal["reactive_replicas"])),
    ]
    if forecast is not None:
        level = f"{number_text(forecast['median'])} to {number_text(level_of(signal))}"
        lead, risk = seconds_text(forecast["lead_time_seconds"]), share_text(forecast["risk"])
        asks = _asks(signal["predictive_replicas"])
        rows.append(_row("forecast", level, f"in {lead}, risk {risk}, {forecast['trust']}, {asks}"))
    if capacity is not None:
        rows.append(_row("per pod", number_text(capacity["per_pod"]), capacity["source"]))
    return rows


def ways_out(line: DecisionFields, *, rescaled: DecisionFields | None) -> list[str]:
    """Return what can be done about each doubt, once, and about the rule that stands."""
    if line["trust"] == ASLEEP:
        return []
    doubts = ((signal["doubt"], signal["detail"]) for signal in line["signals"])
    told = list(dict.fromkeys(remedy(doubt, detail) for doubt, detail in doubts if doubt))
    told += [END_OF[line["reason"]]] if line["reason"] in END_OF else []
    told += [] if _pods_start(line, rescaled) else _of_missing_pods(line)
    return told


def _pods_start(line: DecisionFields, rescaled: DecisionFields | None) -> bool:
    """Whether the last rescale is not longer ago than its pods take to become ready."""
    known = [signal["forecast"] for signal in line["signals"]]
    leads = [forecast["lead_time_seconds"] for forecast in known if forecast is not None]
    if rescaled is None or not leads:
        return False
    return (at(line) - at(rescaled)).total_seconds() <= max(leads)


def _of_missing_pods(line: DecisionFields) -> list[str]:
    """Return where it is told why pods that were ordered are not there: no rule of ours knows."""
    ready, ordered = line["ready_replicas"], line["current_replicas"]
    if ready is None or ordered is None or ready >= ordered or line["reason"] in END_OF:
        return []
    missing = ordered - ready
    are = "is" if missing == 1 else "are"
    return [
        f"{missing} of {ordered} pods {are} not ready: kubectl describe says why, of the pod or, "
        "where pods are missing, of the ReplicaSet (quota)"
    ]


def _routability_rows(line: DecisionFields) -> list[str]:
    """Return what Consul says of the pods, where it is asked."""
    seen = line["routability"]
    if seen is None:
        return []
    remark = f"+{seconds_text(seen['delay_seconds'])} lead time"
    if seen["unroutable_seconds"]:
        remark += f", not routable for {seconds_text(seen['unroutable_seconds'])}"
    remark += f", {seen['detail']}" if seen["detail"] else ""
    return [_row("passing in Consul", number_text(seen["passing"]), remark)]


def _quality(signal: SignalFields) -> str:
    """Return what the sample rests on."""
    age, doubt = signal["age_seconds"], signal["doubt"]
    parts = [f"{signal['series']} series"]
    parts += [] if age is None else [f"{seconds_text(age)} old"]
    parts += [] if doubt is None else [str(doubt)]
    parts += [signal["detail"]] if doubt is not None and signal["detail"] else []
    return ", ".join(parts)


def _asks(replicas: int | None) -> str:
    return "asks for nothing" if replicas is None else f"asks for {replicas}"


def _row(name: str, value: str, remark: str) -> str:
    return f"{name:<22} {value:<20} {remark}".rstrip()
