"""The daemon as users run it: its own process, its log lines read back as records."""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.processes import Process, wait_until

Record = dict[str, Any]


class RunningDaemon:
    """`python -m autoscaler run ...` with debug logging, so that every decision is a line."""

    def __init__(
        self, kubeconfig: Path, prometheus_url: str, *flags: str, log: Path, interval: str = "1s"
    ) -> None:
        command = [
            *(sys.executable, "-m", "autoscaler", "run"),
            *("--kubeconfig", str(kubeconfig), "--prometheus-url", prometheus_url),
            *("--interval", interval, "--log-format", "json", "--log-level", "debug"),
            *("--metrics-port", "0", "--health-port", "0", "--prometheus-timeout", "2s"),
            *flags,
        ]
        one_thread = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        self.process = Process(command, log=log, env=os.environ | one_thread)
        self._lines: list[Record] = []
        self._n_bytes_read = 0

    def lines(self) -> list[Record]:
        """Return every line logged so far; a line that is no JSON object fails the test.

        Whoever waits asks many times a second: what was read before is not read again.
        """
        with self.process.log.open("rb") as log:
            log.seek(self._n_bytes_read)
            whole, newline, _ = log.read().rpartition(b"\n")
        self._lines += [json.loads(line) for line in whole.splitlines()]
        self._n_bytes_read += len(whole) + len(newline)
        return self._lines

    def records(self, name: str) -> list[Record]:
        """Return the decisions about one Deployment, oldest first."""
        return [
            line
            for line in self.lines()
            if "target" in line and _name(line["target"]) == name and "desired_replicas" in line
        ]

    def events(self, message: str) -> list[Record]:
        """Return the lines with this constant event name."""
        return [line for line in self.lines() if line["msg"] == message]

    def wait_for(
        self,
        name: str,
        is_so: Callable[[Record], bool],
        *,
        what: str,
        within: float = 60.0,
        after: Record | None = None,
    ) -> Record:
        """Wait for a decision about a Deployment, from now on or after an earlier one; return it.

        What happens once may have happened before "now", when a test had to do something for it.
        """
        before = self.records(name)
        seen = len(before) if after is None else before.index(after) + 1

        def come() -> bool:
            if not self.process.running:
                raise AssertionError(f"the daemon ended:\n{self.process.tail()}")
            return any(map(is_so, self.records(name)[seen:]))

        try:
            wait_until(come, within=within, what=what, every=0.2)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.process.tail(5)}") from error
        return next(record for record in self.records(name)[seen:] if is_so(record))

    def wait_cycles(self, name: str, n: int, *, within: float = 60.0) -> list[Record]:
        """Wait for n more decisions about a Deployment; return them."""
        seen = len(self.records(name))
        wait_until(
            lambda: len(self.records(name)) >= seen + n, within=within, what=f"{n} cycles of {name}"
        )
        return self.records(name)[seen:]

    def stop(self) -> int:
        """Send SIGTERM; return the exit code."""
        return self.process.stop(signal.SIGTERM)


def _name(target: Any) -> str:
    return str(target["name"]) if isinstance(target, dict) else str(target).rpartition("/")[2]
