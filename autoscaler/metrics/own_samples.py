"""What do the answers to users' own queries amount to: a sample each, and what is missed in it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.decide.facts import Doubt, Sample
from autoscaler.metrics.answers import combined, number_of
from autoscaler.metrics.own_query import FoundSelector, OwnQuery
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.targets_down import Place

# A part of a query's answer by name, and the row that says it.
Part = tuple[str, Mapping[str, Any]]
# A selector that lost its series may have lost its load or its exporter; an hour tells which.
_MISSED_FOR = timedelta(hours=1)
_ZERO = timedelta(0)


def by_query(result: Sequence[Any], index: int) -> dict[str, list[Part]]:
    """Return the rows of an answer by the number of the query that they are about.

    Parameters
    ----------
    index
        Of a query in the answer: one that was asked as it is written has no label of ours, and was
        the only one.
    """
    found: dict[str, list[Part]] = {}
    for row in result:
        number, _, part = row["metric"].get(PART_LABEL, f"{index}:load").partition(":")
        found.setdefault(number, []).append((part, row))
    return found


@dataclass(slots=True)
class Behind:
    """The series that a query's selectors have matched so far: one that matches none is missed."""

    read: set[Place] = field(default_factory=set)
    """Scrape jobs, each with the namespace of what it scrapes."""
    heard: dict[FoundSelector, datetime] = field(default_factory=dict)
    """When each selector had a series last."""

    def note(self, rows: Sequence[Part], query: OwnQuery, *, now: datetime) -> None:
        """Remember what stands behind it now."""
        labels = [(part, row["metric"]) for part, row in rows if part.startswith("series")]
        self.read.update((of.get("job", ""), of.get("namespace", "")) for _, of in labels)
        present = {part for part, _ in labels}
        found = enumerate(query.selectors)
        self.heard.update((each, now) for n, each in found if f"series{n}" in present)

    def lost(self, *, now: datetime) -> str:
        """Return which selectors have no series any more, in words; empty when each has.

        Those that have one were heard at `now`; the clock may have been set back since the others.
        """
        heard = self.heard.items()
        gone = [found.text for found, at in heard if _ZERO < abs(now - at) < _MISSED_FOR]
        return f"no series any more: {', '.join(gone)}" if gone else ""


def sample_of(rows: Sequence[Part], query: OwnQuery, *, now: datetime) -> Sample:
    """Return what the rows of one query amount to: their sum, no older than its oldest selector."""
    parts: dict[str, float] = {}
    for part, row in rows:
        value = number_of(row)
        parts[part] = combined(parts[part], value, part=part) if part in parts else value
    load = parts.get("load")
    ats = [value for part, value in parts.items() if part.startswith("at")]
    at = datetime.fromtimestamp(min(ats), tz=UTC) if ats else None
    n_series = int(sum(value for part, value in parts.items() if part.startswith("series")))
    unknown = Sample(None, at, n_series)
    if load is None or (query.selectors and not ats):
        return replace(unknown, doubt=Doubt.ABSENT, detail="no series")
    if not math.isfinite(load):
        return replace(unknown, doubt=Doubt.NOT_A_NUMBER, detail=f"value {load}")
    if load < 0:
        return Sample(0.0, at or now, n_series, doubt=Doubt.PARTIAL, detail=f"negative: {load:g}")
    sample = Sample(load, at or now, max(0, n_series))
    for number, found in enumerate(query.selectors):
        if found.window and f"at{number}" in parts and f"before{number}" not in parts:
            detail = f"{found.text} is there for less than its window of {found.window}"
            return replace(sample, doubt=Doubt.PARTIAL, detail=detail)
    return sample
