"""What is worth a line: every change of what matters, and no flapping."""

from datetime import timedelta

import pytest

from autoscaler.decide.reason import Reason
from autoscaler.review.news import LASTS, News
from review.records import NOW, record

TICK = timedelta(seconds=15)
CHURN = (Reason.CHURN_HOLD, 9, 10)
STABLE = (Reason.SCALE_DOWN_STABILIZED, 9, 10)


def told(*records, every=TICK):
    """Return which of the records, one a cycle, were told."""
    news = News()
    return [k for k, made in enumerate(records) if news.tells(made(NOW + k * every))]


def quiet(at):
    return record(10, 10, at=at)


def held(at):
    return record(10, 10, CHURN, at=at)


def stable(at):
    return record(10, 10, STABLE, at=at)


def doubted(at):
    return record(10, 10, (Reason.ROLLOUT_HOLD, 9, 10), at=at)


def rescaled(at):
    return record(9, 10, at=at)


def test_a_reason_is_told_at_once_where_it_is_new():
    assert told(quiet, held, stable) == [0, 1, 2]


def test_a_load_that_scatters_about_a_step_is_told_once():
    assert told(*[quiet, held] * 20) == [0, 1]


def test_a_reason_that_comes_back_and_stays_is_told_again():
    assert told(quiet, held, *[quiet] * 10) == [0, 1, 2 + LASTS // TICK]


def test_it_need_not_be_the_same_reason_all_along():
    back_and_forth = [quiet, held] * 10

    assert told(quiet, held, stable, *back_and_forth) == [0, 1, 2, 3 + LASTS // TICK]


@pytest.mark.parametrize("change", [doubted, rescaled])
def test_what_matters_is_told_at_once_and_what_follows_it_anew(change):
    assert told(quiet, held, change, held) == [0, 1, 2, 3]


def test_a_rescale_is_told_also_to_a_count_that_was_told_before():
    assert told(rescaled, rescaled) == [0, 1]


def test_what_follows_a_rescale_is_no_news_while_its_reason_lasts():
    def following(at):
        return record(10, 10, reason=Reason.FORECAST_ABOVE_TARGET, at=at)

    assert told(rescaled, following, following) == [0]


def test_a_clock_set_back_begins_the_minute_anew():
    news = News()
    seconds = (0, 15, 30, -600, -585, -525)
    made = (quiet, held, quiet, quiet, quiet, quiet)

    assert [
        news.tells(make(NOW + timedelta(seconds=s))) for make, s in zip(made, seconds, strict=True)
    ] == [True, True, False, False, False, True]
