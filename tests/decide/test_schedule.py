"""Which floor and ceiling hold at an instant."""

from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.decide.schedule import NO_SCHEDULE, ScheduledBounds, in_force, scheduled_bounds
from autoscaler.policy.schedule import ScheduleEntry

OFFICE = {"start": "0 8 * * 1-5", "end": "0 20 * * 1-5", "timeZone": "Europe/Berlin"}


def entry(**fields):
    return ScheduleEntry.model_validate({"name": "office", "minReplicas": 5} | OFFICE | fields)


def utc(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-11-23 06:59:59", False, id="a second before eight in winter"),
        pytest.param("2026-11-23 07:00:00", True, id="eight in winter"),
        pytest.param("2026-07-01 06:00:00", True, id="eight in summer"),
        pytest.param("2026-11-23 18:59:59", True, id="a second before the end"),
        pytest.param("2026-11-23 19:00:00", False, id="the end is outside"),
        pytest.param("2026-11-22 12:00:00", False, id="a Sunday"),
        pytest.param("2026-10-26 07:00:00", True, id="the Monday after falling back"),
        pytest.param("2026-03-30 06:00:00", True, id="the Monday after springing forward"),
    ],
)
def test_a_recurring_entry_is_half_open(now, expected):
    assert in_force(entry(), now=utc(now)) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-11-27 06:59:59", False, id="before"),
        pytest.param("2026-11-27 07:00:00", True, id="at the start"),
        pytest.param("2026-11-27 20:59:59", True, id="at the end"),
        pytest.param("2026-11-27 21:00:00", False, id="over"),
        pytest.param("2027-11-27 12:00:00", False, id="never again"),
    ],
)
def test_a_one_off_entry_is_half_open(now, expected):
    sale = entry(start="2026-11-27 08:00", end="2026-11-27 22:00")

    assert in_force(sale, now=utc(now)) is expected


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-10-25 00:29:00", False, id="before the first pass"),
        pytest.param("2026-10-25 00:30:00", True, id="it begins with the first pass"),
        pytest.param("2026-10-25 01:15:00", True, id="goes on through the second"),
        pytest.param("2026-10-25 01:45:00", True, id="and does not end early"),
        pytest.param("2026-10-25 02:00:00", False, id="it ends at three"),
    ],
)
def test_an_hour_that_comes_twice(now, expected):
    night = entry(start="30 2 * * *", end="0 3 * * *")

    assert in_force(night, now=utc(now)) is expected


def test_an_entry_that_begins_anew_in_the_minute_it_ends_goes_on():
    always = entry(start="0 8 * * *", end="0 8 * * 1")

    assert in_force(always, now=utc("2026-11-23 06:59:00"))
    assert in_force(always, now=utc("2026-11-23 07:00:00"))


def test_of_equal_floors_the_first_is_named():
    twice = [entry(name="first"), entry(name="second")]
    got = scheduled_bounds(twice, lead_time=timedelta(0), now=utc("2026-11-23 12:00:00"))

    assert (got.floor, got.floor_name) == (5, "first")


def test_an_hour_that_never_comes_is_no_window():
    skipped = entry(start="15 2 * * *", end="45 2 * * *")

    assert not in_force(skipped, now=utc("2026-03-29 01:00:00"))
    assert not in_force(skipped, now=utc("2026-03-29 12:00:00"))
    assert in_force(skipped, now=utc("2026-03-28 01:20:00"))
    for minute in range(50, 60):
        ahead = timedelta(minutes=15)
        assert not in_force(skipped, now=utc(f"2026-03-29 00:{minute}:00"), ahead=ahead)


def test_a_night_that_spans_midnight():
    night = entry(start="0 22 * * *", end="0 6 * * *")

    assert in_force(night, now=utc("2026-11-23 23:30:00"))
    assert in_force(night, now=utc("2026-11-23 04:59:00"))
    assert not in_force(night, now=utc("2026-11-23 12:00:00"))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        pytest.param([], NO_SCHEDULE, id="none"),
        pytest.param(
            [{}, {"name": "sale", "minReplicas": 9}],
            ScheduledBounds(9, None, "sale"),
            id="the highest floor",
        ),
        pytest.param(
            [{"maxReplicas": 30}, {"name": "quota", "minReplicas": None, "maxReplicas": 20}],
            ScheduledBounds(5, 20, "office", "quota"),
            id="the lowest ceiling",
        ),
        pytest.param(
            [{"maxReplicas": 20}, {"name": "quota", "maxReplicas": 20}, {"maxReplicas": 30}],
            ScheduledBounds(5, 20, "office", "office"),
            id="of equal ones the first",
        ),
        pytest.param(
            [{}, {"name": "late", "minReplicas": 9, "start": "0 13 * * 1-5"}],
            ScheduledBounds(5, None, "office"),
            id="only those in force",
        ),
    ],
)
def test_of_overlapping_entries_the_highest_floor_and_the_lowest_ceiling_win(schedule, expected):
    entries = [entry(**fields) for fields in schedule]

    assert (
        scheduled_bounds(entries, lead_time=timedelta(0), now=utc("2026-11-23 10:00:00"))
        == expected
    )


@pytest.mark.parametrize(
    ("now", "floor", "ceiling"),
    [
        pytest.param("2026-11-23 06:57:59", None, None, id="longer than a lead time before"),
        pytest.param("2026-11-23 06:58:00", 5, None, id="pods start a lead time before the floor"),
        pytest.param("2026-11-23 07:00:00", 5, 9, id="the ceiling begins on the minute"),
        pytest.param("2026-11-23 18:59:00", 5, 9, id="nothing ends early"),
        pytest.param("2026-11-23 19:00:00", None, None, id="nor late"),
    ],
)
def test_floors_are_there_when_their_time_begins(now, floor, ceiling):
    got = scheduled_bounds([entry(maxReplicas=9)], lead_time=timedelta(minutes=2), now=utc(now))

    assert (got.floor, got.ceiling) == (floor, ceiling)
