"""Days in which the wall clock is set forth and back at random, and nothing else goes wrong.

The daemon's clock is set, and Prometheus's with it or not; the load and the pods go by the time of
the world, which nobody sets.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from autoscaler.decide.facts import TargetRef
from autoscaler.decide.holds import CORRECTION
from support.endurance import BEGIN, TICK, WINDOW, Endurance

# The load is known for three hours beyond the end, and for a fortnight before the begin.
MOST_FORTH, MOST_BACK = timedelta(hours=2), timedelta(hours=6)
LEAST = timedelta(seconds=30)


class ClockSoak(Endurance):
    """Both replicas of an endurance, under a clock that is wrong now and then."""

    def __init__(self, *, days: float, seed: int) -> None:
        super().__init__(days=days, seed=seed, mishaps_per_day=0.0, past=timedelta(hours=1))
        self.jumps: list[timedelta] = []
        self._jump_at = BEGIN + timedelta(minutes=20)
        self._noticed_at: datetime | None = None

    def _step(self, cycle: int) -> None:
        if self.clock.world.now() >= self._jump_at:
            self._set_clock()
        self._cycle(cycle)

    def _expire(self) -> None:
        super()._expire()
        self.metrics.ahead = self.clock.skew

    def _set_clock(self) -> None:
        """Set the clock for up to half an hour, or set it right for up to three quarters."""
        chance, before, now = self._chance, self.clock.skew, self.clock.world.now()
        if before:
            self.clock.skew = self.metrics.ahead = timedelta(0)
            minutes = chance.uniform(10, 45)
        else:
            by, sign = chance.choice(((MOST_FORTH, 1), (MOST_BACK, -1)))
            self.clock.skew = sign * LEAST * (by / LEAST) ** chance.random()
            self.metrics.ahead = self.clock.skew * chance.choice((0, 1))
            minutes = 0.25 * 120 ** chance.random()
        self._jump_at = now + timedelta(minutes=minutes)
        self.jumps.append(self.clock.skew - before)
        if abs(self.jumps[-1]) > CORRECTION:
            self._noticed_at = now

    def look(self, before: dict[TargetRef, int], *, leads: bool) -> None:
        """Hold the invariants, and those of a clock that was set."""
        super().look(before, leads=leads)
        replica = self.survivor if leads is (self.leader is self.survivor) else self.other
        for target in self.cluster.documents:
            record = replica.reporting.latest.of(target)
            if record is None or record.at != self.clock.now():
                self.wrong.append(f"{target} was not decided at {self.clock.now()}")

    def _complaints(
        self, target: TargetRef, was: int, is_now: int, *, leads: bool
    ) -> Iterator[str]:
        yield from super()._complaints(target, was, is_now, leads=leads)
        noticed, now = self._noticed_at, self.clock.world.now()
        if is_now < was and noticed is not None and now - noticed < WINDOW - TICK:
            yield "lowered just after the clock was set"
