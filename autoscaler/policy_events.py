"""What is wrong with a policy, told where its author looks: an Event on the ConfigMap.

Whoever sees only a namespace of their own reads neither our log nor our page.
Each complaint is told once, by the replica that may write; who takes over from it tells it again.
Policies of a file are left out: there is no object that an Event could be on.
"""

from collections import Counter
from collections.abc import Callable

from autoscaler.decide.facts import TargetRef
from autoscaler.policy.book import Complaint, PolicyBook
from autoscaler.ports import Cluster

REFUSED, DOUBTFUL, ACCEPTED = "PolicyRefused", "PolicyWarning", "PolicyAccepted"
# One ConfigMap holds thousands of mistakes, and the Events of all others wait in the same queue.
MOST_PER_CONFIG_MAP = 10


class PolicyEvents:
    """What was told already, by its reason."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._told: set[tuple[Complaint, str]] = set()

    def tell(self, book: PolicyBook, *, may_write: Callable[[TargetRef], bool]) -> None:
        """Record what is new of the complaints, and which policies that were refused act now."""
        wrong = _first_of_each(book)
        for complaint, reason in sorted(wrong - self._told):
            if may_write(_config_map(complaint)):
                told = "; ".join(complaint.told.splitlines())
                self._record(complaint, reason, told)
                self._told.add((complaint, reason))
        gone = {c for c, reason in self._told - wrong if reason == REFUSED}
        self._told &= wrong
        if gone:
            self._accept(gone, book, may_write)

    def _accept(
        self, gone: set[Complaint], book: PolicyBook, may_write: Callable[[TargetRef], bool]
    ) -> None:
        refused = {complaint.source for complaint in book.refused}
        good = {source for source, _ in book.policies.values()} - refused
        accepted = {c._replace(told="") for c in gone if c.source in good}
        for complaint in sorted(accepted):
            if may_write(_config_map(complaint)):
                told = f"{complaint.source}: in force as it is written"
                self._record(complaint, ACCEPTED, told)

    def _record(self, complaint: Complaint, reason: str, told: str) -> None:
        target, is_wrong = _config_map(complaint), reason != ACCEPTED
        self._cluster.record_event(target, reason=reason, message=told, warning=is_wrong)


def _first_of_each(book: PolicyBook) -> set[tuple[Complaint, str]]:
    """Return what is told: the first complaints of each ConfigMap, refusals before the rest."""
    told: set[tuple[Complaint, str]] = set()
    n_told: Counter[TargetRef] = Counter()
    for complaints, reason in ((book.refused, REFUSED), (book.doubtful, DOUBTFUL)):
        for complaint in sorted(c for c in complaints if c.config_map):
            n_told[_config_map(complaint)] += 1
            if n_told[_config_map(complaint)] <= MOST_PER_CONFIG_MAP:
                told.add((complaint, reason))
    return told


def _config_map(complaint: Complaint) -> TargetRef:
    return TargetRef(complaint.namespace or "", complaint.config_map or "", "ConfigMap", "v1")
