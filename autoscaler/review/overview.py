"""All policies at a glance: sorted by what needs attention, filtered and cut to a page.

The sorted index is made at most once every `_FRESH_SECONDS`, however many look, so that viewers
never cost the reconcile more than one pass over the records.
"""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.decide.facts import TargetRef
from autoscaler.review.attention import SEVERITY, Attention, attention_of
from autoscaler.review.evidence import leading_signal
from autoscaler.review.fields import DecisionFields
from autoscaler.review.latest import LatestRecords
from autoscaler.review.level import level_of
from autoscaler.review.record import DecisionRecord
from autoscaler.review.routes import Query, whole_number

# A reconcile comes every 15 s; older than this a viewer would notice.
_FRESH_SECONDS = 2.0
DEFAULT_PAGE, MOST_PER_PAGE = 50, 500
_LONGEST_FILTER = 253
# Whoever breaks more policies at once knows what it was after reading some.
_MOST_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class _Entry:
    """One policy in the index: what is sorted and filtered by, and whose the rest is.

    Not its record: the index would keep a whole cycle's alive for as long as nobody looks.
    """

    attention: Attention
    who: str
    target: TargetRef
    current_replicas: int
    change: int


_SORTS: dict[str, Callable[[_Entry], Any]] = {
    "attention": lambda e: (SEVERITY[e.attention], e.who),
    "name": lambda e: e.who,
    "replicas": lambda e: (-e.current_replicas, e.who),
    "change": lambda e: (-abs(e.change), e.who),
}


class Overview:
    """The sorted index of all policies."""

    def __init__(self, latest: LatestRecords) -> None:
        self._latest = latest
        self._lock = threading.Lock()
        self._made_at = -_FRESH_SECONDS
        self._entries: list[_Entry] = []

    def page(self, query: Query) -> dict[str, Any]:
        """Return one page of policies, the counts of all, and why none of it is written, if so.

        Parameters
        ----------
        query
            `q` (part of namespace/name), `attention`, `sort`, `offset`, `limit`; with
            `trend=hour` each row has the outline of its last hour.
        """
        entries = self._index()
        matched = _matched(entries, query)
        key = _SORTS.get(query.get("sort", "attention"))
        if key is None:
            raise ValueError(f"sort is one of {', '.join(_SORTS)}")
        if query.get("sort", "attention") != "attention":
            matched = sorted(matched, key=key)
        offset = whole_number(query, "offset", 0, most=10**9)
        limit = whole_number(query, "limit", DEFAULT_PAGE, most=MOST_PER_PAGE)
        shown = matched[offset : offset + limit]
        return {
            "at": _moment(self._latest.at),
            "silence": self._latest.silence(),
            "held_back": self._latest.held_back(),
            "policy_problems": self._problems(),
            "total": len(entries),
            "matched": len(matched),
            "offset": offset,
            "counts": Counter(str(entry.attention) for entry in entries),
            "policies": list(self._rows(shown, trend=_trend_wanted(query))),
        }

    def _problems(self) -> list[str]:
        """Return a sentence for each policy that is refused as it is written; the first of many."""
        problems = sorted(self._latest.policy_problems())
        told = [f"A policy is refused: {problem}" for problem in problems[:_MOST_PROBLEMS]]
        n_more = len(problems) - len(told)
        return [*told, f"{n_more} more are refused, see the log."] if n_more else told

    def _index(self) -> list[_Entry]:
        with self._lock:
            if time.monotonic() - self._made_at >= _FRESH_SECONDS:
                self._entries = sorted(map(_entry, self._latest.all()), key=_SORTS["attention"])
                self._made_at = time.monotonic()
            return self._entries

    def _rows(self, entries: list[_Entry], *, trend: bool) -> Iterator[dict[str, Any]]:
        for entry in entries:
            record = self._latest.of(entry.target)
            if record is None:  # no longer governed
                continue
            history, line = self._latest.history, record.as_dict()
            # Its own, for the index may be of the cycle before: no row contradicts itself.
            attention, since = attention_of(record), history.since(entry.target)
            row = policy_row(line, attention=attention, since=since)
            if trend:
                row["trend"] = history.last_hour(entry.target, _leading_index(line))
            yield row


def _trend_wanted(query: Query) -> bool:
    trend = query.get("trend", "")
    if trend not in {"", "hour"}:
        raise ValueError("trend is hour, or left out")
    return bool(trend)


def _leading_index(line: DecisionFields) -> int:
    """Return which signal the row tells of."""
    leading = leading_signal(line)
    return 0 if leading is None else line["signals"].index(leading)


def _entry(record: DecisionRecord) -> _Entry:
    current, desired = record.current_replicas or 0, record.desired_replicas or 0
    return _Entry(
        attention_of(record),
        str(record.target),
        record.target,
        current,
        desired - current,
    )


def _matched(entries: list[_Entry], query: Query) -> list[_Entry]:
    """Return the entries that the filters let through."""
    part, attention = query.get("q", "")[:_LONGEST_FILTER].lower(), query.get("attention", "")
    if attention and attention not in set(Attention):
        raise ValueError(f"attention is one of {', '.join(Attention)}")
    return [
        entry
        for entry in entries
        if (not part or part in entry.who) and (not attention or entry.attention == attention)
    ]


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="milliseconds")


def policy_row(
    line: DecisionFields, *, attention: Attention, since: datetime | None
) -> dict[str, Any]:
    """Return what the overview and `autoscaler status` show of one policy."""
    signal, bounds = leading_signal(line), line["bounds"]
    forecast = None if signal is None else signal["forecast"]
    return {
        **line["target"],
        "attention": attention,
        "since": _moment(since),
        **{key: line[key] for key in _COPIED},  # type: ignore[literal-required]
        "recommended_replicas": line["recommendation"]["replicas"],
        "min_replicas": None if bounds is None else bounds["min_replicas"],
        "max_replicas": None if bounds is None else bounds["max_replicas"],
        "metric": None if signal is None else signal["metric"],
        "value": None if signal is None else signal["value"],
        "capacity": None
        if signal is None or signal["capacity"] is None
        else signal["capacity"]["per_pod"],
        "forecast": None if signal is None else level_of(signal),
        "lead_time_seconds": None if forecast is None else forecast["lead_time_seconds"],
    }


_COPIED = (
    "time",
    "mode",
    "trust",
    "current_replicas",
    "ready_replicas",
    "desired_replicas",
    "reason",
    "rescaled",
    "message",
)
