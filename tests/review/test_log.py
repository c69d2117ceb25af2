import io
import json
import logging
from datetime import timedelta

import pytest

from autoscaler.decide.facts import TargetRef, Trust
from autoscaler.decide.reason import Reason
from autoscaler.review.fields import DECISION, bounded
from autoscaler.review.log import HEARTBEAT, DecisionLog, configure, decision_line, log_event
from review.records import CHECKOUT, NOW, record

logger = logging.getLogger("autoscaler.tests")


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stream():
    return io.StringIO()


def lines_of(stream):
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_decision_is_one_json_object_with_the_envelope_and_every_field(stream):
    configure(log_format="json", level=logging.INFO, stream=stream)

    DecisionLog().write(record(10, 14))

    [line] = lines_of(stream)
    assert (line["level"], line["msg"]) == ("INFO", "scale_decision")
    assert line == {**line, **json.loads(json.dumps(record(10, 14).as_dict()))}
    assert DECISION.validate_python(line)["desired_replicas"] == 14


@pytest.mark.parametrize(
    ("second", "told"),
    [
        pytest.param(record(10, 10), ["INFO"], id="unchanged cycles are DEBUG"),
        pytest.param(record(10, 14), ["INFO", "INFO"], id="a rescale is news"),
        pytest.param(record(trust=Trust.DEMOTED), ["INFO", "INFO"], id="so is a demotion"),
        pytest.param(record(at=NOW + HEARTBEAT), ["INFO", "INFO"], id="so is an hour of silence"),
        pytest.param(record(at=NOW + HEARTBEAT / 2), ["INFO"], id="half an hour is not"),
        pytest.param(record(at=NOW - HEARTBEAT), ["INFO", "INFO"], id="or a clock set back"),
    ],
)
def test_the_level_tells_whether_it_is_news(stream, second, told):
    configure(log_format="json", level=logging.INFO, stream=stream)
    log = DecisionLog()

    log.write(record(10, 10))
    log.write(second)

    assert [line["level"] for line in lines_of(stream)] == told


def test_the_hourly_line_may_say_another_reason_and_what_follows_is_told_again(stream):
    configure(log_format="json", level=logging.INFO, stream=stream)
    log, minute = DecisionLog(), timedelta(minutes=1)
    held = (Reason.CHURN_HOLD, 9, 10)

    for at, chain in [(-2 * minute, [held]), (-minute, []), (HEARTBEAT - minute, [held])]:
        log.write(record(10, 10, *chain, at=NOW + at))
    for k in range(6):
        log.write(record(10, 10, at=NOW + HEARTBEAT + k * minute / 4))

    assert [line["reason"] for line in lines_of(stream)] == [
        "ChurnHold", "ForecastAboveTarget", "ChurnHold", "ForecastAboveTarget"
    ]  # fmt: skip


def test_a_rescale_is_news_also_to_a_count_that_was_told_before(stream):
    configure(log_format="json", level=logging.INFO, stream=stream)
    log = DecisionLog()

    log.write(record(10, 14))
    log.write(record(12, 14))

    assert [line["level"] for line in lines_of(stream)] == ["INFO", "INFO"]


def test_every_cycle_is_there_at_debug(stream):
    configure(log_format="json", level=logging.DEBUG, stream=stream)
    log = DecisionLog()

    for second in range(3):
        log.write(record(at=NOW + timedelta(seconds=second)))

    assert [line["level"] for line in lines_of(stream)] == ["INFO", "DEBUG", "DEBUG"]


def test_who_was_not_told_of_for_two_hours_is_forgotten(stream):
    configure(log_format="json", level=logging.INFO, stream=stream)
    log, other = DecisionLog(), TargetRef("shop", "cart")

    log.write(record(target=other))
    for hour in range(5):
        log.write(record(at=NOW + hour * HEARTBEAT))

    assert list(log._told_at) == list(log._news) == [CHECKOUT]


def test_the_text_line_is_aligned_and_holds_the_json_message(stream):
    configure(log_format="text", level=logging.INFO, stream=stream)

    DecisionLog().write(record(10, 14))

    message = record(10, 14).as_dict()["message"]
    assert stream.getvalue() == (
        "2026-11-23 09:00:00  shop/checkout              10 -> 14   Trusted  "
        f"ForecastAboveTarget    {message}\n"
    )


def test_a_simulated_world_dates_its_lines_by_its_own_clock_and_an_empty_field_is_left_out(stream):
    configure(log_format="text", level=logging.INFO, stream=stream, clock=lambda: NOW)

    log_event(logger, logging.INFO, "policies_changed", added="shop/checkout", removed="")

    assert stream.getvalue() == (
        "2026-11-23 09:00:00  INFO    policies_changed added=shop/checkout\n"
    )


def test_colours_appear_on_a_terminal_only(stream, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    configure(log_format="text", level=logging.INFO, stream=terminal)
    DecisionLog().write(record(10, 14))
    configure(log_format="text", level=logging.INFO, stream=stream)
    DecisionLog().write(record(10, 14))

    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in stream.getvalue()
    assert decision_line(record(10, 14).as_dict()) == stream.getvalue().rstrip("\n")


@pytest.mark.parametrize(("variable", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_colours_that_nobody_wants_are_left_out_on_a_terminal_too(monkeypatch, variable, value):
    monkeypatch.setenv(variable, value)
    terminal = Terminal()
    configure(log_format="text", level=logging.INFO, stream=terminal)

    DecisionLog().write(record(10, 14))

    assert "\x1b[" not in terminal.getvalue()


def test_an_event_keeps_its_fields_bounded_on_one_line_and_without_credentials(stream):
    configure(log_format="json", level=logging.INFO, stream=stream)

    log_event(logger, logging.ERROR, "x_refused", n=3, error="http://u:pw@host\n" + "y" * 9999)

    [line] = lines_of(stream)
    assert (line["msg"], line["n"], line["level"]) == ("x_refused", 3, "ERROR")
    assert line["error"].startswith("http://***@host y")
    assert len(line["error"]) == 1000


@pytest.mark.parametrize(
    ("said", "told"),
    [
        pytest.param("token=5ecret", "token=***", id="a parameter"),
        pytest.param("Authorization: Bearer 5ecret", "Authorization: ***", id="a header"),
        pytest.param('{"token": "5ecret"}', '{"token": "***"}', id="JSON"),
        pytest.param("{'api_key': '5ecret'}", "{'api_key': '***'}", id="as Python shows it"),
        pytest.param(r"{\"password\":\"5ecret\"}", r'{\"password\":\"***"}', id="JSON in JSON"),
        pytest.param("https://me:5ecret@host/x", "https://***@host/x", id="an address"),
        pytest.param("no token", "no token", id="the word alone"),
    ],
)
def test_what_looks_like_a_credential_is_not_told(said, told):
    assert bounded(said) == told


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_a_traceback_belongs_to_its_line_and_hides_credentials(stream, log_format):
    configure(log_format=log_format, level=logging.INFO, stream=stream)

    error = ValueError("asked with token=s3cret")
    logger.error("policy_failed", exc_info=error)

    assert "ValueError" in stream.getvalue()
    assert "s3cret" not in stream.getvalue()
    if log_format == "json":
        assert lines_of(stream)[0]["traceback"] == "ValueError: asked with token=***"
