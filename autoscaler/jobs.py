"""What runs when: reconcile every few seconds, learn every hour in slices, until told to stop.

All work on policies, states and forecasts happens in one thread, in jobs that never overlap; only
reading history, which waits for Prometheus and takes seconds to be learned, has a thread of its own
and hands over what it came to.
A past may take hours, so neither the first cycle nor the end waits for it.
A late cycle is skipped, not queued: the next one sees newer facts anyway.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from autoscaler.clocks import WallClock
from autoscaler.daemon import LEARN_SLICES, Daemon
from autoscaler.errors import MetricUnavailableError
from autoscaler.review.log import log_event

logger = logging.getLogger(__name__)
# Its own words for a skipped job are said again by `_tell_skipped`, for the job that matters.
logging.getLogger("apscheduler").setLevel(logging.ERROR)

# How often somebody looks whether a past is wanted, or has arrived: cheap when it is neither.
HISTORY_POLL = timedelta(seconds=1)
# A source that cannot answer now is asked again after this long, and the daemon goes on without.
HISTORY_RETRY = timedelta(seconds=30)
# So long the first cycle waits until the first batch of pasts is read and learned: that of a small
# installation is by then. Where a memory holds most of them, a few keep nobody else waiting.
FIRST_PAST = timedelta(seconds=10)
# How soon a signal is noticed while that is waited for.
_STOP_LOOK_SECONDS = 0.1
# So long the cycle under way may take once we are told to stop; then what it waits for is cut off.
# The kubelet kills after thirty seconds, and a kill costs the memory and the Lease.
LAST_CYCLE = timedelta(seconds=3)
# How often somebody looks whether the wall clock was set: the most that this delays a cycle.
CLOCK_LOOK = timedelta(seconds=1)
_RECONCILE = "reconcile"
# Why a cycle was skipped, as far as the scheduler's events tell.
_SKIPPED = {
    EVENT_JOB_MAX_INSTANCES: "the one before has not ended yet",
    EVENT_JOB_MISSED: "it could not begin within half of --interval: its thread was learning, or "
    "this process stood still",
}
_JOB_DEFAULTS = {"coalesce": True, "max_instances": 1}


class HistoryJob:
    """Reads what history can be read; a source that cannot answer is left alone for a while.

    Once `stop` is set, what is being read is not wanted any more, and a question that is cut for it
    says nothing of the source.
    """

    def __init__(self, daemon: Daemon, stop: threading.Event) -> None:
        self._daemon = daemon
        self._stop = stop
        self._not_before = 0.0
        self.has_run = threading.Event()

    def run(self) -> None:
        """Read the next batch of pasts, if any is wanted and the source is not being left alone.

        An error that is none of the source's is raised to the scheduler, which logs it; the source
        is left alone after it as well, lest a fortnight is read again every second.
        """
        if time.monotonic() < self._not_before:
            return
        failed = True
        try:
            if self._daemon.read_history(wanted=lambda: not self._stop.is_set()):
                still = self._daemon.n_without_history
                log_event(logger, logging.INFO, "history_progress", still_wanted=still)
            failed = False
        except MetricUnavailableError as error:
            if not self._stop.is_set():
                log_event(logger, logging.WARNING, "history_unavailable", error=str(error))
        finally:
            if failed:
                self._not_before = time.monotonic() + HISTORY_RETRY.total_seconds()
            self.has_run.set()


def serve(daemon: Daemon, *, interval: timedelta, stop: threading.Event) -> None:
    """Run the jobs until `stop` is set; the cycle under way is finished first.

    What it still waits for after `LAST_CYCLE` is cut off: then it knows less, and writes nothing.
    """
    wall_clock = WallClock()
    daemon.compete(stop)
    daemon.refresh_policies()
    history, reading = HistoryJob(daemon, stop), _scheduler()
    _add(reading, "read-history", history.run, HISTORY_POLL)
    reading.start()
    if not daemon.knows_most_pasts:
        _wait_for_first_past(history, stop)
    working = _scheduler()
    _schedule(working, daemon, interval=interval)
    spare_garbage_collection()
    working.add_listener(_tell_skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    working.start(paused=stop.is_set())
    _wait_for(stop, (reading, working), wall_clock)
    reading.shutdown(wait=False)
    cut = threading.Timer(LAST_CYCLE.total_seconds(), daemon.cut_short)
    cut.start()
    working.shutdown(wait=True)
    cut.cancel()


def run_once(daemon: Daemon, *, stop: threading.Event) -> None:
    """Read a first batch of pasts and run one cycle, unless `stop` is set before it begins."""
    daemon.compete(stop)
    daemon.refresh_policies()
    HistoryJob(daemon, stop).run()
    if not stop.is_set():
        daemon.cycle()


def _wait_for_first_past(history: HistoryJob, stop: threading.Event) -> None:
    """Wait until the first batch was read and learned, until `stop`, or for `FIRST_PAST`."""
    deadline = time.monotonic() + FIRST_PAST.total_seconds()
    while not stop.is_set() and time.monotonic() < deadline:
        if history.has_run.wait(_STOP_LOOK_SECONDS):
            return


def _wait_for(
    stop: threading.Event, schedulers: Iterable[BackgroundScheduler], wall_clock: WallClock
) -> None:
    """Wait for `stop`; tell when the wall clock is set, and once it is set back run every job now.

    The scheduler compares the wall clock with when a job is due next: set back by an hour, it would
    run nothing for an hour. Set forward, it runs at once what has come due, and goes on from there.
    """
    while not stop.wait(CLOCK_LOOK.total_seconds()):
        moved_by = wall_clock.moved_by()
        if moved_by:
            log_event(logger, logging.WARNING, "clock_set", seconds=round(moved_by))
        if moved_by < 0:
            for scheduler in schedulers:
                for job in scheduler.get_jobs():
                    job.modify(next_run_time=datetime.now(tz=UTC))


def _scheduler() -> BackgroundScheduler:
    """Return a scheduler with one thread for its jobs."""
    return BackgroundScheduler(
        timezone=UTC, executors={"default": ThreadPoolExecutor(1)}, job_defaults=_JOB_DEFAULTS
    )


def spare_garbage_collection() -> None:
    """Let the cycle collector alone with what lives as long as we do.

    Policies, facts and forecasts of ten thousand workloads are a million objects without cycles;
    walking them again and again took a third of every reconcile.
    """
    gc.collect()
    gc.freeze()
    # What a cycle makes lives until the next: looking at it sooner finds nothing to collect.
    gc.set_threshold(300_000, 20, 20)


def _schedule(scheduler: BackgroundScheduler, daemon: Daemon, *, interval: timedelta) -> None:
    """Add the jobs; a cycle that could not start within half an interval is skipped."""
    late = max(1, int(interval.total_seconds() / 2))
    _add(scheduler, _RECONCILE, daemon.cycle, interval, late=late)
    _add(scheduler, "learn", daemon.learn, timedelta(hours=1) / LEARN_SLICES)
    _add(scheduler, "accept-history", daemon.accept_history, HISTORY_POLL)


class Every(IntervalTrigger):  # type: ignore[misc]
    """Due again and again; of the runs that were missed, only the last is ever made a time.

    The scheduler lists all of them before it drops all but the last: a wall clock set forward by a
    week took 0.7 s and 30 MiB for each job that is due every second, by a year 39 s and 1.7 GB.
    """

    def get_next_fire_time(
        self, previous_fire_time: datetime | None, now: datetime
    ) -> datetime | None:
        """Return the last time after the previous that has come, else the first that is to come."""
        if previous_fire_time is None:
            return now
        interval: timedelta = self.interval
        n_due = (now - previous_fire_time) // interval
        return previous_fire_time + max(1, n_due) * interval


def _add(
    scheduler: BackgroundScheduler,
    name: str,
    work: Callable[[], object],
    every: timedelta,
    *,
    late: int | None = None,
) -> None:
    """Add a job that runs at once and then again and again."""
    scheduler.add_job(
        work,
        Every(seconds=every.total_seconds(), timezone=UTC),
        misfire_grace_time=late,
        next_run_time=datetime.now(tz=UTC),
        id=name,
    )


def _tell_skipped(event: JobEvent) -> None:
    """Say that a cycle was skipped, and as much of why as is known."""
    if event.job_id == _RECONCILE:
        log_event(logger, logging.WARNING, "cycle_skipped", because=_SKIPPED[event.code])
