"""Calibration: each series' quantiles are corrected, and trusted or not, by its own recent past.

A promise is a forecast that was answered and whose window has not passed yet.
It is kept until then, and scored against the load that came.
Three things are learnt from it, per row and at the row's own risk, lead and hold:

- what the experts on the quantile (`experts.py`) must be asked for, so that their mean is exceeded
  as often as the risk says (adaptive conformal inference), and how much each of them counts;
- `reach`, by how many scales the newest load must be raised to be exceeded as often as the risk
  says: this is the reactive quantile, which sizes a demoted series;
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
from models.experts import NET, Experts, Opinions
from models.horizon import Horizon
from models.memory import Memory
from models.moment import Moment
from models.network import MEDIAN
from models.pulse import absolute, relative
from models.scoring import ABOVE, pinball, rarity
from models.table import Table
from models.trust import Trust

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Windows that end more steps ahead than this are never scored; no pod takes so long to start.
_N_PENDING = 64
# One exceedance at 1 % raises the reactive quantile by an eighth of a scale.
_REACH_GAIN = 0.12
# Of so many promises whose windows end in the same step, one is scored.
_IN_TURN = 4
_DAY_STEPS = 1440.0
# Before so many promises are scored, trust is not taken away.
_LEAST_SCORED = 240.0
# Hysteresis: a series must be clearly worse to lose trust, and not worse to regain it.
_DEMOTE_BELOW, _RESTORE_ABOVE = -0.03, 0.02
# Not even a demoted series is sized for more than twice the highest load of about a day.
_HEADROOM = 0.7
# What of a promise is kept until it can be scored.
_KEPT = ("quantile", "reactive", "risk", "scale")


@dataclass(frozen=True, slots=True, eq=False)
class Reactive:
    """What the reactive quantile is made of: the last minute's load, and the series' scales."""

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
    scale: FloatArray
    opinions: Opinions


class Calibration:
    """Pending promises, what scored ones have taught, and who is trusted."""

    def __init__(self, table: Table, memory: Memory) -> None:
        self.table = table
        self.memory = memory
        for name in ("first", "last"):
            table.column(f"due_{name}", _N_PENDING, dtype=np.int32, fill=-1)
        table.column("due_tries", _N_PENDING, dtype=np.int8)
        for name in _KEPT:
            table.column(f"due_{name}", _N_PENDING, dtype=np.float32)
        for name in ("reach", "n_scored"):
            table.column(name)
        for name in ("loss", "reactive_loss", "covered"):
            table.column(name)
        table.column("demoted", dtype=np.bool_)
        table.column("capped", _N_PENDING, dtype=np.bool_)
        self.experts = Experts(table, n_pending=_N_PENDING)
        self.bursts = Bursts(table)

    def promise(
        self, rows: IntArray, levels: FloatArray, reactive: Reactive, *, risk: FloatArray
    ) -> Promise:
        """Return calibrated quantiles from the network's `levels`, shape (n_rows, n_levels)."""
        opinions = self.experts.opinions(rows, levels, reactive.level, risk=risk)
        reach = np.sqrt(2.0 * np.log(1.0 / risk)) + self.table["reach"][rows]
        now = relative(reactive.trailing, reactive.level)
        most = absolute(np.maximum(reactive.highest, now) + _HEADROOM, reactive.level)
        raised = absolute(now + reach * reactive.scale, reactive.level)
        highest = absolute(reactive.highest, reactive.level)
        quantile = np.minimum(opinions.mixed, np.maximum(most, opinions.each[NET]))
        return Promise(
            median=levels[:, MEDIAN],
            quantile=self.experts.budget.raised(rows, quantile, highest=highest),
            reactive=np.minimum(raised, most),
            risk=risk,
            scale=reactive.scale,
            opinions=opinions,
        )

    def record(
        self, moment: Moment, promise: Promise, horizon: Horizon, known: NDArray[np.bool_]
    ) -> None:
        """Keep promises until their windows have passed: one of those that end with a step.

        Some windows touch one step more than others, so the first, second, third or fourth is kept
        in turn, or the last there was; all are scored alike often.
        """
        table = self.table
        which = np.flatnonzero(known & (horizon.last < moment.index + _N_PENDING))
        rows, last = moment.rows[which], horizon.last[which]
        slot = last % _N_PENDING
        earlier = np.where(table["due_last"][slot, rows] == last, table["due_tries"][slot, rows], 0)
        tries = earlier + _nth_alike(rows, last)
        kept = tries <= last % _IN_TURN
        # Lanes of one row are in the order of time: the last that may be kept is.
        follows = (rows[1:] == rows[:-1]) & (last[1:] == last[:-1]) & kept[1:]
        kept[:-1] &= ~follows
        table["due_tries"][slot, rows] = np.minimum(tries + 1, _IN_TURN)
        which, at, slot = which[kept], rows[kept], slot[kept]
        table["due_first"][slot, at] = horizon.first[which]
        table["due_last"][slot, at] = horizon.last[which]
        for name in _KEPT:
            table[f"due_{name}"][slot, at] = getattr(promise, name)[which]
        self.experts.record(slot, at, promise.opinions.take(which), promise.risk[which])

    def set_back(self, index: int) -> None:
        """Drop the promises of steps after `index`, which will come once more, and end no burst."""
        table = self.table
        for name in ("first", "last"):
            table[f"due_{name}"][...] = -1
        table["capped"][...] = False
        self.bursts.set_back(index)

    def settle(self, index: int, rows: IntArray) -> None:
        """Score the promises whose window ended with step `index`."""
        table = self.table
        self.experts.follow(rows)
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
        # What saturated pods serve is a lower bound of the offered load: a promise above it may
        # have been exceeded all the same and teaches nothing; one below it was exceeded.
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
        over = peak > quantile * ABOVE
        table["reach"][rows] += _REACH_GAIN * rarity(risk) * ((peak > reactive * ABOVE) - risk)
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
        ):
            table[name][rows] += gain_mean * (value - table[name][rows])
        self.experts.learn(slot, rows, peak, over=over, risk=risk)
        self._demote(rows)

    def _demote(self, rows: IntArray) -> None:
        """Demote rows that do not beat persistence; restore those that do again."""
        skill, enough = self.skill(rows), self.table["n_scored"][rows] >= _LEAST_SCORED
        demoted = self.table["demoted"][rows].astype(np.bool_)
        self.table["demoted"][rows] = np.where(
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
        """Return the codes of `Trust`, shape (n_lanes,); `age_seconds` is that of each sample."""
        code = np.where(self.table["demoted"][moment.rows], Trust.DEMOTED, Trust.TRUSTED)
        code = np.where(moment.n_steps == 0, Trust.WARMING, code)
        return np.where(age_seconds > SILENT_SECONDS, Trust.STALE, code).astype(np.int8)


def _nth_alike(rows: IntArray, last: IntArray) -> IntArray:
    """Return how many lanes just before each have the same row and window end."""
    at = np.arange(len(rows))
    begins = np.ones(len(rows), dtype=np.bool_)
    begins[1:] = (rows[1:] != rows[:-1]) | (last[1:] != last[:-1])
    return np.asarray(at - np.maximum.accumulate(np.where(begins, at, 0)))
