"""Flash crowds: detected, answered with level and slope, and not learnt as a daily rhythm.

Flash crowds cannot be forecast from their past.
A burst begins when two windows in a row come in far above their forecast.
While it lasts, the answer is at least level + slope x distance, and nothing scales in.
On later days its minutes are left out of what usually happens at that time of day, unless a burst
comes again at the same time: then it is a rhythm, and counts.
"""

import numpy as np
from numpy.typing import NDArray

from models.horizon import USUAL_AGE_SECONDS, Horizon
from models.moment import Moment
from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# Far above: so many scales above the forecast, in two windows in a row.
FAR_SCALES = 3.0
# A burst ends ten minutes after the last window that was far above: half of what retries take.
_BURST_STEPS = 10
# Bursts remembered per series, for the week in which they would count as earlier days.
_N_REMEMBERED = 6
_DAY_STEPS = 1440
# Bursts at the same time of day, give or take so many minutes, are a rhythm.
_SAME_TIME_STEPS = 10
# The slope is read from two quarter-minutes that are so far apart.
_SLOPE_SECONDS = 60.0
# A jump is bounded by so many times the highest load of about a day.
_MOST_JUMP = 2.0


class Bursts:
    """Each row's windows far above their forecast (surprises), and the bursts they began."""

    def __init__(self, table: Table) -> None:
        self.table = table
        table.column("surprises", dtype=np.int32)
        table.column("burst_until", dtype=np.int32, fill=-1)
        for name in ("burst_from", "burst_to"):
            table.column(name, _N_REMEMBERED, dtype=np.int32, fill=-1)

    def notice(self, rows: IntArray, far: BoolArray, due_last: IntArray) -> None:
        """Take in whether each row's window, which ended with step `due_last`, was far above."""
        table = self.table
        surprises = np.where(far, table["surprises"][rows] + 1, 0)
        table["surprises"][rows] = surprises
        now = surprises >= 2
        self._remember(rows[now], due_last[now])
        until = due_last + _BURST_STEPS
        table["burst_until"][rows] = np.where(now, until, table["burst_until"][rows])

    def _remember(self, rows: IntArray, at: IntArray) -> None:
        """Prolong the burst that is under way, or put a new one in the place of the oldest."""
        table = self.table
        begins = table["burst_until"][rows] < at
        fresh = rows[begins]
        for name in ("burst_from", "burst_to"):
            table[name][:, fresh] = np.roll(table[name][:, fresh], 1, axis=0)
        # The first of the two surprises belongs to it.
        table["burst_from"][0, fresh] = at[begins] - 1
        table["burst_to"][0, rows] = at + _BURST_STEPS

    def set_back(self, index: int) -> None:
        """Let none last longer, from step `index` on, than one that was noticed there."""
        for name in ("burst_until", "burst_to"):
            ends = self.table[name]
            np.minimum(ends, index + _BURST_STEPS, out=ends)
        np.minimum(self.table["burst_from"], index, out=self.table["burst_from"])

    def under_way(self, moment: Moment) -> BoolArray:
        """Return where a burst is under way."""
        return np.asarray(moment.index < self.table["burst_until"][moment.rows])


def touch_a_crowd(moment: Moment, first: IntArray, last: IntArray) -> BoolArray:
    """Return whether steps first..last, shape (k, n_lanes), touch a burst that came only once.

    One that came again at its time of day is a rhythm.
    """
    begins, ends = moment.burst_from, moment.burst_to
    known = begins >= 0
    apart = (begins[:, None] - begins[None] + _SAME_TIME_STEPS) % _DAY_STEPS
    others = known[None] & ~np.eye(len(begins), dtype=np.bool_)[..., None]
    rhythm = ((apart <= 2 * _SAME_TIME_STEPS) & others).any(axis=1)
    counts = known & ~rhythm
    touched = (first[:, None] <= ends) & (last[:, None] >= begins) & counts
    return np.asarray(touched.any(axis=1))


def jumped(moment: Moment, horizon: Horizon, highest: FloatArray) -> FloatArray:
    """Return level plus slope times the distance to the window's end, bounded; a load per lane.

    Parameters
    ----------
    highest
        The highest load of about a day, per lane.
    """
    now = moment.blocks[0]
    slope = np.maximum(now - moment.blocks[4], 0.0) / _SLOPE_SECONDS
    distance = horizon.lead_seconds + horizon.hold_seconds + USUAL_AGE_SECONDS
    return np.asarray(np.minimum(now + slope * distance, _MOST_JUMP * np.maximum(now, highest)))
