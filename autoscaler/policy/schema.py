"""What may a policy say: one `WorkloadPolicy` per Deployment, HPA's field names where HPA has one.

Defaults are filled in here, so `autoscaler validate --show` prints what is really in force.
Every bound exists to refuse nonsense at the edge, with the field's path and the value in the
message.
"""

from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, PlainSerializer, model_validator

from autoscaler.policy.base import SHARED, Section
from autoscaler.policy.behavior import Behavior
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.names import ApiVersion, Kind, Name, ObjectName
from autoscaler.policy.quantity import (
    MOST_REPLICAS,
    Duration,
    Risk,
    WholeNumber,
    duration_text,
    parsed_duration,
)
from autoscaler.policy.schedule import ScheduleEntry
from autoscaler.policy.time_zone import TimeZone


class Mode(StrEnum):
    """Whether decisions are only recorded, or carried out."""

    FORECAST_ONLY = "ForecastOnly"
    FORECAST_AND_SCALE = "ForecastAndScale"


class Actuator(StrEnum):
    """What is written: the `scale` subresource, or `minReplicas` of an existing HPA."""

    SCALE = "scale"
    HPA = "hpa"


_SCALABLE_APPS = ("Deployment", "StatefulSet", "ReplicaSet")


class ScaleTargetRef(Section):
    """The workload that is scaled: anything with a `scale` subresource."""

    api_version: ApiVersion = "apps/v1"
    kind: Kind = "Deployment"
    name: ObjectName
    namespace: ObjectName | None = None

    @model_validator(mode="after")
    def _exists_in_its_group(self) -> Self:
        group, _, version = self.api_version.rpartition("/")
        if group == "apps" and (version != "v1" or self.kind not in _SCALABLE_APPS):
            raise ValueError(
                f"apiVersion {self.api_version} has no kind {self.kind!r} to scale; apps/v1 has "
                f"{', '.join(_SCALABLE_APPS)}, and a kind of another group needs its apiVersion"
            )
        return self


def _auto_or_duration(value: Any) -> timedelta | None:
    if value is None or value == "auto":
        return None
    try:
        return parsed_duration(value)
    except ValueError as error:
        raise ValueError(f"{error}, nor auto") from None


LeadTime = Annotated[
    timedelta | None,
    BeforeValidator(_auto_or_duration, json_schema_input_type=str | float | None),
    PlainSerializer(lambda v: "auto" if v is None else duration_text(v)),
]


class Forecast(Section):
    """How the forecast is used; risk is the only knob."""

    risk: Risk = 0.01
    """Chance of being short that is accepted."""
    lead_time: LeadTime = None
    """From a decision to a Ready pod; None (`auto`) means measured."""
    carries_for: Duration = timedelta(hours=4)
    """How long the forecast carries the floor through an outage of metrics: most are over by then,
    and a daily rhythm read this long ago still says where the day is going."""
    time_zone: TimeZone = "UTC"
    """IANA zone whose days and weeks the load follows."""


class Cooldown(Section):
    """No second rescale in a direction until this long after the last one in it."""

    scale_up: Duration = timedelta(0)
    scale_down: Duration = timedelta(minutes=5)


class ConsulService(Section):
    """The service under which callers find the workload in Consul, one instance per pod."""

    service: Name
    tag: Name | None = None
    datacenter: Name | None = None


class WorkloadPolicy(Section):
    """Everything the user decided about one workload."""

    scale_target_ref: ScaleTargetRef
    mode: Mode = Mode.FORECAST_ONLY
    actuator: Actuator = Actuator.SCALE
    min_replicas: WholeNumber = Field(default=1, ge=0, le=MOST_REPLICAS)
    max_replicas: WholeNumber = Field(ge=1, le=MOST_REPLICAS)
    metrics: tuple[Annotated[MetricSpec, SHARED], ...] = Field(min_length=1, max_length=16)
    forecast: Annotated[Forecast, SHARED] = Forecast()
    cooldown: Annotated[Cooldown, SHARED] = Cooldown()
    behavior: Annotated[Behavior, SHARED] = Behavior()
    schedule: tuple[Annotated[ScheduleEntry, SHARED], ...] = Field(default=(), max_length=100)
    paused: bool = False
    paused_scale_in: bool = False
    paused_scale_out: bool = False
    consul: ConsulService | None = None
    """Makes Consul a witness of readiness: pods count as there once it passes them, too."""

    @model_validator(mode="after")
    def _bounds_in_order(self) -> Self:
        if self.min_replicas > self.max_replicas:
            raise ValueError(
                f"minReplicas {self.min_replicas} is above maxReplicas {self.max_replicas}"
            )
        return self
