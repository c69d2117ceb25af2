"""What our controller decides on a recorded load: the daemon's engine and rules, no cluster.

The same `ForecastEngine` and the same `autoscaler.decide` as in the cluster, fed tick by tick with
what was measured; the pods are simulated as they are ordered.
Forecasts do not depend on decisions, so they are worked out an hour of ticks at a time.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    Doubt,
    ForecastFacts,
    Sample,
    Signal,
    TargetRef,
    WorkloadFacts,
)
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.state import WorkloadState
from autoscaler.forecast_facts import Horizon, forecast_facts
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.ticks import METRIC_AGE_SECONDS, TICK_SECONDS, Ticks
from autoscaler.replay.world import needed_replicas
from models.batch import ForecastBatch
from models.engine import ForecastEngine
from models.network import Network
from models.path import Readings, Walk

CountArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]
Progress = Callable[[int, int], None]
Prior = tuple[Network, ...]

_STEP_SECONDS = 60
# An hour: the engine learns hourly.
_TICKS_AT_ONCE = 240
_HOLD_SECONDS = float(TICK_SECONDS)
_METRIC = "replay"
_TARGET = TargetRef("replay", "recorded")
_AGE = timedelta(seconds=METRIC_AGE_SECONDS)


@dataclass(frozen=True, slots=True)
class Setting:
    """What one replay is asked for beside the policy."""

    capacity: float
    startup_seconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Decided:
    """What was desired at each tick, and the forecast it was decided on; NaN where there was none.

    Forecasts are loads, for the window that begins one start-up later.
    """

    replicas: CountArray
    median: FloatArray
    quantile: FloatArray


def decided(
    ticks: Ticks,
    *,
    policies: Sequence[WorkloadPolicy],
    setting: Setting,
    prior: Prior | None = None,
    progress: Progress | None = None,
) -> list[Decided]:
    """Return what is decided at each tick under each policy; they differ in risk alone.

    What is forecast at one risk is nearly all of the work for another.
    `prior` stands in for the shipped one, where it must not have seen the recording.
    """
    engine = ForecastEngine(step_seconds=_STEP_SECONDS, prior=prior)
    walk = Walk(
        engine,
        lead_seconds=setting.startup_seconds,
        hold_seconds=_HOLD_SECONDS,
        risks=[policy.forecast.risk for policy in policies],
    )
    engine.set_time_zone(walk.rows, [policies[0].forecast.time_zone] * len(walk.rows))
    runs = [_Run(ticks, policy, setting) for policy in policies]
    n_ticks = len(ticks.offered)
    for start in range(0, n_ticks, _TICKS_AT_ONCE):
        here = slice(start, min(start + _TICKS_AT_ONCE, n_ticks))
        readings = _readings(ticks, here)
        for run, answers in zip(runs, walk.answers(readings), strict=True):
            run.take(here, readings, answers)
        engine.learn(walk.rows, now_seconds=float(readings.now_seconds[-1]))
        if progress:
            progress(here.stop, n_ticks)
    return [run.so_far for run in runs]


class _Run:
    """One policy's decisions, as far as they have come."""

    def __init__(self, ticks: Ticks, policy: WorkloadPolicy, setting: Setting) -> None:
        n = len(ticks.offered)
        self.so_far = Decided(np.empty(n, dtype=np.int64), np.full(n, np.nan), np.full(n, np.nan))
        first = first_replicas(ticks, policy=policy, capacity=setting.capacity)
        started_at = _instant(ticks.seconds[0])
        self._deployment = _Deployment(policy, setting, first=first, started_at=started_at)

    def take(self, here: slice, readings: Readings, answers: ForecastBatch) -> None:
        """Decide at these ticks."""
        self.so_far.replicas[here] = self._deployment.decide(readings, answers)
        for name in ("median", "quantile"):
            forecast = getattr(answers, name)
            getattr(self.so_far, name)[here] = np.where(answers.known, forecast, np.nan)


def first_replicas(ticks: Ticks, *, policy: WorkloadPolicy, capacity: float) -> int:
    """Return the pods that stand before the first decision: sized for the first known load."""
    known = ticks.offered[np.isfinite(ticks.offered)][:1] / capacity
    needed = int(needed_replicas(known)[0]) if known.size else 1
    return min(max(needed, policy.min_replicas, 1), policy.max_replicas)


def replayed_policy(
    policy: WorkloadPolicy, metric: MetricSpec, setting: Setting, *, risk: float
) -> WorkloadPolicy:
    """Return the policy as it is replayed: one metric, this risk and this start-up."""
    forecast = policy.forecast.model_copy(
        update={"risk": risk, "lead_time": timedelta(seconds=setting.startup_seconds)}
    )
    return policy.model_copy(update={"metrics": (metric,), "forecast": forecast})


def _readings(ticks: Ticks, here: slice) -> Readings:
    """Return what is read at these ticks; a step closes whenever a whole one was measured."""
    now = ticks.seconds[here]
    at = now - METRIC_AGE_SECONDS
    return Readings(ticks.measured[here], at, now, (at - ticks.start_seconds) % _STEP_SECONDS == 0)


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


class _Deployment:
    """Simulated pods, and the memory of the rules that order them."""

    def __init__(
        self, policy: WorkloadPolicy, setting: Setting, *, first: int, started_at: datetime
    ) -> None:
        self._policy = policy
        self._setting = setting
        self._capacity = Capacity(setting.capacity, CapacitySource.POLICY)
        self._lead_time = timedelta(seconds=setting.startup_seconds)
        self._replicas = first
        # What was desired during the last start-up: its least serves now.
        span = round(setting.startup_seconds / TICK_SECONDS) + 1
        self._desired = deque([first] * span, maxlen=span)
        self._state = WorkloadState(started_at=started_at)
        self._version = 0

    def decide(self, readings: Readings, answers: ForecastBatch) -> list[int]:
        """Return the desired replicas at each of these ticks."""
        now = readings.now_seconds.tolist()
        return [
            self._decided(_instant(at), load, forecast)
            for at, load, forecast in zip(
                now, readings.load.tolist(), self._forecasts(answers), strict=True
            )
        ]

    def _decided(self, now: datetime, load: float, forecast: ForecastFacts | None) -> int:
        known = load == load  # noqa: PLR0124 - NaN is the one value unlike itself
        sample = (
            Sample(load, now - _AGE, n_series=1)
            if known
            else Sample(None, now - _AGE, doubt=Doubt.ABSENT)
        )
        signal = Signal(_METRIC, sample, self._capacity, forecast)
        outcome = reconciled(
            (signal,), workload=self._facts(now), policy=self._policy, state=self._state, now=now
        )
        decision = outcome.decision
        self._state = outcome.state_after(rescaled=decision.rescale)
        self._version += decision.rescale
        self._replicas = decision.desired_replicas
        self._desired.append(self._replicas)
        return self._replicas

    def _facts(self, now: datetime) -> WorkloadFacts:
        return WorkloadFacts(
            target=_TARGET,
            spec_replicas=self._replicas,
            status_replicas=self._replicas,
            ready_replicas=min(self._desired),
            resource_version=str(self._version),
            seen_at=now,
            lead_times=(self._lead_time,),
        )

    def _forecasts(self, answers: ForecastBatch) -> list[ForecastFacts | None]:
        n = len(answers.known)
        asked = (self._setting.startup_seconds, _HOLD_SECONDS, self._policy.forecast.risk)
        return forecast_facts(answers, Horizon(*(np.full(n, value) for value in asked)))
