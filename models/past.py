"""Readings that came before a row's past was fetched complete that past.

They are put aside, the past is read in, and they fill its gaps and what comes after its end.
"""

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from models.codec import decoded
from models.memory import Memory

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


class Seen:
    """The minutes and the newest reading of some rows, put aside."""

    def __init__(self, memory: Memory, rows: IntArray) -> None:
        table = memory.table
        self._memory = memory
        self._rows = rows
        self._index = memory.index
        self._ring = table["ring"][:, rows] if memory.index is not None else None
        self._trailing, self._sampled_at = table["trailing"][rows], table["sampled_at"][rows]

    def load(self, index: int) -> FloatArray:
        """Return the loads that were seen of a step, NaN where there was none."""
        newest, n_slots = self._index, self._memory.n_slots
        if self._ring is None or newest is None or not newest - n_slots < index <= newest:
            return np.full(len(self._rows), np.nan)
        return decoded(self._ring[index % n_slots]).astype(np.float64)

    def completed(
        self, y: FloatArray, ends: Iterable[float]
    ) -> Iterator[tuple[int, float, FloatArray]]:
        """Yield column, end and loads of each step of a past, its gaps filled by what was seen.

        What comes before the first load of any row is left out: a young store answers for a
        fortnight with hours of nothing.
        """
        begun = False
        for column, at in enumerate(ends):
            past = y[:, column]
            seen = self.load(round(at / self._memory.step_seconds))
            load = np.where(np.isfinite(past), past, seen)
            begun = begun or bool(np.isfinite(load).any())
            if begun:
                yield column, at, load

    def fill_gaps(self) -> None:
        """Put what was seen where the memory knows nothing now."""
        if self._ring is not None:
            ring = self._memory.table["ring"]
            now = ring[:, self._rows]
            ring[:, self._rows] = np.where(now == 0, self._ring, now)

    def after(self, index: int) -> Iterator[tuple[int, FloatArray]]:
        """Yield the steps seen after `index`, oldest first, with their loads."""
        if self._index is None:
            return
        for step in range(max(index, self._index - self._memory.n_slots) + 1, self._index + 1):
            load = self.load(step)
            if np.isfinite(load).any():
                yield step, load

    def read_again(self) -> None:
        """Take the newest readings that were put aside, where none is newer."""
        newer = np.flatnonzero(self._sampled_at > self._memory.table["sampled_at"][self._rows])
        self._memory.freshen(
            self._rows[newer], self._trailing[newer], at_seconds=self._sampled_at[newer]
        )
