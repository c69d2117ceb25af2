"""On which minutes does a five-field cron expression fall, in wall-clock time of no zone.

The standard fields: minute, hour, day of month, month, day of week; `*`, lists, ranges, steps and
English names; Sunday is 0 or 7.
As in every cron, a day matches either day field when both are restricted.
Deliberately absent: seconds, `@daily`, `L`, `W` and `#`, which no two crons agree on.

References
----------
POSIX.1-2017, `crontab`; steps and names as in Vixie cron.
"""

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache

_MONTHS = {name.lower(): number for number, name in enumerate(calendar.month_abbr) if name}
_DAYS = {
    name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))
}
# 29 February comes again after eight years at the latest (around 1900 and 2100).
_FARTHEST = timedelta(days=8 * 366)
_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Field:
    """One of the five fields: its name in messages, its range and its names for numbers."""

    name: str
    low: int
    high: int
    names: dict[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """The minutes on which something recurs, in local wall-clock time."""

    hours: tuple[int, ...]
    """Of every matching day, latest first."""
    minutes: tuple[int, ...]
    """Of every matching hour, latest first."""
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """Whether a day that matches one of both day fields is enough."""

    def backwards(self, start: datetime) -> Iterator[datetime]:
        """Yield the occurrences at or before a naive local instant, latest first."""
        day, earliest = start.date(), start.date() - _FARTHEST
        while day >= earliest:
            if day.month not in self.months:
                day = day.replace(day=1) - _ONE_DAY
                continue
            if self._falls_on(day):
                yield from self._on(day, start)
            day -= _ONE_DAY

    def _on(self, day: date, start: datetime) -> Iterator[datetime]:
        """Yield the occurrences of a matching day at or before `start`, latest first."""
        for hour in self.hours:
            if datetime.combine(day, time(hour)) > start:
                continue
            for minute in self.minutes:
                occurrence = datetime.combine(day, time(hour, minute))
                if occurrence <= start:
                    yield occurrence

    def _falls_on(self, day: date) -> bool:
        in_month, in_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return in_month or in_week if self.either_day else in_month and in_week


@lru_cache(maxsize=4096)
def parsed_cron(text: str) -> Cron:
    """Return a five-field cron expression as the minutes it falls on.

    Raises
    ------
    ValueError
        The message names the field, the value and what is allowed.
    """
    written = text.split()
    if len(written) != len(_FIELDS):
        raise ValueError(
            f"{text!r} is neither 'YYYY-MM-DD HH:MM' nor a cron expression of five fields"
        )
    minutes, hours, days, months, weekdays = (
        _numbers(part, field) for part, field in zip(written, _FIELDS, strict=True)
    )
    restricted = [not part.startswith("*") for part in (written[2], written[4])]
    cron = Cron(
        tuple(sorted(hours, reverse=True)),
        tuple(sorted(minutes, reverse=True)),
        days,
        months,
        frozenset(number % 7 for number in weekdays),
        either_day=all(restricted),
    )
    if next(cron.backwards(datetime(2024, 12, 31, 23, 59)), None) is None:  # noqa: DTZ001 - wall clock
        raise ValueError(f"{text!r} never happens")
    return cron


def _numbers(text: str, field: _Field) -> frozenset[int]:
    """Return the numbers one field names."""
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        step = _number(step_text, field, low=1) if slash else 1
        first, last = _span(span, field, open_ended=bool(slash))
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _span(text: str, field: _Field, *, open_ended: bool) -> tuple[int, int]:
    """Return first and last of `*`, `5` or `1-5`; `5/10` runs to the end of the field."""
    if text == "*":
        return field.low, min(field.high, 6) if field.names is _DAYS else field.high
    first_text, dash, last_text = text.partition("-")
    first = _number(first_text, field)
    if not dash:
        return first, field.high if open_ended else first
    last = _number(last_text, field)
    if first > last:
        raise ValueError(f"{field.name} {text!r}: {first} is after {last}")
    return first, last


def _number(text: str, field: _Field, *, low: int | None = None) -> int:
    number = field.names.get(text.lower(), -1)
    if text.isascii() and text.isdigit():
        number = int(text)
    lowest = field.low if low is None else low
    if not lowest <= number <= field.high:
        raise ValueError(f"{field.name} {text!r} is not between {lowest} and {field.high}")
    return number
