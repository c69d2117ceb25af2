"""Are reconciles slowed by people who look at the page? `python tests/bench/viewers.py [POLICIES]`.

The daemon on simulated Deployments, cycle after cycle, first alone and then with ten open pages of
another process that ask as the page does, every five seconds; printed as markdown.
At the end, how long the first screen takes in Chromium, where there is one.
"""

import shutil
import statistics
import subprocess
import sys
import time
from datetime import timedelta

import numpy as np
from playwright.sync_api import sync_playwright

from autoscaler.commands import demo
from autoscaler.daemon import Daemon, World
from autoscaler.decide.facts import TargetRef
from autoscaler.ports import PolicyDocument
from autoscaler.replay.demo_world import DemoClock, DemoCluster, DemoDeployment, DemoMetrics
from autoscaler.review.latest import LatestRecords
from autoscaler.review.server import serve_page

VIEWERS, CYCLES, RELOADS = 10, 60, 10
_LOOKING = """
import sys, threading, time, urllib.request
def look(url):
    while True:
        urllib.request.urlopen(url + "/api/policies?limit=50&trend=hour").read()
        urllib.request.urlopen(url + "/api/policy?namespace=shop&name=s0&kind=Deployment").read()
        time.sleep(5)
for k in range(int(sys.argv[2])):
    threading.Thread(target=look, args=[sys.argv[1]]).start()
    time.sleep(5 / int(sys.argv[2]))
"""


def built(n: int, latest: LatestRecords) -> tuple[Daemon, DemoClock]:
    """Return a daemon of so many policies, whose load goes up and down."""
    targets = [TargetRef(demo.NAMESPACE, f"s{k}") for k in range(n)]
    ticks = np.arange(5760 + 4 * CYCLES)
    load = 900 + 500 * np.sin(ticks / 40)
    clock = DemoClock(demo.BEGIN)
    start = demo.BEGIN - 5760 * demo.TICK
    documents = [
        PolicyDocument(
            t.name,
            demo.POLICY.format(
                name=t.name, namespace=t.namespace, capacity=demo.CAPACITY, risk="1%"
            ),
        )
        for t in targets
    ]
    pods = {t: DemoDeployment(timedelta(seconds=120), pods=[start] * 8) for t in targets}
    metrics = DemoMetrics(dict.fromkeys(targets, load), start=start)
    world = World(metrics, DemoCluster(pods, documents, clock), clock)
    return Daemon(world, interval=demo.TICK, record=latest.keep), clock


def timed(daemon: Daemon, clock: DemoClock) -> tuple[list[float], list[float]]:
    """Return wall and own CPU seconds of each cycle, sorted."""
    wall, cpu = [], []
    for _ in range(CYCLES):
        began, own = time.perf_counter(), time.thread_time()
        daemon.cycle()
        wall.append(time.perf_counter() - began)
        cpu.append(time.thread_time() - own)
        clock.advance(demo.TICK)
    return sorted(wall), sorted(cpu)


def first_screens(url: str) -> list[float] | None:
    """Return the seconds from a reload to the first row of the table; None without a browser."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        return None
    seconds = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(url)  # the browser's own start is not the page's
        for _ in range(RELOADS):
            began = time.perf_counter()
            page.reload()
            page.wait_for_selector("td.who a")
            seconds.append(time.perf_counter() - began)
        browser.close()
    return seconds


def main() -> None:
    """Print the table."""
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    latest = LatestRecords()
    daemon, clock = built(n, latest)
    daemon.cycle()
    server = serve_page(latest)
    url = f"http://127.0.0.1:{server.server_port}"
    print("| policies | viewers | cycle p50 | p95 | own CPU p50 |\n|---|---|---|---|---|")
    for viewers in (0, VIEWERS):
        looking = subprocess.Popen([sys.executable, "-c", _LOOKING, url, str(viewers)])
        wall, cpu = timed(daemon, clock)
        looking.kill()
        looking.wait()
        print(
            f"| {n} | {viewers} | {wall[CYCLES // 2]:.3f} s | {wall[CYCLES * 95 // 100]:.3f} s "
            f"| {cpu[CYCLES // 2]:.3f} s |"
        )
    if seconds := first_screens(url):
        print(
            f"\nFirst screen: {statistics.median(seconds):.2f} s, at most {max(seconds):.2f} s "
            f"in {len(seconds)} reloads (wanted: a second)."
        )
    server.shutdown()


if __name__ == "__main__":
    main()
