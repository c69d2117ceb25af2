"""Whether a week ago tells more of a row than a day ago: what tells a Monday from a Tuesday.

On a Monday the day before was a Sunday; on a Saturday it was a Friday.
Which of the two pasts a row repeats cannot be read off eight days of minutes, so it is followed:
how far each was off, as a running mean over a week.
"""

import numpy as np
from numpy.typing import NDArray

from models.memory import Memory
from models.pulse import relative
from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

_DAY_STEPS = 1440
# The lags that are compared, in days.
_DAYS = np.array([1, 7])
_SPAN_STEPS = 7.0 * _DAY_STEPS
# Differences of relative load below this are nothing to either.
_NOTHING = 0.02


class Weeks:
    """Running errors of the load a day ago and a week ago, where both are known."""

    def __init__(self, table: Table, memory: Memory) -> None:
        self._table, self._memory = table, memory
        table.column("lag_error", len(_DAYS))

    def update(self, index: int, rows: IntArray, load: FloatArray, level: FloatArray) -> None:
        """Compare the step's load with those before it, at the same local time."""
        table = self._table
        lag = _DAY_STEPS * _DAYS[:, None] - table["day_shift"][:, rows][_DAYS - 1].astype(np.intp)
        then = self._memory.loads(index - lag, rows, index).astype(np.float64)
        known = np.isfinite(then).all(axis=0)
        error = np.abs(relative(then, level) - relative(load, level))
        mean = table["lag_error"][:, rows]
        table["lag_error"][:, rows] = np.where(known, mean + (error - mean) / _SPAN_STEPS, mean)


def weekly(table: Table, rows: IntArray) -> FloatArray:
    """Return the logarithm of how many times further off a day ago was than a week ago.

    0 = as good as each other, or no telling yet.
    """
    day, week = table["lag_error"][:, rows] + _NOTHING
    return np.asarray(np.log(day / week))
