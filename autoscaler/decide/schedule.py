"""Which floor and which ceiling the schedule sets at this instant.

A floor is there when its time begins, so pods for it start a lead time earlier; a ceiling begins
on the minute.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from autoscaler.policy.schedule import ScheduleEntry, latest_end, latest_start


@dataclass(frozen=True, slots=True)
class ScheduledBounds:
    """The highest floor and the lowest ceiling in force, with the names of their entries."""

    floor: int | None = None
    ceiling: int | None = None
    floor_name: str = ""
    ceiling_name: str = ""


NO_SCHEDULE = ScheduledBounds()


def scheduled_bounds(
    schedule: Sequence[ScheduleEntry], *, lead_time: timedelta, now: datetime
) -> ScheduledBounds:
    """Return what the schedule demands now, floors ahead of time by `lead_time`."""
    floor = ceiling = None
    floor_name = ceiling_name = ""
    for entry in schedule:
        low, high = entry.min_replicas, entry.max_replicas
        higher = low is not None and (floor is None or low > floor)
        if higher and in_force(entry, now=now, ahead=lead_time):
            floor, floor_name = low, entry.name
        lower = high is not None and (ceiling is None or high < ceiling)
        if lower and in_force(entry, now=now):
            ceiling, ceiling_name = high, entry.name
    return ScheduledBounds(floor, ceiling, floor_name, ceiling_name)


def in_force(entry: ScheduleEntry, *, now: datetime, ahead: timedelta = timedelta(0)) -> bool:
    """Whether an entry holds at some moment of [now, now + ahead]."""
    minute = now.astimezone(UTC).replace(second=0, microsecond=0)
    if _holds(entry, minute):
        return True
    if not ahead:
        return False
    later = (now + ahead).astimezone(UTC).replace(second=0, microsecond=0)
    upcoming = latest_start(entry.start, entry.time_zone, later)
    return upcoming is not None and upcoming.at > minute and _holds(entry, upcoming.at)


def _holds(entry: ScheduleEntry, minute: datetime) -> bool:
    """Whether an entry holds in this minute; one that a clock change skips whole never does."""
    start = latest_start(entry.start, entry.time_zone, minute)
    if start is None:
        return False
    end = latest_end(entry.end, entry.time_zone, minute)
    return end is None or start >= end
