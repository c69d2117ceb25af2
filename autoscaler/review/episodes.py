"""For how long was a policy demoted, held, capped or contested: lines become spans of time.

A line is written when there is news, so what it says holds until the target's next line, and the
last one until the log ends: to the cycle, but for a routine reason that comes back, which is told
once it has lasted a minute (`news.py`).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from autoscaler.decide.facts import Trust
from autoscaler.decide.reason import Reason
from autoscaler.ports import held_back_as
from autoscaler.review.attention import CAPS, HOLDS, PAUSES
from autoscaler.review.fields import DecisionFields
from autoscaler.review.reading import who


def reasons_of(line: DecisionFields) -> frozenset[Reason]:
    """Return every rule that spoke in a line."""
    return frozenset(
        {
            line["reason"],
            line["recommendation"]["reason"],
            *(step["reason"] for step in line["chain"]),
        }
    )


def _refused(line: DecisionFields) -> bool:
    because = line["not_rescaled_because"]
    return bool(because) and line["mode"] == "ForecastAndScale" and not held_back_as(because)


def _unknown(line: DecisionFields) -> bool:
    """Whether a metric is in doubt, and nothing lowered for it."""
    doubted = any(s["value"] is None or s["doubt"] is not None for s in line["signals"])
    return doubted and not line["recommendation"]["may_lower"]


STATES: dict[str, Callable[[DecisionFields], bool]] = {
    "demoted": lambda line: line["trust"] in {Trust.DEMOTED, Trust.STALE},
    "held": lambda line: bool(reasons_of(line) & HOLDS),
    "capped": lambda line: bool(reasons_of(line) & CAPS),
    "contested": lambda line: Reason.REPLICAS_CONTESTED in reasons_of(line),
    "unknown": _unknown,
    "refused": _refused,
    "paused": lambda line: bool(reasons_of(line) & PAUSES),
}


@dataclass(frozen=True, slots=True)
class Episode:
    """One span in which a state held without a break."""

    who: str
    start: datetime
    end: datetime
    ongoing: bool
    reasons: frozenset[Reason]

    @property
    def duration(self) -> timedelta:
        """How long it lasted, or has lasted so far."""
        return self.end - self.start


@dataclass(frozen=True, slots=True)
class Moment:
    """What the spans are made of: little enough that a day of ten thousand policies fits."""

    at: datetime
    who: str
    holds: bool
    reasons: frozenset[Reason]


def moment(line: DecisionFields, state: str) -> Moment:
    """Return whether a state holds in a line, and when that was."""
    at = datetime.fromisoformat(line["time"])
    return Moment(at, who(line), STATES[state](line), reasons_of(line))


def episodes(
    moments: Iterable[Moment], *, start: datetime | None = None, end: datetime | None = None
) -> list[Episode]:
    """Return the spans, cut to [start, end], the longest first.

    Parameters
    ----------
    end
        Until when the log speaks; None = its newest line of any target.
    """
    ordered = sorted(moments, key=lambda m: m.at)
    if not ordered:
        return []
    last = end or ordered[-1].at
    by_target: dict[str, list[Moment]] = {}
    for one in ordered:
        if one.at <= last:
            by_target.setdefault(one.who, []).append(one)
    spans = [span for own in by_target.values() for span in _spans(own, last)]
    cut = (_cut(span, start) for span in spans)
    return sorted((s for s in cut if s is not None), key=lambda s: (-s.duration, s.who, s.start))


def _spans(moments: list[Moment], end: datetime) -> list[Episode]:
    """Return the spans of one target."""
    spans: list[Episode] = []
    since: datetime | None = None
    reasons: frozenset[Reason] = frozenset()
    for one in moments:
        if one.holds:
            since = since or one.at
            reasons |= one.reasons
        elif since is not None:
            spans.append(Episode(one.who, since, one.at, False, reasons))
            since, reasons = None, frozenset()
    if since is not None:
        spans.append(Episode(moments[-1].who, since, end, True, reasons))
    return spans


def _cut(span: Episode, start: datetime | None) -> Episode | None:
    """Return the part of a span after `start`, None when there is none."""
    if start is None or span.start >= start:
        return span
    if span.end <= start:
        return None
    return Episode(span.who, start, span.end, span.ongoing, span.reasons)
