from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.decide.pod_classes import MeasuredPod, SampleTiming
from autoscaler.decide.rate_limits import scale_up_limit
from autoscaler.decide.replica_calculator import PodMetric, replicas_for_pod_metric
from autoscaler.decide.stabilization import stabilized_replicas
from autoscaler.decide.state import ScaleEvent, TimestampedRecommendation
from autoscaler.decide.total_metric import replicas_for_average_value
from autoscaler.decide.usage_ratio import Tolerances
from autoscaler.policy.behavior import Behavior
from autoscaler.policy.metric import TargetType
from autoscaler.replay.hpa import KNEE, HpaConfigs, hpa_run, replicas_by_cpu
from autoscaler.replay.ticks import measured_load

START = datetime(2026, 1, 1, tzinfo=UTC)
STARTUP = 120.0
FIRST = 6


def offered_load():
    rng = np.random.default_rng(4)
    tick = np.arange(900)
    return np.abs(
        8 + 6 * np.sin(tick / 60) + np.where(tick % 300 > 280, 9, 0) + rng.normal(0, 1, 900)
    )


def pods(usage, *, ready, total):
    """Requests are a pod's physical limit, usage a share of it; the rest of the pods start."""
    serving = MeasuredPod(
        "serving",
        start_age_seconds=1000.0,
        ready_transition_age_seconds=900.0,
        request_milli=1_000_000,
        usage_milli=round(usage * 1_000_000),
    )
    starting = replace(serving, ready=False, start_age_seconds=30.0, usage_milli=0)
    return [replace(serving if i < ready else starting, name=f"pod-{i}") for i in range(total)]


@pytest.mark.parametrize("usage", [0.07, 0.31, 0.55, 0.6, 0.64, 0.71, 0.93, 1.0])
@pytest.mark.parametrize(("ready", "total"), [(5, 5), (4, 9), (20, 23), (40, 40)])
def test_utilization_asks_for_what_the_rules_ask_for(usage, ready, total):
    metric = PodMetric(TargetType.UTILIZATION, 60, cpu=True, timing=SampleTiming())
    rules = replicas_for_pod_metric(
        pods(usage, ready=ready, total=total), current_replicas=total, metric=metric
    )

    fast = replicas_by_cpu(
        np.array([usage / KNEE]),
        np.array([0.6 / KNEE]),
        np.array([float(ready)]),
        np.array([float(total)]),
    )

    # HPA cuts utilization to whole percents, which moves a count by one now and then.
    assert fast[0] == pytest.approx(rules.replicas, abs=1)


def test_pods_that_start_within_the_tolerance_of_the_target_are_enough():
    usage, ready, total = 0.72, 20, 23  # 120 % of the target, 104 % once all of them serve
    metric = PodMetric(TargetType.UTILIZATION, 60, cpu=True, timing=SampleTiming())
    some = pods(usage, ready=ready, total=total)
    fast = replicas_by_cpu(*(np.array([x]) for x in (usage / KNEE, 0.6 / KNEE, 20.0, 23.0)))

    assert replicas_for_pod_metric(some, current_replicas=total, metric=metric).replicas == total
    assert fast[0] == total


class RuleByRule:
    """One HPA by the rules of `autoscaler.decide`, tick by tick."""

    def __init__(self, target):
        self.target = target
        self.desired, self.recommended, self.events = [], [], ()
        self.replicas = FIRST

    def step(self, tick, measured):
        now = START + timedelta(seconds=15 * tick)
        if np.isfinite(measured):
            self.decide(now, measured)
        self.desired.append(self.replicas)

    def decide(self, now, measured):
        wanted = self.wanted(measured)
        stable = stabilized_replicas(
            wanted,
            current_replicas=self.replicas,
            history=self.recommended,
            up_window=timedelta(0),
            down_window=timedelta(minutes=5),
            now=now,
        )
        self.recommended.append(TimestampedRecommendation(now, wanted))
        limit = scale_up_limit(
            self.replicas, rules=Behavior().scale_up, events=self.events, now=now
        )
        after = max(1, min(stable, limit) if stable > self.replicas else stable)
        if after != self.replicas:
            self.events = (*self.events[-50:], ScaleEvent(now, after - self.replicas))
        self.replicas = after

    def wanted(self, measured):
        return replicas_for_average_value(
            measured,
            target=self.target / KNEE,
            current_replicas=self.replicas,
            tolerances=Tolerances(),
        ).replicas


@pytest.mark.parametrize("target", [0.3, 0.6, 0.8])
def test_the_fast_hpa_decides_as_the_rules_do(target):
    offered = offered_load()
    measured = measured_load(offered)
    slow = RuleByRule(target)
    for tick, seen in enumerate(measured.tolist()):
        slow.step(tick, seen)

    fast = hpa_run(
        offered,
        measured,
        HpaConfigs(np.array([target]), np.array([False])),
        startup_seconds=STARTUP,
        first=FIRST,
    )

    assert fast.desired[:, 0].tolist() == slow.desired
