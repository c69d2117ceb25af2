"""Stabilization windows and the memory they read."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest

from autoscaler.decide.decision import Decision, Limit
from autoscaler.decide.facts import Trust
from autoscaler.decide.reason import Reason
from autoscaler.decide.stabilization import last_at_least, last_at_most, stabilized_replicas
from autoscaler.decide.state import TimestampedRecommendation, possible_extremes
from decide.worlds import HIGH, LOW, NOW, ago, decided, outcome, quiet, signal


def history(*age_and_replicas):
    return [TimestampedRecommendation(ago(age), replicas) for age, replicas in age_and_replicas]


@pytest.mark.parametrize(
    ("current", "wanted", "past", "windows", "expected"),
    [
        pytest.param(5, 3, [], (0, 300), 3, id="no history lets it fall"),
        pytest.param(5, 3, [(299, 4)], (0, 300), 4, id="the highest of the window is the floor"),
        pytest.param(5, 3, [(300, 4)], (0, 300), 3, id="exactly a window old is outside"),
        pytest.param(5, 3, [(10, 9)], (0, 300), 5, id="history never raises above current"),
        pytest.param(5, 8, [(10, 6)], (60, 300), 6, id="the lowest of the up window is the cap"),
        pytest.param(5, 8, [(60, 6)], (60, 300), 8, id="exactly an up window old is outside"),
        pytest.param(5, 8, [(10, 2)], (60, 300), 5, id="an up window never lowers"),
        pytest.param(5, 8, [(10, 2)], (0, 300), 8, id="an up window of zero holds no history"),
        pytest.param(5, 5, [(10, 2), (20, 9)], (60, 300), 5, id="wanted as is stays"),
        pytest.param(5, 3, [(250, 4), (10, 2)], (0, 300), 4, id="order means nothing"),
    ],
)
def test_current_is_clamped_between_both_windows(current, wanted, past, windows, expected):
    up, down = (timedelta(seconds=seconds) for seconds in windows)

    assert (
        stabilized_replicas(
            wanted,
            current_replicas=current,
            history=history(*past),
            up_window=up,
            down_window=down,
            now=NOW,
        )
        == expected
    )


@pytest.mark.parametrize(
    ("last", "replicas", "age"),
    [
        pytest.param(last_at_least, 6, 135, id="the last of the higher ones"),
        pytest.param(last_at_least, 7, 200, id="those below do not hold it"),
        pytest.param(last_at_most, 4, 15, id="the last of the lower ones"),
        pytest.param(last_at_most, 6, 15, id="or of those that are lower still"),
    ],
)
def test_a_window_holds_until_the_last_that_asked_for_it_leaves(last, replicas, age):
    past = history((250, 9), (200, 7), (135, 6), (15, 4))

    assert last(replicas, past) == ago(age)


def test_a_forgetful_memory_answers_every_window_like_a_whole_one():
    random, whole, kept = Random(7), [], ()
    keep, windows = timedelta(seconds=600), [timedelta(seconds=s) for s in (0, 15, 300, 600)]
    for tick in range(2000):
        now, replicas = NOW + timedelta(seconds=15 * tick), random.randint(0, 30)
        for up in windows:
            for down in windows:
                facts = {"current_replicas": 15, "up_window": up, "down_window": down, "now": now}
                assert stabilized_replicas(replicas, history=kept, **facts) == stabilized_replicas(
                    replicas, history=whole[-41:], **facts
                )
        newest = TimestampedRecommendation(now, replicas)
        whole.append(newest)
        kept = (*possible_extremes(kept, replicas, now - keep), newest)

    assert len(kept) < 15


def test_a_number_that_stays_is_remembered_once():
    earlier = (TimestampedRecommendation(NOW - timedelta(seconds=15), 4),)

    assert possible_extremes(earlier, 4, NOW - timedelta(minutes=5)) == ()


def test_nothing_older_than_what_any_window_looks_at_is_remembered():
    past = tuple(history((301, 9), (300, 8), (200, 7)))

    assert possible_extremes(past, 4, ago(300)) == past[1:]


def test_the_highest_recommendation_of_the_window_wins_and_says_for_how_long():
    past = tuple(TimestampedRecommendation(ago(age), n) for age, n in ((135, 6), (15, 4)))
    decision = decided(LOW, state=replace(quiet(), recommendations=past))

    held = Limit(Reason.SCALE_DOWN_STABILIZED, 3, 6, "2m45s left")
    assert decision == Decision(10, 6, Reason.SCALE_DOWN_STABILIZED, (held,))


@pytest.mark.parametrize(
    ("minutes", "ahead", "trust", "desired"),
    [
        pytest.param(9, 10, Trust.TRUSTED, 10, id="its time is still to come"),
        pytest.param(10, 10, Trust.TRUSTED, 3, id="its time has come"),
        pytest.param(4, 2, Trust.TRUSTED, 10, id="the window is longer"),
        pytest.param(9, 10, Trust.DEMOTED, 3, id="nobody trusts it"),
        pytest.param(31, 1440, Trust.TRUSTED, 3, id="farther than anybody can look"),
    ],
)
def test_what_a_forecast_asked_for_is_not_given_back_before_its_time(
    minutes, ahead, trust, desired
):
    asked = (TimestampedRecommendation(ago(60 * minutes), 10), TimestampedRecommendation(ago(0), 3))
    state = replace(quiet(), recommendations=asked)
    lower = signal(300, 300, lead_time=timedelta(minutes=ahead), trust=trust)

    held = decided(lower, state=state)

    assert held.desired_replicas == desired
    longer = ", as long as the forecast looks ahead" if ahead > 5 else ""
    assert desired == 3 or held.chain[-1].detail == f"1m left{longer}"


def test_a_forecast_without_a_say_keeps_nothing_for_its_time():
    without_capacity = signal(300, 300, capacity=None, lead_time=timedelta(minutes=10))

    assert outcome(without_capacity).recommendation.promised_for == timedelta(0)


def test_what_a_forecast_asked_for_is_remembered_while_nobody_trusts_it():
    state = quiet()
    for minute, trust in enumerate([Trust.TRUSTED] * 7 + [Trust.DEMOTED] + [Trust.TRUSTED] * 2):
        quantile = 1000 if minute == 0 else 300
        now = NOW + minute * timedelta(minutes=1)
        one = signal(300, quantile, lead_time=timedelta(minutes=10), trust=trust)
        one = replace(one, sample=replace(one.sample, sampled_at=now))
        got = outcome(one, state=state, now=now)
        state = got.state_if_held

    assert got.decision.reason is Reason.SCALE_DOWN_STABILIZED


def test_a_scale_out_window_says_for_how_long_it_holds():
    past = (TimestampedRecommendation(ago(50), 11), TimestampedRecommendation(ago(20), 12))
    state = replace(quiet(), recommendations=past)
    decision = decided(HIGH, state=state, behavior={"scaleUp": {"stabilizationWindowSeconds": 60}})

    assert decision.chain == (Limit(Reason.SCALE_UP_STABILIZED, 15, 11, "10s left"),)
