"""What a named source is: counters, what they are keyed by, and how both become PromQL.

A source is a row of a table (`sources.py`), never a class of its own.
It names one or more counters; each says which labels identify the workload, and the reader adds up
what the counters say about the same workload.
So one query answers for every workload of the cluster, whatever label generation its exporter has.

Two scrapes of one emitter (two kubelet jobs, two Prometheus replicas) must not count twice:
the rate is summed per emitter (`unit`) and scrape path, the largest path is taken, then summed.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from autoscaler.metrics.promql import Matcher, Operator, by, duration, selector

# Added by Prometheus servers that are deployed twice, or by whoever joins several clusters.
REPLICA_LABEL = "prometheus_replica"
CLUSTER_LABEL = "cluster"
# Windows are written for this scrape interval, and stretched for others.
SCRAPE_INTERVAL = timedelta(seconds=30)
# At least four scrapes, so that a missed one changes nothing.
CONTROL_WINDOW = timedelta(minutes=2)
# cAdvisor keeps its own clock of 10 to 15 s on top of the scrape's.
CPU_WINDOW = timedelta(minutes=5)
# Conditions that every source takes, on labels that a scrape or a federation adds.
PINS = ("job", CLUSTER_LABEL)

# A window is covered when a series was there in the two scrapes before it: a rate over half a
# window is about half the load.
PROBE = timedelta(minutes=1)

# A pod is dated by itself when it is silent for more than a scrape and a half.
_LATE_PROBES = 0.75
# An emitter among several is silent after two scrapes and a half. Prometheus ends the series of a
# target that went away after two, and a federation adds a scrape to the age of each.
_SILENT_PROBES = 1.25

Condition = tuple[str, Operator, str]
Parameters = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Counter:
    """One metric of a source; every text may refer to parameters as `{service}`.

    `identity` are the labels whose values, joined with `/`, are a row's key; `key` is the same key
    from our side. `suffix` is a regex of what follows the key in the label of an exporter that
    packs more into it, such as a port.
    `unit` tells emitters apart. `window` None is a gauge, which is read as it stands.
    `extra` is load beyond the first counters' (shed requests): added when there, missed by nobody;
    `sign` -1 takes away what was counted twice (retries).
    """

    metric: str
    identity: tuple[str, ...]
    key: str = "{namespace}/{name}"
    matchers: tuple[Condition, ...] = ()
    unit: tuple[str, ...] = ("pod",)
    window: timedelta | None = CONTROL_WINDOW
    suffix: str = ""
    extra: bool = False
    sign: int = 1
    namespace_label: str | None = None
    """Holds the workload's namespace, by which a query may be narrowed."""
    name_label: str | None = None
    """Holds the workload's name, by which a query may be narrowed."""
    by_pod: bool = False
    """Identity is namespace and pod (and container): whose pod it is, is known elsewhere."""
    probe: timedelta = PROBE

    def bound(
        self, parameters: Parameters, *, scrape_interval: timedelta = SCRAPE_INTERVAL
    ) -> "Counter":
        """Return the counter with the parameters filled in that shape its query."""
        stretch = scrape_interval / SCRAPE_INTERVAL
        matchers: tuple[Condition, ...] = tuple(
            (_filled(label, parameters), operator, _filled(value, parameters))
            for label, operator, value in self.matchers
        )
        pins: tuple[Condition, ...] = tuple(
            (pin, "=", parameters[pin]) for pin in PINS if parameters.get(pin)
        )
        return replace(
            self,
            metric=_filled(self.metric, parameters),
            identity=tuple(_filled(label, parameters) for label in self.identity),
            matchers=matchers + pins,
            namespace_label=self.namespace_label and _filled(self.namespace_label, parameters),
            name_label=self.name_label and _filled(self.name_label, parameters),
            window=self.window and self.window * stretch,
            probe=self.probe * stretch,
        )

    @property
    def clusters(self) -> Iterable[str]:
        """The cluster that `labels.cluster` chose, if it did."""
        return (
            value
            for label, operator, value in self.matchers
            if (label, operator) == (CLUSTER_LABEL, "=")
        )

    def selector(self, narrowed: Sequence[Matcher] = ()) -> str:
        """Return the instant vector selector."""
        return selector(self.metric, (*(Matcher(*each) for each in self.matchers), *narrowed))

    def load(self, selected: str, *, least_window: timedelta = timedelta(0)) -> str:
        """Return the expression of the load by identity, every emitter counted once."""
        emitter = (*self.identity, CLUSTER_LABEL, *self.unit)
        each = f"sum {by((*emitter, 'job', REPLICA_LABEL))} ({self._level(selected, least_window)})"
        return f"sum {by((*self.identity, CLUSTER_LABEL))} (max {by(emitter)} ({each}))"

    def _level(self, selected: str, least_window: timedelta) -> str:
        if self.window is None:
            return selected
        return f"rate({selected}[{duration(max(self.window, least_window))}])"

    def past(self, narrowed: Sequence[Matcher] = (), *, step: timedelta) -> str:
        """Return the load over a range: nothing where a window was not covered by scrapes."""
        selected = self.selector(narrowed)
        load = self.load(selected, least_window=step)
        if self.window is None:
            return load
        witness = ", ".join(self._witness)
        return f"({load} and on ({witness}) {self._before(selected, max(self.window, step))})"

    @property
    def _witness(self) -> tuple[str, ...]:
        """The labels within which some series must have been there before the window.

        A new pod starts at zero and is counted rightly; a workload none of whose pods was there
        was not scraped.
        """
        return self.identity[:1] if self.by_pod else (*self.identity, CLUSTER_LABEL)

    def _before(self, selected: str, window: timedelta) -> str:
        return f"count_over_time({selected}[{duration(self.probe)}] offset {duration(window)})"

    def parts(self, narrowed: Sequence[Matcher] = ()) -> dict[str, str]:
        """Return every expression that one sample needs, by part.

        `load` the value, `at` its time stamp, `series` and `emitters` how many stand behind it,
        `twice` how many emitters arrive by two scrape jobs, `jobs` which scrape jobs there are,
        `before` how many series were there before the window began, `reset` how many began anew
        within it.
        Of pods, whose rows are many, only those that are `late` are dated one by one; of other
        emitters those are named that are `silent`, for the newest time stamp is that of another.
        """
        selected = self.selector(narrowed)
        if self.extra:
            return {"load": self.load(selected)}
        identity = by((*self.identity, CLUSTER_LABEL))
        emitter = (*self.identity, CLUSTER_LABEL, *self.unit)
        paths = f"count {by(emitter)} (count {by((*emitter, 'job'))} ({selected}))"
        parts = {
            "load": self.load(selected),
            "at": f"max {by(self._witness)} (timestamp({selected}))",
            "twice": f"count {identity} ({paths} > 1)",
            "jobs": f"count {by(('job',))} ({selected})",
        }
        if self.window is not None:
            whose = by(self._witness)
            parts["before"] = f"count {whose} ({self._before(selected, self.window)})"
            window = duration(self.window)
            parts["reset"] = f"count {identity} (resets({selected}[{window}]) > 0)"
        if self.by_pod:
            late = _LATE_PROBES * self.probe.total_seconds()
            parts["late"] = f"max {identity} (timestamp({selected})) < time() - {late:g}"
        else:  # there the rows themselves are the emitters
            parts["series"] = f"count {identity} ({selected})"
            parts["emitters"] = f"count {identity} (count {by(emitter)} ({selected}))"
            if self.unit:
                silent = _SILENT_PROBES * self.probe.total_seconds()
                newest = f"max {by(emitter)} (timestamp({selected}))"
                parts["silent"] = f"{newest} < time() - {silent:g}"
        return parts

    def without_suffix(self, value: str) -> str:
        """Return the key in a label's value; empty where the suffix is missing."""
        match = re.fullmatch(f"(.*){self.suffix}", value)
        return match[1] if match else ""

    @property
    def templates(self) -> Iterable[str]:
        """Every text whose parameters change the query."""
        yield from (self.metric, *self.identity)
        for label, _, value in self.matchers:
            yield from (label, value)


def _filled(template: str, parameters: Parameters) -> str:
    """Fill `{name}` of our own templates; what users gave is inserted, never read as a template."""
    return template.format_map(parameters) if "{" in template or "}" in template else template


@dataclass(frozen=True, slots=True)
class NamedSource:
    """One row of the table: what `source: linkerd` means.

    `parameters` are what `labels` of a policy may override, with their defaults; a default may
    refer to `{name}` and `{namespace}` of the workload.
    """

    name: str
    counts: str
    counters: tuple[Counter, ...]
    parameters: Mapping[str, str] = field(default_factory=dict, hash=False)
    per_pod: bool = False
    """Whether each series carries the pod it comes from: a silent pod is then missed."""
    per_pod_while: tuple[str, ...] = ()
    """The parameters that have to be the default ones for that: others count elsewhere."""
    zero_is_silence: bool = False
    """Whether its series outlive what they count, so that a zero may be a sender that died."""

    def filled(self, *, namespace: str, name: str, given: Parameters) -> dict[str, str]:
        """Return every parameter for one workload."""
        workload = {"namespace": namespace, "name": name}
        defaults = {key: _filled(value, workload) for key, value in self.parameters.items()}
        return {**dict.fromkeys(PINS, ""), **defaults, **given, **workload}

    def counted_where(self, parameters: Parameters) -> "NamedSource":
        """Return the source as it is with these parameters: waypoints, say, are nobody's pods."""
        own = all(parameters[name] == self.parameters[name] for name in self.per_pod_while)
        return self if own or not self.per_pod else replace(self, per_pod=False)

    @property
    def shaping(self) -> tuple[str, ...]:
        """The parameters that change the query; the others only say which row is whose."""
        text = "".join(part for counter in self.counters for part in counter.templates)
        return (*PINS, *(name for name in self.parameters if f"{{{name}}}" in text))

    def keys(self, parameters: Parameters) -> list[str]:
        """Return the key of one workload's rows, per counter."""
        return [_filled(counter.key, parameters) for counter in self.counters]
