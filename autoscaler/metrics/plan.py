"""Which series share a question: grouped by source and shaping parameters, not by workload.

A thousand Deployments behind linkerd are one group and one query; a policy that renames a label
makes a second one.
A query is narrowed to the namespaces and names it is about while these are few; a regex of a
thousand names would cost more than the rows it saves.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from autoscaler.decide.facts import TargetRef
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.ownership import owner_pattern
from autoscaler.metrics.promql import Matcher, Operator, any_of, by, label_name, labelled, quoted
from autoscaler.metrics.source import SCRAPE_INTERVAL, Condition, Counter, NamedSource
from autoscaler.metrics.sources import SOURCES
from autoscaler.policy.metric import MetricIdentifier, MetricSpec
from autoscaler.ports import LoadSeries

# Tells apart, in one answer, what is a value, a time stamp, a count.
PART_LABEL = "autoscaler_part"
# Holds the workload that a pod of the past belonged to, by its name.
OWNER_LABEL = "autoscaler_owner"
_LOAD = "load"
_EQUALS: Operator = "="
# Up to here naming them is cheaper for Prometheus than sending the rows of everybody else.
_MOST_NAMESPACES = 50
_MOST_NAMES = 250


@dataclass(frozen=True, slots=True)
class Member:
    """One series of a group: where it stands in the batch, and which rows are its own."""

    index: int
    target: TargetRef
    keys: tuple[str, ...]
    container: str | None = None


@dataclass(slots=True)
class Group:
    """Series that one query answers."""

    source: NamedSource
    counters: tuple[Counter, ...]
    members: list[Member] = field(default_factory=list)
    pinned: tuple[Matcher, ...] = ()

    def narrowed(self, counter: Counter) -> tuple[Matcher, ...]:
        """Return the conditions that leave only the members' rows, while these are few."""
        found = list(self.pinned)
        namespaces = {member.target.namespace for member in self.members}
        if counter.namespace_label and len(namespaces) <= _MOST_NAMESPACES:
            found.append(Matcher(counter.namespace_label, "=~", any_of(namespaces)))
        names = {member.target.name for member in self.members}
        if counter.name_label and len(names) <= _MOST_NAMES:
            found.append(Matcher(counter.name_label, "=~", any_of(names)))
        containers = {member.container for member in self.members if member.container}
        if counter.by_pod and len(names) <= _MOST_NAMES:
            found.append(Matcher(counter.identity[1], "=~", f"({any_of(names)})-.+"))
        if len(counter.identity) == 3 and all(member.container for member in self.members):
            found.append(Matcher(counter.identity[2], "=~", any_of(containers)))
        return tuple(found)

    def newest_query(self) -> str:
        """Return the query for everything one reading needs."""
        return self._query(lambda counter: counter.parts(self.narrowed(counter)))

    def history_query(self, step: timedelta) -> str:
        """Return the query for the load alone, pods added up under the name of their owner."""
        return self._query(lambda counter: self._past(counter, step))

    @property
    def _kinds(self) -> list[str]:
        return sorted({member.target.kind for member in self.members})

    @staticmethod
    def _owned(expression: str, pod: str, kind: str) -> str:
        """Return the rows of pods with the name of their owner as a label."""
        pattern = quoted(owner_pattern(kind))
        return f'label_replace({expression}, "{OWNER_LABEL}", "$1", "{label_name(pod)}", {pattern})'

    def _past(self, counter: Counter, step: timedelta) -> dict[str, str]:
        load = counter.past(self.narrowed(counter), step=step)
        if not counter.by_pod:
            return {_LOAD: load}
        namespace, pod, *container = counter.identity
        owner = by((namespace, OWNER_LABEL, *container))
        return {kind: f"sum {owner} ({self._owned(load, pod, kind)})" for kind in self._kinds}

    def past_keys(self, member: Member) -> Iterator[tuple[int, str, str]]:
        """Yield counter, part and key of the rows that are a member's past."""
        for number, counter in enumerate(self.counters):
            if counter.by_pod:
                target = member.target
                key = "/".join((target.namespace, target.name, member.container or ""))
                yield number, f"{number}:{target.kind}", key
            else:
                yield number, f"{number}:{_LOAD}", member.keys[number]

    def members_text(self) -> str:
        """Return whose pasts an answer is read into, in order: of one query that may differ."""
        return "\n".join(str(list(self.past_keys(member))) for member in self.members)

    def _query(self, expressions: Callable[[Counter], dict[str, str]]) -> str:
        """Return one query for every part of every counter, told apart by `PART_LABEL`."""
        return "\nor ".join(
            labelled(expression, PART_LABEL, f"{number}:{part}")
            for number, counter in enumerate(self.counters)
            for part, expression in expressions(counter).items()
        )


@dataclass(slots=True)
class Plan:
    """What is to be asked: groups of named sources, queries of the users' own, and neither."""

    groups: list[Group]
    queries: dict[int, str]
    impossible: dict[int, MetricUnavailableError]


def planned(
    series: Sequence[LoadSeries],
    *,
    scrape_interval: timedelta = SCRAPE_INTERVAL,
    pinned: Mapping[str, str] | None = None,
) -> Plan:
    """Return which questions answer for the given series; `pinned` labels every selector has."""
    groups: dict[tuple[object, ...], Group] = {}
    plan = Plan([], {}, {})
    for index, one in enumerate(series):
        query = one.metric.query
        if query is not None:
            plan.queries[index] = query
            continue
        try:
            _join(groups, index, one, scrape_interval)
        except MetricUnavailableError as error:
            plan.impossible[index] = error
    plan.groups = list(groups.values())
    for group in plan.groups:
        group.pinned = tuple(Matcher(*each) for each in _equal_to(pinned or {}))
    return plan


def _join(
    groups: dict[tuple[object, ...], Group],
    index: int,
    one: LoadSeries,
    scrape_interval: timedelta,
) -> None:
    """Add a series to the group that shares its query."""
    source, given = source_of(one.metric)
    target = one.target
    parameters = source.filled(namespace=target.namespace, name=target.name, given=given)
    source = source.counted_where(parameters)
    shape = (source, *(parameters[name] for name in source.shaping))
    group = groups.get(shape)
    if group is None:
        counters = tuple(
            counter.bound(parameters, scrape_interval=scrape_interval)
            for counter in source.counters
        )
        for counter in counters:
            counter.parts()  # refuses a name that is none, for this series alone
        group = groups[shape] = Group(source, counters)
    container = one.metric.container_resource.container if one.metric.container_resource else None
    group.members.append(Member(index, target, tuple(source.keys(parameters)), container))


def past_key(counter: Counter, labels: Mapping[str, str]) -> str:
    """Return whose past a row of pods is: namespace, owner, and container where there is one."""
    namespace, _, *container = counter.identity
    names = (namespace, OWNER_LABEL, *container)
    return "/".join(labels.get(name, "") for name in names) + ("" if container else "/")


def _equal_to(labels: Mapping[str, str]) -> list[Condition]:
    return [(label, _EQUALS, value) for label, value in sorted(labels.items())]


def source_of(metric: MetricSpec) -> tuple[NamedSource, dict[str, str]]:
    """Return the source that measures a metric, and what the policy says of its parameters."""
    if metric.request_rate and metric.request_rate.source:
        source = SOURCES.get(metric.request_rate.source)
        if source is None:
            raise MetricUnavailableError(f"source {metric.request_rate.source!r} is not known")
        return source, dict(metric.request_rate.labels)
    resource = metric.resource or metric.container_resource
    if resource is not None:
        return SOURCES[resource.name], {}
    if metric.pods:
        return _metric_of_pods(metric.pods.metric), {}
    if metric.object:
        described = metric.object.described_object
        return _metric_of_object(metric.object.metric, described.kind), {"object": described.name}
    if metric.external:
        return _external_metric(metric.external.metric), {}
    raise MetricUnavailableError(f"a metric of type {metric.type} needs a query")


def _literal(text: str) -> str:
    """Return a text of users' as a template of itself: every text of a counter is a template."""
    return text.replace("{", "{{").replace("}", "}}")


def _matchers(identifier: MetricIdentifier) -> tuple[tuple[str, Operator, str], ...]:
    """Return the selector as matchers."""
    return tuple(
        (_literal(label), _EQUALS, _literal(value))
        for label, value in sorted(identifier.selector.items())
    )


def _metric_of_pods(identifier: MetricIdentifier) -> NamedSource:
    counter = Counter(
        _literal(identifier.name),
        identity=("namespace", "pod"),
        matchers=(*_matchers(identifier), ("pod", "!=", "")),
        unit=(),
        window=None,
        namespace_label="namespace",
        by_pod=True,
    )
    return NamedSource(f"pods:{identifier.name}", "a metric of each pod", (counter,), per_pod=True)


def _metric_of_object(identifier: MetricIdentifier, kind: str) -> NamedSource:
    counter = Counter(
        _literal(identifier.name),
        identity=("namespace", _literal(kind.lower())),
        key="{namespace}/{object}",
        matchers=_matchers(identifier),
        window=None,
        namespace_label="namespace",
    )
    return NamedSource(f"object:{identifier.name}", "a metric of one object", (counter,))


def _external_metric(identifier: MetricIdentifier) -> NamedSource:
    """Return a metric that belongs to no object: its row has no key, so nobody shares it."""
    counter = Counter(
        _literal(identifier.name),
        identity=(),
        key="",
        matchers=_matchers(identifier),
        window=None,
    )
    return NamedSource(f"external:{identifier.name}", "a metric of no object", (counter,))
