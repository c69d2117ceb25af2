"""What is in force now: the newest record of every workload, for whoever looks.

Written by the reconcile's thread, read by HTTP threads: each write replaces one immutable record,
so a reader sees an old or a new one, never half of one, and never slows the reconcile.
Every governed workload has a record in every cycle, so one without is no longer governed.
Whether decisions still come is told by a clock that nobody sets: times of records may be simulated,
and a browser's clock may be wrong.
"""

import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from autoscaler.decide.facts import TargetRef
from autoscaler.policy.quantity import duration_text
from autoscaler.review.history import History
from autoscaler.review.record import DecisionRecord

# As long as Prometheus itself believes a sample that is not renewed.
GONE_AFTER = timedelta(minutes=5)
# Four cycles of the default interval without a decision are worth a word.
SILENT_AFTER = timedelta(minutes=1)
_MINUTE = timedelta(minutes=1)


class LatestRecords:
    """The newest record by target, and a bounded past behind it.

    Parameters
    ----------
    silent_after
        How long no cycle may end before it is said that decisions do not come any more.
    clock
        Seconds of a clock that nobody sets.
    """

    def __init__(
        self,
        *,
        silent_after: timedelta = SILENT_AFTER,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._silent_after, self._clock = silent_after, clock
        self._heard_at = clock()
        self.at: datetime | None = None
        """When was decided last, by the clock of the decisions; None before the first cycle."""
        self.ended = ""
        """Why no decision will come any more; empty while some are to be expected."""
        self._records: dict[TargetRef, DecisionRecord] = {}
        self.history = History()
        self.held_back: Callable[[], str] = lambda: ""
        """Why this replica writes nothing now, empty when it does (`Mandate.held_back`)."""
        self.policy_problems: Callable[[], frozenset[str]] = frozenset
        """What is wrong with policies as they are written (`Daemon.policy_problems`)."""
        self.doubtful_pasts: Callable[[], int] = lambda: 0
        """How many series' pasts were answered with a warning (`Daemon.n_doubtful_history`)."""
        self.out_of_sight: Callable[[], int] = lambda: 0
        """How many kinds cannot be listed or watched now (`KubernetesCluster.out_of_sight`)."""
        self.governs: Callable[[TargetRef], bool] = lambda target: True
        """Whether a policy still governs a workload (`Daemon.governs`)."""
        self._swept_at: datetime | None = None

    def keep(self, record: DecisionRecord) -> None:
        """Replace what was known of the record's target, and remember it."""
        self._records[record.target] = record
        self.history.keep(record)
        self.note_cycle(record.at)

    def note_cycle(self, now: datetime) -> None:
        """Note that decisions come, and drop whoever is no longer governed.

        Asked at the end of a cycle, too: where nothing is governed any more no record comes.
        """
        self._heard_at, self.at = self._clock(), now
        self._forget_gone(now)

    def silence(self, at: datetime | None = None) -> str:
        """Return why what is shown is not live, empty while it is.

        `at` is when one workload was decided last; by default all are meant.
        """
        if self.ended:
            return self.ended
        silent = timedelta(seconds=self._clock() - self._heard_at)
        if at is not None and self.at is not None:
            silent += self.at - at
        if silent < self._silent_after:
            return ""
        # Whole minutes, so that answers that say the same are the same.
        return f"no new decision for {duration_text(silent // _MINUTE * _MINUTE)}"

    def _forget_gone(self, now: datetime) -> None:
        """Drop whoever has had no record since the last time: at most twice `GONE_AFTER` late."""
        since = self._swept_at
        if since is None or now < since:  # the first time, or the clock was set back
            self._swept_at = since = now
        if now - since < GONE_AFTER:
            return
        self._swept_at = now
        present = {t for t, r in self._records.items() if since <= r.at <= now}
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

    def named(self, namespace: str, name: str, *, kind: str = "") -> list[DecisionRecord]:
        """Return the newest records of the workloads with these names, of any kind by default.

        A person who asks knows no API version, so this looks through all targets.
        """
        return [
            record
            for target, record in list(self._records.items())
            if target.name == name and target.namespace == namespace and kind in {"", target.kind}
        ]

    def all(self) -> list[DecisionRecord]:
        """Return the newest record of all that are governed, in the order they were first seen.

        Whose policy was taken away is not listed any more, though its past is kept for a while.
        """
        return [r for target, r in list(self._records.items()) if self.governs(target)]
