"""What is kept of a Kubernetes object: the handful of fields that scaling rules read.

A cluster of ten thousand workloads has fifty thousand pods; whole, they would be gigabytes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from autoscaler.decide.facts import PodFacts, TargetRef
from autoscaler.ports import PolicyDocument

HPA = "HorizontalPodAutoscaler"

# A pod that was already Ready when we came may have been unready in between, and its transition
# time then says nothing about its start; longer than this is taken for such a pod.
LONGEST_FOUND_LEAD_TIME = timedelta(minutes=15)

Amounts = Mapping[tuple[str, str], float]
"""Cores or bytes by (container, resource)."""


class Owner(NamedTuple):
    """The controller of an object: its uid, which counts in the object's own namespace only.

    A user who may create pods may name any uid as their owner. The garbage collector, too, looks
    for an owner in the object's own namespace.
    """

    namespace: str
    uid: str


@dataclass(frozen=True, slots=True)
class PolicySource:
    """A ConfigMap that holds policies."""

    namespace: str
    name: str
    data: Mapping[str, str]
    created_at: datetime | None = None
    uid: str = ""

    def documents(self) -> Iterator[PolicyDocument]:
        """Yield the policy document of each key, in the order of the keys."""
        whole = f"ConfigMap {self.namespace}/{self.name}"
        for key, text in sorted(self.data.items()):
            source = f"{whole} key {key}"
            yield PolicyDocument(source, text, self.namespace, self.created_at, self.name)


@dataclass(frozen=True, slots=True)
class Workload:
    """A scale target: a Deployment, or anything else that has `scale` and a pod template."""

    namespace: str
    name: str
    target: TargetRef
    uid: str
    resource_version: str
    spec_replicas: int
    status_replicas: int
    ready_replicas: int
    rollout_in_progress: bool
    revision: str = ""
    template_hash: str = ""
    annotations: Mapping[str, str] = field(default_factory=dict)
    requests: Amounts = field(default_factory=dict)
    limits: Amounts = field(default_factory=dict)
    generation: int | None = None
    replicas_manager: str | None = None

    @property
    def as_owner(self) -> Owner:
        """What its ReplicaSets, or pods, name as their owner."""
        return Owner(self.namespace, self.uid)

    def has_current(self, replica_set: "ReplicaSet") -> bool:
        """Whether a ReplicaSet of it is of the current template, by its own word or by revision."""
        if self.template_hash:
            return self.template_hash == replica_set.template_hash
        return self.revision == replica_set.revision


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    """One pod template of a Deployment."""

    namespace: str
    name: str
    uid: str
    owner_uid: str
    revision: str
    template_hash: str
    active: bool = True
    """False when it has no pods and wants none: an earlier template, or a Deployment at zero."""

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return Owner(self.namespace, self.owner_uid)


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod, whose it is, and how long it took to serve for the first time."""

    namespace: str
    name: str
    uid: str
    owner_uid: str
    facts: PodFacts
    ready_since: datetime | None = None
    restarts: int = 0
    found: bool = False
    """Whether it was there before we looked: what it went through until then is not known."""
    first_ready_at: datetime | None = None
    """When it served first, as was seen then: kept for as long as it lives."""

    @property
    def owner(self) -> Owner:
        """Whose it is: a ReplicaSet's, or a workload's."""
        return Owner(self.namespace, self.owner_uid)

    @property
    def served_first_at(self) -> datetime | None:
        """When it first served, as far as it tells now; a `found` one may have served before."""
        since = self.ready_since
        if since is None or self.restarts:
            return None
        if self.found and since - self.facts.created_at > LONGEST_FOUND_LEAD_TIME:
            return None
        return since

    @property
    def lead_time(self) -> timedelta | None:
        """From creation to Ready for the first time; None when that is not known."""
        if self.first_ready_at is None:
            return None
        return max(timedelta(0), self.first_ready_at - self.facts.created_at)


@dataclass(frozen=True, slots=True)
class Rival:
    """Another autoscaler and the workload it claims."""

    namespace: str
    name: str
    kind: str
    resource_version: str
    target_kind: str
    target_name: str
    target_group: str
    min_replicas: int = 1
    max_replicas: int | None = None
    floor_manager: str | None = None
    """Field manager that last wrote `minReplicas` of an HPA, from managedFields."""

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}"


Seen = PolicySource | Workload | ReplicaSet | Pod | Rival
