"""What happened to one workload between two times.

A line holds until the next one, so the state at the beginning is that of the last line before it.
Where the log begins later than the question, the answer says so.
"""

from datetime import datetime, timedelta
from itertools import pairwise

from autoscaler.decide.reason import Reason
from autoscaler.errors import LogError
from autoscaler.policy.quantity import seconds_text
from autoscaler.policy.schema import Actuator
from autoscaler.review.answer import Answer, Lines, at, clock, moment_text, number_text, times
from autoscaler.review.fields import DecisionFields
from autoscaler.review.log import decision_line
from autoscaler.review.reading import who

# More reasons in a sentence are not read; the data has them all.
_TOLD_REASONS = 3


def what_happened(lines: Lines, *, start: datetime, end: datetime) -> Answer:
    """Answer from the lines of one target, oldest first."""
    known = within(lines, start, end)
    shown = [line for line in known if at(line) >= start]
    rescales = [line for line in shown if line["rescaled"]]
    out = sum(map(_went_out, rescales))
    begin = _left(known[0]) if at(known[0]) < start else known[0]["current_replicas"]
    replicas = [begin, *(n for line in known if at(line) >= start for n in _seen(line))]
    there = [n for n in replicas if n is not None]
    most, least = max(there, default=None), min(there, default=None)
    spoken = _seconds_by_reason(known, start, end)
    told = (
        f"{span_told(known, start, end)} {who(known[0])} went from {number_text(begin)} to "
        f"{number_text(replicas[-1])} replicas in {times(len(rescales), 'rescale')} "
        f"({out} out, {len(rescales) - out} in), at most {number_text(most)} and at least "
        f"{number_text(least)}{_reasons_told(spoken)}."
    )
    data = {
        "rescales": len(rescales),
        "from": begin,
        "to": replicas[-1],
        "most": most,
        "least": least,
        "seconds_by_reason": spoken,
        "decisions": shown,
    }
    return Answer(told, tuple(decision_line(line) for line in shown), data)


def within(lines: Lines, start: datetime, end: datetime) -> list[DecisionFields]:
    """Return the lines of [start, end] with the one in force at its beginning."""
    before = [line for line in lines if at(line) < start]
    known = before[-1:] + [line for line in lines if start <= at(line) <= end]
    if not known:
        raise LogError(f"the log holds nothing about this workload before {moment_text(end)}")
    return known


def _went_out(line: DecisionFields) -> bool:
    """Whether a rescale was one to more replicas."""
    current, desired = line["current_replicas"], line["desired_replicas"]
    return current is not None and desired is not None and desired > current


def _left(line: DecisionFields) -> int | None:
    """Return the replicas that a cycle left behind; an HPA's floor is none of them."""
    ours = line["rescaled"] and line["actuator"] != Actuator.HPA
    return line["desired_replicas"] if ours else line["current_replicas"]


def _seen(line: DecisionFields) -> tuple[int | None, int | None]:
    """Return the replicas that a cycle found and left: somebody else may have written them."""
    return line["current_replicas"], _left(line)


def spans(
    known: Lines, start: datetime, end: datetime
) -> list[tuple[DecisionFields, datetime, datetime]]:
    """Return each line with the part of [start, end] in which it was the newest."""
    ends = [*(at(following) for _, following in pairwise(known)), end]
    return [(line, max(at(line), start), until) for line, until in zip(known, ends, strict=True)]


def _seconds_by_reason(known: Lines, start: datetime, end: datetime) -> dict[Reason, float]:
    """Return for how long each rule limited the number, the longest first."""
    spoken: dict[Reason, timedelta] = {}
    for line, since, until in spans(known, start, end):
        for reason in {step["reason"] for step in line["chain"]}:
            spoken[reason] = spoken.get(reason, timedelta(0)) + (until - since)
    ranked = sorted(spoken.items(), key=lambda item: (-item[1], item[0]))
    return {reason: span.total_seconds() for reason, span in ranked}


def _reasons_told(spoken: dict[Reason, float]) -> str:
    told = [f"{r} for {seconds_text(s)}" for r, s in list(spoken.items())[:_TOLD_REASONS]]
    return f"; limited by {', '.join(told)}" if told else ""


def span_told(known: Lines, start: datetime, end: datetime) -> str:
    """Return which span is told of, and where the log begins only within it."""
    late = f" (the log begins at {clock(known[0])})" if at(known[0]) > start else ""
    return f"Between {moment_text(start)} and {moment_text(end)} UTC{late}"
