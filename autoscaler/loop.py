"""What happens every fifteen seconds: observe, forecast, recommend, decide, act, record.

One reconcile serves all policies as a batch: one read of the watch, a few queries, one forecast,
then one pure decision each; only what changes is written.
A reconcile never fits a model and never reads history.
Whatever fails keeps the replicas as they are: of all workloads while Prometheus does not answer, of
one workload when its own turn fails.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple

from autoscaler.capacities import Capacities
from autoscaler.decide.facts import ForecastFacts, Sample, Signal, TargetRef, WorkloadFacts
from autoscaler.decide.pipeline import Outcome, reconciled
from autoscaler.decide.reason import Reason
from autoscaler.decide.recovery import Memory
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from autoscaler.forecasting import Forecasts, horizon_of
from autoscaler.orders import Orders
from autoscaler.ports import Cluster, Metrics, Witness
from autoscaler.review.record import DecisionRecord, record_of_missing
from autoscaler.roster import Governed, Roster
from autoscaler.saturation import Saturation
from autoscaler.states import States

logger = logging.getLogger(__name__)

_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class CycleSummary:
    """How one reconcile went, for the daemon's own metrics."""

    at: datetime
    governed: int = 0
    rescaled: int = 0
    broken: int = 0
    """Policies whose turn ended in an error of ours."""


class _Attempt(NamedTuple):
    """One decision, on these facts, and what became of writing it."""

    workload: WorkloadFacts
    outcome: Outcome
    written: bool
    held_because: str
    overtaken: bool = False
    """Whether the write met a conflict (409): somebody else wrote since the facts were read."""


class Reconciler:
    """One reconcile after the other, and what lasts between them: states and forecasts.

    `held_back` says why nothing may be written at all (a dry run, a standby), empty when it may.
    """

    def __init__(  # noqa: PLR0913 - the ports, and where answers go
        self,
        *,
        metrics: Metrics,
        cluster: Cluster,
        forecasts: Forecasts,
        interval: timedelta,
        record: Callable[[DecisionRecord], None],
        held_back: Callable[[], str] = lambda: "",
        witness: Witness | None = None,
    ) -> None:
        self._witness = witness
        self._metrics = metrics
        self._cluster = cluster
        self._orders = Orders(cluster)
        self._forecasts = forecasts
        self._interval = interval
        self._record = record
        self._held_back = held_back
        self._states = States(self._orders)
        self._capacities = Capacities()
        self._saturation = Saturation()
        self._roster = Roster()

    def recall(
        self, memories: Mapping[TargetRef, Memory], *, clock_moved_by: timedelta = _ZERO
    ) -> None:
        """Take up what another process remembered: the next cycle begins its workloads with it.

        `clock_moved_by` is by how much the clock was set since that was written.
        """
        self._states.recall(memories)
        self._states.note_clock(clock_moved_by)
        self._capacities.recall({t: m.fit for t, m in memories.items() if m.fit is not None})

    def others_led(self, targets: Iterable[TargetRef]) -> None:
        """Note whom another replica may have rescaled since the last cycle, for the next one."""
        self._states.note_others_led(targets)

    def memories(self, roster: Roster) -> dict[TargetRef, Memory]:
        """Return what is remembered, to be left to another process."""
        return self._states.memories(roster.governed, self._capacities)

    def reconcile(
        self, roster: Roster, *, now: datetime, clock_moved_by: timedelta = _ZERO
    ) -> CycleSummary:
        """Decide every policy of the roster once, at `now`.

        `clock_moved_by` is by how much the clock was set since the cycle before, where it is known.
        """
        self._states.note_clock(clock_moved_by)
        workloads = self._cluster.workloads(roster.targets)
        self._states.take_over(workloads, held_back=self._held_back(), now=now)
        if self._witness is not None:
            workloads = self._witness.witnessed(workloads, now=now)
        samples = self._metrics.newest(roster.series, now=now, workloads=workloads)
        self._forecasts.observe(samples, now=now, capped=self._saturation.series(roster))
        horizon = horizon_of(roster, workloads, samples, interval=self._interval, now=now)
        forecasts = self._forecasts.predict(horizon, now=now)
        self._forget(roster, now=now)
        outcomes = [
            self._reconcile_one(
                governed,
                samples[governed.series_slice],
                forecasts[governed.series_slice],
                workload=workloads.get(governed.target),
                now=now,
            )
            for governed in roster.governed
        ]
        return CycleSummary(
            now,
            governed=len(outcomes),
            rescaled=sum(r is not None and r.rescaled for r in outcomes),
            broken=sum(r is None for r in outcomes),
        )

    def _reconcile_one(
        self,
        governed: Governed,
        samples: Sequence[Sample],
        forecasts: Sequence[ForecastFacts | None],
        *,
        workload: WorkloadFacts | None,
        now: datetime,
    ) -> DecisionRecord | None:
        """Decide and act for one policy; whatever is wrong with it stays its own problem."""
        try:
            if workload is None:
                record = record_of_missing(
                    governed.target, policy=governed.source, mode=governed.policy.mode, now=now
                )
            else:
                self._capacities.learn(governed, samples, workload, now=now)
                capacities = self._capacities.of(governed, workload)
                signals = governed.signals(samples, capacities, forecasts)
                self._saturation.note(governed, signals, workload)
                record = self._decide_and_act(governed, signals, workload=workload, now=now)
            self._record(record)
        except Exception:  # the one boundary: a broken policy never stops its neighbours
            logger.exception(
                "policy_failed",
                extra={"fields": {"policy": governed.source, "target": str(governed.target)}},
            )
            return None
        return record

    def _decide_and_act(
        self,
        governed: Governed,
        signals: tuple[Signal, ...],
        *,
        workload: WorkloadFacts,
        now: datetime,
    ) -> DecisionRecord:
        """Decide and write; after a conflict (409) decide once more, on facts read anew."""
        attempt = self._attempt(governed, signals, workload=workload, now=now)
        if attempt.overtaken:
            attempt = self._once_more(attempt, governed, signals, now=now)
        outcome = attempt.outcome
        rescaled = outcome.decision.rescale and attempt.written
        self._states.keep(governed.target, outcome.state_after(rescaled=rescaled))
        return DecisionRecord(
            at=now,
            policy=governed.source,
            target=governed.target,
            mode=governed.policy.mode,
            workload=attempt.workload,
            signals=signals,
            recommendation=outcome.recommendation,
            decision=outcome.decision,
            rescaled=rescaled,
            not_rescaled_because=attempt.held_because,
            spec=governed.policy,
            state=outcome.state_if_held,
        )

    def _attempt(
        self,
        governed: Governed,
        signals: tuple[Signal, ...],
        *,
        workload: WorkloadFacts,
        now: datetime,
    ) -> _Attempt:
        """Decide on these facts, and write that."""
        states = self._states
        outcome = reconciled(
            signals,
            workload=workload,
            policy=governed.policy,
            state=states.of(governed, workload, now=now),
            now=now,
            clock_moved_by=states.clock_moved_by(governed.target),
        )
        try:
            done = self._orders.carry_out(governed, outcome, held_back=states.held_back)
        except ScaleConflictError as conflict:
            contested = f"{Reason.REPLICAS_CONTESTED}: {conflict}"
            return _Attempt(workload, outcome, False, contested, overtaken=True)
        return _Attempt(workload, outcome, *done)

    def _once_more(
        self, lost: _Attempt, governed: Governed, signals: tuple[Signal, ...], *, now: datetime
    ) -> _Attempt:
        """Read the target anew, decide and write; a second conflict is left to the next cycle."""
        try:
            fresh = self._cluster.reread(governed.target)
        except ScaleRefusedError as error:
            return lost._replace(held_because=f"{Reason.REPLICAS_CONTESTED}: {error}")
        workload = replace(fresh, routability=lost.workload.routability)
        return self._attempt(governed, signals, workload=workload, now=now)

    def _forget(self, roster: Roster, *, now: datetime) -> None:
        """Drop what is known of workloads that no policy governs, but for what is kept a while."""
        present = set(roster.targets)
        if roster is not self._roster:
            left = (one for one in self._roster.governed if one.target not in present)
            self._states.recall(self._states.memories(left, self._capacities))
            self._roster = roster
        self._states.retain(present, now=now)
        self._capacities.retain(present | self._states.recalled)
        self._saturation.retain(present)
