"""Whose pods serve all they can: the load that is measured there is a lower bound of demand.

The forecasts take in a cycle's loads before its capacities are known, so what counts is whether the
pods were saturated in the cycle before.
"""

from collections.abc import Sequence

from autoscaler.decide.facts import Signal, TargetRef, WorkloadFacts
from autoscaler.decide.sizing import serves_all_it_can
from autoscaler.roster import Governed, Roster


class Saturation:
    """Which signals of each workload were saturated in the last cycle."""

    def __init__(self) -> None:
        self._places: dict[TargetRef, tuple[int, ...]] = {}

    def note(self, governed: Governed, signals: Sequence[Signal], workload: WorkloadFacts) -> None:
        """Look at one workload's signals."""
        places = tuple(i for i, signal in enumerate(signals) if _capped(signal, workload))
        if places:
            self._places[governed.target] = places
        else:
            self._places.pop(governed.target, None)

    def series(self, roster: Roster) -> list[int]:
        """Return the places among the roster's series whose load is capped."""
        if not self._places:
            return []
        return [
            governed.series_slice.start + place
            for governed in roster.governed
            for place in self._places.get(governed.target, ())
            if place < len(governed.policy.metrics)
        ]

    def retain(self, targets: set[TargetRef]) -> None:
        """Forget every workload that is not among `targets`."""
        for target in self._places.keys() - targets:
            del self._places[target]


def _capped(signal: Signal, workload: WorkloadFacts) -> bool:
    load, capacity, ready = signal.sample.value, signal.capacity, workload.ready_replicas
    if load is None or capacity is None or ready == 0:
        return False
    return serves_all_it_can(load, capacity, ready_replicas=ready)
