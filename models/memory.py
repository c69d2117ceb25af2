"""What was measured: a ring of minutes per series, and the last quarter-minutes.

The ring is time-major, so that one minute of all series is contiguous; unknown minutes are NaN.
It holds eight days of minutes: the same minute of every weekday, and one hour more.
"""

import numpy as np
from numpy.typing import NDArray

from models.codec import MOST_LOAD, decoded, encoded
from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

BLOCK_SECONDS = 15.0
N_BLOCKS = 6
_BLOCKS_PER_WINDOW = 4
# How far apart two readings of the trailing minute may be to tell their newest quarter apart.
_BLOCK_SLACK = 3.0
# Of a reading: what ten thousand additions and a codec may leave of a quarter that is nothing.
_ROUNDING = 1e-3


class Memory:
    """Minutes by index (an absolute count of steps) and the newest quarter-minute means."""

    def __init__(
        self, table: Table, *, step_seconds: int, n_slots: int, exact_minutes: bool = True
    ) -> None:
        self.table = table
        self.exact_minutes = exact_minutes
        """Whether a reading is the plain mean of the last minute; else it has no quarters."""
        self.step_seconds = step_seconds
        self.n_slots = n_slots
        self.index: int | None = None
        """The newest closed step of any row."""
        self.end_seconds = 0.0
        table.column("ring", n_slots, dtype=np.uint16)
        table.column("blocks", N_BLOCKS)
        table.column("trailing", fill=np.nan)
        table.column("sampled_at", fill=-np.inf)

    def opened(self, end_seconds: float) -> int | None:
        """Return the index of the step that ends then, cleared when new; None when forgotten."""
        index = round(end_seconds / self.step_seconds)
        if self.index is None or index > self.index:
            n_new = 1 if self.index is None else min(index - self.index, self.n_slots)
            self.table["ring"][(index - np.arange(n_new)) % self.n_slots] = 0
            self.index = index
        if index == self.index:
            self.end_seconds = max(end_seconds, self.end_seconds)
        return index if index > self.index - self.n_slots else None

    def set_back(self, end_seconds: float) -> None:
        """Go on from the step that ends then: later ones are forgotten, no reading is of later."""
        assert self.index is not None
        index = round(end_seconds / self.step_seconds)
        n_gone = min(max(self.index - index, 0), self.n_slots)
        self.table["ring"][(self.index - np.arange(n_gone)) % self.n_slots] = 0
        self.index, self.end_seconds = index, end_seconds
        sampled_at = self.table["sampled_at"]
        np.minimum(sampled_at, end_seconds, out=sampled_at)

    def write(self, index: int, rows: IntArray, load: FloatArray) -> None:
        """Keep one step's mean loads."""
        self.table["ring"][index % self.n_slots, rows] = encoded(load)

    def reaches(self, index: int) -> bool:
        """Whether a step is among those that are kept."""
        return self.index is not None and self.index - self.n_slots < index <= self.index

    def newest_reading(self, rows: IntArray) -> float:
        """Return when the newest reading of all these rows was taken, 0 where there is none."""
        sampled_at = self.table["sampled_at"][rows]
        return float(sampled_at[np.isfinite(sampled_at)].max(initial=0.0))

    def newest_known(self, rows: IntArray) -> IntArray:
        """Return the index of the newest step whose load is known, for rows that know any."""
        assert self.index is not None
        index = self.index - np.arange(self.n_slots)
        known = self.table["ring"][index % self.n_slots][:, rows] != 0
        return np.asarray(index[known.argmax(axis=0)])

    def loads(self, index: IntArray, rows: IntArray, newest: IntArray | int) -> NDArray[np.float32]:
        """Return the loads at step indices, shape (..., n_lanes); NaN where unknown or gone.

        `index` has shape (..., n_lanes) or (..., 1); steps after `newest` are not looked at.
        """
        assert self.index is not None
        codes = self.table["ring"][index % self.n_slots, rows]
        gone = (index > newest) | (index <= self.index - self.n_slots)
        return np.where(gone, np.float32(np.nan), decoded(codes))  # type: ignore[arg-type]

    def freshen(
        self, rows: IntArray, trailing: FloatArray, *, at_seconds: FloatArray | float
    ) -> None:
        """Take readings of the mean over the last minute; find the newest quarter of it.

        Two readings a quarter-minute apart differ by (newest quarter - the quarter that left) / 4.
        A quarter below nothing shows that the readings are no such means: it is not believed, for
        an error in one quarter would come back in every fourth.
        """
        table = self.table
        blocks = table["blocks"][:, rows]
        gap = at_seconds - table["sampled_at"][rows]
        follows = np.abs(gap - BLOCK_SECONDS) <= _BLOCK_SLACK
        same = gap <= _BLOCK_SLACK
        change = trailing - np.where(follows, table["trailing"][rows], trailing)
        left = blocks[_BLOCKS_PER_WINDOW - 1]
        newest = left + _BLOCKS_PER_WINDOW * change
        follows &= self.exact_minutes & (newest >= -_ROUNDING * trailing)
        newest = np.clip(newest, 0.0, MOST_LOAD)
        shifted = np.vstack([newest, blocks[:-1]])
        fresh = np.broadcast_to(trailing, blocks.shape)
        table["blocks"][:, rows] = np.where(same, blocks, np.where(follows, shifted, fresh))
        table["trailing"][rows] = np.where(same, table["trailing"][rows], trailing)
        table["sampled_at"][rows] = np.where(same, table["sampled_at"][rows], at_seconds)
