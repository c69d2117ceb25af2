"""What did Prometheus say: rows of an answer as numbers by part and key."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.source import CLUSTER_LABEL, Counter

Rows = dict[str, float]


class Table:
    """The rows of one group's answer: a number by counter, part and key."""

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters
        self.rows: dict[str, Rows] = {}
        self.foreign: set[str] = set()
        """Keys that stand for workloads of more than one cluster."""
        self.jobs: set[str] = set()
        self._clusters: dict[str, str] = {}

    def of(self, number: int, part: str) -> Rows:
        """Return the rows of one part of one counter."""
        return self.rows.get(f"{number}:{part}", {})

    def read(self, result: Sequence[Any]) -> "Table":
        """Take in the rows of an instant answer."""
        for row in result:
            labels, value = row["metric"], float(row["value"][1])
            self._take(labels, value)
        return self

    def _take(self, labels: Mapping[str, str], value: float) -> None:
        part = labels.get(PART_LABEL, "")
        number, _, name = part.partition(":")
        if name == "jobs":
            self.jobs.add(labels.get("job", ""))
            return
        if not number.isdecimal() or int(number) >= len(self._counters):
            raise MetricUnavailableError(f"a row of part {part!r} was not asked for")
        key = row_key(self._counters[int(number)], labels)
        rows = self.rows.setdefault(part, {})
        if key in rows:
            value = combined(rows[key], value, part=name)
        if self._clusters.setdefault(key, cluster := labels.get(CLUSTER_LABEL, "")) != cluster:
            self.foreign.add(key)
        rows[key] = value


def combined(one: float, other: float, *, part: str) -> float:
    """Return what two rows of the same workload say together; NaN stays NaN."""
    if math.isnan(one) or math.isnan(other):
        return math.nan
    return max(one, other) if part == "at" else one + other


def row_key(counter: Counter, labels: Mapping[str, str]) -> str:
    """Return whose row that is."""
    values = [labels.get(label, "") for label in counter.identity]
    if counter.decode is not None:
        values = [counter.decode(value) for value in values]
    return "/".join(values)
