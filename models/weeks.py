"""Whether the same time a week ago predicts a row better than the same time a day ago.

On a Monday the day before was a Sunday, on a Saturday it was a Friday.
Eight days of minutes are too few to compare the two, so the error of each is followed as a running
mean over a week.
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
# Added to both errors: differences of relative load below this do not count.
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
    """Return log(error of a day ago / error of a week ago); 0 = alike, or not known yet."""
    day, week = table["lag_error"][:, rows] + _NOTHING
    return np.asarray(np.log(day / week))
