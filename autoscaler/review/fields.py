"""What does a decision line hold: every field of it, its meaning, its bounds.

One definition serves four readers: the type of `DecisionRecord.as_dict`, the JSON Schema that
`autoscaler schema decision` prints, the validation of lines that come back from a log, and the
documentation.
`None` is *unknown* throughout, never zero.
A line may hold more at its top level (`level`, `ts`, `msg`, what log shippers add); inside, it is
closed, so that a forgotten field shows up in a test.
"""

import re
from typing import Annotated, Any, Final, Literal

from pydantic import ConfigDict, Field, TypeAdapter, with_config

# pydantic refuses typing.TypedDict before Python 3.12.
from typing_extensions import TypedDict

from autoscaler.decide.facts import CapacitySource, Doubt, Trust
from autoscaler.decide.reason import Reason
from autoscaler.policy.schema import Actuator, Mode

# Counts the changes of the fields below: a field added, removed, renamed or given another meaning.
SchemaVersion = Literal[1]
SCHEMA_VERSION: SchemaVersion = 1
# Of a workload without pods, whose metrics are silent as they are then: there is no load to know,
# so no forecast of it is stale.
ASLEEP: Final = "Asleep"
WorkloadTrust = Trust | Literal["Asleep"]
# Longer texts come from outside (an error body, a query): the rest of them explains nothing.
TEXT_LIMIT = 200
# Sixteen signals of a hostile source still fit 16 KiB, where container runtimes split lines;
# a line of one signal is near 1.3 kB.
SIGNAL_TEXT_LIMIT = 100
# Namespace, ConfigMap and key at their longest: a cut name would be another name.
POLICY_LIMIT = 63 + 253 + 253 + 2
MESSAGE_LIMIT = 600
# No rule runs twice, so the chain is shorter than the list of reasons; this only bounds readers.
MOST_LIMITS = 64
# A policy has no more metrics than this.
MOST_SIGNALS = 16

# Text that comes back from a server may repeat the URL or the header it was asked with.
_SECRET = re.compile(
    r"(?i)(://)[^/@\s]+@|"
    r"((?:authorization|bearer|token|password|api[-_]?key)\b[\\\"']*[=: ]+[\\\"']*)"
    r"(?:bearer +|basic +)?[^\s,;\"'}]+"
)

Count = Annotated[int, Field(ge=0)]
Load = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
# A thousand years: whoever tells a longer span could not write it as one.
_MOST_SECONDS = 3e10
Seconds = Annotated[float, Field(ge=0, le=_MOST_SECONDS, allow_inf_nan=False)]
Age = Annotated[float, Field(ge=-_MOST_SECONDS, le=_MOST_SECONDS, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=TEXT_LIMIT)]
SignalText = Annotated[str, Field(max_length=SIGNAL_TEXT_LIMIT)]

_CLOSED = ConfigDict(extra="forbid")
_OPEN = ConfigDict(extra="allow")


@with_config(_CLOSED)
class TargetFields(TypedDict):
    """The workload that is scaled."""

    namespace: str
    kind: str
    name: str


@with_config(_CLOSED)
class CapacityFields(TypedDict):
    """The load one ready pod may carry."""

    per_pod: Annotated[Number, Field(gt=0, description="In the metric's unit.")]
    source: CapacitySource
    low: Annotated[Number | None, Field(description="Lower 90 % bound when learned.")]
    high: Annotated[Number | None, Field(description="Upper 90 % bound when learned.")]


@with_config(_CLOSED)
class ForecastFields(TypedDict):
    """The highest load expected in [now + lead time, now + lead time + hold]."""

    lead_time_seconds: Annotated[Seconds, Field(description="From a decision to a Ready pod.")]
    hold_seconds: Annotated[Seconds, Field(description="Until the next chance to correct.")]
    median: Load
    quantile: Annotated[Load, Field(description="The load exceeded with chance `risk`.")]
    reactive_quantile: Annotated[
        Load, Field(description="The same from persistence alone; it sizes without trust.")
    ]
    risk: Annotated[float, Field(gt=0, lt=1, description="Accepted chance of being short.")]
    trust: Trust
    skill: Annotated[Number | None, Field(description="1 - loss / loss of persistence.")]
    coverage: Annotated[
        Number | None, Field(description="Share of recent windows within their quantile.")
    ]
    burst: Annotated[bool, Field(description="A jump is under way: scale-in is frozen.")]
    age_seconds: Annotated[Seconds, Field(description="Age of the newest sample behind it.")]


@with_config(_CLOSED)
class SignalFields(TypedDict):
    """One metric of the policy: measured, sized and forecast, with its own proposal."""

    metric: SignalText
    value: Annotated[Number | None, Field(description="Total over the workload; null = unknown.")]
    age_seconds: Annotated[Age | None, Field(description="Age of the sample.")]
    series: Annotated[Count, Field(description="Series the sample was summed from.")]
    doubt: Annotated[Doubt | None, Field(description="Why the sample cannot be trusted whole.")]
    detail: SignalText
    capacity: CapacityFields | None
    forecast: ForecastFields | None
    usage_ratio: Annotated[Number | None, Field(description="HPA's ratio of usage to target.")]
    predictive_replicas: Annotated[Count | None, Field(description="What the forecast needs.")]
    reactive_replicas: Annotated[
        Count | None, Field(description="What HPA's formula makes of the measurement.")
    ]


@with_config(_CLOSED)
class RecommendationFields(TypedDict):
    """Replicas before damping."""

    replicas: Annotated[Count | None, Field(description="null = no signal is known.")]
    reason: Reason
    may_lower: Annotated[bool, Field(description="False = some doubt: it may only raise.")]
    detail: Text


# `from` is a keyword in Python, so this one is written as a call.
LimitFields = TypedDict(
    "LimitFields",
    {
        "reason": Annotated[Reason, Field(description="The rule that changed the number.")],
        "from": Count,
        "to": Count,
        "detail": Text,
    },
)
LimitFields.__doc__ = "One rule that changed the number, from what to what."
LimitFields.__pydantic_config__ = _CLOSED  # type: ignore[attr-defined]  # what with_config sets


@with_config(_CLOSED)
class BoundsFields(TypedDict):
    """Between what the answer had to lie; with it "what would have been" can be recomputed."""

    min_replicas: Count
    max_replicas: Count
    scale_down_limit: Annotated[Count, Field(description="The fewest the rate limits allow now.")]
    scale_up_limit: Annotated[Count, Field(description="The most the rate limits allow now.")]
    scale_in_paused: bool
    scale_out_paused: bool


@with_config(_CLOSED)
class RoutabilityFields(TypedDict):
    """Whether callers find the ready pods: Consul as a second witness."""

    passing: Annotated[Count | None, Field(description="Passing in Consul; null = unknown.")]
    unroutable_seconds: Annotated[
        Seconds,
        Field(description="Since when a ready pod is not passing; while unknown, as known."),
    ]
    delay_seconds: Annotated[
        Seconds, Field(description="From Ready to passing; lengthens the measured lead time.")
    ]
    alarming: Annotated[bool, Field(description="Ready but not routable for more than 60 s.")]
    detail: SignalText


@with_config(_OPEN)
class DecisionFields(TypedDict):
    """One decision of the predictive autoscaler: why this many replicas."""

    schema: Annotated[SchemaVersion, Field(description="Version of these fields.")]
    time: Annotated[
        str,
        Field(
            pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d$",
            description="When it was decided, RFC 3339 with milliseconds.",
        ),
    ]
    policy: Annotated[
        str,
        Field(
            max_length=POLICY_LIMIT, description="Where the policy stands: ConfigMap/key or file."
        ),
    ]
    target: TargetFields
    mode: Mode
    actuator: Annotated[
        Actuator, Field(description="What is written: replicas, or an HPA's floor.")
    ]
    trust: Annotated[WorkloadTrust, Field(description="The least trusted forecast, or Asleep.")]
    current_replicas: Annotated[
        Count | None,
        Field(description="spec.replicas as it was read; null = the target does not exist."),
    ]
    ready_replicas: Annotated[Count | None, Field(description="Pods that serve.")]
    routability: Annotated[
        RoutabilityFields | None, Field(description="null = the policy names no Consul service.")
    ]
    signals: Annotated[list[SignalFields], Field(max_length=MOST_SIGNALS)]
    recommendation: RecommendationFields
    chain: Annotated[
        list[LimitFields],
        Field(max_length=MOST_LIMITS, description="Each rule that changed the number, in order."),
    ]
    bounds: Annotated[BoundsFields | None, Field(description="null = the target does not exist.")]
    desired_replicas: Annotated[
        Count | None,
        Field(description="Replicas after damping; null = the target does not exist."),
    ]
    reason: Annotated[Reason, Field(description="The last rule that changed the number.")]
    rescaled: Annotated[bool, Field(description="Whether it was written; see `actuator`.")]
    not_rescaled_because: Annotated[Text, Field(description="Why a change was not written.")]
    message: Annotated[str, Field(max_length=MESSAGE_LIMIT + 1, description="For people.")]


DECISION = TypeAdapter(DecisionFields)


def decision_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of one decision line."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:predictive-autoscaler:decision:{SCHEMA_VERSION}",
        **DECISION.json_schema(),
    }


def bounded(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return `text` on one line of at most `limit` characters, cut with an ellipsis, redacted."""
    # A little more than is shown is enough to recognise what has to be hidden.
    seen = redacted(text[: 2 * limit])
    line = seen if seen.isprintable() else "".join(c if c.isprintable() else " " for c in seen)
    return line if len(line) <= limit else line[: limit - 1] + "…"


def redacted(text: str) -> str:
    """Return `text` without the credentials that a URL or a header repeated in it would carry."""
    return _SECRET.sub(lambda match: f"{match[1] or match[2]}***{'@' if match[1] else ''}", text)
