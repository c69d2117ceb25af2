"""Exporters that write what a product writes: its names, its labels and its quirks.

Each `Page` is one scrape target with the labels that discovery or relabelling puts on it.
A series is written as `name{labels}` and grows by its rate, so that the load sent is known.
"""

import math
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Page:
    """One target: its scrape job, the labels it gets there, and series with their rates."""

    job: str
    rates: Mapping[str, float]
    labels: Mapping[str, str]
    honor_labels: bool = False
    restarts: float = math.inf
    """Seconds after which the exporter begins to count anew, again and again."""


def page(
    job: str,
    rates: Mapping[str, float],
    *,
    honor_labels: bool = False,
    restarts: float = math.inf,
    **labels: str,
) -> Page:
    """Return a page whose target labels are the keywords."""
    return Page(job, rates, labels, honor_labels, restarts)


def _is_gauge(series: str) -> bool:
    return series.startswith(("autoscaler:", "container_memory_"))


class _Handler(BaseHTTPRequestHandler):
    server: "_Server"

    def do_GET(self) -> None:
        body = self.server.exporters.text(int(self.path.rpartition("/")[2])).encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    exporters: "ProductExporters"


class ProductExporters:
    """Serves every page on one port, each under a path of its own."""

    def __init__(self, pages: list[Page]) -> None:
        self.pages = pages
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.exporters = self
        self._began = time.time() - 100  # counters are old when somebody first looks
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()

    def text(self, number: int) -> str:
        """Return one page as it stands now."""
        seconds = (time.time() - self._began) % self.pages[number].restarts
        rates = self.pages[number].rates.items()
        return "".join(
            f"{series} {rate * (1 if _is_gauge(series) else seconds):.4f}\n"
            for series, rate in rates
        )

    def write_config(self, file: Path, *, scrape_interval: str) -> None:
        """Write a Prometheus configuration that scrapes every page."""
        address = f"127.0.0.1:{self._server.server_address[1]}"
        configs: dict[str, dict[str, Any]] = {}
        for number, each in enumerate(self.pages):
            config = configs.setdefault(
                each.job,
                {
                    "job_name": each.job,
                    "honor_labels": each.honor_labels,
                    "relabel_configs": [
                        {"source_labels": ["path"], "target_label": "__metrics_path__"},
                        {"source_labels": ["path"], "target_label": "instance"},
                        {"regex": "path", "action": "labeldrop"},
                    ],
                    "static_configs": [],
                },
            )
            labels = {**each.labels, "path": f"/metrics/{number}"}
            config["static_configs"].append({"targets": [address], "labels": labels})
        document = {
            "global": {"scrape_interval": scrape_interval, "scrape_timeout": "2s"},
            "scrape_configs": list(configs.values()),
        }
        file.write_text(yaml.safe_dump(document), encoding="utf-8")

    def stop(self) -> None:
        """Answer no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
