"""Risk that was spent too fast is saved for a while; risk that was not is no credit."""

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
