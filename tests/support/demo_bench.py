"""A daemon over a world in memory, cycle by cycle."""

from datetime import UTC, datetime, timedelta

import numpy as np

from autoscaler.daemon import Daemon, World
from autoscaler.decide.facts import TargetRef
from autoscaler.ports import PolicyDocument
from autoscaler.replay.demo_world import DemoClock, DemoCluster, DemoDeployment, DemoMetrics

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
TICK = timedelta(seconds=15)
CHECKOUT = TargetRef("shop", "checkout")
POLICY = """\
scaleTargetRef: {{name: checkout}}
mode: ForecastAndScale
minReplicas: {least}
maxReplicas: {most}
metrics:
  - type: RequestRate
    requestRate: {{source: linkerd, target: {{averageValue: "100"}}}}
"""


def document(least=1, most=50):
    text = POLICY.format(least=least, most=most)
    return PolicyDocument("ConfigMap shop/autoscaler key checkout", text, "shop")


class Bench:
    """A daemon over a world whose load is 1000 requests/s at all times, recorded for two days."""

    def __init__(self, *documents, witness=None):
        self.clock = DemoClock(NOW)
        self.deployment = DemoDeployment(timedelta(seconds=60), pods=[NOW] * 4)
        self.cluster = DemoCluster({CHECKOUT: self.deployment}, documents, self.clock)
        start = NOW - timedelta(days=2)
        self.metrics = DemoMetrics({CHECKOUT: np.full(3 * 5760, 1000.0)}, start=start)
        self.records = []
        world = World(self.metrics, self.cluster, self.clock, witness)
        self.daemon = Daemon(world, interval=TICK, record=self.records.append)

    def edit(self, *documents):
        self.cluster._documents = documents

    def cycle(self, n=1):
        for _ in range(n):
            self.daemon.cycle()
            self.clock.advance(TICK)
