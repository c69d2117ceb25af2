"""What every policy looks like to Prometheus: one text, rendered when somebody scrapes.

Written by hand because ten thousand policies have 180,000 samples: the client library takes two
seconds of a core for those, a tenth of a scrape interval in which no reconcile runs; this takes a
fifth of that, and pauses after every family.
Names are HPA's and kube-state-metrics' where they have one.
"""

from collections.abc import Callable, Iterator

from autoscaler.decide.facts import Routability, Signal
from autoscaler.review.attention import attention_of
from autoscaler.review.record import DecisionRecord


def _routability(record: DecisionRecord) -> Routability | None:
    return None if record.workload is None else record.workload.routability


# A field that is None is left out: absent is not zero, here as anywhere.
_PER_POLICY: tuple[tuple[str, str, Callable[[DecisionRecord], float | None]], ...] = (
    ("status_current_replicas", "Replicas ordered now.", lambda r: r.current_replicas),
    ("status_desired_replicas", "Replicas decided.", lambda r: r.desired_replicas),
    (
        "status_ready_replicas",
        "Replicas that serve.",
        lambda r: None if r.workload is None else r.workload.ready_replicas,
    ),
    (
        "recommended_replicas",
        "Replicas before damping.",
        lambda r: r.recommendation.replicas,
    ),
    (
        "spec_min_replicas",
        "The policy's minReplicas.",
        lambda r: None if r.spec is None else r.spec.min_replicas,
    ),
    (
        "spec_max_replicas",
        "The policy's maxReplicas.",
        lambda r: None if r.spec is None else r.spec.max_replicas,
    ),
    (
        "consul_passing",
        "Instances that pass in Consul; absent while Consul does not say.",
        lambda r: None if (seen := _routability(r)) is None else seen.passing,
    ),
    (
        "unroutable_seconds",
        "For how long a ready pod has not been passing in Consul; absent while unknown.",
        lambda r: (
            None
            if (seen := _routability(r)) is None or seen.passing is None
            else seen.unroutable_for.total_seconds()
        ),
    ),
    (
        "routing_delay_seconds",
        "From Ready to passing in Consul: a part of the lead time.",
        lambda r: None if (seen := _routability(r)) is None else seen.delay.total_seconds(),
    ),
)


_PER_SIGNAL: tuple[tuple[str, str, Callable[[Signal], float | None]], ...] = (
    ("load", "Load measured, in the metric's unit.", lambda s: s.sample.value),
    (
        "capacity",
        "Load one ready pod may carry.",
        lambda s: None if s.capacity is None else s.capacity.per_pod,
    ),
    (
        "forecast_median",
        "Median of the forecast load.",
        lambda s: None if s.forecast is None else s.forecast.median,
    ),
    (
        "forecast_quantile",
        "Load exceeded with the policy's risk.",
        lambda s: None if s.forecast is None else s.forecast.quantile,
    ),
    (
        "lead_time_seconds",
        "From a decision to a Ready pod.",
        lambda s: None if s.forecast is None else s.forecast.lead_time.total_seconds(),
    ),
    (
        "forecast_skill",
        "1 - loss / loss of persistence.",
        lambda s: None if s.forecast is None else s.forecast.skill,
    ),
    (
        "forecast_coverage",
        "Share of recent windows within their quantile.",
        lambda s: None if s.forecast is None else s.forecast.coverage,
    ),
)


# States as words: one series each, 1 for the word in force.
_STATES: tuple[tuple[str, str, Callable[[DecisionRecord], str]], ...] = (
    ("trust", "Trust in force: the least trusted forecast, or Asleep.", lambda r: str(r.trust)),
    ("reason", "The last rule that changed the number.", lambda r: str(r.decision.reason)),
    ("mode", "Whether decisions are carried out.", lambda r: str(r.mode)),
    ("attention", "What a person should know first.", lambda r: str(attention_of(r))),
)


def policy_families(records: list[DecisionRecord]) -> Iterator[str]:
    """Yield the exposition text of one family after the other."""
    labels = [target_labels(record) for record in records]
    for name, text, value_of in _PER_POLICY:
        yield _family(
            name,
            text,
            [
                f"autoscaler_{name}{{{inside}}} {value}\n"
                for record, inside in zip(records, labels, strict=True)
                if (value := value_of(record)) is not None
            ],
        )
    yield from _signal_families(records, labels)
    for name, text, state_of in _STATES:
        yield _family(
            name,
            text,
            [
                f'autoscaler_{name}{{{inside},{name}="{state_of(record)}"}} 1\n'
                for record, inside in zip(records, labels, strict=True)
            ],
        )


def _signal_families(records: list[DecisionRecord], labels: list[str]) -> Iterator[str]:
    """Yield doubt, load, band, capacity, lead time and sample age per signal."""
    yield _family(
        "metric_doubt",
        "Why nothing is lowered on a metric's word; absent where it may be.",
        [
            f'autoscaler_metric_doubt{{{inside},metric="{escaped(proposal.metric)}",'
            f'reason="{proposal.doubt}"}} 1\n'
            for record, inside in zip(records, labels, strict=True)
            for proposal in record.recommendation.proposals
            if proposal.doubt is not None
        ],
    )
    signals = [
        (record, signal, f'{inside},metric="{escaped(signal.metric)}"')
        for record, inside in zip(records, labels, strict=True)
        for signal in record.signals
    ]
    for name, text, value_of in _PER_SIGNAL:
        yield _family(
            name,
            text,
            [
                f"autoscaler_{name}{{{inside}}} {value}\n"
                for _, signal, inside in signals
                if (value := value_of(signal)) is not None
            ],
        )
    yield _family(
        "sample_age_seconds",
        "Age of the newest sample when it was decided on.",
        [
            f"autoscaler_sample_age_seconds{{{inside}}} "
            f"{(record.at - signal.sample.sampled_at).total_seconds()}\n"
            for record, signal, inside in signals
            if signal.sample.sampled_at is not None
        ],
    )


def _family(name: str, text: str, lines: list[str]) -> str:
    return f"# HELP autoscaler_{name} {text}\n# TYPE autoscaler_{name} gauge\n{''.join(lines)}"


def target_labels(record: DecisionRecord) -> str:
    """Return what names a workload, as the inside of a label set."""
    target = record.target
    return (
        f'namespace="{escaped(target.namespace)}",name="{escaped(target.name)}",'
        f'kind="{escaped(target.kind)}"'
    )


def escaped(value: str) -> str:
    """Return a label value as the exposition format wants it."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
