"""Four experts on one quantile, and their mean weighted by how right each was lately.

- The network's own tail, at the row's own width.
- `steady`: one load that is exceeded as often as asked, whatever goes on now.
- `body`: the network's ninth decile, raised by a factor of the row's own.
- `trend`: the network's quantile smoothed over forty minutes, raised likewise.

Where minutes scatter about a mean, whoever answers to each of them answers too high after a high
one and too low after a low one, and pays for both; the less an expert moves, the less it pays.
Where there is a rhythm, the network is right and the others are not.
Which of the two a series is, its own losses tell.

References
----------
Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games", 2006 (weighted average forecasters).
Gibbs and Candes, "Adaptive Conformal Inference Under Distribution Shift", 2021.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.budget import RiskBudget
from models.network import LEVELS, MEDIAN, at_risk
from models.pulse import OFFSET
from models.scoring import ABOVE, pinball, rarity
from models.table import Table

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

NET, STEADY, BODY, TREND = range(4)
_N_EXPERTS = 4
_NINTH_DECILE = int(np.flatnonzero(LEVELS == 0.9)[0])
# One exceedance at 1 % widens the network's tail by 1 %, and raises the others by a tenth of a
# scale; found on recorded loads, flat within a factor of two.
_STRETCH_GAIN, _LIFT_GAIN = 0.01, 0.1
# In the first hours the others are further off, and move up to four times as fast.
_EARLY_GAIN, _EARLY_STEPS = 3.0, 360.0
_LEAST_STRETCH, _MOST_STRETCH = -1.5, 2.0
# Nobody knows a load of a few minutes yet, and the recordings the network was fitted on have days
# behind them: at first its tail is e times as wide; the more minutes are known, the less is added.
_YOUNG_STRETCH, _YOUNG_STEPS = 1.0, 60.0
# The mean of four is exceeded more rarely than each of them: they are asked for a third more risk,
# and slowly for as much as makes the mean right.
_ASKED_FIRST, _ASKED_RANGE, _ASKED_GAIN = 0.3, 1.0, 0.0002
_MOST_ASKED = 0.5
# Weights are losses to this power; before so many promises were scored, the network speaks alone.
_POWER = 4.0
_LEAST_SCORED = 120.0
# After months of next to nothing, one load for all times need not grow from nothing again.
_LEAST_STEADY = 0.01
_DAY_STEPS = 1440.0
_TREND_STEPS = 40.0
# Risk is spent where a pod saves little of it: at most this many times the stated risk at once.
_RISK_SPREAD = 5.0
# What of the network's answer is followed.
_FOLLOWED = ("raw", "tail", "body", "spread")


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """What the experts said at one moment; the last axis are the rows."""

    each: FloatArray
    """The quantile of each expert, shape (4, n_rows)."""
    mixed: FloatArray
    """Their weighted mean, never below the network's median."""
    raw: FloatArray
    """The network's quantile as it is."""
    tail: FloatArray
    """The same as log(load + a tenth of the level)."""
    body: FloatArray
    """The network's ninth decile on that scale."""
    spread: FloatArray
    """The width of the network's tail."""
    shift: FloatArray
    """How much higher `tail` is than at the risk that was asked before."""

    def take(self, rows: IntArray) -> "Opinions":
        """Return those of some rows."""
        return Opinions(*(getattr(self, f.name)[..., rows] for f in fields(self)))


class Experts:
    """What each row's experts have learnt, and their promises until they can be scored.

    The promises share slots, scales and the count of those scored with `Calibration`'s, in one
    table.
    What three of the experts learnt is of one risk: at another one they say as much more or less as
    the network does.
    """

    def __init__(self, table: Table, *, n_pending: int) -> None:
        self.table = table
        self.budget = RiskBudget(table)
        for name in ("stretch", "usual_spread", "n_followed", "body_lift", "trend_lift"):
            table.column(name)
        for name in ("steady", "trend", "risk_heard"):
            table.column(name, fill=np.nan)
        for name in _FOLLOWED:
            table.column(f"newest_{name}", fill=np.nan)
        table.column("asked", fill=_ASKED_FIRST)
        table.column("expert_loss", _N_EXPERTS)
        table.column("due_expert", _N_EXPERTS, n_pending, dtype=np.float32)

    def opinions(
        self, rows: IntArray, levels: FloatArray, level: FloatArray, *, risk: FloatArray
    ) -> Opinions:
        """Return every expert's quantile from the network's `levels`, and their mean.

        Parameters
        ----------
        levels
            Loads not exceeded with each chance of `LEVELS`, shape (n_rows, n_levels).
        level
            The load about which each row moves, shape (n_rows,).
        risk
            The stated chance that the mean is exceeded, shape (n_rows,).
        """
        table = self.table
        before = table["risk_heard"][rows]
        usual = self._asked(rows, np.where(before > 0, before, risk))
        # What is spent now depends on the risk that is usually asked, so that less never asks less.
        spread = _tail(levels, usual)
        spent = self._spent(rows, spread)
        asked = self._asked(rows, risk) * spent
        raw, careful = at_risk(levels, asked), at_risk(levels, asked * self.budget.left(rows))
        median = levels[:, MEDIAN]
        net = median + np.exp(self._stretch(rows)) * np.maximum(careful - median, 0.0)
        tail = _scaled(raw, level)
        body = _scaled(levels[:, _NINTH_DECILE], level)
        shift = tail - _scaled(at_risk(levels, usual * spent), level)
        new = np.isnan(table["steady"][rows])
        steady = _scaled(table["steady"][rows], level)
        trend = table["trend"][rows] + table["trend_lift"][rows]
        others = np.stack([steady, body + table["body_lift"][rows], trend])
        others = np.where(new, tail, others + shift) + _scaled(careful, level) - tail
        log = np.vstack([_scaled(net, level), others])
        mixed = _load((self._weights(rows, level) * log).sum(axis=0), level)
        mixed = np.maximum(mixed, median)
        return Opinions(_load(log, level), mixed, raw, tail, body, spread, shift)

    def record(self, slot: IntArray, rows: IntArray, made: Opinions, risk: FloatArray) -> None:
        """Keep promises until their windows have passed."""
        self.table["steady"][rows] *= np.exp(made.shift)
        for name in ("body_lift", "trend"):
            self.table[name][rows] += made.shift
        other = self.table["risk_heard"][rows] != risk
        self.table["n_followed"][rows[other]] = 0.0
        self.table["risk_heard"][rows] = risk
        self.table["due_expert"][:, slot, rows] = made.each
        for name in _FOLLOWED:
            self.table[f"newest_{name}"][rows] = getattr(made, name)

    def follow(self, rows: IntArray) -> None:
        """Follow what the network said last, once a step."""
        table = self.table
        rows = rows[np.isfinite(table["newest_raw"][rows])]
        raw, tail, body, spread = (table[f"newest_{name}"][rows] for name in _FOLLOWED)
        new = np.isnan(table["steady"][rows])
        steady = np.maximum(table["steady"][rows], _LEAST_STEADY * raw)
        table["steady"][rows] = np.where(new, raw, steady)
        table["body_lift"][rows] = np.where(new, tail - body, table["body_lift"][rows])
        trend = np.where(new, tail, table["trend"][rows])
        table["trend"][rows] = trend + (tail - trend) / _TREND_STEPS
        n = table["n_followed"][rows] + 1
        table["n_followed"][rows] = n
        table["usual_spread"][rows] += (spread - table["usual_spread"][rows]) / np.minimum(
            n, _DAY_STEPS
        )

    def learn(
        self,
        slot: int,
        rows: IntArray,
        peak: FloatArray,
        *,
        over: NDArray[np.bool_],
        risk: FloatArray,
    ) -> None:
        """Score the promises of a slot against the loads that came; `over` is of their mean."""
        table = self.table
        asked = self._asked(rows, risk) * self.budget.left(rows)
        due = table["due_expert"][:, slot, rows].astype(np.float64)
        wrong = rarity(risk) * ((peak > due * ABOVE) - asked)
        stretch = table["stretch"][rows] + _STRETCH_GAIN * wrong[NET]
        table["stretch"][rows] = np.clip(stretch, _LEAST_STRETCH, _MOST_STRETCH)
        n = table["n_scored"][rows]
        early = 1.0 + _EARLY_GAIN * np.exp(-n / _EARLY_STEPS)
        lift = _LIFT_GAIN * early * table["due_scale"][slot, rows] * wrong
        table["steady"][rows] *= np.exp(lift[STEADY])
        table["body_lift"][rows] += lift[BODY]
        table["trend_lift"][rows] += lift[TREND]
        loss = table["expert_loss"][:, rows]
        loss += (pinball(peak, due, asked) - loss) / np.minimum(n, _DAY_STEPS)
        table["expert_loss"][:, rows] = loss
        moved = table["asked"][rows] - _ASKED_GAIN * (over - risk) / risk
        least, most = _ASKED_FIRST - _ASKED_RANGE, _ASKED_FIRST + _ASKED_RANGE
        table["asked"][rows] = np.clip(moved, least, most)
        self.budget.learn(rows, over=over, risk=risk)

    def _stretch(self, rows: IntArray) -> FloatArray:
        """Return the logarithm of how many times as wide as it says the network's tail is."""
        young = np.exp(-self.table["n_steps"][rows] / _YOUNG_STEPS)
        return np.asarray(self.table["stretch"][rows] + _YOUNG_STRETCH * young)

    def _asked(self, rows: IntArray, risk: FloatArray) -> FloatArray:
        """Return the risk that each expert is asked for: the stated one of one that is alone."""
        more = np.where(self._alone(rows), 0.0, self.table["asked"][rows])
        return np.minimum(risk * np.exp(more), _MOST_ASKED)

    def _alone(self, rows: IntArray) -> NDArray[np.bool_]:
        """Whether too little was scored for anybody but the network to speak."""
        return np.asarray(self.table["n_scored"][rows] < _LEAST_SCORED)

    def _spent(self, rows: IntArray, spread: FloatArray) -> FloatArray:
        """Return how many times the usual risk is spent now: more where a pod saves little."""
        usual = np.where(
            self.table["n_followed"][rows] > 0, self.table["usual_spread"][rows], spread
        )
        ratio = np.clip(spread / np.maximum(usual, 1e-12), 1 / _RISK_SPREAD, _RISK_SPREAD)
        return np.where(usual > 0, ratio, 1.0)

    def _weights(self, rows: IntArray, level: FloatArray) -> FloatArray:
        """Return how much each expert counts, shape (4, n_rows), one in sum."""
        loss = self.table["expert_loss"][:, rows] + 1e-9 * level
        weight = (loss.min(axis=0) / loss) ** _POWER
        weight[1:, self._alone(rows)] = 0.0
        return np.asarray(weight / weight.sum(axis=0))


def _scaled(load: FloatArray, level: FloatArray) -> FloatArray:
    """Return log(load + a tenth of the level): where experts are averaged, whatever the level."""
    return np.asarray(np.log(load + OFFSET * level))


def _load(scaled: FloatArray, level: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(np.exp(scaled) - OFFSET * level, 0.0))


def _tail(levels: FloatArray, risk: FloatArray) -> FloatArray:
    """Return how much load one factor of nine in risk is worth: the tail's width."""
    return at_risk(levels, np.maximum(risk / 3.0, 0.001)) - at_risk(
        levels, np.minimum(risk * 3, 0.9)
    )
