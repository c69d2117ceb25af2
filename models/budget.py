"""Was more risk spent lately than was stated: then less is spent for a while.

Broken promises come in flocks: a launch, a bad hour, retries, a night whose jobs run late.
Whoever asks for the same risk all the same breaks far more of them on such a day than was stated,
although the months are right.
How many were broken lately, over how many may be, is therefore followed with a memory of hours, and
what is beyond half as many again is asked for less, in proportion.
Fewer broken ones than stated ask for nothing more: that a day is quiet says little of its end.
On a load's first day nothing is saved: what it breaks then, nobody could know, and more care for it
costs more than it prevents.

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

# Found on recorded loads: one hour is as good as two, six are half as good.
_MEMORY_STEPS = 120.0
# So many times the stated risk is chance.
_CHANCE = 1.5
# At most so many times less is asked for.
_MOST_SAVED = 10.0
_DAY_STEPS = 1440.0


class RiskBudget:
    """How many promises of each row were broken lately, over those that may be.

    The table tells how many steps of a load are known, too.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        table.column("broken_lately", fill=1.0)

    def left(self, rows: IntArray) -> FloatArray:
        """Return the share of the stated risk that is left to be asked for, within [0.1, 1]."""
        over = self.table["broken_lately"][rows] / _CHANCE
        young = self.table["n_steps"][rows] < _DAY_STEPS
        return np.where(young, 1.0, 1.0 / np.clip(over, 1.0, _MOST_SAVED))

    def learn(self, rows: IntArray, *, over: NDArray[np.bool_], risk: FloatArray) -> None:
        """Take in whether one promise per row was broken, and the risk it stated."""
        before = self.table["broken_lately"][rows]
        self.table["broken_lately"][rows] = before + (over / risk - before) / _MEMORY_STEPS
