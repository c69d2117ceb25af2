"""What would have been decided without the cooldown: recomputed from each line alone.

Only the rules after the cooldown (rate limits, bounds, paused directions) are applied again; they
depend on nothing but the numbers in the line.
Each cycle is taken by itself: what the workload would have looked like later is not claimed.
"""

from dataclasses import dataclass
from datetime import datetime

from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import seconds_text
from autoscaler.review.answer import Answer, Lines, clock
from autoscaler.review.fields import BoundsFields, DecisionFields
from autoscaler.review.reading import who
from autoscaler.review.timeline import span_told, spans, within


def without_the_cooldown(lines: Lines, *, start: datetime, end: datetime) -> Answer:
    """Answer cycle by cycle: how a workload would have gone on from there is not claimed."""
    known = within(lines, start, end)
    held = [
        _Held(line, wanted, (until - since).total_seconds())
        for line, since, until in spans(known, start, end)
        if (wanted := without_cooldown(line)) is not None and wanted != line["desired_replicas"]
    ]
    return Answer(
        _cooldown_told(known, held, start, end),
        tuple(one.as_text() for one in held),
        {
            "held_seconds": sum(one.seconds for one in held),
            "held": [one.as_dict() for one in held],
        },
    )


@dataclass(frozen=True, slots=True)
class _Held:
    """A line at which the cooldown changed the number, and for how long that stood."""

    line: DecisionFields
    wanted: int
    seconds: float

    def as_text(self) -> str:
        change = f"{self.line['current_replicas']} -> {self.line['desired_replicas']}"
        span = seconds_text(self.seconds)
        return f"{clock(self.line)}  {change}, without the cooldown {self.wanted}, for {span}"

    def as_dict(self) -> dict[str, int | float | str | None]:
        return {
            "time": self.line["time"],
            "current": self.line["current_replicas"],
            "decided": self.line["desired_replicas"],
            "without": self.wanted,
            "seconds": self.seconds,
        }


def _cooldown_told(known: Lines, held: list[_Held], start: datetime, end: datetime) -> str:
    span, name = span_told(known, start, end), who(known[0])
    if not held:
        return f"{span} the cooldown changed nothing for {name}."
    first, total = held[0], sum(one.seconds for one in held)
    return (
        f"{span} the cooldown held {name} for {seconds_text(total)}; without it, it would have "
        f"gone to {first.wanted} replicas at {clock(first.line)} instead of staying at "
        f"{first.line['desired_replicas']} (each cycle taken by itself)."
    )


def without_cooldown(line: DecisionFields) -> int | None:
    """Return the replicas this cycle would have decided; None where no cooldown held it.

    Lines without `bounds` (the target did not exist) were not held either.
    """
    held = next((s for s in line["chain"] if s["reason"] == Reason.COOLDOWN_ACTIVE), None)
    current, bounds = line["current_replicas"], line["bounds"]
    if held is None or current is None or bounds is None:
        return None
    return _final(held["from"], current=current, bounds=bounds)


def _final(number: int, *, current: int, bounds: BoundsFields) -> int:
    """Apply the rules after the cooldown, in their order."""
    if number > current:
        number = min(number, bounds["scale_up_limit"])
    elif number < current:
        number = max(number, bounds["scale_down_limit"])
    highest = bounds["max_replicas"]
    number = highest if current > highest else min(max(number, bounds["min_replicas"]), highest)
    paused = bounds["scale_in_paused"] if number < current else bounds["scale_out_paused"]
    return current if paused and number != current else number
