"""Which pods ended within the window of a rate: what they served is still in it.

Over five minutes a pod that took over from another a minute ago shows a fifth of its load, and only
both together show it whole.
The API server forgets a pod that was deleted, so names are remembered here from cycle to cycle.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from autoscaler.decide.facts import PodFacts, TargetRef, WorkloadFacts


class EndedPods:
    """The names of pods that were a workload's and are gone, for as long as a window is."""

    def __init__(self, *, window: timedelta) -> None:
        self._window = window
        self._pods: dict[TargetRef, tuple[PodFacts, ...]] = {}
        self._ended: dict[TargetRef, dict[str, datetime]] = {}

    def note(self, workloads: Mapping[TargetRef, WorkloadFacts], *, now: datetime) -> None:
        """Remember whose pods are gone since the last cycle, and forget those gone for long."""
        watched = {target: f.pods for target, f in workloads.items() if f.pods is not None}
        for target, pods in watched.items():
            before = self._pods.get(target, pods)
            if before is not pods:
                here = {pod.name for pod in pods}
                known = self._ended.get(target, {}) | {pod.name: now for pod in before}
                self._ended[target] = {name: at for name, at in known.items() if name not in here}
        self._pods = watched
        self._ended = {
            target: young
            for target, names in self._ended.items()
            if target in watched and (young := self._young(names, now=now))
        }

    def _young(self, names: Mapping[str, datetime], *, now: datetime) -> dict[str, datetime]:
        return {name: at for name, at in names.items() if abs(now - at) < self._window}

    def of(self, target: TargetRef) -> Collection[str]:
        """Return the pods that a workload had until a moment ago."""
        return self._ended.get(target, ())
