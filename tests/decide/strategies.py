"""Random policies, facts, memories and faults for the properties of a decision.

Ten thousand examples of a dozen properties have to fit into minutes: a whole world is grown from
one seed, which hypothesis draws; `grown(seed)` brings a failing one back.
"""

import math
import os
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from random import Random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.decide.bounds import bounds_in_force, highest_floor
from autoscaler.decide.capacity import declared_capacity
from autoscaler.decide.facts import (
    Capacity,
    CapacitySource,
    Doubt,
    ForecastFacts,
    PodFacts,
    PodPhase,
    Sample,
    Signal,
    Trust,
    WorkloadFacts,
)
from autoscaler.decide.lead_time import lead_time
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.reason import Reason
from autoscaler.decide.schedule import scheduled_bounds
from autoscaler.decide.state import Order, ScaleEvent, TimestampedRecommendation, WorkloadState
from autoscaler.policy.schema import Actuator, WorkloadPolicy
from decide.worlds import NOW, RATE, TARGET, ago

# The full count is for CI; at a desk a few hundred find what was just broken.
thorough = settings(
    max_examples=int(os.environ.get("EXAMPLES") or (10_000 if os.environ.get("CI") else 300)),
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)

SEEDS = st.integers(0, 2**48)
CPU = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}
SUM = {"type": "AverageValue", "averageValue": "25"}
QUEUE = {"metric": {"name": "queue"}, "target": SUM}
# Twice the load needs twice the pods, whichever of them are ready.
PROPORTIONAL = (
    RATE,
    {"type": "RequestRate", "requestRate": {"source": "linkerd"}},
    {"type": "External", "external": QUEUE},
    {"type": "Resource", "resource": CPU},
    {"type": "ContainerResource", "containerResource": CPU | {"container": "app"}},
    {"type": "Resource", "resource": {"name": "memory", "target": SUM}},
    {"type": "Pods", "pods": QUEUE},
)
# HPA multiplies the total of a `Value` by the ready pods.
METRICS = (
    *PROPORTIONAL,
    {"type": "External", "external": QUEUE | {"target": {"type": "Value", "value": "700"}}},
)
# Begun long ago; at NOW, 9:00 in London; and a minute later, within most lead times.
STARTS = ("0 7 * * *", "0 9 * * *", "1 9 * * *", "0 22 * * *")
REQUESTS = {("app", "cpu"): 1.0, ("sidecar", "cpu"): 0.5}
ANNOTATIONS = (
    {"autoscaler/paused": "true"},
    {"autoscaler/paused-scale-in": "true"},
    {"autoscaler/paused-scale-out": "true"},
    {"autoscaler/paused-replicas": "7"},
    {"autoscaler/paused-replicas": "many"},
)
LEARNED = Capacity(7.0, CapacitySource.LEARNED, 7.0, 9.0, 10.0)
LOWER_BOUNDS = (Doubt.PARTIAL, Doubt.WARNED)
UNKNOWN = tuple(d for d in Doubt if d not in LOWER_BOUNDS)
_LASTING = (
    Reason.ROLLOUT_HOLD,
    Reason.PODS_NOT_READY_HOLD,
    Reason.BURST_HOLD,
    Reason.CLOCK_JUMP_HOLD,
    Reason.LOAD_VANISHED_HOLD,
    Reason.METRICS_CONTRADICT_HOLD,
)


@dataclass(frozen=True)
class World:
    """Everything one decision looks at."""

    signals: tuple[Signal, ...]
    policy: WorkloadPolicy
    facts: WorkloadFacts
    state: WorkloadState

    def outcome(self, now=NOW, moved_by=timedelta(0)):
        return reconciled(
            self.signals,
            workload=self.facts,
            policy=self.policy,
            state=self.state,
            now=now,
            clock_moved_by=moved_by,
        )

    @property
    def decision(self):
        return self.outcome().decision

    def bounds(self, now=NOW):
        policy = self.policy
        lead = lead_time(self.facts.lead_times, configured=policy.forecast.lead_time)
        scheduled = scheduled_bounds(policy.schedule, lead_time=lead, now=now)
        bounds = bounds_in_force(policy.min_replicas, policy.max_replicas, scheduled)
        most = self.most_of_an_hpa
        return replace(bounds, low=min(bounds.low, most), high=min(bounds.high, most))

    @property
    def most_of_an_hpa(self):
        """The highest floor that may be written, without end where none is."""
        most = highest_floor(self.facts, self.policy)
        return math.inf if most is None else most

    @property
    def lowest_allowed(self):
        """Current, unless the user's own word, a ceiling or a fixed count, is below it."""
        fixed = self.facts.annotations.get("autoscaler/paused-replicas", "")
        if fixed.isdigit():
            return min(int(fixed), self.facts.spec_replicas, self.most_of_an_hpa)
        return min(self.facts.spec_replicas, self.bounds().high)

    def with_policy(self, **update):
        return replace(self, policy=self.policy.model_copy(update=update))

    def with_state(self, **fields):
        return replace(self, state=replace(self.state, **fields))

    def with_facts(self, **fields):
        return replace(self, facts=replace(self.facts, **fields))

    def with_sample(self, place, **fields):
        """Replace parts of one signal's sample."""
        one = self.signals[place]
        changed = replace(one, sample=replace(one.sample, **fields))
        return replace(self, signals=(*self.signals[:place], changed, *self.signals[place + 1 :]))

    def with_serving_pods(self):
        """Return the world with a few pods, all of which have served for hours."""
        n_pods = min(max(self.facts.spec_replicas, 1), 8)
        at = ago(9000)
        pods = tuple(
            PodFacts(f"pod-{n}", at, started_at=at, ready_transition_at=at, requests=REQUESTS)
            for n in range(n_pods)
        )
        return self.with_facts(
            spec_replicas=n_pods, status_replicas=n_pods, ready_replicas=n_pods, pods=pods
        )

    def with_load(self, place, n_pods, *, by_pod=False):
        """Replace one load by what so many pods carry, in growing shares of those that serve."""
        capacity, names = self.signals[place].capacity, [p.name for p in self.facts.pods or ()]
        load = n_pods * (capacity.per_pod if capacity else 100.0)
        parts = len(names) * (len(names) + 1) / 2
        spread = {name: load * n / parts for n, name in enumerate(names, start=1)}
        return self.with_sample(
            place, value=load, by_pod=spread if by_pod else None, doubt=None, sampled_at=NOW
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


def _entry(random, number):
    low, high = sorted((random.randint(0, 60), random.randint(0, 90)))
    times = {"timeZone": "Europe/London", "start": random.choice(STARTS), "end": "30 12 * * *"}
    limits = random.choice(({"minReplicas": low}, {"maxReplicas": high}))
    return {"name": f"entry-{number}"} | times | limits


@lru_cache(maxsize=4000)
def _policy(seed, proportional):
    kinds = PROPORTIONAL if proportional else METRICS
    random = Random(seed)
    low = random.choice((0, 1, 1, 5, 40))
    entries = random.choice((0, 0, 0, 1, 2))
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": "checkout"},
            "mode": random.choice(("ForecastOnly", "ForecastAndScale")),
            "actuator": random.choice(("scale", "scale", "scale", "hpa")),
            "minReplicas": low,
            "maxReplicas": low + random.randint(1, 80),
            "metrics": [random.choice(kinds) for _ in range(random.choice((1, 1, 2, 3)))],
            "forecast": {"leadTime": random.choice(("auto", "auto", "3m"))},
            "cooldown": {
                "scaleUp": random.choice((0, random.randint(0, 900))),
                "scaleDown": random.choice((0, random.randint(0, 900))),
            },
            "behavior": {"scaleUp": _rules(random), "scaleDown": _rules(random)},
            "schedule": [_entry(random, n) for n in range(entries)],
            "paused": random.random() < 0.02,
            "pausedScaleIn": random.random() < 0.02,
            "pausedScaleOut": random.random() < 0.02,
        }
    )


def _pod(random, number):
    age = random.choice((9000, 9000, 9000, 1000, 200, 20))
    ready = random.random() < 0.85
    return PodFacts(
        f"pod-{number}",
        ago(age),
        random.choice((*[PodPhase.RUNNING] * 9, PodPhase.PENDING, PodPhase.FAILED)),
        ready=ready,
        deleted=random.random() < 0.05,
        started_at=random.choice((None, *[ago(age)] * 9)),
        ready_transition_at=random.choice((None, *[ago(age // 2)] * 9)),
        requests=random.choice(({}, *[REQUESTS] * 9)),
    )


def _facts(random):
    spec = random.choice((0, random.randint(0, 8), random.randint(0, 120), random.randint(0, 120)))
    status = max(spec - random.choice((0, 0, 0, 1, 3)), 0)
    ready = max(status - random.choice((0, 0, 0, 2, 9, 120)), 0)
    watched = spec <= 8 and random.random() < 0.7
    leads = [timedelta(seconds=random.randint(1, 400)) for _ in range(random.choice((0, 3, 7)))]
    return WorkloadFacts(
        TARGET,
        spec,
        status,
        ready,
        "1",
        NOW,
        rollout_in_progress=random.random() < 0.15,
        annotations=random.choice(ANNOTATIONS) if random.random() < 0.05 else {},
        pods=tuple(_pod(random, n) for n in range(status)) if watched else None,
        requests=REQUESTS,
        lead_times=tuple(leads),
        replicas_manager=random.choice((None, "argocd-controller")),
        rival="HorizontalPodAutoscaler shop/other" if random.random() < 0.03 else None,
    )


def _forecast(random, per_pod):
    quantile = random.choice((0.0, 0.05, random.uniform(0, 120), random.uniform(0, 120))) * per_pod
    return ForecastFacts(
        median=0.8 * quantile,
        quantile=quantile,
        reactive_quantile=quantile * random.uniform(0.5, 1.5),
        risk=0.01,
        lead_time=timedelta(minutes=2),
        hold=timedelta(minutes=1),
        trust=random.choice(tuple(Trust)),
        skill=random.choice((None, -0.5, 0.5)),
        burst=random.random() < 0.1,
        age=timedelta(minutes=random.choice((0, 0, 0, 10, 200, 300))),
    )


def _by_pod(random, value, facts):
    """Spread a load over the pods, some of which are silent."""
    if not facts.pods or random.random() < 0.3:
        return None
    heard = [pod.name for pod in facts.pods if random.random() < 0.9]
    return {name: value / len(heard) for name in heard} or None


def _signal(random, metric, facts):
    capacity = declared_capacity(metric, facts)
    if metric.target is None:
        capacity = random.choice((None, LEARNED, LEARNED))
    per_pod = capacity.per_pod if capacity else 100.0
    pods = random.choice((None, 0.0, random.uniform(0, 9), *[random.uniform(0, 120)] * 4))
    value = None if pods is None else pods * per_pod
    doubt = random.choice((*[None] * 20, *Doubt))
    if doubt not in (None, *LOWER_BOUNDS):
        value = None if random.random() < 0.8 else value
    age = timedelta(seconds=random.choice((*[30] * 10, 0, 400, -60)))
    by_pod = None if value is None else _by_pod(random, value, facts)
    sample = Sample(value, NOW - age, 1, by_pod, doubt)
    return Signal(metric.type, sample, capacity, random.choice((None, _forecast(random, per_pod))))


CALM = WorkloadState(
    ago(100_000),
    tuple(TimestampedRecommendation(ago(age), 0) for age in (3000, 200, 30)),
    seen_at=ago(15),
    surplus=timedelta(hours=1),
)


def _state(random):
    """Grow a memory: half of them hold nothing back, so that only the facts under test can."""
    if random.random() < 0.5:
        return CALM

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
        holds=tuple(
            (hold, ago(random.randint(0, 2400)))
            for hold in random.sample(_LASTING, random.choice((0, 0, 0, 1, 2)))
        ),
        idle_since=maybe(ago(random.randint(0, 2400))),
        order=maybe(Order(random.randint(0, 120), random.choice("01"))),
        reverted_at=tuple(ago(a) for a in ages(2)),
        busiest=random.choice(((), ((ago(random.randint(0, 400)), random.uniform(0, 120)),))),
    )


def _plain(random, policy):
    """Return a world in which nothing holds: what keeps its pods is what a property adds to it."""
    spec = random.randint(max(policy.min_replicas, 1), policy.max_replicas)
    facts = WorkloadFacts(TARGET, spec, spec, spec, "1", NOW, requests=REQUESTS)
    signals = []
    for metric in policy.metrics:
        capacity = declared_capacity(metric, facts)
        if metric.target is None:
            capacity = LEARNED
        pods = spec * random.choice((0.0, *[random.uniform(0, 1.6)] * 9))
        ahead = replace(
            _forecast(random, 1.0),
            trust=random.choice((Trust.TRUSTED, Trust.TRUSTED, Trust.DEMOTED)),
            burst=False,
            age=timedelta(0),
        )
        level = pods * random.uniform(0.7, 1.3) * (capacity.per_pod if capacity else 0.0)
        ahead = replace(ahead, quantile=level, reactive_quantile=level, median=0.8 * level)
        sample = Sample(pods * (capacity.per_pod if capacity else 700.0 / spec), NOW, 1)
        signals.append(Signal(metric.type, sample, capacity, random.choice((None, ahead, ahead))))
    return World(tuple(signals), policy, facts, CALM)


def _rising(random, world):
    """Return the world after pods were added, with a forecast of a few more and no window."""
    pods, one = world.facts.spec_replicas, world.signals[0]
    if one.capacity is None:
        return world
    measured, expected = (n * pods * one.capacity.per_pod for n in (0.9, random.uniform(1, 1.1)))
    forecast = replace(
        _forecast(random, 1.0),
        quantile=expected,
        median=measured,
        trust=Trust.TRUSTED,
        burst=False,
        age=timedelta(0),
    )
    behavior = world.policy.behavior
    no_window = behavior.scale_up.model_copy(update={"stabilization_window_seconds": 0})
    signal = replace(one, sample=Sample(measured, NOW, 1), forecast=forecast)
    return (
        replace(world, signals=(signal, *world.signals[1:]))
        .with_policy(behavior=behavior.model_copy(update={"scale_up": no_window}))
        .with_state(scale_events=(ScaleEvent(ago(600), random.randint(0, 60)),))
    )


def grown(seed, proportional=False):
    """Return the world that grows from a seed, always the same."""
    random = Random(seed)
    policy = _policy(random.randint(0, 999), proportional)
    if random.random() < 0.5:
        return _plain(random, policy)
    facts = _facts(random)
    signals = tuple(_signal(random, metric, facts) for metric in policy.metrics)
    world = World(signals, policy, facts, _state(random))
    if random.random() < 0.05:
        world = _rising(random, world)
    if random.random() < 0.9:
        return world
    fed = world.with_policy(actuator=Actuator.HPA)
    return fed.with_facts(hpa_max_replicas=random.choice((None, *[random.randint(1, 90)] * 4)))


def over_worlds(*others, proportional=False):
    """Run a property on as many worlds as `thorough` says, each with a draw of the `others`.

    All is drawn as one, and the world grows in the test: hypothesis looks after `random` around
    each argument, and keeps whatever it drew, which together took a quarter of the time.
    """

    def decorated(holds):
        def test(drawn):
            seed, *beside = drawn
            holds(grown(seed, proportional), *beside)

        test.__name__, test.__qualname__ = holds.__name__, holds.__qualname__
        test.__module__, test.__doc__ = holds.__module__, holds.__doc__
        return thorough(given(st.tuples(SEEDS, *others))(test))

    return decorated
