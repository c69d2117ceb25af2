"""When do other bounds hold: floors and ceilings by time zone, one-off or recurring.

`start` and `end` are either local wall-clock instants ("2026-11-27 08:00", one-off) or
five-field cron
expressions ("0 8 * * 1-5", recurring); both of one kind.
Overlapping entries: the highest floor and the lowest ceiling win.
"""

from typing import Annotated, Self

from pydantic import Field, model_validator

from autoscaler.policy.base import Section
from autoscaler.policy.metric import Name

ScheduleTime = Annotated[str, Field(min_length=1, max_length=64)]


class ScheduleEntry(Section):
    """A floor or a ceiling (or both) that holds from `start` until just before `end`."""

    name: Name
    time_zone: Name = "UTC"
    start: ScheduleTime
    end: ScheduleTime
    min_replicas: Annotated[int, Field(ge=0, le=100_000)] | None = None
    max_replicas: Annotated[int, Field(ge=0, le=100_000)] | None = None

    @model_validator(mode="after")
    def _limits_something(self) -> Self:
        if self.min_replicas is None and self.max_replicas is None:
            raise ValueError("give minReplicas, maxReplicas or both")
        return self
