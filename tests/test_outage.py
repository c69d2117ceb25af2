"""Prometheus away for forty minutes and back with its past: what the daemon makes of it."""

from datetime import UTC, datetime, timedelta

import numpy as np

from autoscaler.daemon import Daemon, World
from autoscaler.decide.facts import TargetRef, Trust
from autoscaler.policy.parsing import PolicyDocument
from autoscaler.replay.demo_world import DemoClock, DemoDeployment, DemoMetrics
from support.faulty_world import FaultyCluster, FaultyMetrics, Mishap, Mishaps

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TICK = timedelta(seconds=15)
AWAY_MINUTES = 40
PAST = timedelta(hours=2)
CHECKOUT = TargetRef("shop", "checkout")
POLICY = """\
scaleTargetRef: {name: checkout}
mode: ForecastAndScale
minReplicas: 1
maxReplicas: 50
metrics:
  - type: RequestRate
    requestRate: {source: linkerd, target: {averageValue: "100"}}
"""


class Outage:
    """A daemon that lost Prometheus just as the load fell from 1000 requests/s to 300."""

    def __init__(self):
        self.clock = DemoClock(NOW)
        self.deployment = DemoDeployment(timedelta(seconds=60), pods=[NOW - PAST] * 12)
        before, after = int((PAST + timedelta(minutes=5)) / TICK), 4 * 120
        load = np.concatenate([np.full(before, 1000.0), np.full(after, 300.0)])
        mishaps = Mishaps()
        document = PolicyDocument("ConfigMap shop/autoscaler key checkout", POLICY, "shop")
        metrics = FaultyMetrics(
            DemoMetrics({CHECKOUT: load}, start=NOW - PAST),
            self.clock,
            mishaps,
            stand_in=CHECKOUT,
            past=PAST,
        )
        self.asked = []
        metrics.history, answered = self._history, metrics.history
        self._answered = answered
        cluster = FaultyCluster(
            {CHECKOUT: self.deployment}, {CHECKOUT: document}, self.clock, mishaps
        )
        self.records = []
        world = World(metrics, cluster, self.clock)
        self.daemon = Daemon(world, interval=TICK, record=self.records.append)
        self.daemon.read_all_history()
        self.cycles(minutes=5)
        mishaps.in_force[Mishap.NO_PROMETHEUS, None] = NOW
        self.cycles(minutes=AWAY_MINUTES)
        mishaps.in_force.clear()
        self.asked.clear()

    def _history(self, series, *, start, end, step):
        self.asked.append(end - start)
        return self._answered(series, start=start, end=end, step=step)

    def cycles(self, *, minutes, reads=False):
        """Live through some minutes; return how many pods there were after each cycle."""
        pods = []
        for _ in range(int(timedelta(minutes=minutes) / TICK)):
            self.daemon.cycle()
            self.clock.advance(TICK)
            if reads:
                self.daemon.read_history()
            pods.append(len(self.deployment.pods))
        return pods

    def known_minutes(self, minutes):
        """Return how many of the last minutes the forecast knows."""
        memory = self.daemon._forecasts._engine.memory
        index = memory.index - np.arange(minutes)
        return int(np.isfinite(memory.loads(index[:, None], np.array([0]), memory.index)).sum())


def test_what_was_missed_is_read_back_once_and_no_more_than_that():
    reads, cannot = Outage(), Outage()
    n_before = len(reads.deployment.pods)

    with_past, without = reads.cycles(minutes=4, reads=True), cannot.cycles(minutes=4)

    assert len(reads.asked) == 1
    assert reads.asked[0] <= timedelta(minutes=AWAY_MINUTES + 5)
    assert reads.known_minutes(44) >= 42
    assert cannot.known_minutes(44) <= 6
    # The past says that 300 requests/s is all there was; the hold after an outage does not care.
    assert min(with_past) == n_before
    assert with_past == without
    assert reads.records[-1].signals[0].forecast.trust is not Trust.STALE
