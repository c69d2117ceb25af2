"""After too many exceedances, a row asks for less risk for a while.

Exceedances cluster: a launch, a bad hour, retries, a night whose jobs run late.
With the same risk on such a day, load exceeds the quantile far more often than stated, although the
share over months is right.
Each row therefore follows its exceedances, divided by the stated risk, as a running mean over two
hours.
While that mean is above 1.5, the row asks for as much less risk, down to a tenth of it.
Fewer exceedances than stated earn no credit: a quiet morning says little about the evening.
On a load's first day nothing is saved: its exceedances are mostly surprises that no lower risk
would have covered, and the extra pods cost more than they prevent.

A lower risk does not cover jumps to a multiple of the quantile, and a bad day has several of them.
So exceedances are also followed over six hours, and while these are more than three times as many
as stated, the quantile is raised to the highest load of about a day, at most to twice itself.
This holds from the first day on.

References
----------
Angelopoulos, Candes and Tibshirani, "Conformal PID Control for Time Series Prediction", 2023
(the integral of the errors).
"""

import numpy as np
from numpy.typing import NDArray

from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Found on recorded loads: one hour is as good as two, six hours are half as good.
_MEMORY_STEPS = 120.0
# A bad day: this many times the stated risk over so many steps; what the quantile is raised by.
_HOURS_MEMORY_STEPS = 360.0
_BAD_DAY = 3.0
_MOST_RAISED = 2.0
# Up to so many times the stated risk may be chance.
_CHANCE = 1.5
# The risk is divided by no more than this.
_MOST_SAVED = 10.0
_DAY_STEPS = 1440.0


class RiskBudget:
    """Each row's recent exceedances over the stated number, and the risk that this leaves.

    Reads `n_steps`, the known steps of each row, from the same table.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        table.column("broken_lately", fill=1.0)
        table.column("broken_in_hours", fill=1.0)

    def left(self, rows: IntArray) -> FloatArray:
        """Return the share of the stated risk that may be asked for, within [0.1, 1]."""
        over = self.table["broken_lately"][rows] / _CHANCE
        young = self.table["n_steps"][rows] < _DAY_STEPS
        return np.where(young, 1.0, 1.0 / np.clip(over, 1.0, _MOST_SAVED))

    def raised(self, rows: IntArray, quantile: FloatArray, *, highest: FloatArray) -> FloatArray:
        """Return the quantile, on a bad day raised to the highest load of about a day."""
        bad = self.table["broken_in_hours"][rows] > _BAD_DAY
        at_least = np.minimum(highest, _MOST_RAISED * quantile)
        return np.where(bad, np.maximum(quantile, at_least), quantile)

    def learn(self, rows: IntArray, *, over: NDArray[np.bool_], risk: FloatArray) -> None:
        """Take in whether the load exceeded one forecast per row, and the risk it stated."""
        spent = over / risk
        self._follow("broken_lately", rows, spent, _MEMORY_STEPS)
        # However small the risk, one exceedance alone makes no bad day, nor do two.
        self._follow(
            "broken_in_hours", rows, np.minimum(spent, _HOURS_MEMORY_STEPS), _HOURS_MEMORY_STEPS
        )

    def _follow(self, name: str, rows: IntArray, spent: FloatArray, steps: float) -> None:
        before = self.table[name][rows]
        self.table[name][rows] = before + (spent - before) / steps
