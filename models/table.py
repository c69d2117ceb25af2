"""Where the state of all series lives: named arrays that share their last axis, one entry per row.

Rows are added, given back and used again; a fresh row holds each array's fill value.
Everything a snapshot must keep is in here, which is why nothing else holds state per row.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import DTypeLike, NDArray

IntArray = NDArray[np.intp]


class Table:
    """Named arrays of shape (..., capacity) that grow and forget together."""

    def __init__(self) -> None:
        self._arrays: dict[str, NDArray[np.generic]] = {}
        self._fills: dict[str, float] = {}
        self._free: list[int] = []
        self.capacity = 0

    def column(
        self, name: str, *shape: int, dtype: DTypeLike = np.float64, fill: float = 0.0
    ) -> None:
        """Declare an array with `shape` entries per row."""
        self._fills[name] = fill
        self._arrays[name] = np.full((*shape, self.capacity), fill, dtype=dtype)

    def __getitem__(self, name: str) -> NDArray[np.float64]:
        return self._arrays[name]  # type: ignore[return-value]  # arrays of several dtypes

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def add(self, n: int) -> IntArray:
        """Return `n` fresh rows, those given back first."""
        missing = n - len(self._free)
        if missing > 0:
            # A quarter more than asked for: few copies, little waste.
            self._grow(max(missing, self.capacity // 4))
        rows = np.array([self._free.pop() for _ in range(n)], dtype=np.intp)
        self.forget(rows)
        return rows

    def remove(self, rows: IntArray) -> None:
        """Give rows back."""
        self.forget(rows)
        self._free.extend(reversed(np.asarray(rows).tolist()))

    def forget(self, rows: IntArray) -> None:
        """Set rows to every array's fill value."""
        for name, array in self._arrays.items():
            array[..., rows] = self._fills[name]

    def take_over(self, rows: IntArray, other: "Table", others: IntArray) -> None:
        """Set rows to what rows of another table of the same columns hold."""
        for name, array in self._arrays.items():
            array[..., rows] = other[name][..., others]

    @property
    def free_rows(self) -> IntArray:
        """The rows nobody uses."""
        return np.array(self._free, dtype=np.intp)

    def restore(self, arrays: dict[str, NDArray[np.generic]], free: IntArray) -> None:
        """Take every array from a snapshot of the same columns."""
        self.capacity = next(iter(arrays.values())).shape[-1]
        self._arrays = {name: arrays[name] for name in self._arrays}
        self._free = free.tolist()

    def _grow(self, n: int) -> None:
        old = self.capacity
        self.capacity = old + n
        for name, array in self._arrays.items():
            grown = np.full((*array.shape[:-1], self.capacity), self._fills[name], array.dtype)
            grown[..., :old] = array
            self._arrays[name] = grown
        self._free.extend(range(self.capacity - 1, old - 1, -1))
