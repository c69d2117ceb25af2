"""What did Prometheus say: rows of an answer as numbers by part and key."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.source import CLUSTER_LABEL, Counter
from autoscaler.strict import decimal_of

Rows = dict[str, float]


class Table:
    """The rows of one group's answer: a number by counter, part and key."""

    def __init__(self, counters: Sequence[Counter]) -> None:
        self._counters = counters
        self._parts: dict[tuple[int, str], Rows] = {}
        self.foreign: set[str] = set()
        """Keys that stand for workloads of more than one cluster."""
        self.jobs: set[str] = set()
        self._silent: dict[tuple[str, str], list[str]] = {}
        self._clusters: dict[str, str] = {}

    @property
    def counters(self) -> frozenset[int]:
        """The counters that answered anything at all."""
        return frozenset(number for number, _ in self._parts)

    def of(self, number: int, part: str) -> Rows:
        """Return the rows of one part of one counter."""
        return self._parts.get((number, part), _NONE)

    def silent(self, number: int, key: str) -> Sequence[str]:
        """Return the emitters of one workload that have not been heard for a while."""
        return self._silent.get((f"{number}:silent", key), ())

    def read(self, result: Iterable[Any]) -> "Table":
        """Take in the rows of an instant answer."""
        ways: dict[str, tuple[Counter, str, Rows]] = {}
        for row in result:
            labels = row["metric"]
            part = labels[PART_LABEL]
            way = ways.get(part)
            if way is None:
                way = ways[part] = self._way(part)
            counter, name, rows = way
            if name == "jobs":
                self.jobs.add(labels.get("job", ""))
                continue
            if name == "silent":
                emitter = "/".join(labels.get(label, "") for label in counter.unit)
                self._silent.setdefault((part, row_key(counter, labels)), []).append(emitter)
                continue
            key, value = row_key(counter, labels), number_of(row)
            if key in rows or CLUSTER_LABEL in labels:
                self._take(rows, key, value, labels, name)
            else:
                rows[key] = value
        return self

    def _way(self, part: str) -> tuple[Counter, str, Rows]:
        """Return where rows of a part belong; refuse what was not asked for."""
        number, _, name = part.partition(":")
        if not number.isdecimal() or int(number) >= len(self._counters):
            raise MetricUnavailableError(f"a row of part {part!r} was not asked for")
        rows = self._parts.setdefault((int(number), name), {})
        return self._counters[int(number)], name, rows

    def _take(
        self, rows: Rows, key: str, value: float, labels: Mapping[str, str], name: str
    ) -> None:
        if key in rows:
            value = combined(rows[key], value, part=name)
            # Two rows of one key: two rules of a route, or two clusters that somebody joined.
            if self._clusters.get(key, "") != labels.get(CLUSTER_LABEL, ""):
                self.foreign.add(key)
        elif CLUSTER_LABEL in labels:
            self._clusters[key] = labels[CLUSTER_LABEL]
        rows[key] = value


_NONE: Rows = {}


def number_of(row: Mapping[str, Any]) -> float:
    """Return the number of a row of an instant answer: a pair whose second is text, nothing else.

    `float` alone would take `true` and the second letter of a text for numbers.
    A native histogram is NaN, so that one under a counter's name leaves its own workload without a
    load, and not all others in the answer.
    """
    if "histogram" in row and "value" not in row:
        return math.nan
    pair = row["value"]
    if type(pair) is not list or len(pair) != 2 or type(written := pair[1]) is not str:
        raise ValueError(f"value {pair!r} is not a pair of time and text")
    return decimal_of(written)


def points_of(row: Mapping[str, Any]) -> Sequence[Sequence[Any]]:
    """Return the points of a row of a range; none where all of them are native histograms."""
    points: Sequence[Sequence[Any]] = (
        row.get("values", ()) if "histograms" in row else row["values"]
    )
    return points


def combined(one: float, other: float, *, part: str) -> float:
    """Return the sum of two rows of one workload, of time stamps the later; NaN stays NaN."""
    if math.isnan(one) or math.isnan(other):
        return math.nan
    return max(one, other) if part == "at" else one + other


def row_key(counter: Counter, labels: Mapping[str, str]) -> str:
    """Return whose row that is."""
    identity = counter.identity
    if counter.suffix:
        return "/".join(counter.without_suffix(labels.get(label, "")) for label in identity)
    if len(identity) == 2:  # namespace and workload, as nearly every row of ten thousand has it
        return f"{labels.get(identity[0], '')}/{labels.get(identity[1], '')}"
    return "/".join([labels.get(label, "") for label in identity])
