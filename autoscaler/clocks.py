"""Was the wall clock set: compared with a clock that nobody can set.

Spans that are measured with the wall clock (for how long a Lease has not changed, when a job is
due) are wrong once it is set: what relies on them has to notice that, and to begin anew.
"""

import time

# A clock that is slewed (NTP) moves by less than this between two looks that are seconds apart.
_SET_SECONDS = 1.0


def awake_seconds() -> float:
    """Return seconds of a clock that counts on through SIGSTOP and, on Linux, through suspend."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class WallClock:
    """Tells whether the wall clock was set since the last look."""

    def __init__(self) -> None:
        self._ahead = _seconds_ahead()

    def moved_by(self) -> float:
        """Return by how many seconds it was set since the last look; 0 where it only went on."""
        before, self._ahead = self._ahead, _seconds_ahead()
        moved = self._ahead - before
        return moved if abs(moved) > _SET_SECONDS else 0.0


def _seconds_ahead() -> float:
    """Return how far the wall clock is ahead of the one that nobody can set."""
    return time.time() - awake_seconds()
