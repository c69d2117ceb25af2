"""Is a pod that Kubernetes calls ready also reachable: Consul as a second witness.

Where callers find a workload through Consul, a pod serves only once Consul passes it on.
The witness never enters the replica count: Consul's catalog lags, and what an instance is depends
on how it was registered. It says how long "ready but not routable" lasted, which is an alert and a
part of the lead time.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.consul import ConsulWatch

# consul-k8s syncs every 30 s; twice that is no longer the delay of a healthy catalog.
UNROUTABLE_AFTER = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Routability:
    """Ready pods against passing instances of one workload; `since` they have differed."""

    ready: int
    passing: int | None
    since: datetime | None = None
    detail: str = ""

    def lag(self, now: datetime) -> timedelta:
        """Return for how long some ready pods have not been routable."""
        return timedelta(0) if self.since is None else now - self.since

    def alarming(self, now: datetime) -> bool:
        """Whether ready pods have been unroutable for longer than any catalog lags."""
        return self.lag(now) > UNROUTABLE_AFTER


@dataclass(slots=True)
class ReadinessWitness:
    """Compares what the API server and Consul say of the same workloads, cycle by cycle."""

    watches: Mapping[TargetRef, ConsulWatch]
    _seen: dict[TargetRef, Routability] = field(default_factory=dict)

    def observed(
        self, workloads: Mapping[TargetRef, WorkloadFacts], *, now: datetime
    ) -> dict[TargetRef, Routability]:
        """Return the routability of every workload that Consul is asked about."""
        self._seen = {
            target: self._compared(target, workloads[target], watch, now=now)
            for target, watch in self.watches.items()
            if target in workloads
        }
        return dict(self._seen)

    def _compared(
        self, target: TargetRef, workload: WorkloadFacts, watch: ConsulWatch, *, now: datetime
    ) -> Routability:
        before = self._seen.get(target)
        try:
            # Blocking queries answer at least once a minute; silence for three is an outage.
            passing = len(watch.instances(within=3 * UNROUTABLE_AFTER))
        except MetricUnavailableError as error:
            unknown = Routability(workload.ready_replicas, None, detail=str(error))
            return replace(unknown, since=before.since if before else None)
        found = Routability(workload.ready_replicas, passing)
        if passing >= workload.ready_replicas:
            return found
        since = before.since if before and before.since else now
        detail = f"{workload.ready_replicas - passing} ready pods are not passing in Consul"
        return replace(found, since=since, detail=detail)
