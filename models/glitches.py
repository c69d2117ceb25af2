"""Readings that no load can be: a counter that went backwards, a unit that was wrong for a minute.

One minute of a million times the load would raise level, losses and every expert for weeks, and
trust would not fall, because persistence loses as much.
So a load far beyond all that was measured of a row is not known at first: it is left out of all
that is learnt.
Once such minutes are too many for a glitch they are believed, like any others.
Nothing is left out of a row that never had any load: there, everything is beyond.
"""

import numpy as np
from numpy.typing import NDArray

from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# No recorded load grew more than 35 times beyond its past from one minute to the next.
_FAR_BEYOND = 100.0
# The tenth odd minute is believed: one wrong sample of a counter is in a rate for as long as its
# window, five minutes at most.
_BELIEVED_AFTER = 9.0
# The highest load halves within a week in which it does not come again.
_RECORD_KEPT = 0.5 ** (1.0 / 10_080.0)
# Odd minutes are forgotten within a day, so that short peaks add up and glitches do not.
_ODD_KEPT = 1.0 - 1.0 / 1440.0


class Glitches:
    """Each row's highest load, and how many minutes lately were far beyond it."""

    def __init__(self, table: Table) -> None:
        self._table = table
        table.column("record")
        table.column("odd_steps")

    def believed(self, rows: IntArray, load: FloatArray) -> BoolArray:
        """Return which of some rows' loads are not far beyond all before, or no glitch any more."""
        enough = self._table["odd_steps"][rows] > _BELIEVED_AFTER
        return np.asarray(enough | ~self._beyond(rows, load))

    def update(self, rows: IntArray, load: FloatArray) -> None:
        """Take in the loads of one step."""
        table = self._table
        table["odd_steps"][rows] = _ODD_KEPT * table["odd_steps"][rows] + self._beyond(rows, load)
        record = _RECORD_KEPT * table["record"][rows]
        higher = self.believed(rows, load) & (load > record)
        table["record"][rows] = np.where(higher, load, record)

    def _beyond(self, rows: IntArray, load: FloatArray) -> BoolArray:
        record = self._table["record"][rows]
        return np.asarray((record > 0) & (load > _FAR_BEYOND * record))
