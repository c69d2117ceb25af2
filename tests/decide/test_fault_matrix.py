"""Each doubt, in each phase of a day: nothing is lowered while it lasts, and it has an end.

A simulated workload follows its load under our decisions; two hours in, a fault begins and lasts
long.
The table that the last test prints names for every pair how long scale-in was held back.
"""

import math
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt, Sample, Signal, Trust, WorkloadFacts
from autoscaler.decide.pipeline import reconciled
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from decide.worlds import CAPACITY, NOW, PER_POD, TARGET, forecast, policy

TICK = timedelta(seconds=15)
FAULT_BEGINS, FAULT_ENDS, THE_END = timedelta(hours=2), timedelta(hours=7), timedelta(hours=9)

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


def measured(tick, **fields):
    return replace(tick, signals=tuple(replace(s, sample=Sample(**fields)) for s in tick.signals))


def aged_forecast(tick):
    """Without samples the forecast goes on, knowing less and less."""
    age = tick.since_start - FAULT_BEGINS
    return replace(
        tick, signals=tuple(replace(s, forecast=replace(s.forecast, age=age)) for s in tick.signals)
    )


def unknown(doubt):
    return lambda tick: aged_forecast(measured(tick, value=None, doubt=doubt))


def halved(tick):
    value = tick.signals[0].sample.value / 2
    return measured(tick, value=value, sampled_at=tick.facts.seen_at, doubt=Doubt.PARTIAL)


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


# Fault -> what it falsifies, the reasons it may be held for, and the hold's end, None = with it.
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
CARRIED = {Reason.FORECAST_CARRIES_FLOOR, Reason.METRICS_UNKNOWN_HOLD}
FAULTS = {
    "absent": (unknown(Doubt.ABSENT), CARRIED, None),
    "NaN": (unknown(Doubt.NOT_A_NUMBER), CARRIED, None),
    "unreachable": (unknown(Doubt.UNREACHABLE), CARRIED, None),
    "another cluster": (unknown(Doubt.FOREIGN), CARRIED, None),
    "an hour old": (hour_old, CARRIED, None),
    "partial": (halved, {Reason.METRICS_PARTIAL_HOLD}, None),
    "capacity unknown": (without_capacity, {Reason.CAPACITY_UNKNOWN_HOLD}, None),
    "contradiction": (contradicted, {Reason.METRICS_CONTRADICT_HOLD}, 30 * MINUTE),
    "vanished": (vanished, {Reason.LOAD_VANISHED_HOLD}, 10 * MINUTE),
    "rollout": (rolling_out, {Reason.ROLLOUT_HOLD}, 30 * MINUTE),
    "never ready": (never_ready, {Reason.PODS_NOT_READY_HOLD}, 15 * MINUTE),
    "burst": (bursting, {Reason.BURST_HOLD}, 15 * MINUTE),
}


def simulated(phase, fault):
    """Play the phase with the fault in it; return (time, before, decision) of every tick."""
    load_at = PHASES[phase]
    rules = policy(n_metrics=2)
    replicas, state, played = math.ceil(load_at(0) / PER_POD), WorkloadState(NOW), []
    for step in range(THE_END // TICK):
        since = step * TICK
        now, load = NOW + since, load_at(since / HOUR)
        ahead = forecast(1.05 * load_at((since + 3 * MINUTE) / HOUR), trust=Trust.TRUSTED)
        one = Signal("rate", Sample(load, now, 1), CAPACITY, ahead)
        facts = WorkloadFacts(TARGET, replicas, replicas, replicas, str(step), now)
        tick = Tick(since, (one, one), facts)
        if FAULT_BEGINS <= since < FAULT_ENDS:
            tick = FAULTS[fault][0](tick)
        outcome = reconciled(tick.signals, workload=tick.facts, policy=rules, state=state, now=now)
        played.append((since, replicas, outcome.decision))
        state = outcome.state_after(rescaled=outcome.decision.rescale)
        replicas = outcome.decision.desired_replicas
    return played


def held_for(played, reasons):
    """Return for how long after its beginning the fault held scale-in back."""
    held = [t for t, _, d in played if t >= FAULT_BEGINS and reasons & {x.reason for x in d.chain}]
    return max(held) + TICK - FAULT_BEGINS if held else timedelta(0)


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_is_lowered_while_a_doubt_holds(phase, fault):
    _, _, longest = FAULTS[fault]
    holds_until = FAULT_BEGINS + longest if longest else FAULT_ENDS
    lowered = [
        (t, before, d)
        for t, before, d in simulated(phase, fault)
        if FAULT_BEGINS <= t < holds_until and d.desired_replicas < before
    ]

    assert not lowered


@pytest.mark.parametrize("fault", FAULTS)
def test_after_a_doubt_the_workload_shrinks_again_by_itself(fault):
    played = simulated("falling", fault)
    needed = math.ceil(1.05 * PHASES["falling"](9) / PER_POD)

    assert played[-1][2].desired_replicas == needed


def test_the_fault_matrix_as_a_table(capsys):
    rows = [
        (fault, phase, held_for(played, FAULTS[fault][1]), played)
        for fault in FAULTS
        for phase in PHASES
        for played in [simulated(phase, fault)]
    ]
    with capsys.disabled():
        print(f"\n{'doubt':<18}{'phase':<9}{'scale-in held for':>18}{'fewest':>8}{'most':>6}")
        for fault, phase, held, played in rows:
            counts = [d.desired_replicas for t, _, d in played if FAULT_BEGINS <= t < FAULT_ENDS]
            print(f"{fault:<18}{phase:<9}{held!s:>18}{min(counts):>8}{max(counts):>6}")

    bounded = [(held, FAULTS[fault][2]) for fault, _, held, _ in rows if FAULTS[fault][2]]
    assert all(held <= longest for held, longest in bounded)
