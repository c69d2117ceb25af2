"""Five-field cron expressions as wall-clock minutes."""

import tracemalloc
from datetime import datetime
from itertools import islice

import pytest

from autoscaler.policy.cron import parsed_cron

# A Monday.
NOON = datetime(2026, 11, 23, 12, 0)  # noqa: DTZ001 - wall clock of no zone


def latest(text, n=1, start=NOON):
    return [f"{at:%a %Y-%m-%d %H:%M}" for at in islice(parsed_cron(text).backwards(start), n)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("* * * * *", "Mon 2026-11-23 12:00", id="every minute, this one too"),
        pytest.param("30 * * * *", "Mon 2026-11-23 11:30", id="half past"),
        pytest.param("0 8 * * *", "Mon 2026-11-23 08:00", id="daily"),
        pytest.param("0 18 * * *", "Sun 2026-11-22 18:00", id="not yet today"),
        pytest.param("0 8 * * 1-5", "Mon 2026-11-23 08:00", id="on weekdays"),
        pytest.param("0 18 * * MON-FRI", "Fri 2026-11-20 18:00", id="by name"),
        pytest.param("0 0 * * 7", "Sun 2026-11-22 00:00", id="Sunday is seven"),
        pytest.param("0 0 * * 0", "Sun 2026-11-22 00:00", id="and zero"),
        pytest.param("*/15 9-10 * * *", "Mon 2026-11-23 10:45", id="steps within a range"),
        pytest.param("5/20 9 * * *", "Mon 2026-11-23 09:45", id="steps from a start"),
        pytest.param("0 0 1,15 * *", "Sun 2026-11-15 00:00", id="a list"),
        pytest.param("0 0 25 nov *", "Tue 2025-11-25 00:00", id="once a year"),
        pytest.param("0 0 29 2 *", "Thu 2024-02-29 00:00", id="every fourth year"),
        pytest.param("0 0 31 * *", "Sat 2026-10-31 00:00", id="months without it are skipped"),
        pytest.param("0 0 13 * 5", "Fri 2026-11-20 00:00", id="either day field is enough"),
        pytest.param("0 0 13 * *", "Fri 2026-11-13 00:00", id="one alone is exact"),
        pytest.param("0 0 */3 * 1", "Mon 2026-11-16 00:00", id="a star with steps restricts none"),
    ],
)
def test_a_cron_falls_on_what_every_cron_would(text, expected):
    assert latest(text) == [expected]


def test_occurrences_go_backwards_without_a_gap():
    assert latest("0 8,20 * * 1,5", n=4) == [
        "Mon 2026-11-23 08:00",
        "Fri 2026-11-20 20:00",
        "Fri 2026-11-20 08:00",
        "Mon 2026-11-16 20:00",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("8am", "neither 'YYYY-MM-DD HH:MM' nor a cron expression", id="prose"),
        pytest.param("0 8 * *", "five fields", id="four fields"),
        pytest.param("60 * * * *", "minute '60' is not between 0 and 59", id="minute"),
        pytest.param("0 24 * * *", "hour '24' is not between 0 and 23", id="hour"),
        pytest.param("0 0 0 * *", "day of month '0' is not between 1 and 31", id="day"),
        pytest.param("0 0 * 13 *", "month '13'", id="month"),
        pytest.param("0 0 * * 8", "day of week '8' is not between 0 and 7", id="weekday"),
        pytest.param("0 0 * * FRI-MON", "5 is after 1", id="backwards range"),
        pytest.param("*/0 * * * *", "minute '0' is not between 1 and 59", id="no step"),
        pytest.param("1, * * * *", "minute ''", id="an empty part"),
        pytest.param("0 0 L * *", "day of month 'L' is not between 1 and 31", id="the last day"),
        pytest.param("0 0 * * 1#2", "day of week '1#2' is not between 0 and 7", id="the second"),
        pytest.param("0 0 30 2 *", "never happens", id="30 February"),
        pytest.param("-5 * * * *", "minute ''", id="negative"),
        pytest.param("٣ * * * *", "minute '٣'", id="digits of another script"),
    ],
)
def test_a_wrong_expression_names_the_field(text, message):
    with pytest.raises(ValueError, match="(?s).*" + message.replace("*", r"\*")):
        parsed_cron(text)


def test_thousands_of_expressions_of_every_minute_take_a_few_megabytes():
    tracemalloc.start()
    for day in range(1, 29):
        for month in range(1, 13):
            for week in range(4):
                parsed_cron(f"* * {day} {month} {week}")
    kept, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    parsed_cron.cache_clear()

    assert kept < 10 * 2**20
