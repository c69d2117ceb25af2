"""How do cycle time, memory and requests grow with the policies: 100, 1,000, 10,000.

The daemon in a process of its own (`scale_daemon.py`), a real API server and a streaming stand-in
for Prometheus in others.
CPU is counted for the daemon's process alone, so that other people's work on the machine does not
show; memory likewise.

    python tests/bench/scale.py [--cycles 20] [--viewers 20] [100 1000 10000]
"""

import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))

from deployment_controller import DeploymentController, all_is_well
from prometheus_stand_in import load_of

from autoscaler.cluster.api import Request, answered, connect
from support.control_plane import ControlPlane
from support.processes import Process, free_port
from support.workloads import deployment

NAMESPACE = "shop"
POLICIES_PER_MAP = 500
CAPACITY = 120  # requests/s a pod carries
# The hold after a start lasts a stabilization window: twenty cycles.
_SETTLED_AFTER = 22
# A page that is open asks again this often.
_VIEWER_SECONDS = 5.0

# Heaps and threads as the image has them.
_DOCKERFILE = Path(__file__).parents[2] / "deploy" / "Dockerfile"
AS_THE_IMAGE = dict(re.findall(r"\b(MALLOC_\w+|\w+_THREADS)=(\d+)", _DOCKERFILE.read_text()))

Figures = dict[str, float]
Counted = Callable[[], tuple[int, int]]


def policy(name: str) -> str:
    """Return a policy that acts, behind linkerd."""
    target = {"averageValue": str(CAPACITY)}
    return yaml.safe_dump(
        {
            "scaleTargetRef": {"name": name},
            "mode": "ForecastAndScale",
            "minReplicas": 2,
            "maxReplicas": 60,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {"source": "linkerd", "target": target},
                }
            ],
        }
    )


def fill(api: Any, n: int) -> None:
    """Create the namespace, n Deployments whose replicas are ready, and their policies."""
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}
    answered(api, Request("POST", "/api/v1/namespaces", body=namespace))
    names = [f"service-{i:05d}" for i in range(n)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: _serving(api, name), names))
    for start in range(0, n, POLICIES_PER_MAP):
        some = names[start : start + POLICIES_PER_MAP]
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": f"policies-{start}",
                "labels": {"autoscaler/policies": "true"},
            },
            "data": {name: policy(name) for name in some},
        }
        maps = f"/api/v1/namespaces/{NAMESPACE}/configmaps"
        answered(api, Request("POST", maps, body=body))


def _serving(api: Any, name: str) -> None:
    """Create a Deployment, and say in its controller's place that all is well."""
    path = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"
    # About what the load of now asks for: the bench is about a steady state.
    replicas = math.ceil(1.05 * load_of(int(name[-5:]), time.time()) / CAPACITY)
    made = answered(api, Request("POST", path, body=deployment(name, replicas=replicas)))
    made["status"] = all_is_well(made)
    answered(api, Request("PUT", f"{path}/{name}/status", body=made))


class Child:
    """The daemon's process, as seen through its two pipes."""

    def __init__(self, arguments: list[str], *, log: Path) -> None:
        script = Path(__file__).with_name("scale_daemon.py")
        self._log = log.open("wb")
        self._popen = subprocess.Popen(
            [sys.executable, str(script), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env={**os.environ, **AS_THE_IMAGE},
        )
        self._answer()

    def told(self, what: str) -> Figures:
        """Have it do something; return what it said."""
        assert self._popen.stdin is not None
        self._popen.stdin.write(f"{what}\n")
        self._popen.stdin.flush()
        return self._answer()

    def cpu_seconds(self) -> float:
        """Return the CPU it has used so far, all threads."""
        fields = Path(f"/proc/{self._popen.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self) -> None:
        """End it and close its log."""
        self._popen.kill()
        self._popen.wait()
        self._log.close()

    def _answer(self) -> Figures:
        assert self._popen.stdout is not None
        line = self._popen.stdout.readline()
        if not line:
            said = Path(self._log.name).read_text().splitlines()[-20:]
            raise AssertionError("\n".join(["the daemon ended:", *said]))
        return dict(json.loads(line))


class World:
    """The daemon among its workloads: a real API server, a controller and a Prometheus."""

    def __init__(self, child: Child, controller: DeploymentController, counted: Counted) -> None:
        self.child = child
        self.counted = counted
        self._controller = controller

    def cycle(self) -> Figures:
        """Reconcile once; whatever was rescaled has its pods before the next time."""
        figures = self.child.told("cycle")
        self._controller.settle()
        return figures

    def paced_cycle(self) -> Figures:
        """Reconcile once, at most once a second: viewers look at the real pace."""
        began = time.monotonic()
        figures = self.cycle()
        time.sleep(max(0.0, 1.0 - (time.monotonic() - began)))
        return figures


@contextmanager
def world(n: int, folder: Path) -> Iterator[tuple[World, str]]:
    """Yield the daemon among n workloads, and its address."""
    plane = ControlPlane(folder)
    plane.start()
    plane._processes.pop("kube-controller-manager").stop()  # ours makes no pods
    port, own_port = free_port(), free_port()
    stand_in = [sys.executable, Path(__file__).with_name("prometheus_stand_in.py")]
    prometheus = Process([*stand_in, str(port), str(n)], log=folder / "prometheus.log")
    child: Child | None = None
    try:
        api = connect(plane.admin_kubeconfig).client
        fill(api, n)
        controller = DeploymentController(api, NAMESPACE)
        url = f"http://127.0.0.1:{port}"
        given = ["--kubeconfig", str(plane.admin_kubeconfig), "--prometheus-url", url]
        given += ["--namespace", NAMESPACE, "--port", str(own_port)]
        child = Child(given, log=folder / "daemon.log")

        def counted() -> tuple[int, int]:
            return int(_read(f"{url}/queries")), len(plane.scale_writes(NAMESPACE))

        yield World(child, controller, counted), f"http://127.0.0.1:{own_port}"
        controller.stop()
    finally:
        if child is not None:
            child.stop()
        prometheus.stop()
        plane.stop()


def measured(n: int, *, cycles: int, viewers: int) -> Figures:
    """Return the figures of one size."""
    with (
        tempfile.TemporaryDirectory() as folder,
        world(n, Path(folder)) as (here, address),
    ):
        child = here.child
        child.told("warm")
        first = here.cycle()  # everything is new to this one
        child.told("freeze")
        for _ in range(_SETTLED_AFTER):
            here.cycle()
        queries, writes = here.counted()
        quiet = [here.cycle() for _ in range(cycles)]
        asked, written = here.counted()
        steady = child.told("figures")
        scrape, scraped = _scraped(child, address)
        with _watched(address, viewers):
            viewed = [here.paced_cycle() for _ in range(cycles)]
        viewed_peak = child.told("figures")["peak_mib"]
        child.told("aged")
        child.told("cycle")
        return {
            "first_s": first["cpu_s"],
            "queries": (asked - queries) / cycles,
            "rescaled": sum(cycle["rescaled"] for cycle in quiet),
            "writes": written - writes,
            **_of("cpu", [cycle["cpu_s"] for cycle in quiet]),
            **_of("wall", [cycle["wall_s"] for cycle in quiet]),
            **_of("viewed_wall", [cycle["wall_s"] for cycle in viewed]),
            **_of("viewed_cpu", [cycle["cpu_s"] for cycle in viewed]),
            **{name: steady[name] for name in ("resident_mib", "peak_mib", "trusted")},
            "viewed_peak_mib": viewed_peak,
            "aged_mib": child.told("figures")["resident_mib"],
            "scrape_s": scrape,
            "scrape_mb": scraped / 1e6,
        }


def _of(name: str, seconds: list[float]) -> Figures:
    return {
        f"{name}_p50_s": statistics.median(seconds),
        f"{name}_p99_s": float(np.quantile(seconds, 0.99)),
    }


def _scraped(child: Child, address: str) -> tuple[float, int]:
    """Return the daemon's CPU seconds for one scrape of /metrics, and its size."""
    _read(f"{address}/metrics")
    before = child.cpu_seconds()
    size = len(_read(f"{address}/metrics"))
    return child.cpu_seconds() - before, size


@contextmanager
def _watched(address: str, viewers: int) -> Iterator[None]:
    """Let so many people look at the overview and at a policy while the block runs."""
    done = threading.Event()

    def look(number: int) -> None:
        pause = _VIEWER_SECONDS * number / viewers  # not all at once
        while not done.wait(pause):
            pause = _VIEWER_SECONDS
            _read(f"{address}/api/policies")
            _read(f"{address}/api/policy?namespace={NAMESPACE}&name=service-{number:05d}")

    threads = [threading.Thread(target=look, args=[k], daemon=True) for k in range(viewers)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        done.set()
        for thread in threads:
            thread.join()


def _read(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        return bytes(answer.read())


def main() -> None:
    """Measure the sizes that were asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 1000, 10_000])
    parser.add_argument("--cycles", type=int, default=20)
    parser.add_argument("--viewers", type=int, default=20)
    given = parser.parse_args()
    began = time.monotonic()
    for line in table(given.sizes, cycles=given.cycles, viewers=given.viewers):
        print(line, flush=True)
    print(f"\n{time.monotonic() - began:.0f} s in all; {_said(AS_THE_IMAGE)} as in the image")


def _said(environment: dict[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in environment.items())


ROWS = (
    ("CPU of a cycle, p50 / p99", "{cpu_p50_s:.3f} / {cpu_p99_s:.3f} s"),
    ("CPU per policy", "{per_policy_us:.0f} us"),
    ("wall time of a cycle, p50 / p99", "{wall_p50_s:.3f} / {wall_p99_s:.3f} s"),
    ("the same with viewers", "{viewed_wall_p50_s:.3f} / {viewed_wall_p99_s:.3f} s"),
    ("CPU with viewers", "{viewed_cpu_p50_s:.3f} / {viewed_cpu_p99_s:.3f} s"),
    ("resident / at its highest", "{resident_mib:.0f} / {peak_mib:.0f} MiB"),
    ("resident with every past of the page full", "{aged_mib:.0f} MiB"),
    ("at its highest with viewers", "{viewed_peak_mib:.0f} MiB"),
    ("queries per cycle", "{queries:.1f}"),
    ("rescales decided / scale writes", "{rescaled:.0f} / {writes:.0f}"),
    ("forecasts trusted", "{trusted:.0%}"),
    ("CPU of the first cycle", "{first_s:.2f} s"),
    ("CPU of a scrape / its size", "{scrape_s:.2f} s / {scrape_mb:.1f} MB"),
)


def table(sizes: list[int], *, cycles: int, viewers: int) -> Iterator[str]:
    """Yield a markdown table, a column per size, and how CPU grows from one size to the next."""
    columns = []
    for n in sizes:
        figures = measured(n, cycles=cycles, viewers=viewers)
        columns.append({**figures, "per_policy_us": figures["cpu_p50_s"] / n * 1e6})
        print(f"measured {n:,}", file=sys.stderr, flush=True)
    yield f"| policies | {' | '.join(f'{n:,}' for n in sizes)} |"
    yield f"|---|{'---:|' * len(sizes)}"
    for what, form in ROWS:
        yield f"| {what} | {' | '.join(form.format(**column) for column in columns)} |"


if __name__ == "__main__":
    main()
