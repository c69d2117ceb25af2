"""Whose past is read next, and how much of it."""

from datetime import timedelta

from autoscaler.missing_history import HISTORY, STEP, MissingHistory
from support.load_series import NOW, request_rate

SERIES = {name: request_rate(source="linkerd") for name in ("known", "other", "new")}
HOUR_AGO = NOW - timedelta(hours=1)


def test_a_whole_past_comes_before_a_gap_and_whoever_was_tried_after_the_others():
    missing = MissingHistory()
    missing.follow({name: SERIES[name] for name in ("known", "other")}, whole=())
    missing.want_since(HOUR_AGO, now=NOW)
    missing.follow(SERIES, whole=("new",))

    assert list(missing.next(limit=2)) == ["new"]
    assert missing.span_of(["new"], now=NOW) == (NOW - HISTORY, NOW)


def test_of_a_gap_hardly_more_than_the_gap_is_read():
    missing = MissingHistory()
    missing.follow(SERIES, whole=())
    missing.want_since(HOUR_AGO, now=NOW)

    assert [list(missing.next(limit=1)) for _ in range(4)] == [
        ["known"],
        ["other"],
        ["new"],
        ["known"],
    ]
    assert missing.span_of(["known", "other"], now=NOW) == (HOUR_AGO - 2 * STEP, NOW)
