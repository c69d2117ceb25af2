"""What a workload remembers between reconciles; changes by returning a new value."""

from dataclasses import replace
from datetime import datetime, timedelta

from autoscaler.decide.reason import Reason
from autoscaler.value import value


@value(frozen=True, slots=True)
class TimestampedRecommendation:
    """A recommendation before damping, and when it was made."""

    at: datetime
    replicas: int
    assumed: bool = False
    """True where nothing was known and the current count was noted in its place: it holds scale-in
    for a window, but is no evidence of what was needed."""


@value(frozen=True, slots=True)
class ScaleEvent:
    """A rescale that was carried out: positive `change` grew the workload."""

    at: datetime
    change: int


@value(frozen=True, slots=True)
class Order:
    """The last count we wrote, and the resourceVersion it was written over."""

    replicas: int
    over_version: str


@value(frozen=True, slots=True)
class WorkloadState:
    """The memory of one workload: what was recommended, what was done, since when it is watched."""

    started_at: datetime
    recommendations: tuple[TimestampedRecommendation, ...] = ()
    """Before damping, oldest first, as far as one can still be the highest or lowest of a window
    (`possible_extremes`)."""
    scale_events: tuple[ScaleEvent, ...] = ()
    last_scale_up_at: datetime | None = None
    last_scale_down_at: datetime | None = None
    recovered: bool = False
    """Whether all that scale-in asks for was known at the start: it then needs no hold."""
    seen_at: datetime | None = None
    """The reconcile before this one; a larger step than usual is a clock that jumped."""
    holds: tuple[tuple[Reason, datetime], ...] = ()
    """What holds scale-in and since when (`holds.py`), for as long as its cause lasts."""
    idle_since: datetime | None = None
    """Since when nothing is asked of the workload; kept only where `minReplicas` is 0."""
    order: Order | None = None
    reverted_at: tuple[datetime, ...] = ()
    """When somebody else overwrote our order, newest last."""
    generation: int | None = None
    """The workload's `metadata.generation` after our last write: while it is unchanged, nobody else
    has written its `spec`. None where it cannot tell that, as when an HPA scales on our behalf."""
    surplus: timedelta = timedelta(0)
    """How much was too many so far: the share of the pods beyond the need, summed over time."""
    idle_share: float = 0.0
    """The share of the pods beyond the need at the last reconcile."""
    busiest: tuple[tuple[datetime, float], ...] = ()
    """Measured loads, in pods, and when they were measured, oldest first; one that a later load
    reaches is dropped, so that the first of any span is its highest."""
    uid: str = ""
    """Of the object that all of this is about: another one under the same name begins anew."""

    def with_rescale(self, change: int, *, now: datetime, keep: timedelta) -> "WorkloadState":
        """Return the state after a rescale by `change` pods, dropping events older than `keep`."""
        recent = tuple(e for e in self.scale_events if now - e.at <= keep)
        return replace(
            self,
            scale_events=(*recent, ScaleEvent(now, change)),
            last_scale_up_at=now if change > 0 else self.last_scale_up_at,
            last_scale_down_at=now if change < 0 else self.last_scale_down_at,
            surplus=timedelta(0),
            idle_share=0.0,
        )

    def as_of(self, now: datetime) -> "WorkloadState":
        """Return the state after the clock was set back to `now`: whatever is later becomes `now`.

        `started_at` moves back by as much as the clock did, so that a workload counts as watched
        for as long as before.
        """
        back = timedelta(0) if self.seen_at is None else max(self.seen_at - now, timedelta(0))

        def past(at: datetime | None) -> datetime | None:
            return at if at is None or at <= now else now

        return replace(
            self,
            started_at=min(self.started_at - back, now),
            recommendations=tuple(replace(r, at=min(r.at, now)) for r in self.recommendations),
            scale_events=tuple(replace(e, at=min(e.at, now)) for e in self.scale_events),
            last_scale_up_at=past(self.last_scale_up_at),
            last_scale_down_at=past(self.last_scale_down_at),
            holds=tuple((reason, min(at, now)) for reason, at in self.holds),
            idle_since=past(self.idle_since),
            reverted_at=tuple(min(at, now) for at in self.reverted_at),
            busiest=tuple((min(at, now), pods) for at, pods in self.busiest),
        )

    def since(self, hold: Reason) -> datetime | None:
        """Return since when a hold is in force."""
        return next((at for reason, at in self.holds if reason is hold), None)


def possible_extremes(
    history: tuple[TimestampedRecommendation, ...], newest: int, cutoff: datetime
) -> tuple[TimestampedRecommendation, ...]:
    """Return the recommendations that can still be the highest or lowest of a window, oldest first.

    None is older than `cutoff`; `newest` is the one that follows them.
    One is dropped when a later one is at least as high and a later one at most as low: a window
    that reaches back to it holds those as well.
    Every window's answer stays exact, and far fewer recommendations than cycles are kept.
    """
    highest = lowest = newest
    kept: list[TimestampedRecommendation] = []
    for earlier in reversed(history):
        replicas = earlier.replicas
        if replicas > highest:
            highest = replicas
        elif replicas < lowest:
            lowest = replicas
        else:
            continue
        if earlier.at < cutoff:
            break
        kept.append(earlier)
    kept.reverse()
    return tuple(kept)
