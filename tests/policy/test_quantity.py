"""How much: quantities as the API server reads them, and what it would refuse."""

from datetime import timedelta

import pytest

from autoscaler.policy.quantity import (
    load_text,
    parsed_duration,
    parsed_quantity,
    parsed_risk,
    parsed_share,
    parsed_tolerance,
    seconds_text,
)
from support.load_texts import LOAD_TEXTS


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("120", 120.0),
        ("100m", 0.1),
        ("250u", 0.00025),
        ("1.5k", 1500.0),
        ("1e3", 1000.0),
        ("1E3", 1000.0),
        ("1e-3", 0.001),
        ("1E", 1e18),
        ("1Ki", 1024.0),
        ("12.5Mi", 12.5 * 2**20),
        ("1Ei", 2.0**60),
        (".5", 0.5),
        ("5.", 5.0),
        ("+5", 5.0),
        (" 5 ", 5.0),
        (5, 5.0),
        (0.5, 0.5),
    ],
)
def test_what_is_a_quantity(text, amount):
    assert parsed_quantity(text) == amount


@pytest.mark.parametrize(
    "text",
    [
        *("", ".", "ten", "1K", "1ki", "1e3k", "1e3Ki", "1 Ki", "0x10", "1_000", "1e400", "\uff11"),
        *(True, None, [5], float("inf"), float("nan")),
    ],
)
def test_what_is_no_quantity_to_kubernetes_is_none_here(text):
    with pytest.raises(ValueError, match="is not a"):
        parsed_quantity(text)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ("1500ms", 1.5),
        ("90s", 90),
        ("1h30m", 5400),
        ("1.5h", 5400),
        ("2d", 172_800),
        ("1w", 604_800),
        (" 5m ", 300),
        (30, 30),
        (0, 0),
        ("366d", 366 * 86_400),
        (timedelta(minutes=5), 300),
    ],
)
def test_what_is_a_duration(written, seconds):
    assert parsed_duration(written) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "5", "5M", "5m 10s", "5mx", "x5m", "-5m", "\uff15m", True, None, [5]]
)
def test_what_is_not_wholly_a_duration_is_none(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parsed_duration(text)


@pytest.mark.parametrize("written", [-1, 366 * 86_400 + 1, "367d", float("nan")])
def test_a_duration_is_a_year_at_most(written):
    with pytest.raises(ValueError, match="is not between 0s and 366d"):
        parsed_duration(written)


@pytest.mark.parametrize(
    ("written", "share"),
    [("1%", 0.01), ("0.3 %", 0.003), (" 5% ", 0.05), ("1e-2", 0.01), ("100%", 1.0), (0.01, 0.01)],
)
def test_what_is_a_share(written, share):
    assert parsed_share(written) == share


@pytest.mark.parametrize(
    "text",
    [
        *("", "%", "1%%", "one%", "0x1%", "1_0%", "0.0_1", "\uff11%", "\u0661%", "1\u00a0%"),
        *(True, None, [1]),
    ],
)
def test_what_is_not_wholly_a_share_is_none(text):
    with pytest.raises(ValueError, match="is not a share"):
        parsed_share(text)


@pytest.mark.parametrize(
    "parsed", [parsed_share, parsed_quantity, parsed_duration], ids=lambda parsed: parsed.__name__
)
def test_a_truth_is_told_as_it_is_written_in_yaml(parsed):
    with pytest.raises(ValueError, match=r"^true is not a"):
        parsed(True)


@pytest.mark.parametrize("text", ["nan", "nan%", "inf%", "1e400", "1e400%", "-1%", "101%"])
def test_a_share_is_between_nothing_and_all(text):
    with pytest.raises(ValueError, match="is not between 0% and 100%"):
        parsed_share(text)


@pytest.mark.parametrize(
    ("written", "guess"),
    [
        pytest.param(5, "; did you mean 5%?", id="a percentage without its sign"),
        pytest.param(100, "; did you mean 100%?", id="all of it"),
        pytest.param(101, "", id="more than all"),
        pytest.param("101%", "", id="with its sign"),
        pytest.param(-1, "", id="less than nothing"),
    ],
)
def test_who_forgot_the_sign_of_a_percentage_is_reminded(written, guess):
    with pytest.raises(ValueError, match="is not between") as error:
        parsed_share(written)

    assert str(error.value) == f"{written!r} is not between 0% and 100%{guess}"


@pytest.mark.parametrize("written", ["100m", "10%", 0.1])
def test_a_tolerance_is_a_share_also_as_the_api_server_prints_it(written):
    assert parsed_tolerance(written) == 0.1


@pytest.mark.parametrize("share", [0.0005, 0.5])
def test_a_risk_is_as_small_as_a_fortnight_can_tell_or_as_large_as_the_median(share):
    assert parsed_risk(share) == share


@pytest.mark.parametrize("share", [0.00049, 0.51, 0])
def test_any_other_risk_is_refused(share):
    with pytest.raises(ValueError, match=r"is not between 0\.05% and 50%"):
        parsed_risk(share)


@pytest.mark.parametrize(("seconds", "text"), [(89.7, "1m30s"), (0.4, "0s"), (90_000, "1d1h")])
def test_a_span_of_time_is_told_to_the_second(seconds, text):
    assert seconds_text(seconds) == text


@pytest.mark.parametrize(("load", "text"), LOAD_TEXTS)
def test_a_load_has_no_more_digits_than_one_reads(load, text):
    assert load_text(load) == text
