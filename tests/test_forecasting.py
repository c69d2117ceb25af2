import os
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pytest

from autoscaler.decide.facts import Doubt, Sample, TargetRef, Trust
from autoscaler.forecasting import Forecasts, Horizon
from autoscaler.missing_history import STEP, history_span
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.ports import History
from autoscaler.roster import compiled
from models.snapshot import SnapshotError

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
CHECKOUT, SEARCH = TargetRef("shop", "checkout"), TargetRef("shop", "search")


def roster_of(*targets):
    return compiled(
        {
            target: (
                "test",
                WorkloadPolicy.model_validate(
                    {
                        "scaleTargetRef": {"name": target.name},
                        "maxReplicas": 10,
                        "metrics": [{"type": "RequestRate", "requestRate": {"source": "linkerd"}}],
                    }
                ),
            )
            for target in targets
        }
    )


def horizon(n):
    return Horizon(np.full(n, 120.0), np.full(n, 60.0), np.full(n, 0.01))


def constant_history(n_series, value, *, minutes=24 * 60):
    load = np.full((n_series, minutes), value)
    return History(load, STEP, NOW)


@cache
def _learned_once(load):
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    forecasts.accept_history(list(forecasts.missing_history(limit=1)), constant_history(1, load))
    return forecasts


def knowing(load):
    """Return forecasts of one series with a day's past; to learn it takes two seconds."""
    return deepcopy(_learned_once(load))


def sample(value, *, age=timedelta(seconds=30), doubt=None):
    return Sample(value, NOW - age, n_series=1, doubt=doubt)


def test_nothing_measured_yet_means_no_forecast():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))

    assert forecasts.predict(horizon(1), now=NOW) == [None]


def test_no_series_means_no_forecasts():
    assert Forecasts().predict(horizon(0), now=NOW) == []


def test_a_constant_past_forecasts_itself():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT, SEARCH))
    wanted = forecasts.missing_history(limit=10)
    forecasts.accept_history(list(wanted), constant_history(2, 500.0))

    got = forecasts.predict(horizon(2), now=NOW)

    assert [f.median for f in got] == pytest.approx([500.0, 500.0], rel=0.02)
    assert all(f.quantile >= f.median for f in got)


def minutes_seen(forecasts, n, value=500.0):
    for minute in range(n):
        now = NOW + minute * STEP
        measured = Sample(value, now - timedelta(seconds=30), n_series=1)
        forecasts.observe([measured], now=now)
    return forecasts.predict(horizon(1), now=now)[0]


def test_a_workload_whose_past_is_being_read_is_not_steered_by_its_first_minutes():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))

    assert minutes_seen(forecasts, 9).trust is Trust.WARMING


def test_a_past_that_cannot_be_read_is_waited_for_ten_minutes():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))

    assert minutes_seen(forecasts, 10).trust is Trust.TRUSTED


def test_only_whose_past_is_to_be_read_is_waited_for():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT, SEARCH))
    nothing = History(np.full((1, 24 * 60), np.nan), STEP, NOW)
    forecasts.accept_history(list(forecasts.missing_history(limit=1)), nothing)
    forecasts.observe([sample(500.0), sample(500.0)], now=NOW)

    told = [forecast.trust for forecast in forecasts.predict(horizon(2), now=NOW)]

    assert told == [Trust.TRUSTED, Trust.WARMING]


def test_waiting_for_a_past_hides_no_silence():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    forecasts.observe([sample(500.0)], now=NOW)

    assert forecasts.predict(horizon(1), now=NOW + 6 * STEP)[0].trust is Trust.STALE


def test_a_gap_after_an_outage_is_not_waited_for():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    nothing = History(np.full((1, 24 * 60), np.nan), STEP, NOW)
    forecasts.accept_history(list(forecasts.missing_history(limit=1)), nothing)
    forecasts.observe([sample(500.0)], now=NOW)
    unheard = Sample(None, None, n_series=0, doubt=Doubt.UNREACHABLE)
    for minute in range(1, 13):
        forecasts.observe([unheard], now=NOW + minute * STEP)
    later = NOW + 14 * STEP
    heard = Sample(500.0, later - timedelta(seconds=30), n_series=1)
    forecasts.observe([heard], now=later)

    assert forecasts.n_missing_history == 1
    assert forecasts.predict(horizon(1), now=later)[0].trust is Trust.TRUSTED


def test_a_workload_without_any_past_is_steered_from_its_first_minute_on():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    nothing = History(np.full((1, 24 * 60), np.nan), STEP, NOW)
    forecasts.accept_history(list(forecasts.missing_history(limit=1)), nothing)

    assert minutes_seen(forecasts, 1).trust is Trust.TRUSTED


def test_history_is_wanted_once_per_series():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT, SEARCH))

    first = forecasts.missing_history(limit=1)
    forecasts.accept_history(list(first), constant_history(1, 500.0, minutes=30))

    assert len(first) == 1
    assert len(forecasts.missing_history(limit=10)) == 1


def test_a_series_that_left_is_forgotten_and_its_row_is_clean_for_the_next():
    forecasts = knowing(500.0)

    forecasts.follow(roster_of(SEARCH))

    assert forecasts.predict(horizon(1), now=NOW) == [None]


def test_history_that_arrives_for_a_series_that_left_is_dropped():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    wanted = list(forecasts.missing_history(limit=1))
    forecasts.follow(roster_of(SEARCH))

    forecasts.accept_history(wanted, constant_history(1, 500.0, minutes=30))

    assert forecasts.predict(horizon(1), now=NOW) == [None]


@pytest.mark.parametrize(
    "newest",
    [
        pytest.param(sample(None, doubt=Doubt.ABSENT), id="absent"),
        pytest.param(sample(1.0, doubt=Doubt.PARTIAL), id="partial"),
        pytest.param(sample(1.0, age=timedelta(minutes=10)), id="ten minutes old"),
    ],
)
def test_what_is_not_trusted_is_never_learned(newest):
    forecasts = knowing(500.0)

    forecasts.observe([newest], now=NOW + STEP)

    [got] = forecasts.predict(horizon(1), now=NOW + STEP)
    assert got.median == pytest.approx(500.0, rel=0.05)


def test_a_forecast_without_fresh_samples_is_stale():
    forecasts = knowing(500.0)

    [got] = forecasts.predict(horizon(1), now=NOW + timedelta(hours=2))

    assert got.trust is Trust.STALE
    assert got.age == timedelta(hours=2)


def test_the_past_that_is_read_ends_on_a_minute():
    start, end = history_span(NOW + timedelta(seconds=42))

    assert (start, end) == (NOW - timedelta(days=14), NOW)


def test_what_saturated_pods_serve_does_not_narrow_the_forecast():
    forecasts = [knowing(50.0), knowing(50.0)]
    for minute in range(1, 40):
        now = NOW + minute * STEP
        for one, capped in zip(forecasts, ([], [0]), strict=True):
            one.observe([sample_at(50.0, now)], now=now, capped=capped)
            one.predict(horizon(1), now=now)

    free, saturated = (
        one.predict(horizon(1), now=NOW + 40 * STEP)[0].quantile for one in forecasts
    )
    assert saturated >= free


def sample_at(value, now):
    return Sample(value, now - timedelta(seconds=30), n_series=1)


def remembering(path):
    """Return forecasts of one series with a past, saved to a file."""
    forecasts = knowing(50.0)
    forecasts.save(path)
    return forecasts


def saved_ago(path, ago):
    instant = (NOW - ago).timestamp()
    os.utime(path, (instant, instant))


def test_a_restart_goes_on_where_the_process_before_it_stopped(tmp_path):
    path = tmp_path / "memory"
    before = remembering(path)
    saved_ago(path, timedelta(minutes=1))
    after = Forecasts()
    after.restore(path, now=NOW)
    after.follow(roster_of(CHECKOUT, SEARCH))

    assert [s.target for s in after.missing_history(limit=9).values()] == [SEARCH]
    mine, theirs = after.predict(horizon(2), now=NOW)[0], before.predict(horizon(1), now=NOW)[0]
    assert mine.quantile == pytest.approx(theirs.quantile, rel=1e-5)
    assert (mine.trust, mine.skill, mine.age) == (theirs.trust, theirs.skill, theirs.age)


def test_a_past_that_was_still_to_be_read_is_read_by_the_next_process(tmp_path):
    path = tmp_path / "memory"
    before = remembering(path)
    before.follow(roster_of(CHECKOUT, SEARCH))
    before.save(path)
    saved_ago(path, timedelta(minutes=1))
    after = Forecasts()
    after.restore(path, now=NOW)
    after.follow(roster_of(CHECKOUT, SEARCH))

    assert [s.target for s in after.missing_history(limit=9).values()] == [SEARCH]
    past = constant_history(1, 50.0, minutes=30)
    after.accept_history(list(after.missing_history(limit=9)), past)
    after.follow(roster_of(CHECKOUT, SEARCH))
    assert after.n_missing_history == 0


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        pytest.param(lambda path: saved_ago(path, timedelta(hours=2)), "is 2h old", id="too old"),
        pytest.param(lambda path: path.write_bytes(b"?"), "is not a snapshot", id="damaged"),
        pytest.param(lambda path: path.unlink(), "cannot be read", id="missing"),
    ],
)
def test_a_memory_that_cannot_be_used_is_refused_and_everything_is_read_again(
    tmp_path, spoil, complaint
):
    path = tmp_path / "memory"
    remembering(path)
    saved_ago(path, timedelta(minutes=1))
    spoil(path)
    forecasts = Forecasts()

    with pytest.raises(SnapshotError, match=complaint):
        forecasts.restore(path, now=NOW)

    forecasts.follow(roster_of(CHECKOUT))
    assert len(forecasts.missing_history(limit=9)) == 1


@pytest.mark.parametrize("later", [0, 15, 60], ids=["a step", "within it", "the next"])
def test_each_forecast_is_as_old_as_its_own_sample(later):
    forecasts, ages = Forecasts(), (timedelta(seconds=2), timedelta(seconds=28))
    forecasts.follow(roster_of(CHECKOUT, SEARCH))
    for seconds in sorted({0, later}):
        now = NOW + timedelta(seconds=seconds)
        forecasts.observe([Sample(50.0, now - age, n_series=1) for age in ages], now=now)

    got = forecasts.predict(horizon(2), now=now)

    assert tuple(forecast.age for forecast in got) == ages


@pytest.mark.parametrize(
    ("age", "known"),
    [
        pytest.param(timedelta(minutes=2), True, id="two minutes old"),
        pytest.param(timedelta(minutes=2, seconds=1), False, id="older is of another minute"),
    ],
)
def test_a_late_sample_is_not_taken_for_the_load_of_this_minute(age, known):
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    for minute in range(3):
        now = NOW + minute * STEP
        forecasts.observe([Sample(50.0, now - age, n_series=1)], now=now)

    assert (forecasts.predict(horizon(1), now=now)[0] is not None) is known


def test_a_sample_of_a_clock_that_is_ahead_does_not_end_the_minute_early():
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    ahead = Sample(50.0, NOW + timedelta(seconds=70), n_series=1)
    forecasts.observe([ahead], now=NOW + timedelta(seconds=50))

    assert forecasts._minute == NOW.timestamp() // 60


@cache
def _ran_once(minutes):
    forecasts = knowing(500.0)
    return forecasts, went_on(forecasts, 500.0, since=NOW, minutes=minutes)


def running(*, minutes=30):
    """Return forecasts of one series with a day's past, that went on for some minutes, and now."""
    return deepcopy(_ran_once(minutes))


def went_on(forecasts, load, *, since, minutes):
    for cycle in range(1, 4 * minutes + 1):
        now = since + cycle * STEP / 4
        forecasts.observe([sample_at(load, now)], now=now)
        forecasts.predict(horizon(1), now=now)
    return now


HOUR = timedelta(hours=1)


def test_after_a_clock_is_set_back_the_newest_readings_count_within_a_minute():
    forecasts, now = running(minutes=90)

    now = went_on(forecasts, 200.0, since=now - HOUR, minutes=1)

    [got] = forecasts.predict(horizon(1), now=now)
    assert got.trust is not Trust.STALE
    assert got.age == timedelta(seconds=30)
    assert got.reactive_quantile < 400.0


def test_a_reading_that_went_with_the_clock_that_was_ahead_is_stale_when_no_other_follows():
    forecasts, now = running()
    for cycle in range(26):
        now_set_back = now - HOUR + cycle * STEP / 4
        forecasts.observe([Sample(None, doubt=Doubt.UNREACHABLE)], now=now_set_back)

    [got] = forecasts.predict(horizon(1), now=now_set_back)
    assert got.trust is Trust.STALE


@pytest.mark.parametrize(
    ("jump", "wanted"),
    [
        pytest.param(-HOUR, 1, id="back an hour"),
        pytest.param(HOUR, 1, id="forward an hour, or suspended"),
        pytest.param(-timedelta(seconds=90), 0, id="back by less than is soon caught up with"),
        pytest.param(timedelta(minutes=5), 0, id="a few missed cycles"),
        pytest.param(timedelta(days=20), 1, id="forward beyond all memory"),
        pytest.param(-timedelta(days=20), 1, id="back beyond all memory"),
    ],
)
def test_what_a_clock_that_jumped_missed_is_read_from_the_metrics_store(jump, wanted):
    forecasts, now = running()

    now = went_on(forecasts, 500.0, since=now + jump, minutes=1)

    assert forecasts.n_missing_history == wanted
    if wanted:
        past = History(np.full((1, 24 * 60), 500.0), STEP, now)
        forecasts.accept_history(list(forecasts.missing_history(limit=1)), past)
    [got] = forecasts.predict(horizon(1), now=now)
    assert forecasts.n_missing_history == 0
    assert got.trust is not Trust.STALE
    assert got.median == pytest.approx(500.0, rel=0.05)


def test_a_clock_that_was_ahead_for_a_while_leaves_nothing_behind():
    forecasts, now = running()
    for cycle in range(40):
        ahead = now + HOUR + cycle * STEP / 4
        forecasts.observe([Sample(None, ahead - HOUR, doubt=Doubt.STALE)], now=ahead)

    now = went_on(forecasts, 200.0, since=now + 10 * STEP, minutes=20)

    [got] = forecasts.predict(horizon(1), now=now)
    assert got.trust is not Trust.STALE
    assert got.age == timedelta(seconds=30)
    assert got.median == pytest.approx(200.0, rel=0.1)


NOT_ANSWERED = Sample(None, doubt=Doubt.UNREACHABLE)
REFUSED = Sample(None, doubt=Doubt.REFUSED)
ABSENT = Sample(None, doubt=Doubt.ABSENT)


def begun():
    """Return forecasts of one series with a short past, and now."""
    forecasts = Forecasts()
    forecasts.follow(roster_of(CHECKOUT))
    past = History(np.full((1, 30), 500.0), STEP, NOW)
    forecasts.accept_history(list(forecasts.missing_history(limit=1)), past)
    return forecasts, NOW


def went_through(forecasts, *episodes, since):
    """Show one series each sample for some minutes; a number is a load. Return the last instant."""
    for shown, minutes in episodes:
        for minute in range(1, minutes + 1):
            now = since + minute * STEP
            one = sample_at(shown, now) if isinstance(shown, float) else replace(shown)
            forecasts.observe([one], now=now)
        since = now
    return now


@pytest.mark.parametrize(
    ("episodes", "span"),
    [
        pytest.param([(NOT_ANSWERED, 40)], 43, id="nobody answered for forty minutes"),
        pytest.param([(REFUSED, 40)], 43, id="the token was over"),
        pytest.param([(NOT_ANSWERED, 40), (ABSENT, 5)], 48, id="then a rate needed two samples"),
        pytest.param([(NOT_ANSWERED, 10)], None, id="soon over"),
        pytest.param([(ABSENT, 40)], None, id="answered: there is nothing"),
        pytest.param([(sample(1.0, doubt=Doubt.PARTIAL), 40)], None, id="answered with a doubt"),
        pytest.param(
            [(NOT_ANSWERED, 5), (ABSENT, 30), (NOT_ANSWERED, 5)], None, id="two short ones"
        ),
    ],
)
def test_minutes_for_which_nobody_answered_are_wanted_once_somebody_does(episodes, span):
    forecasts, now = begun()

    now = went_through(forecasts, *episodes, since=now)
    assert forecasts.n_missing_history == 0
    now = went_through(forecasts, (500.0, 2), since=now)

    wanted = forecasts.missing_history(limit=9)
    assert len(wanted) == (span is not None)
    if span is not None:
        assert forecasts.span_missing(wanted, now=now) == (now - span * STEP, now)


def loads_of_last(forecasts, minutes):
    """Return the loads by the minute that the engine knows of its only series, newest last."""
    memory = forecasts._engine.memory
    index = memory.index - np.arange(minutes)[::-1]
    return memory.loads(index[:, None], forecasts._rows, memory.index)[:, 0].astype(float)


def test_only_minutes_for_which_nobody_answered_are_filled():
    forecasts, now = begun()
    doubted = sample(1.0, doubt=Doubt.PARTIAL)
    now = went_through(
        forecasts, (500.0, 2), (doubted, 5), (NOT_ANSWERED, 40), (doubted, 5), (500.0, 3), since=now
    )
    wanted = forecasts.missing_history(limit=9)
    start, end = forecasts.span_missing(wanted, now=now)
    past = np.full((1, (end - start) // STEP), 700.0)
    forecasts.accept_history(list(wanted), History(past, STEP, end))

    read_back = [700.0] * 40
    # Half a minute old, the newest reading closes the minute before: one more is not known.
    expected = [500.0] * 2 + [np.nan] * 6 + read_back + [np.nan] * 5 + [500.0] * 2
    np.testing.assert_allclose(loads_of_last(forecasts, 55), expected, rtol=0.01)
    assert forecasts.n_missing_history == 0


def test_of_two_outages_with_nothing_heard_between_them_both_are_filled_and_nothing_else():
    forecasts, now = begun()
    doubted = sample(1.0, doubt=Doubt.PARTIAL)
    episodes = ((500.0, 2), (NOT_ANSWERED, 20), (doubted, 10), (NOT_ANSWERED, 20), (500.0, 3))
    now = went_through(forecasts, *episodes, since=now)
    wanted = forecasts.missing_history(limit=9)
    start, end = forecasts.span_missing(wanted, now=now)
    past = np.full((1, (end - start) // STEP), 700.0)
    forecasts.accept_history(list(wanted), History(past, STEP, end))

    outage = [700.0] * 20
    expected = [500.0] * 2 + [np.nan] + outage + [np.nan] * 10 + outage + [500.0] * 2
    np.testing.assert_allclose(loads_of_last(forecasts, 55), expected, rtol=0.01)


@pytest.mark.parametrize(("minutes", "wanted"), [(10, 0), (20, 1)])
def test_after_a_restart_during_an_outage_the_past_is_read_again(tmp_path, minutes, wanted):
    forecasts, now = begun()
    now = went_through(forecasts, (500.0, 2), (NOT_ANSWERED, minutes), since=now)
    forecasts.save(tmp_path / "memory")
    after = Forecasts()
    after.restore(tmp_path / "memory", now=now)
    after.follow(roster_of(CHECKOUT))

    assert after.n_missing_history == wanted


def test_a_past_that_was_answered_with_a_warning_is_replaced_an_hour_later(tmp_path):
    before = Forecasts()
    before.follow(roster_of(CHECKOUT))
    keys = list(before.missing_history(limit=1))
    low = History(np.full((1, 1440), 100.0), STEP, NOW, doubtful=frozenset({0}))
    before.accept_history(keys, low)
    before.save(tmp_path / "memory")
    forecasts = Forecasts()  # a restart forgets no doubt
    forecasts.restore(tmp_path / "memory", now=NOW)
    forecasts.follow(roster_of(CHECKOUT))
    now = went_through(forecasts, (500.0, 61), since=NOW)

    start, end = forecasts.span_missing(forecasts.missing_history(limit=1), now=now)
    past = np.full((1, (end - start) // STEP), 400.0)
    forecasts.accept_history(keys, History(past, STEP, end))

    assert (start, end) == history_span(now)
    expected = [400.0] * 1440 + [500.0] * 60
    np.testing.assert_allclose(loads_of_last(forecasts, 1500), expected, rtol=0.01)
    assert (forecasts.n_missing_history, forecasts.n_doubtful_history) == (0, 0)


def test_a_past_that_was_lost_as_well_leaves_the_gap():
    forecasts, now = begun()
    now = went_through(forecasts, (500.0, 2), (NOT_ANSWERED, 40), (500.0, 2), since=now)
    wanted = forecasts.missing_history(limit=9)
    _, end = forecasts.span_missing(wanted, now=now)
    forecasts.accept_history(list(wanted), History(np.full((1, 44), np.nan), STEP, end))

    known = np.isfinite(loads_of_last(forecasts, 43))
    assert known.tolist() == [True] + [False] * 41 + [True]
    assert forecasts.n_missing_history == 0


def test_who_has_no_past_at_all_is_served_before_gaps():
    forecasts, now = begun()
    now = went_through(forecasts, (NOT_ANSWERED, 40), (500.0, 2), since=now)
    forecasts.follow(roster_of(CHECKOUT, SEARCH))

    first = forecasts.missing_history(limit=9)
    assert [one.target for one in first.values()] == [SEARCH]
    assert forecasts.span_missing(first, now=now) == history_span(now)
    forecasts.accept_history(list(first), History(np.full((1, 30), 500.0), STEP, NOW))

    assert [one.target for one in forecasts.missing_history(limit=9).values()] == [CHECKOUT]


def test_who_could_not_be_read_waits_until_everybody_had_a_turn():
    forecasts = Forecasts()
    targets = [TargetRef("shop", name) for name in "abc"]
    forecasts.follow(roster_of(*targets))

    turns = [next(iter(forecasts.missing_history(limit=1).values())).target for _ in range(5)]

    assert turns == [*targets, *targets[:2]]


def test_a_second_outage_before_the_first_was_read_widens_the_gap():
    forecasts, now = begun()
    now = went_through(
        forecasts, (NOT_ANSWERED, 20), (500.0, 5), (NOT_ANSWERED, 20), (500.0, 2), since=now
    )

    wanted = forecasts.missing_history(limit=9)

    assert forecasts.span_missing(wanted, now=now) == (now - 48 * STEP, now)


def test_a_gap_older_than_all_history_is_read_as_far_as_history_goes():
    forecasts, now = begun()
    now = went_through(forecasts, (NOT_ANSWERED, 20), (500.0, 2), since=now)
    later = now + timedelta(days=30)

    assert forecasts.span_missing(forecasts.missing_history(limit=9), now=later) == history_span(
        later
    )


def test_a_series_that_left_and_came_back_while_its_gap_was_read_gets_a_whole_past():
    forecasts, now = running()
    went_on(forecasts, 500.0, since=now - HOUR, minutes=1)
    wanted = list(forecasts.missing_history(limit=1))
    forecasts.span_missing(wanted, now=now)
    forecasts.follow(roster_of(SEARCH))
    forecasts.follow(roster_of(CHECKOUT))

    forecasts.accept_history(wanted, History(np.full((1, 44), 500.0), STEP, NOW))
    assert forecasts.n_missing_history == 1
    forecasts.span_missing(list(forecasts.missing_history(limit=1)), now=now)
    forecasts.accept_history(wanted, constant_history(1, 500.0))

    [got] = forecasts.predict(horizon(1), now=NOW)
    assert got.history == timedelta(days=1)


def test_a_past_is_learned_alike_whatever_was_learned_before_it():
    """Pasts are read in batches, while cycles go on: the later ones come after live readings."""
    load = np.abs(500.0 + 300.0 * np.sin(np.arange(2880) / 1440 * 2 * np.pi))[None]
    past = History(load, STEP, NOW)
    first, second = Forecasts(), Forecasts()
    first.follow(roster_of(CHECKOUT))
    first.accept_history(list(first.missing_history(limit=1)), past)
    second.follow(roster_of(SEARCH, CHECKOUT))
    for cycle in range(3):
        now = NOW - (3 - cycle) * STEP / 4
        second.observe([sample_at(500.0, now), sample_at(500.0, now)], now=now)
    for key in list(second.missing_history(limit=2)):
        second.accept_history([key], past)

    [alone] = first.predict(horizon(1), now=NOW)
    for one in second.predict(horizon(2), now=NOW):
        assert (one.trust, one.skill) == (alone.trust, pytest.approx(alone.skill))
        assert one.coverage == pytest.approx(alone.coverage)
