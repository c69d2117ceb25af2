"""Experts on one quantile: who counts, who learns what, and that their mean keeps its word."""

import numpy as np
import pytest

from models.engine import ForecastEngine
from models.experts import NET, STEADY, Experts
from models.network import LEVELS, at_risk
from models.scoring import pinball
from models.table import Table

ROWS = np.array([0])
LEVEL = np.array([100.0])
RISK = np.array([0.01])


def fresh(**state):
    """Experts of one row, whose promises another part of the table counts and scales."""
    table = Table()
    table.column("n_scored")
    table.column("n_steps", fill=1440)
    table.column("due_scale", 4, fill=0.1)
    experts = Experts(table, n_pending=4)
    table.add(1)
    table["risk_heard"][0] = RISK[0]
    for name, value in state.items():
        table[name][..., 0] = value
    return experts


def levels_of(median, tail=1.0):
    """The network's levels for a load of `median`, an exponential tail above it."""
    return (median - tail * np.log(2 * (1 - LEVELS)).clip(max=0))[None, :]


def said(experts, levels=None, level=LEVEL):
    return experts.opinions(ROWS, levels_of(100.0) if levels is None else levels, level, risk=RISK)


def told(experts, peak, *, over=False, n_scored=1000.0):
    """Promise, and score against `peak`."""
    experts.record(np.array([0]), ROWS, said(experts), RISK)
    experts.follow(ROWS)
    experts.table["n_scored"][0] = n_scored
    experts.learn(0, ROWS, np.array([peak]), over=np.array([over]), risk=RISK)


def test_at_first_all_say_what_the_network_says():
    opinions = said(fresh(asked=0.0))

    assert opinions.each[:, 0] == pytest.approx(opinions.mixed[0])
    assert opinions.mixed[0] == pytest.approx(at_risk(levels_of(100.0), RISK)[0])


@pytest.mark.parametrize(
    ("minutes", "times"), [(1, 2.67), (10, 2.33), (60, 1.44), (240, 1.02), (1440, 1.0)]
)
def test_of_a_load_of_minutes_the_tail_is_wider_than_the_network_says(minutes, times):
    opinions = said(fresh(asked=0.0, n_steps=minutes))

    tail = at_risk(levels_of(100.0), RISK)[0] - 100.0
    assert opinions.mixed[0] - 100.0 == pytest.approx(times * tail, rel=0.01)


def test_whoever_was_less_wrong_counts_more():
    losses = np.array([4.0, 1.0, 2.0, 4.0])
    experts = fresh(n_scored=1000.0, expert_loss=losses, steady=120.0, trend=np.log(110.0))

    opinions = said(experts)

    weight = losses**-4.0 / (losses**-4.0).sum()
    expected = np.exp((weight * np.log(opinions.each[:, 0] + 10.0)).sum()) - 10.0
    assert weight.argmax() == STEADY
    assert opinions.mixed[0] == pytest.approx(expected)


def test_the_network_speaks_alone_until_enough_was_scored():
    losses = np.array([4.0, 1.0, 2.0, 4.0])
    experts = fresh(n_scored=119.0, expert_loss=losses, steady=500.0, trend=np.log(500.0))

    opinions = said(experts)

    assert opinions.mixed[0] == pytest.approx(opinions.each[NET, 0])


def test_more_risk_is_spent_while_a_pod_saves_little_and_less_while_it_saves_much():
    usual = said(fresh()).spread[0]
    wide, as_usual, narrow = (
        said(fresh(n_followed=9.0, usual_spread=share * usual)).mixed[0] for share in (0.8, 1, 1.2)
    )

    assert wide < as_usual < narrow


@pytest.mark.parametrize("losses", [np.zeros(4), np.array([0.0, 1.0, 1.0, 1.0])])
def test_no_loss_at_all_is_no_division_by_zero(losses):
    opinions = said(fresh(n_scored=1000.0, expert_loss=losses, steady=120.0, trend=1.0))

    assert np.isfinite(opinions.mixed).all()


def test_the_mean_is_never_below_the_median():
    opinions = said(fresh(n_scored=1000.0, steady=1.0, trend=0.0, expert_loss=np.ones(4)))

    assert opinions.mixed[0] == 100.0


def test_an_exceedance_raises_every_expert_and_the_quiet_lowers_them():
    raised, lowered = fresh(asked=0.0), fresh(asked=0.0)
    told(raised, 1000.0)
    told(lowered, 1.0)

    for name in ("stretch", "body_lift", "trend_lift", "steady"):
        assert raised.table[name][0] > lowered.table[name][0]
    ups = raised.table["stretch"][0]
    downs = lowered.table["stretch"][0]
    assert ups / -downs == pytest.approx(99.0)


def test_a_mean_that_is_exceeded_too_often_asks_for_less_risk_within_bounds():
    experts = fresh()
    before = float(experts.table["asked"][0])
    told(experts, 1.0, over=True)
    assert experts.table["asked"][0] < before
    for _ in range(200):
        told(experts, 1.0, over=True)
    assert experts.table["asked"][0] == pytest.approx(before - 1.0)


def test_at_another_risk_they_say_as_much_more_as_the_network():
    state = {"steady": 120.0, "trend": 4.8, "body_lift": 0.3, "stretch": 0.2, "asked": 0.0}
    experts, rare = fresh(n_scored=1000.0, **state), np.array([0.001])
    usual = said(experts)

    more = experts.opinions(ROWS, levels_of(100.0), LEVEL, risk=rare)
    experts.record(np.array([0]), ROWS, more, rare)
    again = experts.opinions(ROWS, levels_of(100.0), LEVEL, risk=rare)

    raised = np.log(more.each[STEADY:] + 10.0) - np.log(usual.each[STEADY:] + 10.0)
    tails = [at_risk(levels_of(100.0), risk)[0] for risk in (rare, RISK)]
    assert raised[:, 0] == pytest.approx(np.log(tails[0] + 10.0) - np.log(tails[1] + 10.0))
    assert again.mixed[0] == pytest.approx(more.mixed[0], rel=0.01)


def test_a_lone_network_is_asked_for_the_stated_risk():
    assert said(fresh(n_scored=119.0)).mixed[0] == pytest.approx(at_risk(levels_of(100.0), RISK)[0])


def test_the_others_learn_faster_in_the_first_hours():
    early, late = fresh(), fresh()
    told(early, 1000.0, n_scored=1.0)
    told(late, 1000.0, n_scored=10_000.0)

    assert early.table["trend_lift"][0] == pytest.approx(
        4.0 * late.table["trend_lift"][0], rel=0.01
    )


def test_the_trend_follows_within_forty_minutes():
    experts = fresh()
    told(experts, 1.0)
    experts.record(np.array([1]), ROWS, said(experts, levels_of(200.0)), RISK)
    for _ in range(40):
        experts.follow(ROWS)

    first = np.log(at_risk(levels_of(100.0), RISK * np.exp(0.3))[0] + 10.0)
    last = np.log(at_risk(levels_of(200.0), RISK * np.exp(0.3))[0] + 10.0)
    assert experts.table["trend"][0] == pytest.approx(last - (last - first) / np.e, rel=0.01)


def test_one_load_for_all_times_does_not_grow_from_nothing_again():
    experts = fresh(steady=1e-200, asked=0.0)
    experts.record(np.array([0]), ROWS, said(experts), RISK)
    experts.follow(ROWS)

    assert experts.table["steady"][0] == pytest.approx(0.01 * at_risk(levels_of(100.0), RISK)[0])


def test_the_pinball_loss_is_least_at_the_quantile():
    load = np.arange(1000.0)
    losses = [pinball(load, np.full(1000, q), np.full(1000, 0.1)).mean() for q in (850, 900, 950)]

    assert min(losses) == losses[1]


def played(load, *, risk=0.01, prior=None):
    """Quantiles of a load per minute, asked each minute for two minutes ahead."""
    engine = ForecastEngine(prior=prior)
    row = engine.add(1)
    said = []
    for minute, value in enumerate(load):
        end = 60.0 * (minute + 1)
        engine.append(np.array([value]), end_seconds=end, rows=row)
        answer = engine.predict(
            rows=row, now_seconds=end + 30.0, lead_seconds=120.0, hold_seconds=15.0, risk=risk
        )
        said.append(answer.quantile[0])
    return engine, np.array(said)


def test_on_noise_about_a_mean_the_answer_costs_little_more_than_knowing_the_distribution():
    load = np.random.default_rng(3).gamma(2.0, 50.0, 3 * 1440)
    known = np.quantile(load, 0.95)

    _, said = played(load, risk=0.05)

    last = slice(2 * 1440, -3)
    assert said[last].mean() < 1.1 * known
    assert said[last].std() < 0.2 * known
    assert np.mean(load[3:][last] > said[:-3][last]) == pytest.approx(0.05, abs=0.02)


def test_what_ends_with_the_same_step_is_scored_in_turn():
    engine = ForecastEngine()
    row = engine.add(1)
    for minute in range(1, 20):
        engine.append(np.array([50.0]), end_seconds=60.0 * minute, rows=row)
        for quarter in range(4):
            now = 60.0 * minute + 30.0 + 15.0 * quarter
            engine.predict(
                rows=row, now_seconds=now, lead_seconds=120.0, hold_seconds=15.0, risk=0.01
            )
    first, last = engine.table["due_first"][:, 0], engine.table["due_last"][:, 0]
    scored = (last > 8) & (last < 20)

    # One window in four crosses into the next step.
    assert (last - first)[scored].tolist() == [
        int(at % 4 == 0) for at in last[scored].astype(int).tolist()
    ]


def test_after_many_broken_promises_everybody_says_more_and_only_for_a_while():
    calm = said(fresh(n_scored=1000.0, steady=120.0, trend=np.log(130.0)))
    after = said(fresh(n_scored=1000.0, steady=120.0, trend=np.log(130.0), broken_lately=6.0))

    assert (after.each > calm.each).all()
    assert after.mixed[0] > calm.mixed[0]
    assert (after.raw, after.tail, after.shift) == (calm.raw, calm.tail, calm.shift)
