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
from autoscaler.decide.pipeline import Outcome, reconciled, remembered_for
from autoscaler.decide.reason import Reason
from autoscaler.decide.recovery import Memory, state_at_hand_over, state_at_start
from autoscaler.decide.state import WorkloadState
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from autoscaler.forecasting import Forecasts, horizon_of
from autoscaler.orders import Orders
from autoscaler.ports import Cluster, Metrics, Witness
from autoscaler.review.record import DecisionRecord, record_of_missing
from autoscaler.roster import Governed, Roster
from autoscaler.saturation import Saturation

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
    """The memory between cycles: each workload's state, and the forecasts.

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
        self._was_held_back = ""
        self._capacities = Capacities()
        self._saturation = Saturation()
        self._states: dict[TargetRef, WorkloadState] = {}
        self._recalled: dict[TargetRef, Memory] = {}
        self._others_led: set[TargetRef] = set()
        self._clock_moved_by: dict[TargetRef, timedelta] = {}
        """By how much the clock was set since the last turn of each workload, where it was."""

    def recall(
        self, memories: Mapping[TargetRef, Memory], *, clock_moved_by: timedelta = _ZERO
    ) -> None:
        """Take up what another process remembered: the next cycle begins its workloads with it.

        `clock_moved_by` is by how much the clock was set since that was written.
        """
        self._recalled = dict(memories)
        self._note_clock(clock_moved_by)
        self._capacities.recall({t: m.fit for t, m in memories.items() if m.fit is not None})

    def others_led(self, targets: Iterable[TargetRef]) -> None:
        """Note whom another replica may have rescaled since the last cycle, for the next one."""
        self._others_led |= set(targets)

    def memories(self, roster: Roster) -> dict[TargetRef, Memory]:
        """Return what is remembered, to be left to another process.

        Of a standby, or a dry run, only what was learned of capacities is of use: its states lack
        the rescales of whoever acts.
        """
        left: dict[TargetRef, Memory] = {}
        for governed in roster.governed:
            state = self._states.get(governed.target)
            if state is not None:
                if self._was_held_back:
                    state = WorkloadState(state.started_at, uid=state.uid)
                reach = remembered_for(governed.policy.behavior)
                fit = self._capacities.fit_of(governed.target)
                left[governed.target] = Memory(state, reach, fit)
        return left

    def reconcile(
        self, roster: Roster, *, now: datetime, clock_moved_by: timedelta = _ZERO
    ) -> CycleSummary:
        """Decide every policy of the roster once, at `now`.

        `clock_moved_by` is by how much the clock was set since the cycle before, where it is known.
        """
        self._note_clock(clock_moved_by)
        workloads = self._cluster.workloads(roster.targets)
        self._take_over(workloads, now=now)
        if self._witness is not None:
            workloads = self._witness.witnessed(workloads, now=now)
        samples = self._metrics.newest(roster.series, now=now, workloads=workloads)
        self._forecasts.observe(samples, now=now, capped=self._saturation.series(roster))
        horizon = horizon_of(roster, workloads, samples, interval=self._interval, now=now)
        forecasts = self._forecasts.predict(horizon, now=now)
        self._forget(set(roster.targets))
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
        self._recalled.clear()
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
        self._states[governed.target] = outcome.state_after(rescaled=rescaled)
        self._clock_moved_by.pop(governed.target, None)
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
        state = self._state(governed, workload, now=now)
        outcome = reconciled(
            signals,
            workload=workload,
            policy=governed.policy,
            state=state,
            now=now,
            clock_moved_by=self._clock_moved_by.get(governed.target, _ZERO),
        )
        try:
            done = self._orders.carry_out(governed, outcome, held_back=self._was_held_back)
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

    def _state(
        self, governed: Governed, workload: WorkloadFacts, *, now: datetime
    ) -> WorkloadState:
        """Return what is remembered of a workload; at first what another process left of it.

        One that was deleted and made anew under its name is another one: nothing that was ordered
        or recommended of the first is held against it.
        """
        target = governed.target
        state = self._states.get(target)
        if state is None or state.uid != workload.uid:
            self._orders.forget(target)
            memory = self._recalled.get(target)
            state = state_at_start(memory, workload=workload, policy=governed.policy, now=now)
        arrived = self._orders.arrived(target, workload)
        if arrived is not None:
            state = self._states[target] = arrived.carried_out(state)
        return state

    def _note_clock(self, moved_by: timedelta) -> None:
        """Note by how much the clock was set, for each workload until its next turn."""
        if moved_by:
            for target in self._states.keys() | self._recalled.keys():
                before = self._clock_moved_by.get(target, _ZERO)
                self._clock_moved_by[target] = before + moved_by

    def _take_over(self, workloads: Mapping[TargetRef, WorkloadFacts], *, now: datetime) -> None:
        """Ask, once per cycle, whether we may write, and begin anew where another replica did.

        The other replica's rescales are not in our memory, so nothing is lowered for a window, as
        after our own start.
        Nor are they taken for somebody overwriting what we ordered: our last order is forgotten,
        and with it a write that nobody answered.
        """
        held_back = self._held_back()
        begins = bool(self._was_held_back) and not held_back
        ends = bool(held_back) and not self._was_held_back
        for target, state in self._states.items():
            if begins or target in self._others_led:
                self._states[target] = state_at_hand_over(
                    state, workload=workloads.get(target), now=now
                )
            elif ends:
                self._states[target] = replace(state, order=None)
            else:
                continue
            self._orders.forget(target)
        self._others_led.clear()
        self._was_held_back = held_back

    def _forget(self, present: set[TargetRef]) -> None:
        """Drop the state of workloads that no policy governs any more."""
        for target in self._states.keys() - present:
            del self._states[target]
            self._clock_moved_by.pop(target, None)
            self._orders.forget(target)
        self._capacities.retain(present)
        self._saturation.retain(present)
