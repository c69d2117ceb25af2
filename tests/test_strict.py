"""A value that somebody else wrote is exactly right, or it is refused."""

import math
from datetime import UTC, datetime

import pytest

from autoscaler.strict import (
    count_of,
    decimal_of,
    flag_of,
    instant_of,
    number_of,
    text_of,
    whole_of,
)


@pytest.mark.parametrize(
    ("read", "written", "expected"),
    [
        (text_of, "", ""),
        (flag_of, False, False),
        (whole_of, -3, -3),
        (count_of, 0, 0),
        (number_of, 7, 7.0),
        (decimal_of, "-1.5e3", -1500.0),
        (instant_of, "2026-11-20T08:00:00Z", datetime(2026, 11, 20, 8, tzinfo=UTC)),
    ],
)
def test_what_is_exactly_right_is_taken(read, written, expected):
    taken = read(written)

    assert (taken, type(taken)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("read", "written"),
    [
        pytest.param(text_of, 3, id="a number for text"),
        pytest.param(text_of, None, id="nothing for text"),
        pytest.param(flag_of, 1, id="a number for a flag"),
        pytest.param(flag_of, "true", id="text for a flag"),
        pytest.param(whole_of, True, id="true for a whole number"),
        pytest.param(whole_of, 3.0, id="a fraction for a whole number"),
        pytest.param(whole_of, "3", id="text for a whole number"),
        pytest.param(count_of, True, id="true for a count"),
        pytest.param(count_of, -1, id="a negative count"),
        pytest.param(number_of, True, id="true for a number"),
        pytest.param(number_of, math.nan, id="NaN"),
        pytest.param(number_of, math.inf, id="infinity"),
        pytest.param(decimal_of, "1_0", id="an underscore in a number"),
        pytest.param(decimal_of, "\uff11\uff10", id="full-width digits"),
        pytest.param(decimal_of, "ten", id="a word for a number"),
        pytest.param(instant_of, "2026-11-20T08:00:00", id="a local time"),
        pytest.param(instant_of, "yesterday", id="a word for an instant"),
        pytest.param(instant_of, 1_700_000_000, id="a number for an instant"),
    ],
)
def test_what_is_almost_right_is_refused(read, written):
    with pytest.raises((TypeError, ValueError)):
        read(written)
