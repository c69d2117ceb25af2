"""The work of a daemon: one cycle, one slice of learning, one batch of history, its memory.

When each is done, and in which thread: `jobs.py`.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from autoscaler import memory_file
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import MemoryFileError
from autoscaler.forecasting import Forecasts, Learned, SnapshotError
from autoscaler.loop import CycleSummary, Reconciler
from autoscaler.missing_history import STEP
from autoscaler.policy.book import PolicyBook, PolicyKey
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.policy_events import PolicyEvents
from autoscaler.ports import Clock, Cluster, History, Mandate, Metrics, Term, Witness
from autoscaler.review.log import log_event
from autoscaler.review.record import DecisionRecord
from autoscaler.roster import Roster, compiled

logger = logging.getLogger(__name__)

# An hour's learning in sixty slices: none is long enough to delay a reconcile.
LEARN_SLICES = 60
# Series whose past is asked for at once: bounds memory and the size of one answer.
HISTORY_BATCH = 200
# Workloads named in one line of the log; whoever changes more looks at the page.
_MOST_NAMED = 10


class SystemClock:
    """The real time, in UTC."""

    def now(self) -> datetime:
        """Return the current instant."""
        return datetime.now(tz=UTC)


@dataclass(frozen=True, slots=True)
class World:
    """The ports: what the daemon sees of the outside."""

    metrics: Metrics
    cluster: Cluster
    clock: Clock
    witness: Witness | None = None
    clock_moved_by: Callable[[], float] = lambda: 0.0
    """By how many seconds the clock was set since this was asked last, as far as anybody knows."""
    cut_short: Callable[[], None] = lambda: None
    """Ends what a cycle waits for: questions under way fail, and nothing more is written."""


def targeted(
    policies: Mapping[PolicyKey, tuple[str, WorkloadPolicy]],
) -> dict[TargetRef, tuple[str, WorkloadPolicy]]:
    """Return the policies of a book by the workload they govern."""
    return {
        TargetRef(key.namespace, key.name, key.kind, key.api_version): policy
        for key, policy in policies.items()
    }


def _tell_problems(before: PolicyBook, now: PolicyBook) -> None:
    """Log what is wrong with policies now and was not before."""
    for problem in now.problems - before.problems:
        told = "; ".join(problem.splitlines())  # a field of a log is one line
        log_event(logger, logging.ERROR, "policy_refused", error=told)
    for warning in now.warnings - before.warnings:
        log_event(logger, logging.WARNING, "policy_warning", warning=warning)


def _tell_changes(
    before: Mapping[TargetRef, tuple[str, WorkloadPolicy]],
    now: Mapping[TargetRef, tuple[str, WorkloadPolicy]],
) -> None:
    """Log which workloads came under a policy, under another one, or under none any more."""
    came = now.keys() - before.keys()
    went = before.keys() - now.keys()
    changed = {t for t in now.keys() & before.keys() if now[t][1] is not before[t][1]}
    if came or went or changed:
        log_event(
            logger,
            logging.INFO,
            "policies_changed",
            in_force=len(now),
            added=_named(came),
            changed=_named(changed),
            removed=_named(went),
        )


def _named(targets: Collection[TargetRef]) -> str:
    """Return the names of the first few, and how many more there are; a log has no lists."""
    names = sorted(map(str, targets))
    more = len(names) - _MOST_NAMED
    return ", ".join(names if more <= 0 else [*names[:_MOST_NAMED], f"and {more} more"])


class Daemon:
    """One cycle, one slice of learning, one batch of history: the work, without the waiting."""

    def __init__(
        self,
        world: World,
        *,
        interval: timedelta,
        record: Callable[[DecisionRecord], None],
        cycle_ended: Callable[[CycleSummary, timedelta], None] = lambda summary, took: None,
        namespace: str | None = None,
        mandate: Mandate | None = None,
    ) -> None:
        self._world = world
        self._mandate = mandate or Mandate()
        self._held: Mapping[int, Term] = {}
        self._cycle_ended = cycle_ended
        self._forecasts = Forecasts()
        self._book = PolicyBook(own_namespace=namespace)
        self._policy_events = PolicyEvents(world.cluster)
        self._governed: Mapping[TargetRef, tuple[str, WorkloadPolicy]] = {}
        self._roster = Roster()
        self._arrived: queue.Queue[tuple[Sequence[str], History, Learned]] = queue.Queue()
        self._slice = 0
        self._has_decided = False
        self._reconciler = Reconciler(
            metrics=world.metrics,
            cluster=world.cluster,
            forecasts=self._forecasts,
            interval=interval,
            record=record,
            held_back=self._mandate.held_back,
            witness=world.witness,
        )

    def compete(self, stop: threading.Event) -> None:
        """Compete for what may be written here: before the first lists it was left to others."""
        self._mandate.compete(stop)

    def cycle(self) -> CycleSummary:
        """Take in changed policies and arrived history, then reconcile everything once."""
        began = time.perf_counter()
        self.refresh_policies()
        if not self._mandate.held_back():
            self._policy_events.tell(self._book, may_write=self._mandate.may_write)
        self.accept_history()
        # Side by side: a clock that is set between them would be told of the wrong cycle.
        now, moved_by = self._world.clock.now(), self._world.clock_moved_by()
        summary = self._reconciler.reconcile(
            self._roster, now=now, clock_moved_by=timedelta(seconds=moved_by)
        )
        self._has_decided = True
        self._cycle_ended(summary, timedelta(seconds=time.perf_counter() - began))
        return summary

    def cut_short(self) -> None:
        """End the cycle under way soon, as far as it waits for others; from any thread."""
        log_event(logger, logging.WARNING, "last_cycle_cut_short")
        self._world.cut_short()

    def policy_problems(self) -> frozenset[str]:
        """Return what is wrong with policies as they are written."""
        return self._book.problems

    def governs(self, target: TargetRef) -> bool:
        """Whether a policy is in force for a workload, in this replica or another."""
        return target in self._governed

    def refresh_policies(self) -> None:
        """Compile the roster again if a policy or our shards changed; report problems."""
        book, held = self._book.updated(self._world.cluster.policies()), self._mandate.held_shards()
        if book is self._book and held == self._held:
            return
        _tell_problems(self._book, book)
        governed = targeted(book.policies)
        _tell_changes(self._governed, governed)
        others_led = {s for s, term in held.items() if self._held.get(s, term) != term}
        self._book, self._held, self._governed = book, held, governed
        self._follow(others_led=others_led)

    def _follow(self, *, others_led: Collection[int]) -> None:
        """Decide the governed workloads of our shards from now on, and no others.

        In the shards `others_led` another replica may have written since we decided there last.
        """
        shard_of = self._mandate.shard_of
        mine = {t: p for t, p in self._governed.items() if shard_of(t) in self._held}
        self._reconciler.others_led(t for t in mine if shard_of(t) in others_led)
        self._roster = compiled(mine)
        self._forecasts.follow(self._roster)
        if self._world.witness is not None:
            self._world.witness.follow(
                {t: policy.consul for t, (_, policy) in mine.items() if policy.consul is not None}
            )

    def learn(self) -> None:
        """Learn the next of `LEARN_SLICES` slices of all series."""
        self._forecasts.learn(now=self._world.clock.now(), part=self._slice, parts=LEARN_SLICES)
        self._slice = (self._slice + 1) % LEARN_SLICES

    def remember(self, memory: Path) -> None:
        """Take up what the process before us learned and decided, if it left it a moment ago.

        None is there at the first start, and after one that could not leave it.
        """
        if not memory.exists() and not memory_file.beside(memory).exists():
            writable = memory.parent.is_dir()
            level = logging.INFO if writable else logging.WARNING
            because = "none was left" if writable else "its folder is not there: none can be left"
            log_event(logger, level, "no_memory", file=str(memory), because=because)
            return
        with _warned("memory_not_used"):
            self._forecasts.restore(memory, now=self._world.clock.now())
        with _warned("memory_not_used"):
            left = memory_file.read(memory_file.beside(memory))
            moved_by = left.clock.moved_by()
            if moved_by:
                log_event(logger, logging.WARNING, "clock_set", seconds=round(moved_by))
            self._reconciler.recall(left.memories, clock_moved_by=timedelta(seconds=moved_by))

    def save_memory(self, memory: Path) -> None:
        """Leave what was learned and decided to the process after us.

        Without it, that one reads the past again, and lowers nothing for a while.
        Told to stop before our first cycle, we know no more than what the process before us left:
        that stays as it lies.
        """
        if not self._has_decided:
            return
        with _warned("memory_not_saved"):
            self._forecasts.save(memory)
        with _warned("memory_not_saved"):
            memories = self._reconciler.memories(self._roster)
            memory_file.write(memory_file.beside(memory), memories)

    def read_history(self, *, wanted: Callable[[], bool] = lambda: True) -> bool:
        """Read and learn the past of the next series that lack it; return whether any was.

        Runs outside the reconcile's thread, and leaves what it came to in a queue.
        Once it is not `wanted` any more, it is left half way.
        """
        if self._arrived.unfinished_tasks:
            return False  # the last batch was not taken in yet
        missing = self._forecasts.missing_history(limit=HISTORY_BATCH)
        if not missing:
            return False
        start, end = self._forecasts.span_missing(missing, now=self._world.clock.now())
        history = self._world.metrics.history(
            list(missing.values()), start=start, end=end, step=STEP
        )
        keys = list(missing)
        learned = self._forecasts.learned(keys, history, wanted=wanted)
        if wanted():
            self._arrived.put((keys, history, learned))
        return wanted()

    @property
    def n_without_history(self) -> int:
        """How many series have no past yet, beside those that were read and not taken in."""
        waiting = 0 if self._arrived.empty() else HISTORY_BATCH
        return max(0, self._forecasts.n_missing_history - waiting)

    @property
    def knows_most_pasts(self) -> bool:
        """Whether hardly anybody waits for a past: where a memory was taken up, or nobody is."""
        return 2 * self._forecasts.n_missing_history <= len(self._roster.series)

    @property
    def n_doubtful_history(self) -> int:
        """How many series have a past that was answered with a warning, and is read again."""
        return self._forecasts.n_doubtful_history

    def read_all_history(self) -> None:
        """Read and learn the past of every series before the first cycle."""
        self.refresh_policies()
        while self.read_history():
            self.accept_history()

    def accept_history(self) -> None:
        """Take over the pasts that arrived since."""
        while not self._arrived.empty():
            try:
                self._forecasts.accept_history(*self._arrived.get())
            finally:
                self._arrived.task_done()


@contextmanager
def _warned(event: str) -> Iterator[None]:
    """Go on without a memory that cannot be used or saved, and say so."""
    try:
        yield
    except (SnapshotError, MemoryFileError, OSError) as error:
        log_event(logger, logging.WARNING, event, error=str(error))
