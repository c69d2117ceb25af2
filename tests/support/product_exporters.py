"""Exporters that write what a product writes: its names, its labels and its quirks.

Each `Page` is one scrape target with the labels that discovery or relabelling puts on it.
A series is written as `name{labels}` and grows by its rate, so that the load sent is known.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from support.loopback import EXPOSITION, Handler, Loopback


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


class ProductExporters(Loopback):
    """Serves every page on one port, each under a path of its own."""

    def __init__(self, pages: list[Page]) -> None:
        self.pages = pages
        self._began = time.time() - 100  # counters are old when somebody first looks
        exporters = self

        class Pages(Handler):
            def do_GET(self) -> None:
                text = exporters.text(int(self.path.rpartition("/")[2]))
                self.answer(text.encode(), content_type=EXPOSITION)

        super().__init__(Pages)
        self.start()

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
            config["static_configs"].append({"targets": [self.address], "labels": labels})
        document = {
            "global": {"scrape_interval": scrape_interval, "scrape_timeout": "2s"},
            "scrape_configs": list(configs.values()),
        }
        file.write_text(yaml.safe_dump(document), encoding="utf-8")
