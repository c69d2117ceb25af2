"""Four experts forecast each quantile; the answer is their mean, weighted by recent losses.

- The network's own tail, widened or narrowed per row.
- `steady`: a constant load that is exceeded as often as asked.
- `body`: the network's ninth decile, raised by a factor per row.
- `trend`: the network's quantile smoothed over forty minutes, raised likewise.

On a load that scatters about a mean, the network follows each minute: its quantile is too high
after a high minute and too low after a low one, and both cost.
There, experts that move less have lower losses; on a load with a rhythm, the network has.
The weights follow from each row's own losses, so nobody has to say which kind a load is.

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
# In the first hours the other three are further off, and move up to four times as fast.
_EARLY_GAIN, _EARLY_STEPS = 3.0, 360.0
_LEAST_STRETCH, _MOST_STRETCH = -1.5, 2.0
# The network was fitted on loads with days of past, and is too sure of a load that is known for
# minutes only: its tail begins e times as wide, and less so with each known minute.
_YOUNG_STRETCH, _YOUNG_STEPS = 1.0, 60.0
# The mean of the four is exceeded less often than each of them, so each is asked for a third more
# risk at first, and slowly for as much as makes the mean right.
_ASKED_FIRST, _ASKED_RANGE, _ASKED_GAIN = 0.3, 1.0, 0.0002
_MOST_ASKED = 0.5
# Weights are inverse losses to this power; until so many forecasts are scored, only the network
# counts.
_POWER = 4.0
_LEAST_SCORED = 120.0
# The constant never falls below this share of the network's quantile: after months of almost no
# load it would take too long to grow again.
_LEAST_STEADY = 0.01
_DAY_STEPS = 1440.0
_TREND_STEPS = 40.0
# More risk is taken where a pod would save little of it (a wide tail), less where it saves much:
# at most this many times the stated risk, or a share of it as small.
_RISK_SPREAD = 5.0
# What is kept of the network's newest answer, to be followed once a step.
_FOLLOWED = ("raw", "tail", "body", "spread")


@dataclass(frozen=True, slots=True, eq=False)
class Opinions:
    """The experts' quantiles at one moment; the last axis are the rows."""

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
    """What each row's experts have learnt, and their forecasts until these can be scored.

    Slots, scales and the number of scored forecasts are `Calibration`'s, in the same table.
    Three of the experts learn at one risk; asked for another, they answer as much higher or lower
    as the network does.
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
        # Taken by the risk usually asked for, so that asking for less risk never gives fewer pods.
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
        """Keep the experts' forecasts until their windows have passed."""
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
        """Follow the network's newest answer, once a step."""
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
        """Score the forecasts of a slot against the loads that came; `over` is of their mean."""
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
        """Return the logarithm of the factor by which the network's tail is widened."""
        young = np.exp(-self.table["n_steps"][rows] / _YOUNG_STEPS)
        return np.asarray(self.table["stretch"][rows] + _YOUNG_STRETCH * young)

    def _asked(self, rows: IntArray, risk: FloatArray) -> FloatArray:
        """Return the risk each expert is asked for; the network alone is asked for the stated."""
        more = np.where(self._alone(rows), 0.0, self.table["asked"][rows])
        return np.minimum(risk * np.exp(more), _MOST_ASKED)

    def _alone(self, rows: IntArray) -> NDArray[np.bool_]:
        """Whether too few forecasts were scored for any expert but the network to count."""
        return np.asarray(self.table["n_scored"][rows] < _LEAST_SCORED)

    def _spent(self, rows: IntArray, spread: FloatArray) -> FloatArray:
        """Return how many times the usual risk is taken now: more where a pod saves little."""
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
    """Return log(load + a tenth of the level), the scale on which experts are averaged."""
    return np.asarray(np.log(load + OFFSET * level))


def _load(scaled: FloatArray, level: FloatArray) -> FloatArray:
    return np.asarray(np.maximum(np.exp(scaled) - OFFSET * level, 0.0))


def _tail(levels: FloatArray, risk: FloatArray) -> FloatArray:
    """Return how much load one factor of nine in risk is worth: the tail's width."""
    return at_risk(levels, np.maximum(risk / 3.0, 0.001)) - at_risk(
        levels, np.minimum(risk * 3, 0.9)
    )
