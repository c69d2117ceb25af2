"""Whose past is read next, and how much of it."""

from datetime import timedelta

import numpy as np

from autoscaler.missing_history import HISTORY, STEP, MissingHistory
from autoscaler.ports import History
from support.load_series import NOW, request_rate

SERIES = {name: request_rate(source="linkerd") for name in ("known", "other", "new")}
HOUR = timedelta(hours=1)
HOUR_AGO = NOW - HOUR
KNOWN = {"known": SERIES["known"]}
WHOLE, DOUBTFUL = frozenset(), frozenset({0})


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


def past(end, doubtful, *, minutes=HISTORY // STEP):
    return History(np.full((1, minutes), 500.0), STEP, end, doubtful)


def read_at(missing, now, doubtful):
    """Read what is wanted at an instant; return how many minutes of it fill a gap."""
    missing.want_doubtful_again(now=now)
    keys = list(missing.next(limit=9))
    start, end = missing.span_of(keys, now=now)
    arrived = missing.arrived(keys, past(end, doubtful, minutes=(end - start) // STEP))
    return int(np.isfinite(arrived.gap_loads).sum())


def read_with_a_warning():
    missing = MissingHistory()
    missing.follow(KNOWN, whole=KNOWN)
    missing.arrived(["known"], past(NOW, DOUBTFUL))
    return missing


def test_a_past_that_was_answered_with_a_warning_is_replaced_once_an_answer_has_none(caplog):
    caplog.set_level("INFO")
    missing = read_with_a_warning()
    missing.want_doubtful_again(now=NOW + HOUR - STEP)
    before = (len(missing), missing.n_doubts)

    filled = read_at(missing, NOW + HOUR, WHOLE)

    assert (before, len(missing), missing.n_doubts) == ((0, 1), 0, 0)
    assert filled == HISTORY // STEP - 60  # what was measured since then stays
    assert caplog.messages == ["history_no_longer_doubtful"]


def test_where_every_answer_has_a_warning_what_was_read_first_stays_and_is_asked_for_ever_less():
    missing, asked = read_with_a_warning(), []
    for hours in range(24 * 30):
        missing.want_doubtful_again(now=NOW + hours * HOUR)
        if len(missing):
            asked.append(hours)
            assert read_at(missing, NOW + hours * HOUR, DOUBTFUL) == 0

    assert asked == [1, 3, 7, 15, 31, 63, 127, 255]
    assert missing.n_doubts == 0


def test_a_gap_that_is_read_without_a_warning_takes_no_doubt_from_the_past_before_it():
    missing = read_with_a_warning()
    missing.want_since(NOW + STEP, now=NOW + 20 * STEP)

    filled = read_at(missing, NOW + 20 * STEP, WHOLE)

    assert (filled, missing.n_doubts) == (20, 1)


def test_what_came_to_be_wanted_while_a_gap_was_read_is_still_wanted():
    missing = read_with_a_warning()
    missing.want_since(NOW + STEP, now=NOW + 20 * STEP)
    start, end = missing.span_of(list(missing.next(limit=9)), now=NOW + 20 * STEP)
    missing.want_doubtful_again(now=NOW + HOUR)
    missing.arrived(["known"], past(end, WHOLE, minutes=(end - start) // STEP))

    assert (len(missing), missing.n_doubts) == (1, 1)
    assert missing.span_of(["known"], now=NOW + HOUR) == (NOW + HOUR - HISTORY, NOW + HOUR)


def test_a_doubt_outlives_a_restart_and_not_the_policy():
    restarted = MissingHistory()
    keys = restarted.recalled([read_with_a_warning().marked("known"), "other"], now=NOW)
    restarted.follow(SERIES, whole=("new",))

    assert (keys, len(restarted), restarted.n_doubts) == (["known", "other"], 1, 1)
    restarted.follow({}, whole=())
    assert restarted.n_doubts == 0
