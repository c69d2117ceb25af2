"""What is in force now: the newest record of every workload, for whoever looks.

Written by the reconcile's thread, read by HTTP threads: each write replaces one immutable
record, so a
reader sees an old or a new one, never half of one, and never slows the reconcile.
"""

from collections.abc import Iterable

from autoscaler.decide.facts import TargetRef
from autoscaler.review.record import DecisionRecord


class LatestRecords:
    """The newest record by target."""

    def __init__(self) -> None:
        self._records: dict[TargetRef, DecisionRecord] = {}

    def keep(self, record: DecisionRecord) -> None:
        """Replace what was known of the record's target."""
        self._records[record.target] = record

    def retain(self, targets: Iterable[TargetRef]) -> None:
        """Drop every target that is not among `targets`."""
        present = set(targets)
        self._records = {t: r for t, r in self._records.items() if t in present}

    def of(self, target: TargetRef) -> DecisionRecord | None:
        """Return the newest record of one target, None before its first."""
        return self._records.get(target)

    def all(self) -> list[DecisionRecord]:
        """Return every newest record, in the order the targets were first seen."""
        return list(self._records.values())
