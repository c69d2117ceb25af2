"""Reads 14 days of 10,000 workloads from a streaming stand-in, is killed half-way, and goes on.

    python tests/bench/backfill.py --workloads 10000 --days 14 --step 300

Two processes beside this one: the stand-in Prometheus, and the worker that gets SIGKILL.
Prints questions, seconds and peak memory before and after the kill.
"""

import argparse
import json
import re
import signal
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from autoscaler.daemon import HISTORY_BATCH
from support import backfill_worker
from support.processes import Process, free_port, wait_until

# A step of the past on the grid of every run: pieces are then the same ones.
_STEADY = 3600.0


class Backfill:
    """A stand-in, a cache folder, and one worker after the other."""

    def __init__(self, folder: Path, given: argparse.Namespace) -> None:
        self.folder, self.given = folder, given
        self.end = time.time() // _STEADY * _STEADY - _STEADY
        port = free_port()
        stand_in = [sys.executable, Path(__file__).with_name("prometheus_stand_in.py")]
        self.url = f"http://127.0.0.1:{port}"
        self.stand_in = Process([*stand_in, str(port), "0"], log=folder / "stand-in.log")
        wait_until(self._answers, within=60, what="the stand-in")
        self.n_before = 0

    def start(self, name: str) -> Process:
        given = self.given
        command = [
            *(sys.executable, backfill_worker.__file__, "--url", self.url),
            *("--cache", self.folder / "kept", "--workloads", str(given.workloads)),
            *("--days", str(given.days), "--step", str(given.step), "--end", str(self.end)),
            *("--batch", str(given.batch)),
        ]
        self.n_before = self.questions()
        return Process(command, log=self.folder / f"{name}.log")

    def questions(self) -> int:
        with urllib.request.urlopen(f"{self.url}/queries", timeout=60) as answer:
            return int(json.load(answer))

    def asked(self) -> int:
        """Return the questions of the worker that was started last."""
        return self.questions() - self.n_before

    def _answers(self) -> bool:
        try:
            return self.questions() >= 0
        except OSError:
            return False


def killed(backfill: Backfill, *, after: int) -> dict[str, float]:
    """Run a worker until it has asked so often, kill it, and say what it had taken."""
    began, worker = time.monotonic(), backfill.start("killed")
    wait_until(lambda: backfill.asked() >= after, within=36_000, what="half of it", every=0.1)
    mib, cpu = _peak_mib(worker), _cpu_seconds(worker)
    worker.send(signal.SIGKILL)
    worker.wait(60)
    seconds = time.monotonic() - began
    return {"questions": backfill.asked(), "seconds": seconds, "cpu": cpu, "mib": mib}


def finished(backfill: Backfill, name: str) -> dict[str, float]:
    """Run a worker to its end and say what it took."""
    worker = backfill.start(name)
    code, cpu = None, 0.0
    while code is None:
        cpu = _cpu_seconds(worker) or cpu
        time.sleep(0.2)
        code = None if worker.running else worker.wait(0)
    text = worker.log.read_text()
    if code != 0:
        raise SystemExit(text[-2000:])
    told: dict[str, Any] = json.loads(text.strip().splitlines()[-1])
    rested = sum(float(found) for found in re.findall(r"resting_seconds\D+([\d.]+)", text))
    return {"questions": backfill.asked(), "cpu": cpu, "rested": rested, **told}


def _peak_mib(process: Process) -> float:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def _cpu_seconds(process: Process) -> float:
    """Return the CPU time so far, 0 when the process is gone."""
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / 100


def main() -> None:
    """Measure once, with a kill in the middle."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workloads", type=int, default=10_000)
    parser.add_argument("--days", type=float, default=14.0)
    parser.add_argument("--step", type=float, default=300.0)
    parser.add_argument("--batch", type=int, default=HISTORY_BATCH)
    parser.add_argument("--kill-after", type=int, default=130, metavar="QUESTIONS")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        backfill = Backfill(Path(folder), given)
        try:
            first = killed(backfill, after=given.kill_after)
            print(f"killed:  {_told(first)}", flush=True)
            print(f"resumed: {_told(finished(backfill, 'resumed'))}", flush=True)
            print(f"again:   {_told(finished(backfill, 'again'))}", flush=True)
        finally:
            backfill.stand_in.stop()


def _told(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in figures.items())


if __name__ == "__main__":
    main()
