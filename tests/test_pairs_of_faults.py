"""Two things wrong at once, with hardly any window to damp them: nothing is lowered by mistake.

FAULT_PAIRS (default 24) is how many lives are lived through, each half an hour long once settled.
"""

import os
from datetime import timedelta
from random import Random

import pytest

from autoscaler.decide.scale_to_zero import IDLE_BEFORE_ZERO
from autoscaler.forecasting import Forecasts
from autoscaler.loop import Reconciler
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import compiled
from support.pod_world import FAULTS, TARGET, TICK, PodWorld, RestingWorld

LIVES = int(os.environ.get("FAULT_PAIRS", "24"))
N_CYCLES = 120
# When things begin to go wrong: the restart's hold is over, capacity is learned.
SETTLED_AFTER = {"rate": 25, "cpu": 25, "both": 25, "learned": 140}
RATE = {"type": "RequestRate", "requestRate": {"source": "linkerd"}}
TARGETED = {
    "type": "RequestRate",
    "requestRate": {"source": "linkerd", "target": {"averageValue": "100"}},
}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 50}}}
METRICS = {"rate": [TARGETED], "cpu": [CPU], "both": [TARGETED, CPU], "learned": [RATE, CPU]}


class NoForecasts(Forecasts):
    """Where no forecast steers, measured load alone has a say."""

    def predict(self, horizon, *, now):
        return [None] * len(horizon.risk)


class Life:
    """A reconciler over a world in which something goes wrong every few minutes."""

    least, world_of, mishaps = (1, 2), PodWorld, 0.08

    def __init__(self, seed, metrics, forecasts):
        self.random, self.metrics, self.forecasts = Random(seed), METRICS[metrics], forecasts
        self.calm = SETTLED_AFTER[metrics]
        self.world, self.held_back, self.happened = self.world_of(self.random), "", []
        self._edit()
        self._restart()

    def cycle(self, number):
        """Let two things go wrong now and then; return what was lowered below the need."""
        if number > self.calm and self.random.random() < self.mishaps:
            for fault in self.random.sample(FAULTS, 2):
                self.world.begin(fault, self.random.choice((15, 30, 60, 180, 600)))
                self.happened.append((number, fault))
        if number > self.calm and self.random.random() < self.mishaps / 2:
            event = self.random.choice(EVENTS)
            event(self)
            self.happened.append((number, event.__name__))
        world = self.world
        world.lowered.clear()
        summary = self.reconciler.reconcile(self.roster, now=world.now + world.skew)
        assert summary.broken == 0
        short = [(was, now) for was, now in world.lowered if world.short_by(now) > 0]
        world.advance()
        return short

    def _edit(self, mode="ForecastAndScale"):
        policy = {
            "scaleTargetRef": {"name": "checkout"},
            "mode": mode,
            "minReplicas": self.random.choice(self.least),
            "maxReplicas": 100,
            "metrics": self.metrics,
            "cooldown": {"scaleDown": self.random.choice(("0s", "1m"))},
            "behavior": {
                "scaleDown": {"stabilizationWindowSeconds": self.random.choice((0, 0, 30, 60))}
            },
        }
        self.roster = compiled({TARGET: ("test", WorkloadPolicy.model_validate(policy))})

    def _restart(self):
        forecasts = self.forecasts()
        forecasts.follow(self.roster)
        self.reconciler = Reconciler(
            metrics=self.world,
            cluster=self.world,
            forecasts=forecasts,
            interval=TICK,
            record=lambda record: None,
            held_back=lambda: self.held_back,
        )

    def restart(self):
        memories = self.reconciler.memories(self.roster) if self.random.random() < 0.5 else {}
        self._restart()
        self.reconciler.recall(memories)

    def edit(self):
        self._edit(self.random.choice(("ForecastAndScale", "ForecastAndScale", "ForecastOnly")))

    def hand_over(self):
        self.held_back = "" if self.held_back else "standby"

    def clock(self):
        jump = self.random.choice((-3600, -400, -10, 0, 0, 10, 400, 3600))
        self.world.skew = timedelta(seconds=jump)

    def by_hand(self):
        self.world.order(max(self.least[0], self.world.replicas + self.random.randint(-3, 5)))

    def pause(self):
        words = ({"autoscaler/paused": "true"}, {"autoscaler/paused-scale-in": ""}, {}, {})
        self.world.annotations = self.random.choice(words)

    def rival(self):
        self.world.rival = None if self.world.rival else "HorizontalPodAutoscaler shop/checkout"


EVENTS = (
    *(Life.restart, Life.edit, Life.hand_over, Life.clock),
    *(Life.by_hand, Life.pause, Life.rival),
)


@pytest.mark.parametrize("metrics", METRICS)
@pytest.mark.parametrize(
    ("forecasts", "lives"),
    [
        pytest.param(NoForecasts, LIVES, id="measured load"),
        pytest.param(Forecasts, -(-LIVES // 8), id="forecast"),
    ],
)
def test_no_pair_of_faults_lowers_below_what_the_load_needs(metrics, forecasts, lives):
    n_lowered = 0
    for seed in range(lives):
        life = Life(seed, metrics, forecasts)
        for number in range(life.calm + N_CYCLES):
            short = life.cycle(number)
            n_lowered += len(life.world.lowered)
            assert short == [], f"seed {seed}, cycle {number}: {life.happened[-6:]}"

    # Whom a forecast steers waits until a scale-in is worth it; few lives are long enough.
    assert n_lowered > 0 or forecasts is Forecasts, "it does scale in, when it may"


class Sleeper(Life):
    """A workload that may have no pods at all while nothing is asked of it."""

    least, world_of, mishaps = (0,), RestingWorld, 0.03


def test_no_pair_of_faults_puts_a_workload_to_sleep_that_served_a_moment_ago():
    slept = woken = 0
    for seed in range(-(-LIVES // 3)):
        life = Sleeper(seed, "rate", NoForecasts)
        for number in range(5 * N_CYCLES):
            rested, before = life.world.rested, life.world.replicas
            assert life.cycle(number) == [], f"seed {seed}, cycle {number}: {life.happened[-6:]}"
            woken += before == 0 and life.world.replicas > 0
            if any(now == 0 for _, now in life.world.lowered):
                slept += 1
                assert rested * TICK >= IDLE_BEFORE_ZERO - TICK, f"seed {seed}, cycle {number}"

    assert slept > 0
    assert woken > 0
