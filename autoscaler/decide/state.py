"""What a workload remembers between reconciles; changes by returning a new value."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class TimestampedRecommendation:
    """A recommendation before damping, and when it was made."""

    at: datetime
    replicas: int


@dataclass(frozen=True, slots=True)
class ScaleEvent:
    """A rescale that was carried out: positive `change` grew the workload."""

    at: datetime
    change: int


@dataclass(frozen=True, slots=True)
class WorkloadState:
    """The memory of one workload: what was recommended, what was done, since when it is watched."""

    started_at: datetime
    recommendations: tuple[TimestampedRecommendation, ...] = ()
    scale_events: tuple[ScaleEvent, ...] = ()
    last_scale_up_at: datetime | None = None
    last_scale_down_at: datetime | None = None

    def with_recommendation(
        self, replicas: int, *, now: datetime, keep: timedelta
    ) -> "WorkloadState":
        """Return the state after one more recommendation, dropping those older than `keep`."""
        recent = tuple(r for r in self.recommendations if now - r.at <= keep)
        return replace(self, recommendations=(*recent, TimestampedRecommendation(now, replicas)))

    def with_rescale(self, change: int, *, now: datetime, keep: timedelta) -> "WorkloadState":
        """Return the state after a rescale by `change` pods, dropping events older than `keep`."""
        recent = tuple(e for e in self.scale_events if now - e.at <= keep)
        return replace(
            self,
            scale_events=(*recent, ScaleEvent(now, change)),
            last_scale_up_at=now if change > 0 else self.last_scale_up_at,
            last_scale_down_at=now if change < 0 else self.last_scale_down_at,
        )
