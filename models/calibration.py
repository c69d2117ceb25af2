"""Did the promises hold: quantiles corrected, and trust given, by each series' own recent past.

Every promise is kept until its window has passed, then scored against the load that came.
Three things are learnt from it, per row and at the row's own risk, lead and hold:

- `stretch`, by how much to widen or narrow the network's quantile so that it is exceeded as often
  as the risk says (adaptive conformal inference on the width);
- `reach`, by how many scales persistence must be raised to be exceeded as often: the reactive
  quantile that sizes a demoted series;
- the pinball losses of both, from which trust follows.

References
----------
Gibbs and Candes, "Adaptive Conformal Inference Under Distribution Shift", 2021.
Angelopoulos, Candes and Tibshirani, "Conformal PID Control for Time Series Prediction", 2023.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.blackout import SILENT_SECONDS
from models.bursts import FAR_SCALES, Bursts
from models.horizon import Horizon
from models.memory import Memory
from models.moment import Moment
from models.network import LEVELS, MEDIAN
from models.pulse import absolute, relative
from models.table import Table
from models.trust import Trust

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Windows that end further ahead than this are never scored (and never asked for by a pod's start).
_N_PENDING = 64
# One exceedance at 1 % moves the width by 4 %; found on recorded loads, flat between 2 % and 8 %.
_GAIN = 0.04
# Rarer risks see rarer exceedances, each of which must count for more.
_GAIN_RISK, _GAIN_POWER = 0.01, -0.25
_LEAST_STRETCH, _MOST_STRETCH = -1.5, 2.0
# Risk is spent where a pod saves little of it: at most this many times the stated risk at once.
_RISK_SPREAD = 5.0
_DAY_STEPS = 1440.0
# The first hours hold too few promises to take trust away.
_LEAST_SCORED = 240.0
# Hysteresis: a series must be clearly worse to lose trust, and not worse to regain it.
_DEMOTE_BELOW, _RESTORE_ABOVE = -0.03, 0.02
_WARM_STEPS = 10
# Not even a demoted series is sized for more than twice the highest load of about a day.
_HEADROOM = 0.7
# What of a promise is kept until it can be scored.
_KEPT = ("quantile", "reactive", "risk", "spread", "scale")


@dataclass(frozen=True, slots=True, eq=False)
class Reactive:
    """What persistence goes by: the load of the last minute, and how it is measured."""

    trailing: FloatArray
    level: FloatArray
    scale: FloatArray
    highest: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Promise:
    """What was answered, one entry per row."""

    median: FloatArray
    quantile: FloatArray
    reactive: FloatArray
    risk: FloatArray
    spread: FloatArray
    scale: FloatArray


class Calibration:
    """Promises made, kept and broken."""

    def __init__(self, table: Table, memory: Memory) -> None:
        self.table = table
        self.memory = memory
        for name in ("first", "last"):
            table.column(f"due_{name}", _N_PENDING, dtype=np.int32, fill=-1)
        for name in _KEPT:
            table.column(f"due_{name}", _N_PENDING, dtype=np.float32)
        for name in ("stretch", "reach", "usual_spread", "n_scored"):
            table.column(name)
        for name in ("loss", "reactive_loss", "covered"):
            table.column(name)
        table.column("demoted", dtype=np.bool_)
        table.column("capped", _N_PENDING, dtype=np.bool_)
        self.bursts = Bursts(table)

    def beside(self) -> "Calibration":
        """Return an empty one over the same rows, for promises at another risk."""
        table = Table()
        other = Calibration(table, self.memory)
        table.add(self.table.capacity)
        return other

    def promise(
        self, rows: IntArray, levels: FloatArray, reactive: Reactive, *, risk: FloatArray
    ) -> Promise:
        """Return calibrated quantiles from the network's `levels`, shape (n_rows, n_levels)."""
        table = self.table
        median = levels[:, MEDIAN]
        spread = _tail(levels, risk)
        usual = self._usual_spread(rows, spread)
        ratio = np.clip(spread / np.maximum(usual, 1e-12), 1 / _RISK_SPREAD, _RISK_SPREAD)
        raw = at_risk(levels, risk * np.where(usual > 0, ratio, 1.0))
        beyond = np.maximum(raw - median, 0.0)
        reach = np.sqrt(2.0 * np.log(1.0 / risk)) + table["reach"][rows]
        raised = relative(reactive.trailing, reactive.level) + reach * reactive.scale
        most = np.maximum(reactive.highest, raised - reach * reactive.scale) + _HEADROOM
        return Promise(
            median=median,
            quantile=median + np.exp(table["stretch"][rows]) * beyond,
            reactive=absolute(np.minimum(raised, most), reactive.level),
            risk=risk,
            spread=spread,
            scale=reactive.scale,
        )

    def _usual_spread(self, rows: IntArray, spread: FloatArray) -> FloatArray:
        """Return the tail's mean width over about a day, this one before there is any other."""
        return np.where(self.table["n_scored"][rows] > 0, self.table["usual_spread"][rows], spread)

    def record(
        self, moment: Moment, promise: Promise, horizon: Horizon, known: NDArray[np.bool_]
    ) -> None:
        """Keep promises until their windows have passed; the first per window counts."""
        table, rows = self.table, moment.rows
        slot = horizon.last % _N_PENDING
        fresh = known & (table["due_last"][slot, rows] != horizon.last)
        fresh &= horizon.last < moment.index + _N_PENDING
        fresh[1:] &= (rows[1:] != rows[:-1]) | (horizon.last[1:] != horizon.last[:-1])
        at, slot = rows[fresh], slot[fresh]
        table["due_first"][slot, at] = horizon.first[fresh]
        table["due_last"][slot, at] = horizon.last[fresh]
        for name in _KEPT:
            table[f"due_{name}"][slot, at] = getattr(promise, name)[fresh]

    def settle(self, index: int, rows: IntArray) -> None:
        """Score the promises whose window ended with step `index`."""
        table = self.table
        slot = index % _N_PENDING
        rows = rows[table["due_last"][slot, rows] == index]
        if rows.size == 0:
            return
        first = table["due_first"][slot, rows]
        n_steps = int((index - first).max()) + 1
        at = index - np.arange(n_steps)[:, None]
        loads = self.memory.loads(at, rows, index).astype(np.float64)
        within = at >= first
        known = (np.isfinite(loads) | ~within).all(axis=0)
        peak = np.where(within, loads, 0.0).max(axis=0)
        # What pods at their limit serve is a lower bound of what was offered: a promise above it
        # may have been broken all the same, and teaches nothing; one below it was broken.
        capped = (table["capped"][at % _N_PENDING, rows].astype(np.bool_) & within).any(axis=0)
        told = known & (~capped | (peak > table["due_quantile"][slot, rows]))
        self._learn(slot, rows[told], peak[told])

    def mark_capped(self, index: int, rows: IntArray, capped: NDArray[np.bool_]) -> None:
        """Note whether the load of step `index` was all that the pods there could serve."""
        self.table["capped"][index % _N_PENDING, rows] = capped

    def _learn(self, slot: int, rows: IntArray, peak: FloatArray) -> None:
        table = self.table
        risk, quantile, reactive = (
            table[f"due_{name}"][slot, rows].astype(np.float64)
            for name in ("risk", "quantile", "reactive")
        )
        # Loads are kept to 0.15 %: less above a quantile than that is not above it.
        over = peak > quantile * 1.001
        gain = _GAIN * np.where(risk < _GAIN_RISK, (risk / _GAIN_RISK) ** _GAIN_POWER, 1.0)
        stretch = table["stretch"][rows] + gain * (over - risk)
        table["stretch"][rows] = np.clip(stretch, _LEAST_STRETCH, _MOST_STRETCH)
        over_reactive = peak > reactive * 1.001
        table["reach"][rows] += 3.0 * gain * (over_reactive - risk)
        far = (peak + 1e-12) / (quantile + 1e-12) > np.exp(
            FAR_SCALES * table["due_scale"][slot, rows]
        )
        self.bursts.notice(rows, far, table["due_last"][slot, rows])
        n = table["n_scored"][rows] + 1
        table["n_scored"][rows] = n
        gain_mean = 1.0 / np.minimum(n, _DAY_STEPS)
        for name, value in (
            ("loss", pinball(peak, quantile, risk)),
            ("reactive_loss", pinball(peak, reactive, risk)),
            ("covered", (~over).astype(np.float64)),
            ("usual_spread", table["due_spread"][slot, rows]),
        ):
            table[name][rows] += gain_mean * (value - table[name][rows])
        skill = self.skill(rows)
        enough = n >= _LEAST_SCORED
        demoted = table["demoted"][rows].astype(np.bool_)
        table["demoted"][rows] = np.where(
            demoted, ~(skill > _RESTORE_ABOVE), enough & (skill < _DEMOTE_BELOW)
        )

    def skill(self, rows: IntArray) -> FloatArray:
        """Return 1 - loss / persistence loss, NaN before there is any."""
        reactive = self.table["reactive_loss"][rows]
        scored = self.table["n_scored"][rows] > 0
        ratio = self.table["loss"][rows] / np.where(reactive > 0, reactive, 1.0)
        return np.where(scored, np.where(reactive > 0, 1.0 - ratio, 0.0), np.nan)

    def coverage(self, rows: IntArray) -> FloatArray:
        """Return the share of recent promises that held, NaN before the first."""
        scored = self.table["n_scored"][rows] > 0
        return np.where(scored, self.table["covered"][rows], np.nan)

    def trust(self, moment: Moment, age_seconds: FloatArray) -> NDArray[np.int8]:
        """Return the trust codes."""
        code = np.where(self.table["demoted"][moment.rows], Trust.DEMOTED, Trust.TRUSTED)
        code = np.where(moment.n_steps < _WARM_STEPS, Trust.WARMING, code)
        return np.where(age_seconds > SILENT_SECONDS, Trust.STALE, code).astype(np.int8)


_LOG_RISKS = np.log(1.0 - LEVELS)


def at_risk(levels: FloatArray, risk: FloatArray) -> FloatArray:
    """Return the load exceeded with chance `risk` per row, log-linear between levels."""
    x = np.clip(np.log(risk), _LOG_RISKS[-1], _LOG_RISKS[0])
    upper = np.clip(np.searchsorted(-_LOG_RISKS, -x), 1, len(LEVELS) - 1)
    share = (x - _LOG_RISKS[upper - 1]) / (_LOG_RISKS[upper] - _LOG_RISKS[upper - 1])
    row = np.arange(len(levels))
    low, high = levels[row, upper - 1], levels[row, upper]
    return np.asarray(low + share * (high - low))


def _tail(levels: FloatArray, risk: FloatArray) -> FloatArray:
    """Return how much load one factor of nine in risk is worth: the tail's width."""
    return at_risk(levels, np.maximum(risk / 3.0, 0.001)) - at_risk(
        levels, np.minimum(risk * 3, 0.9)
    )


def pinball(load: FloatArray, quantile: FloatArray, risk: FloatArray) -> FloatArray:
    """Return the loss whose expectation is least at the quantile exceeded with chance `risk`."""
    error = load - quantile
    return np.maximum((1.0 - risk) * error, -risk * error)
