"""Three hours of seven workloads whose every trouble is scripted, logged as the daemon logs.

The log is what `explain` may read; `World.ticks` is what really happened, for the tests alone.
"""

import io
import logging
from dataclasses import dataclass, replace
from datetime import timedelta

from autoscaler.decide.decision import Decision
from autoscaler.decide.facts import Doubt, Sample, TargetRef, Trust
from autoscaler.decide.pipeline import decide, reconciled
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import Cooldown
from autoscaler.review.attention import HOLDS
from autoscaler.review.log import DecisionLog, JsonFormatter
from autoscaler.review.record import DecisionRecord
from review.records import NOW, forecast, policy, signal, workload

TICK = timedelta(seconds=15)
BEGIN, HOURS = NOW - timedelta(hours=1), 3
END = BEGIN + timedelta(hours=HOURS) - TICK
DEMOTED = (NOW, NOW + timedelta(minutes=30))
OUTAGE = (NOW + timedelta(minutes=10), NOW + timedelta(minutes=25))
MOST_TICKETS = 12
# Longer than the stabilization window, so that the cooldown is what holds.
COOLS_LONG = {
    "cooldown": {"scaleDown": "10m"},
    "behavior": {"scaleDown": {"stabilizationWindowSeconds": 60}},
}


@dataclass(frozen=True)
class Tick:
    """What really was at one tick of one workload."""

    at: object
    name: str
    replicas: int
    after: int
    record: DecisionRecord
    free: Decision
    """The decision of the very same cycle under a policy without cooldowns."""

    @property
    def reasons(self):
        steps = {limit.reason for limit in self.record.decision.chain}
        return steps | {self.record.decision.reason, self.record.recommendation.reason}


def load_of(name, at):
    """Return requests/s: a rise from 8:30 on, a fall from 9:45 on, in steps of five minutes."""
    minutes = (at - NOW).total_seconds() // 300 * 5
    rise = min(max((minutes + 30) / 45, 0), 1) - min(max((minutes - 45) / 30, 0), 1)
    return 600.0 + 1400.0 * rise


def signal_of(name, at):
    load = load_of(name, at)
    trust = Trust.DEMOTED if name == "search" and DEMOTED[0] <= at < DEMOTED[1] else Trust.TRUSTED
    blind = name == "cart" and OUTAGE[0] <= at < OUTAGE[1]
    sample = Sample(
        None if blind else load, at - TICK * 2, 3, doubt=Doubt.ABSENT if blind else None
    )
    ahead = replace(forecast(load * 1.1, trust=trust), reactive_quantile=load * 1.2)
    return signal(sample=sample, forecast=None if blind else ahead)


class World:
    """The workloads, the log they left, and what really happened."""

    names = ("checkout", "search", "cart", "tickets", "fought", "locked", "watched")

    def __init__(self):
        self.stream = io.StringIO()
        self.ticks = []
        self._log = DecisionLog()
        with self._logging():
            for name in self.names:
                self._live(name)

    @property
    def lines(self):
        return self.stream.getvalue().splitlines()

    def of(self, name, start=BEGIN, end=END):
        return [t for t in self.ticks if t.name == name and start <= t.at <= end]

    def seconds(self, name, holds):
        """Return for how long something was so, to the end of the log."""
        return sum(15.0 for tick in self.of(name)[:-1] if holds(tick))

    def _logging(self):
        return _Handler(self.stream)

    def _live(self, name):
        spec = policy(
            name,
            mode="ForecastOnly" if name == "watched" else "ForecastAndScale",
            maxReplicas=MOST_TICKETS if name == "tickets" else 60,
            **(COOLS_LONG if name == "checkout" else {}),
        )
        state, replicas = WorkloadState(BEGIN - timedelta(days=1), recovered=True), 6
        version, at = 1, BEGIN
        while at <= END:
            facts = workload(
                replicas,
                target=TargetRef("shop", name),
                resource_version=str(version),
                replicas_manager="argocd-controller" if name == "fought" else None,
            )
            record, outcome = self._cycle(name, facts, spec, state, at)
            state = outcome.state_after(rescaled=record.rescaled)
            after = record.decision.desired_replicas if record.rescaled else replicas
            self.ticks.append(
                Tick(at, name, replicas, after, record, self._free(record, outcome, spec))
            )
            version += record.rescaled
            if name == "fought" and record.rescaled:
                after, version = 6, version + 1
            replicas, at = after, at + TICK

    def _cycle(self, name, facts, spec, state, at):
        signals = (signal_of(name, at),)
        outcome = reconciled(signals, workload=facts, policy=spec, state=state, now=at)
        refusal = {"locked": "403 Forbidden", "watched": "mode ForecastOnly"}.get(name, "")
        rescale = outcome.decision.rescale
        record = DecisionRecord(
            at=at,
            policy=f"shop/policies/{name}",
            target=facts.target,
            mode=spec.mode,
            workload=facts,
            signals=signals,
            recommendation=outcome.recommendation,
            decision=outcome.decision,
            rescaled=rescale and not refusal,
            not_rescaled_because=refusal if rescale else "",
            spec=spec,
            state=outcome.state_if_held,
        )
        self._log.write(record)
        return record, outcome

    def _free(self, record, outcome, spec):
        uncooled = spec.model_copy(update={"cooldown": Cooldown(scale_up="0s", scale_down="0s")})
        return decide(
            record.recommendation,
            workload=record.workload,
            policy=uncooled,
            state=outcome.state_if_held,
            now=record.at,
        )

    @staticmethod
    def held(tick):
        return bool(tick.reasons & HOLDS)


class _Handler(logging.StreamHandler):
    """Sends the decisions of a `with` block to a stream, at INFO, as JSON lines."""

    def __init__(self, stream):
        super().__init__(stream)
        self.setFormatter(JsonFormatter())

    def __enter__(self):
        logger = logging.getLogger("autoscaler.decisions")
        self._kept = logger.level, logger.propagate
        logger.addHandler(self)
        logger.setLevel(logging.INFO)
        logger.propagate = False

    def __exit__(self, *_):
        logger = logging.getLogger("autoscaler.decisions")
        logger.removeHandler(self)
        logger.level, logger.propagate = self._kept[0], self._kept[1]
        logger.setLevel(self._kept[0])
