"""Risk that was spent too fast is saved for a while; risk that was not is no credit."""

import numpy as np
import pytest

from models.budget import RiskBudget
from models.table import Table

ROWS = np.array([0])
RISK = np.array([0.01])


def left_after(broken, *, risk=RISK):
    """The share of the risk that is left after promises broken or kept, in order."""
    table = Table()
    budget = RiskBudget(table)
    table.add(1)
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


def test_what_counts_is_how_many_times_the_stated_risk_was_spent():
    rarely = left_after([True] * 2, risk=np.array([0.01]))
    often = left_after([True] * 2, risk=np.array([0.1]))

    assert rarely < often == 1.0


def test_each_row_has_its_own():
    table = Table()
    budget = RiskBudget(table)
    rows = table.add(2)
    for _ in range(9):
        budget.learn(rows, over=np.array([True, False]), risk=np.array([0.01, 0.01]))

    assert budget.left(rows).tolist() == [pytest.approx(0.1, abs=0.1), 1.0]
