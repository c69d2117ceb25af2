"""What our controller decides on a recorded load: the daemon's engine and rules, no cluster.

The same `ForecastEngine` and the same `autoscaler.decide` as in the cluster, fed tick by tick with
what was measured; the pods are simulated as they are ordered.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.ticks import METRIC_AGE_SECONDS, TICK_SECONDS, Ticks
from models.engine import ForecastEngine

CountArray = NDArray[np.int64]
Progress = Callable[[int, int], None]

_STEP_SECONDS = 60
_LEARN_SECONDS = 3600
_PROGRESS_TICKS = 1000


@dataclass(frozen=True, slots=True)
class Setting:
    """What one replay is asked for beside the policy."""

    capacity: float
    startup_seconds: float
    risk: float


def decided_replicas(
    ticks: Ticks, *, policy: WorkloadPolicy, setting: Setting, progress: Progress | None = None
) -> CountArray:
    """Return the desired replicas decided at each tick."""
    engine = ForecastEngine(step_seconds=_STEP_SECONDS)
    rows = engine.add(1)
    rule = _StandIn(policy)
    desired = np.empty(len(ticks.offered), dtype=np.int64)
    current = first_replicas(ticks, policy=policy, capacity=setting.capacity)
    for tick, (now, measured) in enumerate(
        zip(ticks.seconds.tolist(), ticks.measured.tolist(), strict=True)
    ):
        _observe(engine, rows, measured, now=now)
        batch = engine.predict(
            rows=rows,
            now_seconds=now,
            lead_seconds=setting.startup_seconds,
            hold_seconds=TICK_SECONDS,
            risk=setting.risk,
        )
        wanted = float(batch.quantile[0]) if batch.known[0] else math.nan
        current = rule.decide(max(wanted, measured) / setting.capacity, current=current, tick=tick)
        desired[tick] = current
        if progress and tick % _PROGRESS_TICKS == 0:
            progress(tick, len(desired))
    return desired


def first_replicas(ticks: Ticks, *, policy: WorkloadPolicy, capacity: float) -> int:
    """Return the pods that stand before the first decision: sized for the first known load."""
    known = ticks.offered[np.isfinite(ticks.offered)]
    needed = math.ceil(float(known[0]) / capacity) if known.size else 1
    return min(max(needed, policy.min_replicas, 1), policy.max_replicas)


def _observe(
    engine: ForecastEngine, rows: NDArray[np.intp], measured: float, *, now: float
) -> None:
    """Close a step when its whole minute was measured; else only freshen."""
    at = now - METRIC_AGE_SECONDS
    value = np.array([measured])
    if at % _STEP_SECONDS == 0:
        engine.append(value, end_seconds=at, rows=rows)
    else:
        engine.observe_now(value, at_seconds=at, rows=rows)
    if at % _LEARN_SECONDS == 0:
        engine.learn(rows, now_seconds=at)


class _StandIn:
    """Ceil, stabilize, cool down, bound."""

    def __init__(self, policy: WorkloadPolicy) -> None:
        self._policy = policy
        self._recent: list[tuple[int, int]] = []
        self._down_at = -(10**9)

    def decide(self, load_in_pods: float, *, current: int, tick: int) -> int:
        if not math.isfinite(load_in_pods):
            return current
        policy = self._policy
        wanted = math.ceil(load_in_pods - 1e-9)
        window = policy.behavior.scale_down_window.total_seconds() / TICK_SECONDS
        self._recent = [r for r in self._recent if tick - r[0] <= window] + [(tick, wanted)]
        stabilized = max(wanted, min(current, max(r[1] for r in self._recent)))
        cooling = (tick - self._down_at) * TICK_SECONDS < policy.cooldown.scale_down.total_seconds()
        if stabilized < current and cooling:
            stabilized = current
        bounded = min(max(stabilized, policy.min_replicas, 1), policy.max_replicas)
        if bounded < current:
            self._down_at = tick
        return bounded
