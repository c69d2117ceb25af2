"""What does each source ask: the table for people, and PromQL ready to paste."""

from collections.abc import Mapping, Sequence
from typing import TypedDict

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.ownership import pods_of
from autoscaler.metrics.promql import Matcher, escaped_regex
from autoscaler.metrics.source import Counter
from autoscaler.metrics.sources import SOURCES


class SourceRow(TypedDict):
    """What a source is called, what it counts, and its parameters with their defaults."""

    name: str
    counts: str
    parameters: dict[str, str]


def source_table() -> list[SourceRow]:
    """Return one row per source."""
    return [
        {"name": each.name, "counts": each.counts, "parameters": dict(each.parameters)}
        for each in SOURCES.values()
    ]


def pasteable(
    source_name: str, *, namespace: str, name: str, labels: Mapping[str, str] | None = None
) -> list[str]:
    """Return the PromQL of one workload's load, one query per counter of the source.

    Raises
    ------
    MetricUnavailableError
        When there is no such source.
    """
    source = SOURCES.get(source_name)
    if source is None:
        known = ", ".join(sorted(SOURCES))
        raise MetricUnavailableError(f"source {source_name!r} is not known; there are {known}")
    parameters = source.filled(namespace=namespace, name=name, given=labels or {})
    bound = [counter.bound(parameters) for counter in source.counters]
    keys = source.keys(parameters)
    return [
        counted_load(counter, only_of(counter, key, namespace=namespace, name=name))
        for counter, key in zip(bound, keys, strict=True)
    ]


def counted_load(counter: Counter, only: Sequence[Matcher]) -> str:
    """Return what one counter says of the load, and what of it where that is not the load."""
    query = counter.load(counter.selector(only))
    if counter.extra:
        return f"{query}  # {'added' if counter.sign > 0 else 'taken away'}, when there"
    return query


def only_of(
    counter: Counter, key: str, *, namespace: str, name: str, container: str | None = None
) -> list[Matcher]:
    """Return the conditions on a counter that leave one workload, or one of its containers."""
    narrowed: list[Matcher] = []
    if counter.by_pod:
        narrowed.append(Matcher(counter.identity[0], "=", namespace))
        narrowed.append(Matcher(counter.identity[1], "=~", pods_of(escaped_regex(name))))
        if container:
            narrowed.append(Matcher(counter.identity[2], "=", container))
    elif not counter.suffix:
        values = key.split("/") if len(counter.identity) > 1 else [key]
        narrowed += [
            Matcher(label, "=", value)
            for label, value in zip(counter.identity, values, strict=True)
        ]
    else:
        narrowed.append(Matcher(counter.identity[0], "=~", f"{escaped_regex(key)}{counter.suffix}"))
    return narrowed
