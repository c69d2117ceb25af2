"""Two replicas of the daemon live through days in which everything fails at random.

One replica stays all the time (memory is measured on it), the other is restarted now and then; they
lead in turns.
After every cycle each workload is looked at: was anything lowered that must not have been?
"""

import gc
import logging
import math
import os
import random
import resource
import time
import types
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import numpy as np

from autoscaler.commands.run import Reporting
from autoscaler.daemon import Daemon, World
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import MetricUnavailableError
from autoscaler.missing_history import HISTORY
from autoscaler.ports import Mandate, PolicyDocument
from autoscaler.replay.demo_load import names_and_shapes, synthetic_load
from autoscaler.replay.demo_world import DemoClock, DemoDeployment, DemoMetrics
from autoscaler.replay.ticks import TICK_SECONDS
from support.faulty_world import FaultyCluster, FaultyMetrics, Mishap, Mishaps, SkewedClock

T = TypeVar("T")
TICK = timedelta(seconds=TICK_SECONDS)
BEGIN = datetime(2026, 11, 20, 5, 0, tzinfo=UTC)
CAPACITY = 120.0
MIN_REPLICAS, MAX_REPLICAS = 2, 200
# autoscaling/v2's default stabilization window of scale in, which a hand-over must respect.
WINDOW = timedelta(minutes=5)
# What is remembered longest of a workload that ended is its last log line: two sweeps of 2 h.
FORGOTTEN_AFTER = timedelta(hours=4, minutes=30)
# Policies that come and go, at most so many at once.
MOST_TEMPORARY = 2
# How long a Deployment outlives its policy here: long enough to see that nobody scales it.
LINGERS = timedelta(minutes=20)
_PER_LEARN = 4
POLICY = f"""\
scaleTargetRef: {{name: %s}}
mode: ForecastAndScale
minReplicas: {MIN_REPLICAS}
maxReplicas: {MAX_REPLICAS}
metrics:
  - type: RequestRate
    requestRate: {{source: linkerd, target: {{averageValue: "{CAPACITY:g}"}}}}
"""
# These concern everything there is, not one workload.
_OF_ALL = frozenset(
    {
        *(Mishap.NO_PROMETHEUS, Mishap.NO_HISTORY, Mishap.WATCH_BROKEN),
        *(Mishap.CLOCK_AHEAD, Mishap.CLOCK_BEHIND),
    }
)


@dataclass(frozen=True, slots=True)
class Day:
    """How one day went, and what the process held at its end."""

    number: float
    cycles: int
    raised: int
    lowered: int
    mishaps: int
    restarts: int
    temporary: int
    policies: int
    cpu_seconds: float
    resident_mib: float


@dataclass(slots=True)
class _Counts:
    raised: int = 0
    lowered: int = 0
    restarts: int = 0
    temporary: int = 0
    remembered: int = 0
    by_mishap: Counter[Mishap] = field(default_factory=Counter)


class Replica:
    """One daemon with everything `run` hangs on it, but for the threads and the sockets."""

    def __init__(self, world: World, endurance: "Endurance") -> None:
        self.reporting = Reporting(TICK)
        self.daemon = Daemon(
            replace(world, clock_moved_by=endurance.clock.watched()),
            interval=TICK,
            record=self.reporting.record,
            cycle_ended=self.reporting.cycle_ended,
            mandate=Mandate(held_back=lambda: "" if endurance.leader is self else "standby"),
        )

    def live(self, *, learn: bool) -> None:
        """Do what the jobs of `serve` do in one interval."""
        with suppress(MetricUnavailableError):  # asked again at the next interval
            self.daemon.read_history()
        self.daemon.cycle()
        if learn:
            self.daemon.learn()


class Endurance:
    """The world, both replicas, and what is wrong with it all."""

    def __init__(
        self,
        *,
        days: float,
        seed: int = 0,
        mishaps_per_day: float = 60.0,
        past: timedelta = HISTORY,
        memory: Path | None = None,
    ) -> None:
        """Set everything up; `memory` is the restarted replica's `--memory-file`, None without."""
        self._memory = memory
        self._chance = random.Random(seed)
        self._per_cycle = mishaps_per_day * TICK.total_seconds() / 86_400
        self._cycles = int(timedelta(days=days) / TICK)
        self.mishaps, self.counts = Mishaps(), _Counts()
        self.clock = SkewedClock(DemoClock(BEGIN))
        loads = _loads(days=days, seed=seed)
        self.permanent = tuple(loads)
        start = BEGIN - HISTORY
        inner = DemoMetrics(loads, start=start)
        world_clock = self.clock.world
        self.metrics = FaultyMetrics(
            inner, world_clock, self.mishaps, stand_in=self.permanent[0], past=past
        )
        self.metrics.known.update(loads)
        self.cluster = FaultyCluster({}, {}, world_clock, self.mishaps)
        self.wrong: list[str] = []
        self.ended: dict[TargetRef, datetime] = {}
        self._lingering: dict[TargetRef, datetime] = {}
        for target in self.permanent:
            self._appear(target)
        self._world = World(self.metrics, self.cluster, self.clock)
        self.survivor = Replica(self._world, self)
        self.other = Replica(self._world, self)
        self.leader = self.survivor
        self._led_since = BEGIN
        self._mishaps_to_come = _shuffled(tuple(Mishap), self._chance)
        changes = (self._restart, self.hand_over, self._come, self._go)
        self._changes_to_come = _shuffled(changes, self._chance)
        self._come()

    def days(self) -> Iterator[Day]:
        """Live on, and tell after every day (or at the end) how it went."""
        per_day = int(timedelta(days=1) / TICK)
        for first in range(0, self._cycles, per_day):
            n = min(per_day, self._cycles - first)
            began, counts = time.process_time(), self._copied()
            for cycle in range(first, first + n):
                self._step(cycle)
            yield self._day((first + n) / per_day, n, counts, time.process_time() - began)

    def recover(self, minutes: int = 45) -> None:
        """Let everything be well for a while."""
        self.mishaps.in_force.clear()
        self._expire()
        for cycle in range(minutes * 60 // TICK_SECONDS):
            self._cycle(cycle)

    def short(self) -> list[str]:
        """Return the workloads that have less than their measured load needs."""
        needed = {
            target: math.ceil((sample.value or 0.0) / CAPACITY)
            for target, sample in self.metrics.given.items()
        }
        has = {t: len(d.pods) for t, d in self.cluster.deployments.items()}
        return [f"{t}: {has[t]} of {n}" for t, n in needed.items() if has.get(t, 0) < n]

    def left_behind(self) -> list[str]:
        """Return the ended policies that the surviving replica still remembers."""
        texts = reachable_texts(self.survivor)
        return [name for name in self.forgettable() if any(name in text for text in texts)]

    def forgettable(self) -> list[str]:
        """Return the policies that ended so long ago that nothing of them may be left."""
        now = self.clock.world.now()
        return sorted(t.name for t, at in self.ended.items() if now - at > FORGOTTEN_AFTER)

    def _step(self, cycle: int) -> None:
        self._expire()
        if self._chance.random() < self._per_cycle:
            self._begin(next(self._mishaps_to_come))
        if self._chance.random() < self._per_cycle / 4:
            next(self._changes_to_come)()
        self._cycle(cycle)

    def _cycle(self, cycle: int) -> None:
        learn = cycle % _PER_LEARN == 0
        for replica in (self.survivor, self.other):
            before = {t: len(d.pods) for t, d in self.cluster.deployments.items()}
            replica.live(learn=learn)
            self.look(before, leads=replica is self.leader)
        self.clock.world.advance(TICK)

    def look(self, before: dict[TargetRef, int], *, leads: bool) -> None:
        """Hold the invariant against what this replica just did."""
        for target, deployment in self.cluster.deployments.items():
            was, is_now = before[target], len(deployment.pods)
            if was == is_now:
                continue
            self.counts.raised += is_now > was
            self.counts.lowered += is_now < was
            for complaint in self._complaints(target, was, is_now, leads=leads):
                at = self.clock.world.now()
                self.wrong.append(f"{at:%d %H:%M:%S} {target} {was} -> {is_now}: {complaint}")

    def _complaints(
        self, target: TargetRef, was: int, is_now: int, *, leads: bool
    ) -> Iterator[str]:
        if not leads:
            yield "a standby wrote"
        if target not in self.cluster.documents and not self.mishaps.has(Mishap.WATCH_BROKEN):
            yield "no policy governs it"
        if not min(was, MIN_REPLICAS) <= is_now <= MAX_REPLICAS:
            yield "out of bounds"
        if is_now > was:
            return
        sample = self.metrics.given[target]
        if not sample.trusted:
            yield f"lowered on doubt: {sample.doubt}"
        elif is_now < math.ceil((sample.value or 0.0) / CAPACITY):
            yield f"lowered below the {sample.value} that is measured"
        if self.mishaps.has(Mishap.ROLLOUT, target):
            yield "lowered during a rollout"
        if self.clock.world.now() - self._led_since < WINDOW - TICK:
            yield "lowered by a hand-over"

    def _begin(self, mishap: Mishap) -> None:
        """Let something go wrong, from a quarter of a minute to half an hour."""
        self.counts.by_mishap[mishap] += 1
        target = None
        if mishap not in _OF_ALL:
            target = self._chance.choice(tuple(self.cluster.documents))
        lasts = timedelta(seconds=15 * 120 ** self._chance.random())
        if mishap is Mishap.BY_HAND and target is not None:
            deployment = self.cluster.deployments[target]
            replicas = max(1, len(deployment.pods) + self._chance.randint(-2, 4))
            deployment.scale_to(replicas, now=self.clock.world.now())
            return
        if mishap is Mishap.ROLLOUT and target is not None:
            self.cluster.deployments[target].version += 1
        if mishap in (Mishap.CLOCK_AHEAD, Mishap.CLOCK_BEHIND):
            by = timedelta(seconds=5 * 2000 ** self._chance.random())
            self.clock.skew = by if mishap is Mishap.CLOCK_AHEAD else -by
        self.mishaps.in_force[mishap, target] = self.clock.world.now() + lasts

    def _expire(self) -> None:
        now = self.clock.world.now()
        for target in [t for t, d in self._lingering.items() if now - d > LINGERS]:
            del self._lingering[target], self.cluster.deployments[target]
        for key in [key for key, until in self.mishaps.in_force.items() if until <= now]:
            del self.mishaps.in_force[key]
        if not {Mishap.CLOCK_AHEAD, Mishap.CLOCK_BEHIND} & {m for m, _ in self.mishaps.in_force}:
            self.clock.skew = timedelta(0)

    def _restart(self) -> None:
        """Replace one replica by a fresh process: it knows nothing but what it can read.

        Every other one was told to stop, and leaves its memory; the rest were killed.
        """
        self.counts.restarts += 1
        if self._memory is not None and self.counts.restarts % 2:
            self.other.daemon.save_memory(self._memory)
            at = self.clock.world.now().timestamp()
            os.utime(self._memory, (at, at))
        if self.leader is self.other:
            self.hand_over()
        self.other = Replica(self._world, self)
        if self._memory is not None:
            self.other.daemon.remember(self._memory)
            self.other.daemon.refresh_policies()
            self.counts.remembered += not self.other.daemon.n_without_history

    def hand_over(self) -> None:
        """Let the other replica lead."""
        self.leader = self.other if self.leader is self.survivor else self.survivor
        self._led_since = self.clock.world.now()

    def _come(self) -> None:
        """Let a workload with a policy appear; as many end, so that memory can be compared."""
        if len(self.cluster.documents) >= len(self.permanent) + MOST_TEMPORARY:
            self._go()
        self.counts.temporary += 1
        self._appear(TargetRef("shop", f"temporary-{self.counts.temporary:04d}"))

    def _go(self) -> None:
        """Let the policy of one that came end; its Deployment stays for a while, ungoverned."""
        passing = [t for t in self.cluster.documents if t not in self.permanent]
        if passing:
            target = self._chance.choice(passing)
            del self.cluster.documents[target]
            self._lingering[target] = self.clock.world.now()
            self.metrics.forget(target)
            for key in [k for k in self.mishaps.in_force if k[1] == target]:
                del self.mishaps.in_force[key]
            self.ended[target] = self.clock.world.now()

    def _appear(self, target: TargetRef) -> None:
        [sample] = self.metrics.measured([target])
        replicas = int((sample.value or 0.0) / CAPACITY + 2)
        pods = [BEGIN - HISTORY] * replicas
        self.cluster.deployments[target] = DemoDeployment(timedelta(seconds=90), pods=pods)
        source = f"ConfigMap shop/autoscaling key {target.name}.yaml"
        self.cluster.documents[target] = PolicyDocument(source, POLICY % target.name, "shop")

    def _copied(self) -> _Counts:
        counts = self.counts
        return _Counts(
            counts.raised,
            counts.lowered,
            counts.restarts,
            counts.temporary,
            counts.remembered,
            +counts.by_mishap,
        )

    def _day(self, number: float, cycles: int, before: _Counts, cpu: float) -> Day:
        gc.collect()
        counts = self.counts
        return Day(
            number,
            cycles,
            counts.raised - before.raised,
            counts.lowered - before.lowered,
            counts.by_mishap.total() - before.by_mishap.total(),
            counts.restarts - before.restarts,
            counts.temporary - before.temporary,
            len(self.cluster.documents),
            cpu,
            resident_mib(),
        )


def _shuffled(things: Sequence[T], chance: random.Random) -> Iterator[T]:
    """Yield all things for ever, in rounds that are shuffled: each comes as often as the others."""
    while True:
        yield from chance.sample(things, len(things))


def _loads(*, days: float, seed: int) -> dict[TargetRef, np.ndarray]:
    """Return three loads from a fortnight before `BEGIN` on, with an hour to spare."""
    end = BEGIN + timedelta(days=days, hours=3)
    return {
        TargetRef("shop", name): synthetic_load(
            shape,
            start_seconds=(BEGIN - HISTORY).timestamp(),
            live_seconds=BEGIN.timestamp(),
            end_seconds=end.timestamp(),
            seed=seed + number,
        )
        for number, (name, shape) in enumerate(names_and_shapes())
    }


def resident_mib() -> float:
    """Return the memory of this process that is in RAM."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


# What every object hangs together with, and what is nobody's memory.
_NOT_FOLLOWED = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType)
_NOT_FOLLOWED_NAMES = (logging.Logger, Endurance)


def reachable_texts(root: object) -> set[str]:
    """Return every text that an object holds, however deep."""
    seen: set[int] = set()
    texts: set[str] = set()
    waiting = [root]
    while waiting:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, (*_NOT_FOLLOWED, *_NOT_FOLLOWED_NAMES)):
            continue
        seen.add(id(one))
        if isinstance(one, str):
            texts.add(one)
        waiting += gc.get_referents(one)
        if isinstance(one, dict):
            waiting += one  # the collector passes over keys that are texts
    return texts
