"""What is remembered of each workload from one cycle to the next, and by another process.

Decisions change a state; so do a hand-over between replicas, a clock that was set, a write that
turns out to have arrived, and a workload that was deleted and made anew.
A policy that is gone may be back soon, for some tools replace a ConfigMap by deleting it first:
what is known of its workload is kept for a while, as it is over a restart.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from autoscaler.capacities import Capacities
from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.decide.pipeline import remembered_for
from autoscaler.decide.rate_limits import LONGEST_PERIOD
from autoscaler.decide.recovery import Memory, state_at_hand_over, state_at_start
from autoscaler.decide.state import WorkloadState
from autoscaler.orders import Orders
from autoscaler.roster import Governed

_ZERO = timedelta(0)
# After this nothing that was remembered limits any more.
_KEPT_FOR = LONGEST_PERIOD


class States:
    """The state of every workload that had a turn."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self._states: dict[TargetRef, WorkloadState] = {}
        self._recalled: dict[TargetRef, Memory] = {}
        self._others_led: set[TargetRef] = set()
        self._clock_moved_by: dict[TargetRef, timedelta] = {}
        self.held_back = ""
        """Why nothing may be written in this cycle (a dry run, a standby); empty when it may."""

    def recall(self, memories: Mapping[TargetRef, Memory]) -> None:
        """Take up what was remembered before: the next turns of these workloads begin with it."""
        self._recalled.update(memories)

    def memories(
        self, workloads: Iterable[Governed], capacities: Capacities
    ) -> dict[TargetRef, Memory]:
        """Return what is remembered of these, to be left to another process, or to another time.

        Of a standby, or a dry run, only what was learned of capacities is of use: its states lack
        the rescales of whoever acts.
        """
        left: dict[TargetRef, Memory] = {}
        for governed in workloads:
            state = self._states.get(governed.target)
            if state is not None:
                if self.held_back:
                    state = WorkloadState(state.started_at, uid=state.uid)
                reach = remembered_for(governed.policy.behavior)
                left[governed.target] = Memory(state, reach, capacities.fit_of(governed.target))
        return left

    def note_clock(self, moved_by: timedelta) -> None:
        """Note by how much the clock was set, for each workload until its next turn."""
        if moved_by:
            for target in self._states.keys() | self._recalled.keys():
                before = self._clock_moved_by.get(target, _ZERO)
                self._clock_moved_by[target] = before + moved_by

    def note_others_led(self, targets: Iterable[TargetRef]) -> None:
        """Note whom another replica may have rescaled since the last cycle, for the next one."""
        self._others_led |= set(targets)

    def take_over(
        self, workloads: Mapping[TargetRef, WorkloadFacts], *, held_back: str, now: datetime
    ) -> None:
        """Begin anew where another replica wrote; `held_back` says whether we may in this cycle.

        The other replica's rescales are not in our memory, so nothing is lowered for a window, as
        after our own start.
        Nor are they taken for somebody overwriting what we ordered: our last order is forgotten,
        and with it a write that nobody answered.
        """
        begins = bool(self.held_back) and not held_back
        ends = bool(held_back) and not self.held_back
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
        self.held_back = held_back

    def of(self, governed: Governed, workload: WorkloadFacts, *, now: datetime) -> WorkloadState:
        """Return what is remembered of a workload; at first what was left of it before.

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

    def clock_moved_by(self, target: TargetRef) -> timedelta:
        """Return by how much the clock was set since the last turn of a workload."""
        return self._clock_moved_by.get(target, _ZERO)

    def keep(self, target: TargetRef, state: WorkloadState) -> None:
        """Remember a workload as it is after its turn."""
        self._states[target] = state
        self._clock_moved_by.pop(target, None)
        self._recalled.pop(target, None)

    @property
    def recalled(self) -> set[TargetRef]:
        """The workloads whose next turn begins with what was remembered before."""
        return set(self._recalled)

    def retain(self, present: set[TargetRef], *, now: datetime) -> None:
        """Drop the state of workloads that no policy governs, and what was kept for long enough."""
        for target in self._states.keys() - present:
            del self._states[target]
            self._orders.forget(target)
        for target, memory in list(self._recalled.items()):
            seen_at = memory.state.seen_at
            if seen_at is None or abs(now - seen_at) > _KEPT_FOR:
                del self._recalled[target]
        for target in self._clock_moved_by.keys() - self._states.keys() - self._recalled.keys():
            del self._clock_moved_by[target]
