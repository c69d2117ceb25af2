"""Which policies are in force: the last good version of every document, one owner per workload.

An edit that is broken, or that claims a workload somebody else governs, is reported and changes
nothing: whatever governed before goes on governing.
A document that disappears takes its policy with it.

Only what changed is read again: ten thousand unchanged documents cost one comparison each.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import NamedTuple

from autoscaler.errors import PolicyError
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.parsing import policy_of
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.policy.warnings import warnings_of

# What kubectl does with a manifest that names no namespace.
_NAMESPACE_OF_FILES = "default"
_NEWEST = datetime.max.replace(tzinfo=UTC)


class PolicyKey(NamedTuple):
    """The workload a policy governs, in the field order of `TargetRef`: `TargetRef(*key)`."""

    namespace: str
    name: str
    kind: str
    api_version: str

    @property
    def claim(self) -> tuple[str, str, str]:
        """What two policies must not share; `apps/v1` and `apps/v1beta2` name the same object."""
        return (self.namespace, self.kind, self.name)


class Complaint(NamedTuple):
    """What is wrong with one document, and in which ConfigMap its author looks; None = a file."""

    namespace: str | None
    config_map: str | None
    source: str
    told: str


def policy_key(policy: WorkloadPolicy, *, namespace: str | None) -> PolicyKey:
    """Return what a policy of a ConfigMap in `namespace` (None: of a file) governs."""
    target = policy.scale_target_ref
    return PolicyKey(
        target.namespace or namespace or _NAMESPACE_OF_FILES,
        target.name,
        target.kind,
        target.api_version,
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    """One document: what it says now, and what of it is in force."""

    document: PolicyDocument
    says: WorkloadPolicy | None
    problem: str | None
    in_force: WorkloadPolicy | None = None

    def key(self, policy: WorkloadPolicy) -> PolicyKey:
        return policy_key(policy, namespace=self.document.namespace)

    def complaint(self, told: str) -> Complaint:
        document = self.document
        return Complaint(document.namespace, document.config_map, document.source, told)

    @property
    def precedence(self) -> tuple[int, datetime, str]:
        """Who comes first: who keeps the workload it governs, who moves to another, newcomers.

        Among equals the oldest ConfigMap does: after a restart all are newcomers, and who comes
        first must not be a matter of names.
        """
        rank = 2
        if self.in_force is not None:
            stays = self.says is None or self.key(self.says).claim == self.key(self.in_force).claim
            rank = 0 if stays else 1
        return rank, self.document.created_at or _NEWEST, self.document.source


class PolicyBook:
    """Every policy in force, and everything that is wrong; changes by returning a new book."""

    def __init__(self, *, own_namespace: str | None = None) -> None:
        self._own_namespace = own_namespace
        self._entries: dict[tuple[str | None, str], _Entry] = {}
        self._policies: dict[PolicyKey, tuple[str, WorkloadPolicy]] = {}
        self._refused: frozenset[Complaint] = frozenset()
        self._doubtful: frozenset[Complaint] = frozenset()
        self._documents: Sequence[PolicyDocument] = []
        """Read last; the cluster hands out the very same tuple while none of them changed."""

    @property
    def policies(self) -> Mapping[PolicyKey, tuple[str, WorkloadPolicy]]:
        """Source and policy by governed workload."""
        return self._policies

    @property
    def refused(self) -> frozenset[Complaint]:
        """What is wrong now, and where; what was not in the book before is news."""
        return self._refused

    @property
    def doubtful(self) -> frozenset[Complaint]:
        """What of the policies in force cannot hold as written, and where."""
        return self._doubtful

    @property
    def problems(self) -> frozenset[str]:
        """What is wrong now, as it is told."""
        return frozenset(complaint.told for complaint in self._refused)

    @property
    def warnings(self) -> frozenset[str]:
        """What of the policies in force cannot hold as written, each with its source."""
        return frozenset(complaint.told for complaint in self._doubtful)

    def updated(self, documents: Sequence[PolicyDocument]) -> "PolicyBook":
        """Return the book after reading `documents`; the same object when nothing changed."""
        if documents is self._documents and isinstance(documents, tuple):
            return self
        known = self._entries
        entries: dict[tuple[str | None, str], _Entry] = {}
        changed = False
        for document in documents:
            identity = (document.namespace, document.source)
            entry = known.get(identity)
            if entry is None or not (entry.document is document or entry.document == document):
                entry = self._read(document, before=entry)
                changed = True
            entries[identity] = entry
        if not changed and len(entries) == len(known):
            self._documents = documents
            return self
        return self._with(entries)

    def _read(self, document: PolicyDocument, *, before: _Entry | None) -> _Entry:
        in_force = before.in_force if before else None
        try:
            says = policy_of(document, own_namespace=self._own_namespace)
        except PolicyError as error:
            return _Entry(document, None, _with_consequence(str(error), in_force), in_force)
        return _Entry(document, says, None, in_force)

    def _with(self, entries: dict[tuple[str | None, str], _Entry]) -> "PolicyBook":
        """Settle who governs what: who governs already stays, newcomers by their ConfigMaps' age.

        A document that moves to another workload gives up its old one first, and gets it back
        when the new one is taken.
        """
        book = PolicyBook(own_namespace=self._own_namespace)
        owners: dict[tuple[str, str, str], tuple[_Entry, WorkloadPolicy, PolicyKey]] = {}
        refused = {entry.complaint(entry.problem) for entry in entries.values() if entry.problem}
        in_order = sorted(entries.items(), key=lambda item: item[1].precedence)
        for identity, entry in in_order:
            settled = entry.in_force
            for wanted in (entry.says, entry.in_force):
                if wanted is None:
                    continue
                key = entry.key(wanted)
                owner = owners.setdefault(key.claim, (entry, wanted, key))
                if owner[1] is wanted:
                    settled = wanted
                    break
                refused.add(entry.complaint(_contested(key, owner[0], entry)))
                settled = None
            book._entries[identity] = replace(entry, in_force=settled)
        book._policies = {
            key: (owner.document.source, policy) for owner, policy, key in owners.values()
        }
        book._refused = frozenset(refused)
        book._doubtful = frozenset(
            owner.complaint(f"{owner.document.source}: {warning}")
            for owner, policy, _ in owners.values()
            for warning in warnings_of(policy)
        )
        return book


def _with_consequence(problem: str, in_force: WorkloadPolicy | None) -> str:
    return problem if in_force is None else f"{problem}\nthe last good version stays in force"


def _contested(key: PolicyKey, owner: _Entry, refused: _Entry) -> str:
    source = refused.document.source
    return (
        f"{source}: scaleTargetRef: {key.kind} {key.namespace}/{key.name} "
        f"is governed by {owner.document.source} already; {source} is refused"
    )
