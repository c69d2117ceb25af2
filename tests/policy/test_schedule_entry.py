"""Schedule entries: what is refused, and which instants their wall-clock times are."""

from datetime import UTC, datetime

import pytest
from pydantic import ValidationError

from autoscaler.policy.schedule import ScheduleEntry, instant, latest_end, latest_start, zone

ENTRY = {"name": "sale", "start": "0 8 * * 1-5", "end": "0 20 * * 1-5", "minReplicas": 5}
BERLIN = zone("Europe/Berlin")


def utc(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)


def wall(text):
    return datetime.strptime(text, "%Y-%m-%d %H:%M")  # noqa: DTZ007 - wall clock


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param(
            {"timeZone": "Mars/Olympus"}, "'Mars/Olympus' is not an IANA time zone", id="zone"
        ),
        pytest.param(
            {"timeZone": "../etc/passwd"}, "is not an IANA time zone", id="a path is no zone"
        ),
        pytest.param(
            {"timeZone": "localtime"}, "is not an IANA time zone", id="nor is the machine's own"
        ),
        pytest.param(
            {"timeZone": "right/Europe/Berlin"}, "not an IANA time zone", id="nor leap seconds"
        ),
        pytest.param({"start": "morning"}, "'morning' is neither", id="prose"),
        pytest.param({"start": "2026-11-27 08:00"}, "not of one kind", id="mixed kinds"),
        pytest.param(
            {"start": "2026-11-27 08:00", "end": "2026-11-27 08:00"},
            "is not before end",
            id="empty",
        ),
        pytest.param({"end": "0 8 * * 1-5"}, "start and end are both", id="same instant"),
        pytest.param(
            {"start": "0001-01-01 00:00", "end": "2026-11-27 08:00"},
            "'0001-01-01 00:00' is not in a year from 1970 to 9998",
            id="no instant in every zone",
        ),
        pytest.param(
            {"start": "2026-11-27 08:00", "end": "9999-12-31 23:59"},
            "'9999-12-31 23:59' is not in a year from 1970 to 9998",
            id="the end of all time",
        ),
        pytest.param({"minReplicas": None}, "give minReplicas, maxReplicas or both", id="no bound"),
        pytest.param({"minReplicas": True}, "true is not a whole number", id="a truth is no one"),
        pytest.param({"maxReplicas": 4}, "minReplicas 5 is above maxReplicas 4", id="crossed"),
    ],
)
def test_a_wrong_entry_is_refused_with_its_value(changed, message):
    with pytest.raises(ValidationError) as error:
        ScheduleEntry.model_validate(ENTRY | changed)

    assert message in str(error.value)


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"maxReplicas": 5}, id="a floor that is the ceiling as well"),
        pytest.param({"start": "1970-01-01 00:00", "end": "9998-12-31 23:59"}, id="all years"),
    ],
)
def test_what_is_just_no_mistake_is_taken(changed):
    ScheduleEntry.model_validate(ENTRY | changed)


@pytest.mark.parametrize(
    ("clock", "first", "last"),
    [
        pytest.param("2026-07-01 08:00", "2026-07-01 06:00", "2026-07-01 06:00", id="summer"),
        pytest.param("2026-12-01 08:00", "2026-12-01 07:00", "2026-12-01 07:00", id="winter"),
        pytest.param("2026-03-29 02:30", "2026-03-29 01:00", "2026-03-29 01:00", id="skipped"),
        pytest.param("2026-10-25 02:30", "2026-10-25 00:30", "2026-10-25 01:30", id="twice"),
    ],
)
def test_wall_clock_times_are_instants(clock, first, last):
    assert instant(wall(clock), BERLIN, last_of_both=False) == utc(first)
    assert instant(wall(clock), BERLIN, last_of_both=True) == utc(last)


@pytest.mark.parametrize(
    ("place", "clock", "first", "last"),
    [
        pytest.param(
            "Australia/Lord_Howe",
            "2026-10-04 02:15",
            "2026-10-03 15:30",
            "2026-10-03 15:30",
            id="half an hour is skipped",
        ),
        pytest.param(
            "Australia/Lord_Howe",
            "2026-04-05 01:45",
            "2026-04-04 14:45",
            "2026-04-04 15:15",
            id="half an hour comes twice",
        ),
        pytest.param(
            "Africa/Cairo",
            "2026-04-24 00:30",
            "2026-04-23 22:00",
            "2026-04-23 22:00",
            id="a day begins at one",
        ),
        pytest.param(
            "Antarctica/Troll",
            "2026-03-29 02:59",
            "2026-03-29 01:00",
            "2026-03-29 01:00",
            id="two hours are skipped",
        ),
    ],
)
def test_clock_changes_of_other_zones(place, clock, first, last):
    assert instant(wall(clock), zone(place), last_of_both=False) == utc(first)
    assert instant(wall(clock), zone(place), last_of_both=True) == utc(last)


@pytest.mark.parametrize(
    ("text", "now", "expected"),
    [
        pytest.param("0 8 * * *", "2026-10-25 07:00", "2026-10-25 07:00", id="after falling back"),
        pytest.param("30 2 * * *", "2026-10-25 01:10", "2026-10-25 00:30", id="in the second pass"),
        pytest.param("30 2 * * *", "2026-03-29 01:00", "2026-03-29 01:00", id="at the gap's end"),
        pytest.param("30 2 * * *", "2026-03-29 00:59", "2026-03-28 01:30", id="before the gap"),
        pytest.param("2026-11-27 08:00", "2026-11-27 06:59", None, id="one-off, not yet"),
        pytest.param("2026-11-27 08:00", "2027-11-27 07:00", "2026-11-27 07:00", id="long over"),
    ],
)
def test_the_latest_start_in_a_zone(text, now, expected):
    got = latest_start(text, "Europe/Berlin", utc(now))

    assert (got and got.at) == (expected and utc(expected))


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-10-25 01:10", "2026-10-24 00:30", id="the first pass does not end it"),
        pytest.param("2026-10-25 01:30", "2026-10-25 01:30", id="the second does"),
    ],
)
def test_an_end_in_a_repeated_hour_is_its_last_pass(now, expected):
    assert latest_end("30 2 * * *", "Europe/Berlin", utc(now)).at == utc(expected)
