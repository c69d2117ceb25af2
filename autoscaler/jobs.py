"""What runs when: reconcile every few seconds, learn every hour in slices, until told to stop.

All work on policies, states and forecasts happens in one thread, in jobs that never overlap; only
reading history, which waits for Prometheus, has a thread of its own and hands its answer over.
A late cycle is skipped, not queued: the next one sees newer facts anyway.
"""

import gc
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, JobEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

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
_RECONCILE = "reconcile"


class HistoryJob:
    """Reads what history can be read; a source that cannot answer is left alone for a while."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._not_before = 0.0

    def run(self) -> None:
        """Read the next batch of pasts, if any is wanted and the source is not being left alone."""
        if time.monotonic() < self._not_before:
            return
        try:
            if self._daemon.read_history():
                still = self._daemon.n_without_history
                log_event(logger, logging.INFO, "history_progress", still_wanted=still)
        except MetricUnavailableError as error:
            self._not_before = time.monotonic() + HISTORY_RETRY.total_seconds()
            log_event(logger, logging.WARNING, "history_unavailable", error=str(error))


def serve(daemon: Daemon, *, interval: timedelta, stop: threading.Event) -> None:
    """Run the jobs until `stop` is set; the cycle under way is finished first."""
    history = HistoryJob(daemon)
    daemon.refresh_policies()
    history.run()  # the first cycle of a small installation already knows its past
    scheduler = BackgroundScheduler(
        timezone=UTC,
        executors={"core": ThreadPoolExecutor(1), "history": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1},
    )
    _schedule(scheduler, daemon, history, interval=interval)
    spare_garbage_collection()
    scheduler.add_listener(_tell_skipped, EVENT_JOB_MISSED | EVENT_JOB_MAX_INSTANCES)
    scheduler.start()
    stop.wait()
    scheduler.shutdown(wait=True)


def spare_garbage_collection() -> None:
    """Let the cycle collector alone with what lives as long as we do.

    Policies, facts and forecasts of ten thousand workloads are a million objects without cycles;
    walking them again and again took a third of every reconcile.
    """
    gc.collect()
    gc.freeze()
    # What a cycle makes lives until the next: looking at it sooner finds nothing to collect.
    gc.set_threshold(300_000, 20, 20)


def _schedule(
    scheduler: BackgroundScheduler, daemon: Daemon, history: HistoryJob, *, interval: timedelta
) -> None:
    """Add the jobs; a cycle that could not start within half an interval is skipped."""
    late = max(1, int(interval.total_seconds() / 2))
    jobs: tuple[tuple[str, Callable[[], object], str, timedelta, int | None], ...] = (
        (_RECONCILE, daemon.cycle, "core", interval, late),
        ("learn", daemon.learn, "core", timedelta(hours=1) / LEARN_SLICES, None),
        ("accept-history", daemon.accept_history, "core", HISTORY_POLL, None),
        ("read-history", history.run, "history", HISTORY_POLL, None),
    )
    for name, work, executor, every, grace in jobs:
        scheduler.add_job(
            work,
            "interval",
            seconds=every.total_seconds(),
            executor=executor,
            misfire_grace_time=grace,
            next_run_time=datetime.now(tz=UTC),
            id=name,
        )


def _tell_skipped(event: JobEvent) -> None:
    """Say that a cycle was skipped because the one before was late."""
    if event.job_id == _RECONCILE:
        log_event(logger, logging.WARNING, "cycle_skipped")
