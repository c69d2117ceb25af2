"""Which load is read: HPA's metric types verbatim, and `RequestRate` of our own.

HPA's `Resource`, `ContainerResource`, `Pods`, `Object` and `External` are each backed by PromQL
here; there is no metrics APIService to ask.
"""

import re
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from autoscaler.policy.base import Section
from autoscaler.policy.names import Name
from autoscaler.policy.quantity import Quantity, WholeNumber
from autoscaler.policy.source_names import SOURCE_PARAMETERS, checked_source

_LINE_END = re.compile(r"\r\n?")


def plain_lines(text: str) -> str:
    """Return a text whose lines end with what everybody takes for an end."""
    return _LINE_END.sub("\n", text)


SourceName = Annotated[Name, Field(json_schema_extra={"enum": sorted(SOURCE_PARAMETERS)})]
# A longer PromQL query than this is a mistake or an attack.
Query = Annotated[str, Field(min_length=1, max_length=10_000), AfterValidator(plain_lines)]
Labels = Annotated[dict[Name, Annotated[str, Field(max_length=1024)]], Field(max_length=32)]


def _match_labels(selector: Any) -> Any:
    """Return what HPA's selector holds, or the mapping of labels itself, which is as good."""
    if not isinstance(selector, dict):
        return selector
    if "matchExpressions" in selector:
        raise ValueError("matchExpressions are not understood; give matchLabels, or a query")
    labels = selector.get("matchLabels")
    return labels if isinstance(labels, dict) and len(selector) == 1 else selector


_HpaSelector = dict[Literal["matchLabels"], Labels]
Selector = Annotated[
    Labels, BeforeValidator(_match_labels, json_schema_input_type=Labels | _HpaSelector)
]


class TargetType(StrEnum):
    """How a target is to be read."""

    UTILIZATION = "Utilization"
    AVERAGE_VALUE = "AverageValue"
    VALUE = "Value"


_TARGET_FIELD = {
    TargetType.UTILIZATION: "averageUtilization",
    TargetType.AVERAGE_VALUE: "averageValue",
    TargetType.VALUE: "value",
}


class Target(Section):
    """What one pod (for `Value`: the whole workload) should carry; the field given sets `type`."""

    type: TargetType = TargetType.AVERAGE_VALUE
    average_utilization: Annotated[WholeNumber, Field(gt=0, le=10_000)] | None = None
    average_value: Annotated[Quantity, Field(gt=0)] | None = None
    value: Annotated[Quantity, Field(gt=0)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _infer_type(cls, raw: object) -> object:
        if isinstance(raw, dict) and "type" not in raw:
            for kind, field in _TARGET_FIELD.items():
                if raw.get(field) is not None:
                    return {**raw, "type": kind}
        return raw

    @model_validator(mode="after")
    def _exactly_the_field_of_its_type(self) -> Self:
        given = {
            field
            for field, value in (
                ("averageUtilization", self.average_utilization),
                ("averageValue", self.average_value),
                ("value", self.value),
            )
            if value is not None
        }
        wanted = _TARGET_FIELD[self.type]
        if given != {wanted}:
            found = ", ".join(sorted(given)) or "nothing"
            raise ValueError(f"a target of type {self.type} takes exactly {wanted}, got {found}")
        return self

    @property
    def amount(self) -> float:
        """The number of the field given: percent for Utilization, else the metric's unit."""
        return float(self.average_utilization or self.average_value or self.value or 0.0)


class RequestRate(Section):
    """Requests per second into the workload, from a named source or a PromQL query.

    `target.averageValue` is the capacity: requests/s one ready pod may carry; left out, it is
    learned.
    `labels` overrides the source's parameters (service name, router, renamed labels).
    """

    source: SourceName | None = None
    query: Query | None = None
    labels: Labels = {}
    target: Target | None = None

    @model_validator(mode="after")
    def _one_origin_and_a_per_pod_target(self) -> Self:
        if (self.source is None) == (self.query is None):
            raise ValueError("give exactly one of source and query")
        if self.source is not None:
            checked_source(self.source, self.labels)
        elif self.labels:
            raise ValueError("labels are parameters of a source; a query takes none")
        if self.target is not None and self.target.type is not TargetType.AVERAGE_VALUE:
            raise ValueError(
                "requestRate.target takes averageValue: requests/s one ready pod may carry"
            )
        return self


class Resource(Section):
    """CPU of the whole pod, every container summed (HPA `Resource`)."""

    name: Literal["cpu", "memory"]
    query: Query | None = None
    target: Target


class ContainerResource(Section):
    """CPU of one named container (HPA `ContainerResource`): sidecars never dilute it."""

    name: Literal["cpu", "memory"]
    container: Name
    query: Query | None = None
    target: Target


class MetricIdentifier(Section):
    """A metric by name, with an optional selector: labels, with or without `matchLabels`."""

    name: Name
    selector: Selector = {}


class PodsMetric(Section):
    """A metric of each pod, averaged over pods (HPA `Pods`)."""

    metric: MetricIdentifier
    query: Query | None = None
    target: Target


class ObjectReference(Section):
    """A named object of the same namespace."""

    api_version: Name = "v1"
    kind: Name
    name: Name


class ObjectMetric(Section):
    """A metric of one other object (HPA `Object`)."""

    described_object: ObjectReference
    metric: MetricIdentifier
    query: Query | None = None
    target: Target


class ExternalMetric(Section):
    """A metric from outside the cluster's objects (HPA `External`)."""

    metric: MetricIdentifier
    query: Query | None = None
    target: Target


class MetricType(StrEnum):
    """The kinds of metric a policy may name."""

    REQUEST_RATE = "RequestRate"
    RESOURCE = "Resource"
    CONTAINER_RESOURCE = "ContainerResource"
    PODS = "Pods"
    OBJECT = "Object"
    EXTERNAL = "External"


# As HPA takes them. A share needs a request to be a share of; and what pods use among them does not
# change with their number, so that a `Value` of it would go on lowering for ever.
_TARGETS = {
    MetricType.RESOURCE: (TargetType.UTILIZATION, TargetType.AVERAGE_VALUE),
    MetricType.CONTAINER_RESOURCE: (TargetType.UTILIZATION, TargetType.AVERAGE_VALUE),
    MetricType.PODS: (TargetType.AVERAGE_VALUE,),
    MetricType.OBJECT: (TargetType.VALUE, TargetType.AVERAGE_VALUE),
    MetricType.EXTERNAL: (TargetType.VALUE, TargetType.AVERAGE_VALUE),
}


class MetricSpec(Section):
    """One entry of `metrics`: a type and the section of that type."""

    type: MetricType
    request_rate: RequestRate | None = None
    resource: Resource | None = None
    container_resource: ContainerResource | None = None
    pods: PodsMetric | None = None
    object: ObjectMetric | None = None
    external: ExternalMetric | None = None

    @model_validator(mode="after")
    def _exactly_the_section_of_its_type(self) -> Self:
        wanted = self.type[0].lower() + self.type[1:]
        sections = {
            "requestRate": self.request_rate,
            "resource": self.resource,
            "containerResource": self.container_resource,
            "pods": self.pods,
            "object": self.object,
            "external": self.external,
        }
        given = {name for name, section in sections.items() if section is not None}
        if given != {wanted}:
            found = ", ".join(sorted(given)) or "nothing"
            raise ValueError(
                f"a metric of type {self.type} takes exactly the section {wanted}, got {found}"
            )
        return self

    @model_validator(mode="after")
    def _a_target_of_its_type(self) -> Self:
        allowed = _TARGETS.get(self.type)
        if allowed and self.target and self.target.type not in allowed:
            takes = " or ".join(_TARGET_FIELD[each] for each in allowed)
            given = _TARGET_FIELD[self.target.type]
            raise ValueError(f"a metric of type {self.type} takes a target {takes}, got {given}")
        return self

    @property
    def target(self) -> Target | None:
        """The target of whichever section is given; None means the capacity is learned."""
        return self._section.target if self._section else None

    @property
    def query(self) -> str | None:
        """The PromQL that the user wrote; None means a named source is asked."""
        return self._section.query if self._section else None

    @property
    def _section(
        self,
    ) -> (
        RequestRate
        | Resource
        | ContainerResource
        | PodsMetric
        | ObjectMetric
        | ExternalMetric
        | None
    ):
        return (
            self.request_rate
            or self.resource
            or self.container_resource
            or self.pods
            or self.object
            or self.external
        )
