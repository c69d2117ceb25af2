"""A load with a daily rhythm, placed so that its morning rise begins at a given instant."""

import math
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass

_DAY = 86_400.0


@dataclass(frozen=True)
class DailyRhythm:
    """Quiet at `night`, then within `rise_seconds` up to `day`, ten hours long, and down again."""

    rises_at: float
    night: float = 100.0
    day: float = 1000.0
    rise_seconds: float = 900.0
    busy_seconds: float = 36_000.0

    def load(self, at: float) -> float:
        """Return requests/s at an instant (unix seconds)."""
        since = (at - self.rises_at) % _DAY
        up = _eased(since / self.rise_seconds)
        down = _eased((since - self.busy_seconds) / 7_200.0)
        return self.night + (self.day - self.night) * (up - down)

    def recorded(
        self,
        *,
        until: float,
        days: int = 14,
        step: float = 15.0,
        noise: float = 0.02,
        seed: int = 1,
    ) -> Iterator[tuple[float, float]]:
        """Return (instant, load) of the last days, with some noise."""
        chance = random.Random(seed)
        n_samples = int(days * _DAY / step)
        for k in range(n_samples):
            at = until - (n_samples - k) * step
            yield at, self.load(at) * chance.gauss(1.0, noise)

    def counted(
        self, *, until: float, days: int = 14, step: float = 15.0
    ) -> list[tuple[float, float]]:
        """Return (instant, requests so far): the same load as a counter."""
        total, samples = 0.0, []
        for at, load in self.recorded(until=until, days=days, step=step):
            total += load * step
            samples.append((at, math.floor(total)))
        return samples


def _eased(share: float) -> float:
    """Return a smooth step from 0 to 1."""
    clipped = min(1.0, max(0.0, share))
    return clipped * clipped * (3 - 2 * clipped)


class LiveCounter:
    """Today's part of a recorded counter: asked at every scrape, it counts on."""

    def __init__(self, rhythm: DailyRhythm, *, since: tuple[float, float]) -> None:
        self._rhythm = rhythm
        self._at, self._total = since

    def __call__(self) -> float:
        """Return the requests so far."""
        now = time.time()
        self._total += self._rhythm.load(now) * (now - self._at)
        self._at = now
        return self._total
