"""What would an HPA have done: `autoscaling/v2` with default behavior, for many targets at once.

The same rules as `autoscaler/decide/`, as arithmetic over an array of configurations, because the
frontier needs dozens of HPAs over hundreds of thousands of ticks; a test holds both equal.

References
----------
Kubernetes, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.replay.ticks import TICK_SECONDS

FloatArray = NDArray[np.float64]

TOLERANCE = 0.1
DOWN_WINDOW_SECONDS = 300
# A pod's physical limit is its SLO knee over this: beyond it requests are shed or late.
KNEE = 0.85
_WINDOW_TICKS = 4
_AGE_TICKS = 2
# Guards ceil() against 2.0000000000000004 pods.
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class HpaConfigs:
    """One HPA per entry: its target as a share of a pod's physical limit, and what it reads."""

    target: FloatArray
    by_cpu: NDArray[np.bool_]

    @classmethod
    def swept(cls) -> "HpaConfigs":
        """Return the frontier's sweep: 0.20 ... 0.84 by CPU and by request rate."""
        targets = np.round(np.arange(0.20, 0.841, 0.02), 2)
        return cls(
            np.concatenate([targets, targets]),
            np.repeat([True, False], len(targets)),
        )


class _Hpas:
    """The state of all HPAs of a sweep; loads are in pods at the SLO knee (capacity 1)."""

    def __init__(self, configs: HpaConfigs, *, first: int, startup_seconds: float) -> None:
        n = len(configs.target)
        self.configs = configs
        # Load in pods at the knee that one pod carries at its target.
        self.per_pod = configs.target / KNEE
        self.startup_ticks = round(startup_seconds / TICK_SECONDS)
        self.desired = np.full(n, float(first))
        self.ordered = np.full((self.startup_ticks + 1, n), float(first))
        # One exactly as old as the window is outside it.
        self.recommended = np.zeros((DOWN_WINDOW_SECONDS // TICK_SECONDS, n))
        self.recommended[0] = first
        self.usage = np.full((_WINDOW_TICKS + _AGE_TICKS, n), np.nan)
        self.ready = self.desired.copy()

    def step(self, tick: int, *, offered: float, measured: float) -> None:
        """Decide at one tick, then let pods start and requests flow."""
        if measured == measured:  # noqa: PLR0124 - NaN is the one value unlike itself: hold
            self._decide(tick, measured)
        self.ordered[tick % len(self.ordered)] = self.desired
        self.ready = self.ordered.min(axis=0)
        self.usage[tick % len(self.usage)] = np.minimum(
            offered / np.maximum(self.ready, 1.0), 1.0 / KNEE
        )

    def _decide(self, tick: int, measured: float) -> None:
        recommendation = np.where(
            self.configs.by_cpu,
            replicas_by_cpu(self._usage(tick), self.per_pod, self.ready, self.desired),
            replicas_by_rate(measured, self.per_pod, self.desired),
        )
        self.recommended[tick % len(self.recommended)] = recommendation
        highest = self.recommended.max(axis=0)
        stabilized = np.where(
            recommendation > self.desired, recommendation, np.minimum(self.desired, highest)
        )
        limit = np.maximum(self.desired + 4.0, self.desired * 2.0)
        self.desired = np.maximum(1.0, np.minimum(stabilized, limit))

    def _usage(self, tick: int) -> FloatArray:
        """Return the measured minute: the four oldest of the six ticks that are kept."""
        window = np.arange(tick - _AGE_TICKS - _WINDOW_TICKS, tick - _AGE_TICKS) % len(self.usage)
        return np.asarray(self.usage[window].mean(axis=0))


def replicas_by_rate(measured: float, per_pod: FloatArray, desired: FloatArray) -> FloatArray:
    """Return what External AverageValue asks for: the total over the target, of all pods."""
    ratio = measured / (per_pod * desired)
    wanted = np.ceil(measured / per_pod - _EPSILON)
    return np.where(np.abs(ratio - 1.0) <= TOLERANCE, desired, wanted)


def replicas_by_cpu(
    usage: FloatArray, per_pod: FloatArray, ready: FloatArray, desired: FloatArray
) -> FloatArray:
    """Return what utilization of ready pods asks for; starting pods are idle on the way up.

    `usage` and `per_pod` are loads of one pod: what it carried, and what it carries at its target.
    """
    ratio = usage / per_pod
    starting = (ready < desired) & (ratio > 1.0)
    diluted = np.where(starting, ratio * ready / desired, ratio)
    counted = np.where(starting, desired, ready)
    within = (np.abs(ratio - 1.0) <= TOLERANCE) & ~starting
    flips = starting & (diluted <= 1.0 + TOLERANCE)
    wanted = np.ceil(diluted * counted - _EPSILON)
    return np.where(within | flips | ~np.isfinite(usage), desired, wanted)


@dataclass(frozen=True, slots=True, eq=False)
class HpaRun:
    """Desired and ready replicas per tick (rows) and configuration (columns)."""

    desired: NDArray[np.int32]
    ready: NDArray[np.int32]


def hpa_run(
    offered: FloatArray,
    measured: FloatArray,
    configs: HpaConfigs,
    *,
    startup_seconds: float,
    first: int,
) -> HpaRun:
    """Run every HPA over a load in pods at the knee; NaN load is unknown and holds."""
    hpas = _Hpas(configs, first=first, startup_seconds=startup_seconds)
    shape = (len(offered), len(configs.target))
    desired, ready = np.empty(shape, np.int32), np.empty(shape, np.int32)
    for tick, (now, seen) in enumerate(zip(offered.tolist(), measured.tolist(), strict=True)):
        hpas.step(tick, offered=now, measured=seen)
        desired[tick], ready[tick] = hpas.desired, hpas.ready
    return HpaRun(desired, ready)
