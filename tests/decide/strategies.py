"""Random policies, facts, memories and faults for the properties of a decision.

Ten thousand examples of ten properties have to fit into minutes: what hypothesis need not shrink
(policies and memories) is drawn as one seed and grown from it.
"""

import os
from datetime import timedelta
from functools import lru_cache
from random import Random

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    Doubt,
    ForecastFacts,
    Sample,
    Signal,
    Trust,
    WorkloadFacts,
)
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import Order, ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.policy.schema import WorkloadPolicy
from decide.worlds import CAPACITY, NOW, RATE, TARGET, ago

# The full count is for CI; at a desk a few hundred find what was just broken.
thorough = settings(
    max_examples=10_000 if os.environ.get("CI") else 300,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

LOADS = st.floats(0, 12_000)
LOADS_OR_NONE = st.one_of(LOADS, LOADS, LOADS, st.floats(0, 900), st.none())
SAMPLE_DOUBTS = (*[None] * 20, *Doubt)
SEEDS = st.integers(0, 2**32)
_LASTING = (
    Reason.ROLLOUT_HOLD,
    Reason.PODS_NOT_READY_HOLD,
    Reason.BURST_HOLD,
    Reason.CLOCK_JUMP_HOLD,
    Reason.LOAD_VANISHED_HOLD,
)


def _rules(random):
    if random.random() < 0.5:
        return {"stabilizationWindowSeconds": random.choice((0, 60, 300))}
    policies = [
        {
            "type": random.choice(("Pods", "Percent")),
            "value": random.randint(1, 120),
            "periodSeconds": random.randint(15, 1800),
        }
        for _ in range(random.randint(0, 2))
    ]
    return {
        "stabilizationWindowSeconds": random.choice((None, 0, 60, 300, 3600)),
        "selectPolicy": random.choice(("Max", "Max", "Min", "Disabled")),
        "policies": policies,
        "tolerance": random.choice((None, None, 0.0, 0.3)),
    }


@lru_cache(maxsize=1000)
def _policy(seed, n_metrics):
    random = Random(seed)
    low = random.choice((0, 1, 5, 40))
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": "checkout"},
            "minReplicas": low,
            "maxReplicas": low + random.randint(1, 80),
            "metrics": [RATE] * n_metrics,
            "cooldown": {
                "scaleUp": random.choice((0, random.randint(0, 900))),
                "scaleDown": random.choice((0, random.randint(0, 900))),
            },
            "behavior": {"scaleUp": _rules(random), "scaleDown": _rules(random)},
        }
    )


def policies(n_metrics=1):
    return st.integers(0, 999).map(lambda seed: _policy(seed, n_metrics))


def _workload(spec, seed, rollout):
    random = Random(seed)
    status = max(spec - random.choice((0, 0, 0, 1, 3)), 0)
    ready = max(status - random.choice((0, 0, 0, 2, 9)), 0)
    rolling = random.random() < 0.2 if rollout is None else rollout
    return WorkloadFacts(TARGET, spec, status, ready, "1", NOW, rollout_in_progress=rolling)


def workloads(rollout=None):
    return st.builds(_workload, st.integers(0, 120), SEEDS, st.just(rollout))


def _forecast(random):
    quantile = random.uniform(0, 12_000)
    return ForecastFacts(
        median=0.8 * quantile,
        quantile=quantile,
        reactive_quantile=quantile * random.uniform(0.5, 1.5),
        risk=0.01,
        lead_time=timedelta(minutes=2),
        hold=timedelta(minutes=1),
        trust=random.choice(tuple(Trust)),
        burst=random.random() < 0.1,
        age=timedelta(minutes=random.choice((0, 0, 0, 10, 200, 300))),
        scale_in_quantile=random.choice((None, None, quantile * random.uniform(1, 2))),
    )


def _signal(load, seed, doubts):
    random = Random(seed)
    learned = Capacity(7.0, CapacitySource.LEARNED, 7.0, 9.0, 10.0)
    capacity = random.choice((None, learned, learned, *[CAPACITY] * 7))
    age = timedelta(seconds=random.choice((*[30] * 10, 0, 400, -60)))
    sample = Sample(load, NOW - age, 1, doubt=random.choice(doubts))
    return Signal("rate", sample, capacity, random.choice((None, _forecast(random))))


def signals(doubts=SAMPLE_DOUBTS):
    return st.builds(_signal, LOADS_OR_NONE, SEEDS, st.just(doubts))


def _state(seed):
    """Grow a memory: half of them hold nothing back, so that only the facts under test can."""
    random = Random(seed)
    if random.random() < 0.5:
        calm = tuple(TimestampedRecommendation(ago(age), 0) for age in (3000, 200, 30))
        return WorkloadState(ago(100_000), recommendations=calm, seen_at=ago(15))

    def ages(most):
        return sorted(
            (random.randint(0, 2400) for _ in range(random.randint(0, most))), reverse=True
        )

    def maybe(value):
        return random.choice((None, value))

    return WorkloadState(
        started_at=ago(random.choice((10, 200, 100_000, 100_000))),
        recommendations=tuple(
            TimestampedRecommendation(ago(a), random.randint(0, 120)) for a in ages(5)
        ),
        scale_events=tuple(ScaleEvent(ago(a), random.randint(-20, 20)) for a in ages(4)),
        last_scale_up_at=maybe(ago(random.randint(0, 1200))),
        last_scale_down_at=maybe(ago(random.randint(0, 1200))),
        recovered=random.random() < 0.5,
        seen_at=random.choice((None, ago(15), ago(15), ago(15), ago(-60), ago(900))),
        doubts=tuple(
            (doubt, ago(random.randint(0, 2400)))
            for doubt in random.sample(_LASTING, random.choice((0, 0, 0, 1, 2)))
        ),
        order=maybe(Order(random.randint(0, 120), ago(15), random.choice("01"))),
        reverted_at=tuple(ago(a) for a in ages(2)),
    )


STATES = SEEDS.map(_state)
