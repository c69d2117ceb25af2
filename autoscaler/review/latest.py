"""What is in force now: the newest record of every workload, for whoever looks.

Written by the reconcile's thread, read by HTTP threads: each write replaces one immutable record,
so a reader sees an old or a new one, never half of one, and never slows the reconcile.
Every governed workload has a record in every cycle, so one without is no longer governed.
"""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from autoscaler.decide.facts import TargetRef
from autoscaler.review.history import History
from autoscaler.review.record import DecisionRecord

# As long as Prometheus itself believes a sample that is not renewed.
GONE_AFTER = timedelta(minutes=5)


class LatestRecords:
    """The newest record by target, and a bounded past behind it."""

    def __init__(self) -> None:
        self._records: dict[TargetRef, DecisionRecord] = {}
        self.history = History()
        self.held_back: Callable[[], str] = lambda: ""
        """Why this replica writes nothing now, empty when it does (`Mandate.held_back`)."""
        self.policy_problems: Callable[[], frozenset[str]] = frozenset
        """What is wrong with policies as they are written (`Daemon.policy_problems`)."""
        self._swept_at: datetime | None = None

    def keep(self, record: DecisionRecord) -> None:
        """Replace what was known of the record's target, and remember it."""
        self._records[record.target] = record
        self.history.keep(record)
        self.forget_gone(record.at)

    def forget_gone(self, now: datetime) -> None:
        """Drop whoever has had no record since the last time: at most twice `GONE_AFTER` late.

        Asked at the end of a cycle, too: where nothing is governed any more no record comes.
        """
        since = self._swept_at
        if since is None:
            self._swept_at = now
        if since is None or now - since < GONE_AFTER:
            return
        self._swept_at = now
        present = {t for t, r in self._records.items() if r.at >= since}
        if len(present) < len(self._records):
            self.retain(present)

    def retain(self, targets: Iterable[TargetRef]) -> None:
        """Drop every target that is not among `targets`."""
        present = set(targets)
        self._records = {t: r for t, r in self._records.items() if t in present}
        self.history.retain(present)

    def of(self, target: TargetRef) -> DecisionRecord | None:
        """Return the newest record of one target, None before its first."""
        return self._records.get(target)

    def find(self, namespace: str, name: str, *, kind: str = "") -> DecisionRecord | None:
        """Return the newest record of the workload with these names, of any kind by default.

        A person who asks knows no API version, so this looks through all targets.
        """
        return next(
            (
                record
                for target, record in list(self._records.items())
                if target.name == name
                and target.namespace == namespace
                and kind in {"", target.kind}
            ),
            None,
        )

    def all(self) -> list[DecisionRecord]:
        """Return every newest record, in the order the targets were first seen."""
        return list(self._records.values())
