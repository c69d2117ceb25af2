"""How a series moves: level, volatility, daily range and staircase, as running means per row.

Loads are taken relative to the row's own level, on a logarithmic scale that is linear near zero:
`relative(load) = log(load / level + 0.1)`.
So everything downstream is free of units, and scaling the load scales the forecast.
"""

import numpy as np
from numpy.typing import NDArray

from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Differences below a tenth of the level hardly change a replica count.
OFFSET = 0.1
_TINY = 1e-9
_DAY_STEPS = 1440.0
_HOUR_STEPS = 60.0
# Relative changes below this are the same value read twice.
_SAME = 1e-6
_LAG_STEPS = 10
# So many longer runs in a row are no coincidence.
_LONGER_RUNS = 5.0

# (which movement, running mean over how many steps); see `_movements`.
VOLATILITIES = (
    ("step", 10.0),
    ("step", 60.0),
    ("step", 720.0),
    ("rise3", 60.0),
    ("rise3", 720.0),
    ("rise10", 180.0),
    ("rise10", 1440.0),
    ("step_squared", 180.0),
    ("rise3_squared", 1440.0),
    ("still", 120.0),
)
_SPANS = np.array([span for _, span in VOLATILITIES])[:, None]


class Pulse:
    """Running statistics of every row, moved on by each known step."""

    def __init__(self, table: Table) -> None:
        self.table = table
        table.column("n_steps")
        table.column("day_sum")
        table.column("hour_sum")
        table.column("volatility", len(VOLATILITIES))
        table.column("lags", _LAG_STEPS, dtype=np.float32)
        table.column("newest")
        table.column("highest")
        table.column("lowest")
        table.column("run_steps", fill=1.0)
        table.column("longer_runs")
        table.column("since_steps")

    def level(self, rows: IntArray) -> FloatArray:
        """Return the load around which each row moves: the mean of its day, or hour if higher."""
        n = self.table["n_steps"][rows]
        day = self.table["day_sum"][rows] / _weight(n, _DAY_STEPS)
        hour = self.table["hour_sum"][rows] / _weight(n, _HOUR_STEPS)
        return np.asarray(np.maximum(day, hour)) + _TINY

    def volatility(self, rows: IntArray) -> FloatArray:
        """Return the running mean movements, shape (n_volatilities, n_rows)."""
        n = self.table["n_steps"][rows]
        return np.asarray(self.table["volatility"][:, rows] / _weight(n, _SPANS))

    def update(self, rows: IntArray, load: FloatArray) -> None:
        """Move on by one known step."""
        table = self.table
        first = table["n_steps"][rows] == 0
        for name, span in (("day_sum", _DAY_STEPS), ("hour_sum", _HOUR_STEPS)):
            table[name][rows] += (load - table[name][rows]) / span
        table["n_steps"][rows] += 1
        now = relative(load, self.level(rows))
        lags = np.where(first, now, table["lags"][:, rows])
        # Of loads, not of relative values: those move with the level while the load stands still.
        moved = ~first & (np.abs(load - table["newest"][rows]) > _SAME * self.level(rows))
        volatility = table["volatility"][:, rows]
        movements = _movements(now, lags, moved)
        table["volatility"][:, rows] = volatility + (movements - volatility) / _SPANS
        self._update_range(rows, now, first)
        self._update_staircase(rows, moved)
        table["lags"][:, rows] = np.vstack([now, lags[:-1]])
        table["newest"][rows] = load

    def _update_range(self, rows: IntArray, now: FloatArray, first: NDArray[np.bool_]) -> None:
        """Follow extremes at once, and let them fade within a day."""
        for name, beyond in (("highest", np.greater), ("lowest", np.less)):
            old = np.where(first, now, self.table[name][rows])
            faded = old + (now - old) / _DAY_STEPS
            self.table[name][rows] = np.where(beyond(now, old), now, faded)

    def _update_staircase(self, rows: IntArray, moved: NDArray[np.bool_]) -> None:
        """Count the steps since the value last changed, and how long a value stands.

        A value that comes twice in a row makes a run look longer, so the shortest counts, until
        only longer ones are seen.
        """
        table = self.table
        since, run = table["since_steps"][rows] + 1, table["run_steps"][rows]
        longer = np.where(since > run, table["longer_runs"][rows] + 1, 0.0)
        adopted = moved & ((since < run) | (longer > _LONGER_RUNS))
        table["run_steps"][rows] = np.where(adopted, since, run)
        table["longer_runs"][rows] = np.where(
            moved, np.where(adopted, 0.0, longer), table["longer_runs"][rows]
        )
        table["since_steps"][rows] = np.where(moved, 0.0, since)


def relative(load: FloatArray, level: FloatArray) -> FloatArray:
    """Return loads relative to a level, on the scale everything is learnt on."""
    return np.asarray(np.log(load / level + OFFSET))


def absolute(value: FloatArray, level: FloatArray) -> FloatArray:
    """Return the loads of relative values, never negative."""
    return np.asarray(np.maximum(level * (np.exp(value) - OFFSET), 0.0))


def _weight(n: FloatArray, span: FloatArray | float) -> FloatArray:
    """Return what the weights of a running mean that began at zero add up to after n steps."""
    return np.asarray(np.maximum(1.0 - (1.0 - 1.0 / span) ** n, _TINY))


def _movements(now: FloatArray, lags: FloatArray, moved: NDArray[np.bool_]) -> FloatArray:
    step = np.abs(now - lags[0])
    rise3 = np.maximum(now - lags[2], 0.0)
    rise10 = np.maximum(now - lags[9], 0.0)
    kinds = {
        "step": step,
        "rise3": rise3,
        "rise10": rise10,
        "step_squared": step**2,
        "rise3_squared": rise3**2,
        "still": (~moved).astype(np.float64),
    }
    return np.vstack([kinds[kind] for kind, _ in VOLATILITIES])
