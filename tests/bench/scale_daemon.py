"""The daemon alone in its process, for `scale.py`: one cycle per line of input, one answer each.

Built as `autoscaler run` builds it, HTTP port and all, but for the scheduler: the clock is the real
one, moved on by an interval per cycle, so that a steady state need not be waited for.
Nothing of the test's own cluster, Prometheus or API client is in this process: its CPU and its
memory are the daemon's.

    warm      learn 27 hours of past of every series (`backfill.py` measures the reading)
    aged      fill every past of the page, as a day of many changes would
    cycle     reconcile once
    freeze    what the daemon does once it stands
    figures   memory now and at its highest
"""

import argparse
import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
from prometheus_stand_in import VARIANTS, load_of

from autoscaler.cluster.api import connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.commands.run import FIRST_LISTS, Reporting
from autoscaler.daemon import Daemon, World
from autoscaler.jobs import spare_garbage_collection
from autoscaler.metrics.prometheus import PrometheusMetrics
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.missing_history import STEP, history_span
from autoscaler.ports import History
from autoscaler.review import log
from autoscaler.review.server import review_routes, start_server

INTERVAL = timedelta(seconds=15)
# About as many as the daemon reads at once; a multiple, so that each has its own load's past.
_AT_ONCE = 2 * VARIANTS
# Three hours more than the day in which a load is young, and scale-in does not wait as long.
_WARM_STEPS = 27 * 60
# More than the page keeps of one policy among ten thousand.
_ROWS_OF_A_DAY = 100


class SteppedClock:
    """The real time, moved on by one interval per cycle."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(tz=UTC) + self.ahead


def resident_mib() -> float:
    """Return what this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


def timed(work: Callable[[], dict[str, float]]) -> dict[str, float]:
    """Return what `work` says, with the seconds it took: of this process, this thread, the wall."""
    began = time.process_time(), time.thread_time(), time.perf_counter()
    said = work()
    ended = time.process_time(), time.thread_time(), time.perf_counter()
    cpu, thread, wall = (after - before for before, after in zip(began, ended, strict=True))
    return {**said, "cpu_s": cpu, "thread_s": thread, "wall_s": wall}


class Driven:
    """A daemon that does what it is told, and says what that cost."""

    def __init__(self, daemon: Daemon, clock: SteppedClock, reporting: Reporting) -> None:
        self._daemon = daemon
        self._clock = clock
        self._reporting = reporting

    def warm(self) -> dict[str, float]:
        self._daemon.refresh_policies()
        _, end = history_span(self._clock.now())
        ats = [(end - k * STEP).timestamp() for k in reversed(range(_WARM_STEPS))]
        variants = np.array([[load_of(i, at) for at in ats] for i in range(VARIANTS)])
        forecasts = self._daemon._forecasts
        while forecasts.n_missing_history:
            wanting = list(forecasts.missing_history(limit=_AT_ONCE))
            past = variants[np.arange(len(wanting)) % VARIANTS]
            forecasts.accept_history(wanting, History(past, STEP, end))
        return {}

    def aged(self) -> dict[str, float]:
        latest = self._reporting.latest
        for minutes in range(_ROWS_OF_A_DAY):
            ago = timedelta(minutes=15 * (_ROWS_OF_A_DAY - minutes))
            for record in latest.all():
                told = f"{minutes}"[: minutes % 20 == 0]  # a change now and then
                latest.history.keep(replace(record, at=record.at - ago, not_rescaled_because=told))
        return {}

    def cycle(self) -> dict[str, float]:
        self._clock.ahead += INTERVAL
        summary = self._daemon.cycle()
        return {"rescaled": summary.rescaled, "broken": summary.broken}

    def freeze(self) -> dict[str, float]:
        spare_garbage_collection()
        return {}

    def figures(self) -> dict[str, float]:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        trust = [record.trust for record in self._reporting.latest.all()]
        return {
            "resident_mib": resident_mib(),
            "peak_mib": peak,
            "trusted": trust.count("Trusted") / max(1, len(trust)),
        }


def main() -> None:
    """Stand up, say so, and obey."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--kubeconfig", type=Path, required=True)
    parser.add_argument("--prometheus-url", required=True)
    parser.add_argument("--namespace", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    log.configure(log_format="json", level=logging.INFO, stream=sys.stderr)
    cluster = KubernetesCluster(connect(given.kubeconfig).client, namespace=given.namespace)
    reporting, clock = Reporting(INTERVAL), SteppedClock()
    settings = PrometheusSettings(given.prometheus_url, timeout=timedelta(seconds=60))
    daemon = Daemon(
        World(PrometheusMetrics(settings), cluster, clock),
        interval=INTERVAL,
        record=reporting.record,
        cycle_ended=reporting.cycle_ended,
    )
    server = start_server(
        review_routes(reporting.telemetry.registry, reporting.latest),
        port=given.port,
        host="127.0.0.1",
    )
    cluster.start()
    if not cluster.wait_synced(2 * FIRST_LISTS):
        raise SystemExit("the first lists did not come")
    obey(Driven(daemon, clock, reporting))
    server.shutdown()
    cluster.stop()


def obey(driven: Driven) -> None:
    """Do what each line of input says, and answer with a line."""
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(timed(getattr(driven, line.strip()))), flush=True)


if __name__ == "__main__":
    main()
