"""Is a flash crowd under way: noticed, jumped after, and not taken for a rhythm.

Flash crowds cannot be forecast from their past.
Two windows in a row far above what was promised are no bad luck: from then on the answer follows
level and slope, nothing scales in for a while, and the same minutes of the days after do not count
what a crowd did as what people do.
A burst that comes again at its time of day is a rhythm, and counts.
"""

import numpy as np
from numpy.typing import NDArray

from models.horizon import USUAL_AGE_SECONDS, Horizon
from models.moment import Moment
from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

# This many scales above what was promised, twice in a row.
FAR_SCALES = 3.0
# A burst lasts, once noticed, ten minutes from its last surprise: half of what retries take.
_BURST_STEPS = 10
# So many bursts are remembered per series, for the week that earlier days are looked at.
_N_REMEMBERED = 6
_DAY_STEPS = 1440
# Bursts this near to the same time of day are one rhythm.
_SAME_TIME_STEPS = 10
# A quarter-minute of the four that are one minute apart: what slope is read from.
_SLOPE_SECONDS = 60.0
# Nothing rises for ever: no jump beyond twice what was there within a day.
_MOST_JUMP = 2.0


class Bursts:
    """Surprises of every row, and the bursts they made."""

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
