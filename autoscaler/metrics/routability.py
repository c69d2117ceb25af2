"""How long have ready pods not passed in Consul: what is remembered from one answer to the next.

Pods are told apart by name where Consul knows it (consul-k8s writes it into the service's meta);
elsewhere ready pods and passing instances are only counted.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from autoscaler.decide.facts import UNROUTABLE_AFTER, Routability, WorkloadFacts
from autoscaler.decide.lead_time import upper_share
from autoscaler.metrics.consul import Instance

# What consul-k8s writes into the meta of the instances it registers.
_POD_META, _NAMESPACE_META = "pod-name", "k8s-namespace"
# Of the service as a whole, where Consul does not know pods by name.
_ANY = ""
# The share of starts that the delay covers needs tens of them; older ones say less about today.
_REMEMBERED_STARTS = 50
# A pod that is unroutable for longer waits for an operator, not for a catalog.
LONGEST_DELAY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Memory:
    """What is remembered of one workload from one observation to the next."""

    ready: frozenset[str]
    n_ready: int
    passing: int
    since: Mapping[str, datetime] = field(default_factory=dict)
    """Since when each pod has been ready and not passing."""
    starting: frozenset[str] = frozenset()
    """Those of them that we saw become ready: how long they wait is what a start costs."""
    delays: tuple[timedelta, ...] = ()
    silent: bool = False


def remembered(
    before: Memory | None, workload: WorkloadFacts, instances: Sequence[Instance], *, now: datetime
) -> Memory:
    """Return the memory after one more answer of Consul."""
    named = _passing_names(instances, namespace=workload.target.namespace)
    ready = frozenset(pod.name for pod in workload.pods or () if pod.serves)
    n_ready = len(ready) if workload.pods is not None else workload.ready_replicas
    if named is None or workload.pods is None:
        waiting = frozenset({_ANY}) if len(instances) < n_ready else frozenset[str]()
        present, passing = frozenset({_ANY}), len(instances)
        fresh = present if before is not None and n_ready > before.n_ready else frozenset[str]()
    else:
        waiting, present, passing = ready - named, ready, len(ready & named)
        fresh = ready - before.ready if before is not None else frozenset[str]()
    if before is None:
        return Memory(ready, n_ready, passing, dict.fromkeys(waiting, now))
    started = (before.starting | fresh) & present
    # What passed while Consul was silent passed at an unknown moment: nothing is learned from it.
    learned = () if before.silent else tuple(sorted(started - waiting))
    delays = [max(now - before.since.get(name, now), timedelta(0)) for name in learned]
    return Memory(
        ready,
        n_ready,
        passing,
        {name: min(before.since.get(name, now), now) for name in waiting},
        started & waiting,
        (*before.delays, *delays)[-_REMEMBERED_STARTS:],
    )


def routability(memory: Memory, *, now: datetime) -> Routability:
    """Return what the memory says at `now`."""
    longest = max((now - since for since in memory.since.values()), default=timedelta(0))
    usual = upper_share(memory.delays) if memory.delays else timedelta(0)
    # A pod ordered now will wait as those do that wait already, unless that is a catalog's usual.
    delay = max(usual, longest if longest > UNROUTABLE_AFTER else timedelta(0))
    return Routability(memory.passing, longest, min(delay, LONGEST_DELAY), _waiting(memory))


def _waiting(memory: Memory) -> str:
    """Return which ready pods do not pass, in words."""
    if not memory.since:
        return ""
    first = min(memory.since)
    n_waiting = memory.n_ready - memory.passing
    return f"{n_waiting} of {memory.n_ready} ready pods do not pass{first and ', first '}{first}"


def _passing_names(instances: Iterable[Instance], *, namespace: str) -> frozenset[str] | None:
    """Return the names of the pods that pass, None where an instance carries none."""
    names = set()
    for instance in instances:
        name = instance.meta.get(_POD_META)
        if not name:
            return None
        if instance.meta.get(_NAMESPACE_META, namespace) == namespace:
            names.add(name)
    return frozenset(names)
