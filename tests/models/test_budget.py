"""Risk that was spent too fast is saved for a while, and a bad day's quantiles are raised."""

import numpy as np
import pytest

from models.budget import RiskBudget
from models.table import Table

ROWS = np.array([0])
RISK = np.array([0.01])


def known_for_a_day(n_rows, *, n_steps=1440):
    table = Table()
    table.column("n_steps", fill=n_steps)
    budget = RiskBudget(table)
    table.add(n_rows)
    return budget


def left_after(broken, *, risk=RISK, n_steps=1440):
    """The share of the risk that is left after promises broken or kept, in order."""
    budget = known_for_a_day(1, n_steps=n_steps)
    for over in broken:
        budget.learn(ROWS, over=np.array([over]), risk=risk)
    return float(budget.left(ROWS)[0])


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        pytest.param([], 1.0, id="nothing was promised"),
        pytest.param([False] * 500, 1.0, id="a quiet time is no credit"),
        pytest.param(([False] * 99 + [True]) * 5, 1.0, id="as many as stated"),
        pytest.param([True], 1.0 / ((1 + 99 / 120) / 1.5), id="one more than stated"),
        pytest.param([True] * 20, 0.1, id="a flock of them leaves a tenth"),
        pytest.param([True] * 20 + [False] * 720, 1.0, id="half a day later it is forgotten"),
    ],
)
def test_the_risk_that_is_left_follows_what_was_broken(broken, expected):
    assert left_after(broken) == pytest.approx(expected)


def test_nothing_is_saved_on_a_loads_first_day():
    assert left_after([True] * 20, n_steps=1439) == 1.0


def test_what_counts_is_how_many_times_the_stated_risk_was_spent():
    rarely = left_after([True] * 2, risk=np.array([0.01]))
    often = left_after([True] * 2, risk=np.array([0.1]))

    assert rarely < often == 1.0


def test_each_row_has_its_own():
    budget, rows = known_for_a_day(2), np.arange(2)
    for _ in range(9):
        budget.learn(rows, over=np.array([True, False]), risk=np.array([0.01, 0.01]))

    assert budget.left(rows).tolist() == [pytest.approx(0.1, abs=0.1), 1.0]


def raised_after(broken, *, quantile=10.0, highest=15.0, risk=0.01, n_steps=1440):
    """The quantile after promises broken or kept, in order."""
    budget = known_for_a_day(1, n_steps=n_steps)
    for over in broken:
        budget.learn(ROWS, over=np.array([over]), risk=np.array([risk]))
    return budget.raised(ROWS, np.array([quantile]), highest=np.array([highest])).item()


BAD_DAY = [True] * 10


@pytest.mark.parametrize(
    ("broken", "expected"),
    [
        pytest.param([], 10.0, id="nothing was promised"),
        pytest.param([True] * 7, 10.0, id="seven, just below three times as many as stated"),
        pytest.param([True] * 8, 15.0, id="eight: a bad day"),
        pytest.param([True] * 8 + [False] * 60, 10.0, id="an hour later it is over"),
        pytest.param(BAD_DAY + [False] * 60, 15.0, id="a worse one lasts"),
    ],
)
def test_on_a_bad_day_the_quantile_is_the_days_highest_load(broken, expected):
    assert raised_after(broken) == expected


def test_it_is_raised_to_twice_itself_at_most_and_never_lowered():
    assert raised_after(BAD_DAY, highest=100.0) == 20.0
    assert raised_after(BAD_DAY, highest=5.0) == 10.0


def test_a_bad_day_is_relative_to_the_stated_risk():
    assert raised_after(BAD_DAY, risk=0.1) == 10.0


def test_a_first_day_can_be_a_bad_one():
    assert raised_after(BAD_DAY, n_steps=60) == 15.0


@pytest.mark.parametrize(
    ("n_broken", "expected"),
    [pytest.param(2, 10.0, id="two"), pytest.param(3, 15.0, id="three")],
)
def test_however_small_the_risk_it_takes_three_to_make_a_bad_day(n_broken, expected):
    assert raised_after([True] * n_broken, risk=0.0005) == expected
