"""Each doubt, in each phase of a day: nothing is lowered while it lasts, and it has an end.

A simulated workload follows its load under our decisions; two hours in, a fault begins and lasts
long.
At every tick the rules are also asked whether they would scale in to nothing, so that a hold is
measured where nobody wishes to lower anyway.
"""

import math
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from itertools import takewhile

import pytest

from autoscaler.decide.case import Case
from autoscaler.decide.facts import PodFacts, Sample, Signal, Trust, WorkloadFacts
from autoscaler.decide.limits import held
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from decide.strategies import LOWER_BOUNDS, UNKNOWN
from decide.worlds import CAPACITY, LONG_AGO, NOW, PER_POD, TARGET, forecast, policy

TICK = timedelta(seconds=30)
FAULT_BEGINS, FAULT_ENDS, THE_END = timedelta(hours=2), timedelta(hours=7), timedelta(hours=9)
# Half past three, when a blind forecast no longer has a say.
FLOOR_BEGINS = timedelta(hours=6, minutes=30)

# Load in requests/s by hours since the start; the fault begins at hour two of each.
PHASES = {
    "idle": lambda h: 300.0,
    "rising": lambda h: 600.0 + 350.0 * h,
    "peak": lambda h: 4000.0 + 300.0 * math.cos(h - 2),
    "falling": lambda h: max(4200.0 - 900.0 * h, 300.0),
}


@dataclass(frozen=True)
class Tick:
    """What a fault may falsify: what is measured, forecast and seen of the cluster."""

    since_start: timedelta
    signals: tuple[Signal, ...]
    facts: WorkloadFacts
    state: WorkloadState


def measured(tick, **fields):
    return replace(tick, signals=tuple(replace(s, sample=Sample(**fields)) for s in tick.signals))


def aged_forecast(tick):
    """Without samples the forecast goes on, knowing less and less, and says so."""
    age = tick.since_start - FAULT_BEGINS
    trust = Trust.STALE if age > timedelta(minutes=5) else Trust.TRUSTED
    aged = [replace(s.forecast, age=age, trust=trust) for s in tick.signals]
    signals = zip(tick.signals, aged, strict=True)
    return replace(tick, signals=tuple(replace(s, forecast=f) for s, f in signals))


def unknown(doubt):
    return lambda tick: aged_forecast(measured(tick, value=None, doubt=doubt))


def halved(doubt):
    """Half of the load is seen; the forecast goes on without it."""

    def seen(tick):
        value = tick.signals[0].sample.value / 2
        return measured(tick, value=value, sampled_at=tick.facts.seen_at, doubt=doubt)

    return seen


def silent_pod(tick):
    """One of the pods that serve has no sample, and its load is missing from the sum."""
    pods = tuple(PodFacts(f"pod-{n}", LONG_AGO) for n in range(tick.facts.ready_replicas))
    share = tick.signals[0].sample.value / len(pods)
    heard = {pod.name: share for pod in pods[1:]}
    seen = replace(tick, facts=replace(tick.facts, pods=pods))
    return measured(seen, value=sum(heard.values()), sampled_at=tick.facts.seen_at, by_pod=heard)


def hour_old(tick):
    at = tick.facts.seen_at - timedelta(hours=1)
    return aged_forecast(measured(tick, value=1.0, sampled_at=at))


def vanished(tick):
    """The measured load and, with it, the forecast fall to nothing at once."""
    gone = forecast(1.0)
    return replace(
        tick,
        signals=tuple(
            replace(s, sample=Sample(0.0, s.sample.sampled_at, 1), forecast=gone)
            for s in tick.signals
        ),
    )


def contradicted(tick):
    """The first metric reads nothing while the second is busy, and both forecasts follow."""
    first, second = tick.signals
    nothing = replace(first, sample=Sample(0.0, first.sample.sampled_at, 1), forecast=forecast(1.0))
    half = replace(
        second,
        sample=replace(second.sample, value=second.sample.value / 2),
        forecast=forecast(second.forecast.quantile / 2),
    )
    return replace(tick, signals=(nothing, half))


def rolling_out(tick):
    return replace(tick, facts=replace(tick.facts, rollout_in_progress=True))


def never_ready(tick):
    ready = max(math.ceil(tick.signals[0].sample.value / PER_POD) - 1, 0)
    return replace(
        tick, facts=replace(tick.facts, ready_replicas=min(ready, tick.facts.spec_replicas))
    )


def bursting(tick):
    return replace(
        tick,
        signals=tuple(replace(s, forecast=replace(s.forecast, burst=True)) for s in tick.signals),
    )


def without_capacity(tick):
    return replace(tick, signals=tuple(replace(s, capacity=None) for s in tick.signals))


def restarted(tick):
    """We start at the beginning of the fault, and remember nothing."""
    begins = tick.since_start == FAULT_BEGINS
    return replace(tick, state=WorkloadState(tick.facts.seen_at)) if begins else tick


def with_clock(offset):
    """Our clock and everybody's move by so much; what we remember does not."""

    def moved(tick):
        at = tick.facts.seen_at + offset
        shifted = replace(tick, facts=replace(tick.facts, seen_at=at))
        return measured(shifted, value=tick.signals[0].sample.value, sampled_at=at)

    return moved


# Fault -> what it falsifies, the reasons it is held for, and the hold's end, None = with it.
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
CARRIED = {Reason.FORECAST_CARRIES_FLOOR, Reason.METRICS_UNKNOWN_HOLD}
PARTIAL = {Reason.METRICS_PARTIAL_HOLD}
JUMPED = {Reason.CLOCK_JUMP_HOLD}
FAULTS = {
    **{doubt.value: (unknown(doubt), CARRIED, None) for doubt in UNKNOWN},
    "an hour old": (hour_old, CARRIED, None),
    **{doubt.value: (halved(doubt), PARTIAL, None) for doubt in LOWER_BOUNDS},
    "a silent pod": (silent_pod, PARTIAL, None),
    "capacity unknown": (without_capacity, {Reason.CAPACITY_UNKNOWN_HOLD}, None),
    "contradiction": (contradicted, {Reason.METRICS_CONTRADICT_HOLD}, 30 * MINUTE),
    "vanished": (vanished, {Reason.LOAD_VANISHED_HOLD}, 10 * MINUTE),
    "rollout": (rolling_out, {Reason.ROLLOUT_HOLD}, 30 * MINUTE),
    "never ready": (never_ready, {Reason.PODS_NOT_READY_HOLD}, 15 * MINUTE),
    "burst": (bursting, {Reason.BURST_HOLD}, 15 * MINUTE),
    "our own restart": (restarted, {Reason.RESTART_HOLD}, 5 * MINUTE),
    "clock set back": (with_clock(-HOUR), JUMPED, 5 * MINUTE),
    "clock jumped on": (with_clock(HOUR), JUMPED, 5 * MINUTE),
}


@dataclass(frozen=True)
class Played:
    """One tick: what was decided, and why scaling in to nothing would be refused, if it would."""

    since_start: timedelta
    before: int
    after: int
    refusal: Reason | None


@cache
def simulated(phase, fault, floor=None):
    """Play the phase with the fault in it, tick by tick; a floor begins at `FLOOR_BEGINS`."""
    load_at = PHASES[phase]
    entry = {"name": "sale", "start": "2026-11-23 15:30", "end": "2026-11-23 17:00"}
    rules = policy(n_metrics=2, schedule=[entry | {"minReplicas": floor}] if floor else [])
    replicas, state, played = math.ceil(load_at(0) / PER_POD), WorkloadState(NOW), []
    for step in range(THE_END // TICK):
        since = step * TICK
        now, load = NOW + since, load_at(since / HOUR)
        ahead = forecast(1.05 * load_at((since + 3 * MINUTE) / HOUR), skill=0.3)
        one = Signal("rate", Sample(load, now, 1), CAPACITY, ahead)
        facts = WorkloadFacts(TARGET, replicas, replicas, replicas, str(step), now)
        tick = Tick(since, (one, one), facts, state)
        if FAULT_BEGINS <= since < FAULT_ENDS:
            tick = FAULTS[fault][0](tick)
        facts, now = tick.facts, tick.facts.seen_at
        outcome = reconciled(tick.signals, workload=facts, policy=rules, state=tick.state, now=now)
        case = Case(replicas, outcome.recommendation, facts, rules, outcome.state_if_held, now)
        refused, after = held(0, case), outcome.decision.desired_replicas
        played.append(Played(since, replicas, after, refused and refused.reason))
        state = outcome.state_after(rescaled=outcome.decision.rescale)
        replicas = after
    return played


def during(fault, phase):
    return [t for t in simulated(phase, fault) if FAULT_BEGINS <= t.since_start < FAULT_ENDS]


def refused_for(fault, phase):
    """Return for how long, from the beginning of the fault on, scale-in is refused."""
    return TICK * sum(1 for _ in takewhile(lambda t: t.refusal, during(fault, phase)))


def longest_hold(fault):
    return FAULTS[fault][2] or FAULT_ENDS - FAULT_BEGINS


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lowered_while_a_doubt_holds(phase, fault):
    holds_until = FAULT_BEGINS + longest_hold(fault)
    lowered = [
        t for t in during(fault, phase) if t.since_start < holds_until and t.after < t.before
    ]

    assert not lowered


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_doubt_refuses_scale_in_from_the_first_tick_to_its_bound_and_no_longer(phase, fault):
    assert during(fault, phase)[0].refusal in FAULTS[fault][1]
    assert refused_for(fault, phase) == longest_hold(fault)


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_doubt_the_workload_shrinks_again_by_itself(fault):
    played = simulated("falling", fault)
    needed = math.ceil(1.05 * PHASES["falling"](9) / PER_POD)

    assert played[-1].after == needed
    assert played[-1].refusal is None


@pytest.mark.parametrize("fault", [name for name, row in FAULTS.items() if row[1] is CARRIED])
def test_blind_the_forecast_carries_a_rise_for_four_hours_and_then_holds(fault):
    counts = {t.since_start: t.after for t in simulated("rising", fault)}
    carried = counts[FAULT_BEGINS + 4 * HOUR]

    assert carried >= PHASES["rising"](6) / PER_POD
    assert counts[FAULT_ENDS - TICK] == carried
    assert counts[FAULT_ENDS] > carried


@pytest.mark.parametrize("phase", PHASES)
def test_blind_a_floor_of_the_schedule_is_met_a_lead_time_early_all_the_same(phase):
    counts = {t.since_start: t.after for t in simulated(phase, "absent", floor=90)}
    due = FLOOR_BEGINS - 2 * MINUTE

    assert counts[due - TICK] < 90
    assert {n for at, n in counts.items() if due <= at < FAULT_ENDS} == {90}
