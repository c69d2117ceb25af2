"""How good is an HPA that was tuned in hindsight: its lower envelope of cost against slow share.

Both readings of a comparison are taken off it, log-interpolated: the slow share it has at our cost,
and the cost it has at our slow share. Always both: the first alone can be bought.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.hpa import HpaConfigs, HpaRun, hpa_run
from autoscaler.replay.ticks import TICK_SECONDS
from autoscaler.replay.world import needed_replicas

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Frontier:
    """Pareto points of the sweep, cost ascending and slow share descending."""

    cost: FloatArray
    slow: FloatArray
    rescales_per_hour: FloatArray
    least_slow: float
    """Half a tick as a share: what zero slow ticks are taken for in a logarithm."""

    def slow_at(self, cost: float) -> float:
        """Return the envelope's slow share at this cost; its ends beyond its ends."""
        at = np.interp(np.log(cost), np.log(self.cost), np.log(self.slow))
        return float(np.exp(at))

    def cost_at(self, slow: float) -> float:
        """Return the envelope's cost at this slow share; its ends beyond its ends."""
        slow = max(slow, self.least_slow)
        at = np.interp(np.log(slow), np.log(self.slow[::-1]), np.log(self.cost[::-1]))
        return float(np.exp(at))

    def rescales_at(self, slow: float) -> float:
        """Return how often an hour the envelope rescales at this slow share."""
        slow = max(slow, self.least_slow)
        at = np.interp(np.log(slow), np.log(self.slow[::-1]), self.rescales_per_hour[::-1])
        return float(at)


def frontier_of(
    points_cost: FloatArray,
    points_slow: FloatArray,
    rescales_per_hour: FloatArray,
    *,
    n_ticks: int,
) -> Frontier:
    """Return the Pareto envelope of (cost, slow) points."""
    least = 0.5 / max(n_ticks, 1)
    slow = np.maximum(points_slow, least)
    order = np.lexsort((slow, points_cost))
    cost, slow = points_cost[order], slow[order]
    best = np.concatenate([[np.inf], np.minimum.accumulate(slow)[:-1]])
    keep = slow < best
    return Frontier(cost[keep], slow[keep], rescales_per_hour[order][keep], least)


@dataclass(frozen=True, slots=True, eq=False)
class Peer:
    """One HPA of the sweep as it went: the one to look at beside us."""

    target: float
    """As a share of a pod's physical limit."""
    by_cpu: bool
    cost: float
    slow: float
    ready: NDArray[np.int64]
    """Pods that served at each tick."""


@dataclass(frozen=True, slots=True, eq=False)
class Sweep:
    """Every HPA of a sweep: its cost, its slow share, and how it went."""

    configs: HpaConfigs
    cost: FloatArray
    slow: FloatArray
    rescales_per_hour: FloatArray
    run: HpaRun
    n_ticks: int

    @property
    def frontier(self) -> Frontier:
        """The lower envelope of cost against slow share."""
        return frontier_of(self.cost, self.slow, self.rescales_per_hour, n_ticks=self.n_ticks)

    def peer(self, cost: float) -> Peer:
        """Return the HPA whose cost is nearest to this; of equals the one that was slow least."""
        column = int(np.lexsort((self.slow, np.abs(self.cost - cost)))[0])
        return Peer(
            target=float(self.configs.target[column]),
            by_cpu=bool(self.configs.by_cpu[column]),
            cost=float(self.cost[column]),
            slow=float(self.slow[column]),
            ready=self.run.ready[:, column].astype(np.int64),
        )


def hpa_sweep(
    offered: FloatArray, measured: FloatArray, *, startup_seconds: float, first: int
) -> Sweep:
    """Play HPAs of every target over a load in pods at the knee."""
    configs = HpaConfigs.swept()
    run = hpa_run(offered, measured, configs, startup_seconds=startup_seconds, first=first)
    known = np.isfinite(offered)
    bound = max(int(needed_replicas(offered).sum()), 1)
    slow = (offered[known, None] > run.ready[known] + 1e-9).sum(axis=0) / max(known.sum(), 1)
    cost = run.desired[known].sum(axis=0, dtype=np.int64) / bound
    hours = max(len(offered), 1) * TICK_SECONDS / 3600.0
    rescales = np.count_nonzero(np.diff(run.desired, axis=0), axis=0) / hours
    return Sweep(configs, cost, slow, rescales, run, int(known.sum()))


def hpa_frontier(
    offered: FloatArray, measured: FloatArray, *, startup_seconds: float, first: int
) -> Frontier:
    """Return the envelope of a sweep of HPAs over a load in pods at the knee."""
    return hpa_sweep(offered, measured, startup_seconds=startup_seconds, first=first).frontier
