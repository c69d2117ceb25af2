"""`autoscaler demo`: the daemon of `run` on a simulated cluster, days in under a minute.

Only the three ports differ from a cluster: simulated pods, a synthetic load, a clock that is moved
on after every cycle.
At the end the same load is given to the HPA, and both are scored.
"""

import argparse
import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import ThreadingHTTPServer

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from autoscaler.commands.progress import progress_bar
from autoscaler.commands.replay_output import WORDS, outcome_cells
from autoscaler.daemon import Daemon, World
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import AutoscalerError
from autoscaler.missing_history import HISTORY
from autoscaler.policy.quantity import share_text
from autoscaler.ports import FloatArray, PolicyDocument
from autoscaler.replay.demo_load import names_and_shapes, synthetic_load
from autoscaler.replay.demo_world import DemoClock, DemoCluster, DemoDeployment, DemoMetrics
from autoscaler.replay.frontier import hpa_frontier
from autoscaler.replay.hpa import HpaConfigs, hpa_run
from autoscaler.replay.ticks import TICK_SECONDS, measured_load
from autoscaler.replay.world import outcome
from autoscaler.review import log
from autoscaler.review.latest import LatestRecords
from autoscaler.review.log import DecisionLog
from autoscaler.review.record import DecisionRecord
from autoscaler.review.server import serve_page

NAMESPACE = "shop"
CAPACITY = 120.0
TICK = timedelta(seconds=TICK_SECONDS)
LEARN_EVERY = timedelta(minutes=1)
CAPTION = f"{WORDS}\ntuned: the best of 66 HPAs, chosen in hindsight"
USUAL_PORT = 8090
LEISURE = "make demo ARGS=--keep"
# The target of most examples.
HPA_TARGET = 0.7
# A Friday, so that two days cross into a weekend, and a quarter past seven, so that whole days end
# just after the rush of `SHOWN`: the hour that the page shows first is then worth a look.
BEGIN = datetime(2026, 11, 20, 7, 15, tzinfo=UTC)
SHOWN = "catalog"
_MINUTE = "%Y-%m-%d %H:%M"

POLICY = """\
scaleTargetRef: {{kind: Deployment, name: {name}, namespace: {namespace}}}
mode: ForecastAndScale
minReplicas: 2
maxReplicas: 200
metrics:
  - type: RequestRate
    requestRate: {{source: linkerd, target: {{averageValue: "{capacity:g}"}}}}
forecast: {{risk: {risk}}}
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The simulated cluster and everything that can be asked of it."""

    clock: DemoClock
    cluster: DemoCluster
    metrics: DemoMetrics
    deployments: dict[TargetRef, DemoDeployment]
    loads: dict[TargetRef, FloatArray]
    end: datetime


def built_scene(*, days: float, seed: int, startup: timedelta, risk: float) -> Scene:
    """Return the world at `BEGIN`, each Deployment sized for the load of that moment."""
    start, end = BEGIN - HISTORY, BEGIN + timedelta(days=days)
    loads: dict[TargetRef, FloatArray] = {}
    for number, (name, shape) in enumerate(names_and_shapes()):
        loads[TargetRef(NAMESPACE, name)] = synthetic_load(
            shape,
            start_seconds=start.timestamp(),
            live_seconds=BEGIN.timestamp(),
            end_seconds=end.timestamp(),
            seed=seed + number,
        )
    first = int(HISTORY / TICK)
    deployments = {
        target: DemoDeployment(startup, pods=[start] * int(load[first] / CAPACITY + 2))
        for target, load in loads.items()
    }
    documents = [
        PolicyDocument(
            f"demo/{t.name}",
            POLICY.format(
                name=t.name, namespace=NAMESPACE, capacity=CAPACITY, risk=share_text(risk)
            ),
        )
        for t in loads
    ]
    clock = DemoClock(BEGIN)
    cluster = DemoCluster(deployments, documents, clock)
    return Scene(clock, cluster, DemoMetrics(loads, start=start), deployments, loads, end)


class Witness:
    """Keeps what the demo shows at the end: what was ordered at every tick, and each rescale.

    On a terminal rescales are told alone; a log for `explain` is as the daemon's: all that is news.
    """

    def __init__(self, scene: Scene, *, all_news: bool = False) -> None:
        self._scene = scene
        self._all_news = all_news
        self._log = DecisionLog()
        self.latest = LatestRecords()
        self.desired: dict[TargetRef, list[int]] = {t: [] for t in scene.deployments}

    def record(self, record: DecisionRecord) -> None:
        """Keep every record for the page; log those that did something, or all that are news."""
        self.latest.keep(record)
        if record.rescaled or self._all_news:
            self._log.write(record)

    def count_tick(self) -> None:
        """Remember what is ordered now."""
        for target, deployment in self._scene.deployments.items():
            self.desired[target].append(len(deployment.pods))


def main(arguments: argparse.Namespace) -> int:
    """Live through the demo's days and print the comparison."""
    scene = built_scene(
        days=arguments.days,
        seed=arguments.seed,
        startup=arguments.startup,
        risk=arguments.risk,
    )
    log.configure(
        log_format=arguments.log_format,
        level=logging.INFO,
        ends_with_reader=True,
        clock=scene.clock.now,
    )
    witness = Witness(scene, all_news=arguments.log_format == "json")
    daemon = Daemon(
        World(scene.metrics, scene.cluster, scene.clock),
        interval=TICK,
        record=witness.record,
    )
    with _page(witness.latest, port=arguments.port) as url:
        print(f"the page: {url}", file=sys.stderr)
        print(f"simulated time: {BEGIN:{_MINUTE}} to {scene.end:{_MINUTE}} UTC", file=sys.stderr)
        daemon.read_all_history()
        _live(daemon, scene, witness, speed=arguments.speed)
        # A log of JSON lines is one stream of one shape.
        console = Console(stderr=arguments.log_format == "json")
        console.print(comparison(scene, witness, startup=arguments.startup))
        if arguments.keep:
            witness.latest.ended = "the demo's days are over"
            first = f"{url}#/policy/{NAMESPACE}/{SHOWN}/Deployment"
            print(f"the page stays until Ctrl-C; look at {SHOWN} first: {first}", file=sys.stderr)
            _wait_for_interrupt()
        else:
            print(f"to look at it at leisure: {LEISURE}", file=sys.stderr)
    return 0


@contextmanager
def _page(latest: LatestRecords, *, port: int | None) -> Iterator[str]:
    """Serve the page on loopback while the block runs."""
    server = _on_usual_port(latest) if port is None else _on_port(latest, port)
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()


def _on_usual_port(latest: LatestRecords) -> ThreadingHTTPServer:
    """Serve the page where a bookmark finds it; on a free port while another demo has that."""
    try:
        return serve_page(latest, port=USUAL_PORT)
    except AutoscalerError:
        print(f"port {USUAL_PORT} is taken, perhaps by another demo", file=sys.stderr)
        return serve_page(latest)


def _on_port(latest: LatestRecords, port: int) -> ThreadingHTTPServer:
    try:
        return serve_page(latest, port=port)
    except AutoscalerError as error:
        raise AutoscalerError(f"{error}; without --port the page takes a free one") from error


def _wait_for_interrupt() -> None:
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _live(daemon: Daemon, scene: Scene, witness: Witness, *, speed: float | None) -> None:
    """Run a cycle per tick and move the clock on, as fast as asked."""
    cycles = int((scene.end - scene.clock.now()) / TICK)
    per_learn = LEARN_EVERY // TICK
    with progress_bar("living", prints_lines=True) as advance:
        for cycle in range(cycles):
            daemon.cycle()
            witness.count_tick()
            if cycle % per_learn == 0:
                daemon.learn()
            scene.clock.advance(TICK)
            advance(cycle + 1, cycles)
            if speed:
                time.sleep(TICK_SECONDS / speed)


def comparison(scene: Scene, witness: Witness, *, startup: timedelta) -> Table:
    """Return slow time, overload, cost and rescales of us and of HPAs on the same load."""
    table = Table(
        title="The same load, the same pods", title_justify="left", caption_justify="left"
    )
    table.add_column("workload")
    table.add_column("controller")
    for heading in ("slow", "overload", "cost", "rescales/h"):
        table.add_column(heading, justify="right")
    for target, load in scene.loads.items():
        desired = np.array(witness.desired[target], dtype=np.int64)
        for name, *cells in compared(load / CAPACITY, desired, startup=startup.total_seconds()):
            table.add_row(target.name, name, *cells)
        table.add_section()
    table.caption = CAPTION
    return table


def compared(
    load: FloatArray, desired: NDArray[np.int64], *, startup: float
) -> Iterator[tuple[str, ...]]:
    """Yield one row per controller; `load` is in pods and ends with the ticks of `desired`."""
    live = load[-len(desired) :]
    measured = measured_load(load)[-len(desired) :]
    first = int(desired[0])
    ours = outcome(live, desired, startup_seconds=startup)
    yield "autoscaler", *outcome_cells(ours, live)
    frontier = hpa_frontier(live, measured, startup_seconds=startup, first=first)
    tuned = f"{frontier.slow_at(ours.cost):.2%}"
    yield "HPA tuned to our cost", tuned, "", f"{ours.cost:.3f}", ""
    config = HpaConfigs(np.array([HPA_TARGET]), np.array([True]))
    run = hpa_run(live, measured, config, startup_seconds=startup, first=first)
    hpa = outcome(live, run.desired[:, 0].astype(np.int64), startup_seconds=startup)
    yield f"HPA, CPU at {share_text(HPA_TARGET)}", *outcome_cells(hpa, live)
