"""Was the wall clock set: compared with a clock that nobody can set.

Spans that are measured with the wall clock (for how long a Lease has not changed, when a job is
due) are wrong once it is set: what relies on them has to notice that, and to begin anew.
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

# A clock that is slewed (NTP) moves by less than this between two looks that are seconds apart.
_SET_SECONDS = 1.0
# Another one at every boot, and of every machine; Linux alone has it.
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def awake_seconds() -> float:
    """Return seconds of a clock that counts on through SIGSTOP and, on Linux, through suspend."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class ClockReading(NamedTuple):
    """How far the wall clock was ahead of `awake_seconds`, which begins anew at every boot."""

    boot_id: str
    """Empty where nobody knows."""
    seconds_ahead: float

    @classmethod
    def now(cls) -> "ClockReading":
        """Read both clocks."""
        boot_id = ""
        with suppress(OSError):
            boot_id = _BOOT_ID.read_text(encoding="ascii").strip()
        return cls(boot_id, _seconds_ahead())

    def moved_by(self) -> float:
        """Return by how many seconds the wall clock was set since; 0 where it only went on.

        Of a reading of another machine, or from before a boot, nothing can be told: 0 as well.
        """
        now = ClockReading.now()
        same = bool(self.boot_id) and self.boot_id == now.boot_id
        return _if_set(now.seconds_ahead - self.seconds_ahead) if same else 0.0


class WallClock:
    """Tells whether the wall clock was set since the last look."""

    def __init__(self) -> None:
        self._ahead = _seconds_ahead()

    def moved_by(self) -> float:
        """Return by how many seconds it was set since the last look; 0 where it only went on."""
        before, self._ahead = self._ahead, _seconds_ahead()
        return _if_set(self._ahead - before)


def _if_set(moved: float) -> float:
    """Return by how much the clock moved if it was set, 0 if it was merely slewed."""
    return moved if abs(moved) > _SET_SECONDS else 0.0


def _seconds_ahead() -> float:
    """Return how far the wall clock is ahead of the one that nobody can set."""
    return time.time() - awake_seconds()
