"""A real Prometheus with an imported past, and a live exporter that it scrapes.

The past is written as OpenMetrics and imported with promtool, so what the daemon reads back is what
any Prometheus would answer.
"""

import json
import shutil
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.loopback import EXPOSITION, Handler, Loopback
from support.processes import Process, free_port, wait_until

BINARIES = ("prometheus", "promtool")


def missing_binaries() -> list[str]:
    """Return what a real Prometheus lacks here."""
    return [name for name in BINARIES if shutil.which(name) is None]


@dataclass(frozen=True)
class Past:
    """The recorded samples of one series: (unix seconds, value), oldest first."""

    metric: str
    labels: Mapping[str, str]
    samples: Iterable[tuple[float, float]]
    kind: str = "gauge"


class Exporter(Loopback):
    """A `/metrics` page whose numbers the test sets; a callable is asked at every scrape."""

    def __init__(self) -> None:
        self.values: dict[tuple[str, tuple[tuple[str, str], ...]], float | Callable[[], float]] = {}
        exporter = self

        class Page(Handler):
            def do_GET(self) -> None:
                self.answer(exporter.page().encode(), content_type=EXPOSITION)

        super().__init__(Page)

    def set(
        self, metric: str, value: float | Callable[[], float], labels: Mapping[str, str]
    ) -> None:
        """Let a series have this value from now on."""
        self.values[metric, tuple(sorted(labels.items()))] = value

    def scraped(self, labels: Mapping[str, str]) -> dict[str, str]:
        """Return the labels a scrape of ours gives a series: those of its past, too."""
        return {**labels, "instance": f"127.0.0.1:{self.port}", "job": "live"}

    def remove(self, metric: str, labels: Mapping[str, str]) -> None:
        """Let a series disappear."""
        self.values.pop((metric, tuple(sorted(labels.items()))), None)

    def page(self) -> str:
        """Return the page in the text format."""
        return "".join(
            f"{_series(metric, labels)} {value() if callable(value) else value}\n"
            for (metric, labels), value in sorted(self.values.items())
        )


@dataclass
class PrometheusServer:
    """One Prometheus, in a folder of its own."""

    folder: Path
    exporter: Exporter
    scrape_interval: str = "1s"
    port: int = field(default_factory=free_port)
    _process: Process | None = None

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def import_past(self, *pasts: Past) -> None:
        """Write blocks of recorded samples; before `start`.

        Day by day: promtool reads its whole input once for every two hours in it.
        """
        days: dict[int, dict[int, list[str]]] = {}
        for number, past in enumerate(pasts):
            name = _series(past.metric, tuple(sorted(past.labels.items())))
            for at, value in past.samples:
                day = days.setdefault(int(at // 86_400), {})
                day.setdefault(number, []).append(f"{name} {value:.15g} {at:.3f}\n")
        for day in days.values():
            self._import(
                "".join(
                    f"# TYPE {_family(pasts[number])} {pasts[number].kind}\n" + "".join(lines)
                    for number, lines in day.items()
                )
            )

    def _import(self, text: str) -> None:
        file = self.folder / "past.om"
        file.write_text(f"{text}# EOF\n")
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics", file, self.folder / "data"],
            check=True,
            capture_output=True,
        )

    def start(self) -> None:
        """Start it and wait until it is ready."""
        config = self.folder / "prometheus.yml"
        target = {"static_configs": [{"targets": [f"127.0.0.1:{self.exporter.port}"]}]}
        document = {
            "global": {"scrape_interval": self.scrape_interval, "scrape_timeout": "1s"},
            "scrape_configs": [{"job_name": "live", "honor_labels": True, **target}],
        }
        config.write_text(yaml.safe_dump(document))
        command = (
            "prometheus",
            f"--config.file={config}",
            f"--storage.tsdb.path={self.folder / 'data'}",
            "--storage.tsdb.retention.time=60d",
            f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        )
        self._process = Process(command, log=self.folder / "prometheus.log")
        wait_until(self._is_ready, within=60.0, what="prometheus ready")

    def stop(self) -> None:
        """Stop it; its data stay."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the result of an instant query."""
        query = urllib.parse.urlencode({"query": promql})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{query}", timeout=5) as response:
            result: list[dict[str, Any]] = json.load(response)["data"]["result"]
            return result

    def wait_scraped(self, promql: str) -> None:
        """Wait until a query has an answer."""
        wait_until(lambda: bool(self.query(promql)), within=30.0, what=f"{promql} scraped")

    def _is_ready(self) -> bool:
        assert self._process is not None
        if not self._process.running:
            raise AssertionError(f"prometheus ended:\n{self._process.tail()}")
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=2) as response:
                return bool(response.status == 200)
        except (OSError, urllib.error.URLError):
            return False


def _series(metric: str, labels: Iterable[tuple[str, str]]) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels)
    return f"{metric}{{{inside}}}" if inside else metric


def _family(past: Past) -> str:
    return past.metric.removesuffix("_total") if past.kind == "counter" else past.metric
