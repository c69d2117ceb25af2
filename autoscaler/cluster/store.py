"""What do the watches know: objects by identity and by owner, and the facts prepared from them.

Facts are built when somebody asks and kept until one of the objects behind them changes, so a
reconcile over ten thousand quiet workloads is ten thousand dictionary look-ups.
Watches write from their own threads, the reconcile reads from its: one lock, held for
microseconds.
Events of different kinds arrive in any order, so pods, ReplicaSets and workloads are put together
when facts are built, not when they arrive.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from autoscaler.cluster.objects import (
    HPA,
    Owner,
    Pod,
    PolicySource,
    ReplicaSet,
    Rival,
    Seen,
    Workload,
)
from autoscaler.cluster.rivals import Claim, Rivals, claim_of
from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.ports import PolicyDocument

# P90 needs tens of pods, not thousands; the newest say most about image and nodes of today.
REMEMBERED_LEAD_TIMES = 50


class _Start(NamedTuple):
    """A pod that is gone, and how its start went."""

    template_hash: str
    ready_at: datetime
    lead_time: timedelta


class Store:
    """Everything watched, thread-safe."""

    def __init__(self, *, clock: Callable[[], datetime] = lambda: datetime.now(tz=UTC)) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._facts: dict[TargetRef, WorkloadFacts] = {}
        self._documents: tuple[PolicyDocument, ...] | None = None
        self._sources: dict[tuple[str, str], PolicySource] = {}
        self._workloads: dict[TargetRef, Workload] = {}
        self._targets: dict[Owner, TargetRef] = {}
        self._claimable: dict[Claim, TargetRef] = {}
        self._replica_sets: dict[str, ReplicaSet] = {}
        self._replica_sets_of: dict[Owner, set[str]] = {}
        self._pods_of: dict[Owner, dict[str, Pod]] = {}
        """By owner, then by name: of pods of one name the newest is there."""
        self._siblings_of: dict[str, dict[str, Pod]] = {}
        """The same by the uid of each pod."""
        self._starts_of: dict[Owner, deque[_Start]] = {}
        self._rivals = Rivals()

    # Written by the watches.

    def put(self, seen: Seen) -> None:
        """Take in an object as it is now."""
        with self._lock:
            match seen:
                case PolicySource():
                    self._sources[seen.namespace, seen.name] = seen
                    self._documents = None
                case Workload():
                    self._put_workload(seen)
                case ReplicaSet():
                    self._put_replica_set(seen)
                case Pod():
                    self._put_pod(seen)
                case Rival():
                    self._claimed(self._rivals.put(seen))

    def remove(self, seen: Seen) -> None:
        """Forget an object that is gone."""
        with self._lock:
            match seen:
                case PolicySource():
                    self._sources.pop((seen.namespace, seen.name), None)
                    self._documents = None
                case Workload():
                    self._remove_workload(seen)
                case ReplicaSet():
                    self._remove_replica_set(seen)
                case Pod():
                    self._remove_pod(seen)
                case Rival():
                    self._claimed(self._rivals.remove(seen))

    def release(self, uid: str) -> None:
        """Forget a pod or ReplicaSet that nobody controls any more: somebody changed its labels."""
        with self._lock:
            for pod in [pod for pod in self._siblings_of.get(uid, {}).values() if pod.uid == uid]:
                self._remove_pod(pod)
            if uid in self._replica_sets:
                self._remove_replica_set(self._replica_sets[uid])

    def _put_workload(self, seen: Workload) -> None:
        before = self._workloads.get(seen.target)
        if before is not None and before.uid != seen.uid:
            # It was created again while nobody watched; a list tells of no deletion then.
            self._remove_workload(before)
        self._workloads[seen.target] = seen
        self._targets[seen.as_owner] = seen.target
        self._claimable[claim_of(seen.target)] = seen.target
        self._facts.pop(seen.target, None)

    def _put_replica_set(self, seen: ReplicaSet) -> None:
        # Whose it was may be another: one that a Deployment left behind is adopted by the next.
        self._remove_replica_set(seen)
        target = self._targets.get(seen.owner)
        if seen.active or (target and self._workloads[target].has_current(seen)):  # it may sleep
            self._replica_sets[seen.uid] = seen
            self._replica_sets_of.setdefault(seen.owner, set()).add(seen.uid)
            self._changed(seen.owner)

    def _put_pod(self, pod: Pod) -> None:
        if self._siblings_of.get(pod.uid) is not self._pods_of.get(pod.owner):
            self.release(pod.uid)  # another owner adopted it: it is no longer the first one's
        before = self._pods_of.get(pod.owner, {}).get(pod.name)
        if before is not None and before.uid != pod.uid:
            # A StatefulSet's pod came again while nobody watched; a list tells of no deletion then.
            self._remove_pod(before)
            before = None
        if before is not None:
            pod = replace(pod, found=before.found, first_ready_at=before.first_ready_at)
        if pod.first_ready_at is None:
            pod = replace(pod, first_ready_at=pod.served_first_at)
        siblings = self._pods_of.setdefault(pod.owner, {})
        siblings[pod.name] = pod
        self._siblings_of[pod.uid] = siblings
        self._changed(pod.owner)

    def _remove_pod(self, pod: Pod) -> None:
        siblings = self._pods_of.get(pod.owner, {})
        last = siblings.get(pod.name)
        if last is None or last.uid != pod.uid:
            return  # deleted and created again: the newer one is already here
        del siblings[pod.name]
        self._siblings_of.pop(pod.uid, None)
        if not siblings:
            self._pods_of.pop(pod.owner, None)
        workload = self._workload_of(pod.owner)
        if last.lead_time is not None and last.first_ready_at and workload in self._targets:
            starts = self._starts_of.setdefault(workload, deque(maxlen=REMEMBERED_LEAD_TIMES))
            starts.append(_Start(last.facts.template_hash, last.first_ready_at, last.lead_time))
        self._changed(pod.owner)

    def _remove_replica_set(self, seen: ReplicaSet) -> None:
        last = self._replica_sets.pop(seen.uid, None)
        if last is None:
            return
        siblings = self._replica_sets_of[last.owner]
        siblings.discard(seen.uid)
        if not siblings:
            del self._replica_sets_of[last.owner]
        self._changed(last.owner)

    def _remove_workload(self, seen: Workload) -> None:
        gone = self._workloads.get(seen.target)
        if gone is None or gone.uid != seen.uid:
            return  # deleted and created again: the newer one is already here
        del self._workloads[seen.target]
        self._targets.pop(seen.as_owner, None)
        self._claimable.pop(claim_of(seen.target), None)
        self._starts_of.pop(seen.as_owner, None)
        for uid in self._replica_sets_of.pop(seen.as_owner, ()):
            self._replica_sets.pop(uid, None)
        self._facts.pop(seen.target, None)

    def _workload_of(self, owner: Owner) -> Owner:
        """Return whose a pod is in the end: its ReplicaSet's owner, or its owner itself."""
        between = self._replica_sets.get(owner.uid)
        return between.owner if between and between.namespace == owner.namespace else owner

    def _changed(self, owner: Owner) -> None:
        target = self._targets.get(self._workload_of(owner))
        if target is not None:
            self._facts.pop(target, None)

    def _claimed(self, claims: set[Claim]) -> None:
        for claim in claims:
            target = self._claimable.get(claim)
            if target is not None:
                self._facts.pop(target, None)

    # Read by the reconcile.

    def documents(self) -> tuple[PolicyDocument, ...]:
        """Return every policy document, in a stable order; the same tuple while none changed."""
        with self._lock:
            if self._documents is None:
                sources = sorted(self._sources.items())
                self._documents = tuple(d for _, source in sources for d in source.documents())
            return self._documents

    def workloads(self, targets: Sequence[TargetRef]) -> Mapping[TargetRef, WorkloadFacts]:
        """Return the facts of the targets that exist."""
        with self._lock:
            found: dict[TargetRef, WorkloadFacts] = {}
            for target in targets:
                facts = self._facts.get(target)
                if facts is None:
                    seen = self._workloads.get(target)
                    if seen is None:
                        continue
                    facts = self._facts[target] = self._facts_of(seen)
                found[target] = facts
            return found

    def facts_of(self, workload: Workload) -> WorkloadFacts:
        """Return facts around a workload that was read past the watch."""
        with self._lock:
            return self._facts_of(workload)

    def uid(self, target: TargetRef) -> str:
        """Return the uid of a workload, or of a ConfigMap of policies; empty when not watched."""
        with self._lock:
            of_policies = target.kind == "ConfigMap"
            name = (target.namespace, target.name)
            seen = self._sources.get(name) if of_policies else self._workloads.get(target)
            return seen.uid if seen else ""

    def hpa(self, target: TargetRef) -> Rival | None:
        """Return the HPA that claims the target."""
        with self._lock:
            return next((r for r in self._rivals.of(target) if r.kind == HPA), None)

    def _facts_of(self, seen: Workload) -> WorkloadFacts:
        pods = self._pods(seen)
        template_hash = self._template_hash(seen)
        hpa = self.hpa(seen.target)
        return WorkloadFacts(
            target=seen.target,
            spec_replicas=seen.spec_replicas,
            status_replicas=seen.status_replicas,
            ready_replicas=seen.ready_replicas,
            resource_version=seen.resource_version,
            seen_at=self._clock(),
            rollout_in_progress=seen.rollout_in_progress,
            template_hash=template_hash,
            annotations=seen.annotations,
            pods=tuple(pod.facts for pod in pods),
            requests=seen.requests,
            limits=seen.limits,
            generation=seen.generation,
            lead_times=self._lead_times(seen.as_owner, pods, template_hash),
            replicas_manager=seen.replicas_manager,
            rival=next(map(str, self._rivals.of(seen.target)), None),
            hpa_max_replicas=None if hpa is None else hpa.max_replicas,
            uid=seen.uid,
        )

    def _pods(self, seen: Workload) -> list[Pod]:
        """Return the pods the workload owns, directly or through its ReplicaSets, oldest first."""
        uids = (seen.uid, *self._replica_sets_of.get(seen.as_owner, ()))
        owners = (Owner(seen.namespace, uid) for uid in uids)
        pods = [pod for owner in owners for pod in self._pods_of.get(owner, {}).values()]
        return sorted(pods, key=lambda pod: (pod.facts.created_at, pod.name))

    def _template_hash(self, seen: Workload) -> str:
        """Return the current template's hash: the workload's own word, else by revision."""
        if seen.template_hash:
            return seen.template_hash
        known = map(self._replica_sets.__getitem__, self._replica_sets_of.get(seen.as_owner, ()))
        return next((each.template_hash for each in known if seen.has_current(each)), "")

    def _lead_times(
        self, workload: Owner, pods: Sequence[Pod], template_hash: str
    ) -> tuple[timedelta, ...]:
        """Return how long recent pods of the current template took to serve, newest last."""
        starts = [
            (pod.first_ready_at, pod.lead_time)
            for pod in pods
            if pod.facts.template_hash == template_hash
            and pod.first_ready_at is not None
            and pod.lead_time is not None
        ]
        starts += [
            (start.ready_at, start.lead_time)
            for start in self._starts_of.get(workload, ())
            if start.template_hash == template_hash
        ]
        return tuple(lead for _, lead in sorted(starts)[-REMEMBERED_LEAD_TIMES:])
