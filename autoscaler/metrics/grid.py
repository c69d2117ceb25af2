"""How does the past become an array: ranges cut to size, points put on an even grid.

Prometheus refuses ranges of over 11,000 points, and an answer of millions of points is a lot of
JSON to hold; so a range is cut by both.
A point that is missing, NaN or infinite leaves NaN: a gap is a gap, never zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]

# Prometheus refuses more than 11,000 points per series.
MOST_POINTS_PER_SERIES = 10_000
# A point is about 30 bytes of JSON and 200 bytes of Python objects: 40 MB while it is read.
MOST_POINTS_PER_ANSWER = 200_000


@dataclass(frozen=True, slots=True)
class Grid:
    """Evenly spaced instants: column k stands for the `step` that ends at `first + k * step`."""

    first: datetime
    step: timedelta
    n_samples: int

    @property
    def last(self) -> datetime:
        """The instant of the newest column."""
        return self.first + (self.n_samples - 1) * self.step

    def part(self, column: int, n_samples: int) -> "Grid":
        """Return `n_samples` columns of this grid from `column` on."""
        return Grid(self.first + column * self.step, self.step, n_samples)

    def empty(self, n_series: int) -> FloatArray:
        """Return an array in which nothing is known, shape (n_series, n_samples)."""
        return np.full((n_series, self.n_samples), np.nan)


def grid_between(start: datetime, end: datetime, step: timedelta) -> Grid:
    """Return the grid whose first step begins at or after `start` and whose last ends at `end`."""
    n_samples = max(0, (end - start) // step)
    return Grid(end - (n_samples - 1) * step, step, n_samples)


def chunks(grid: Grid, *, n_series: int) -> Iterator[tuple[int, Grid]]:
    """Cut a grid into pieces one answer can hold; yield the first column of each and the piece.

    Cuts fall on multiples of the piece's length since the epoch, so that the same past is cut the
    same way tomorrow.
    """
    most = max(1, min(MOST_POINTS_PER_SERIES, MOST_POINTS_PER_ANSWER // max(1, n_series)))
    step = grid.step.total_seconds()
    first = round(grid.first.timestamp() / step)
    column = 0
    while column < grid.n_samples:
        until = ((first + column) // most + 1) * most - first
        length = min(until, grid.n_samples) - column
        yield column, grid.part(column, length)
        column += length


def placed(values: Sequence[Sequence[Any]], grid: Grid) -> FloatArray:
    """Return the points of one matrix row on the grid, NaN where there is none."""
    row = np.full(grid.n_samples, np.nan)
    if not values:
        return row
    points = np.array(values, dtype=np.float64)
    columns = np.rint((points[:, 0] - grid.first.timestamp()) / grid.step.total_seconds())
    inside = (columns >= 0) & (columns < grid.n_samples) & np.isfinite(points[:, 1])
    row[columns[inside].astype(np.intp)] = points[inside, 1]
    return row


def added(rows: Mapping[str, FloatArray], key: str, row: FloatArray) -> FloatArray:
    """Return what a key stands for after one more row: known where either is known."""
    before = rows.get(key)
    if before is None:
        return row
    both = np.where(np.isnan(before), 0.0, before) + np.where(np.isnan(row), 0.0, row)
    return np.where(np.isnan(before) & np.isnan(row), np.nan, both)
