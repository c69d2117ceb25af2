"""When other bounds hold: floors and ceilings by time zone, one-off or recurring.

`start` and `end` are either local wall-clock instants ("2026-11-27 08:00", one-off) or five-field
cron expressions ("0 8 * * 1-5", recurring); both of one kind.
Entries are half-open, [start, end). Overlapping entries: the highest floor and the lowest ceiling
win.

Where a zone sets its clock forward, a wall-clock time that does not exist is the instant of the
change; where it sets it back, a start is the first and an end the last of both: a floor may hold
too long, never too short.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Annotated, NamedTuple, Self
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from autoscaler.policy.base import Section
from autoscaler.policy.cron import parsed_cron
from autoscaler.policy.names import Name
from autoscaler.policy.quantity import MOST_REPLICAS, WholeNumber
from autoscaler.policy.time_zone import TimeZone

ScheduleTime = Annotated[str, Field(min_length=1, max_length=64)]
Replicas = Annotated[WholeNumber, Field(ge=0, le=MOST_REPLICAS)]

_ONE_OFF = "%Y-%m-%d %H:%M"
# At either end of the calendar a wall-clock time has no instant in every zone.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998
_MINUTE = timedelta(minutes=1)
# Two minutes of four thousand expressions. Minutes go by, so whatever may be kept will be: eight
# times as many were 52 MiB after a few days.
_INSTANTS_KEPT = 8192
# No zone ever moved its clock by more at once; within it, wall-clock order is not time order.
_LARGEST_SHIFT = timedelta(hours=3)


class ScheduleEntry(Section):
    """A floor or a ceiling (or both) that holds from `start` until just before `end`."""

    name: Name
    time_zone: TimeZone = "UTC"
    start: ScheduleTime
    end: ScheduleTime
    min_replicas: Replicas | None = None
    max_replicas: Replicas | None = None

    @field_validator("start", "end")
    @classmethod
    def _is_an_instant_or_recurs(cls, text: str) -> str:
        at = one_off(text)
        if at is None:
            parsed_cron(text)
        elif not _FIRST_YEAR <= at.year <= _LAST_YEAR:
            raise ValueError(f"{text!r} is not in a year from {_FIRST_YEAR} to {_LAST_YEAR}")
        return text

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.min_replicas is None and self.max_replicas is None:
            raise ValueError("give minReplicas, maxReplicas or both")
        low, high = self.min_replicas, self.max_replicas
        if low is not None and high is not None and low > high:
            raise ValueError(f"minReplicas {low} is above maxReplicas {high}")
        return self

    @model_validator(mode="after")
    def _starts_before_it_ends(self) -> Self:
        start, end = one_off(self.start), one_off(self.end)
        if (start is None) != (end is None):
            raise ValueError(
                f"start {self.start!r} and end {self.end!r} are not of one kind: "
                "both 'YYYY-MM-DD HH:MM' or both cron"
            )
        if start is not None and end is not None and start >= end:
            raise ValueError(f"start {self.start!r} is not before end {self.end!r}")
        if self.start == self.end:
            raise ValueError(f"start and end are both {self.start!r}")
        return self


@lru_cache(maxsize=1024)
def zone(name: str) -> ZoneInfo:
    """Return the time zone of that name; `ZoneInfo` itself keeps no more than eight."""
    return ZoneInfo(name)


@lru_cache(maxsize=4096)
def one_off(text: str) -> datetime | None:
    """Return "YYYY-MM-DD HH:MM" as a naive local instant, None when it is something else."""
    try:
        return datetime.strptime(text, _ONE_OFF)  # noqa: DTZ007 - wall clock of a zone named beside it
    except ValueError:
        return None


class Occurrence(NamedTuple):
    """One start or end: its instant in UTC, and the wall-clock time it was written as.

    Both count in comparisons: a window that a clock change skips whole starts and ends at one
    instant, and is over.
    """

    at: datetime
    wall_clock: datetime


@lru_cache(maxsize=_INSTANTS_KEPT)
def latest_start(text: str, time_zone: str, minute: datetime) -> Occurrence | None:
    """Return the latest start at or before a UTC minute; None = none yet."""
    return _latest(text, zone(time_zone), minute, last_of_both=False)


@lru_cache(maxsize=_INSTANTS_KEPT)
def latest_end(text: str, time_zone: str, minute: datetime) -> Occurrence | None:
    """Return the latest end at or before a UTC minute; None = none yet."""
    return _latest(text, zone(time_zone), minute, last_of_both=True)


def _latest(
    text: str, here: ZoneInfo, minute: datetime, *, last_of_both: bool
) -> Occurrence | None:
    once = one_off(text)
    beyond = minute.astimezone(here).replace(tzinfo=None) + _LARGEST_SHIFT
    candidates = parsed_cron(text).backwards(beyond) if once is None else (once,)
    for wall_clock in candidates:
        at = instant(wall_clock, here, last_of_both=last_of_both)
        if at <= minute:
            return Occurrence(at, wall_clock)
    return None


def instant(wall_clock: datetime, here: ZoneInfo, *, last_of_both: bool) -> datetime:
    """Return the instant, in UTC, of a naive wall-clock time in a zone.

    Parameters
    ----------
    last_of_both
        Which one to take of a time that comes twice when the clock is set back.
    """
    before = wall_clock.replace(tzinfo=here, fold=0).astimezone(UTC)
    after = wall_clock.replace(tzinfo=here, fold=1).astimezone(UTC)
    if after < before:
        return _clock_change(after, before, here)
    return after if last_of_both else before


def _clock_change(earlier: datetime, later: datetime, here: ZoneInfo) -> datetime:
    """Return the minute between two at which the zone's offset changes."""
    offset_before = earlier.astimezone(here).utcoffset()
    while later - earlier > _MINUTE:
        middle = earlier + (later - earlier) // 2 // _MINUTE * _MINUTE
        if middle.astimezone(here).utcoffset() == offset_before:
            earlier = middle
        else:
            later = middle
    return later
