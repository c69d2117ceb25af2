"""The window that is asked about: in steps of the ring, and in seconds from the newest reading."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.memory import BLOCK_SECONDS
from models.moment import Moment

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# How old the newest reading usually is: scrape interval, rate window and query lag.
USUAL_AGE_SECONDS = 30.0
# The network was fitted on no longer leads.
MOST_LEAD_SECONDS = 1800.0
_MOST_HOLD_SECONDS = 3600.0
_DAY_SECONDS = 86_400.0
# A fortnight cannot calibrate much rarer events than one in a thousand; above a half is no risk.
LEAST_RISK, MOST_RISK = 0.0005, 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What is asked, one entry per lane: instants and durations in seconds."""

    now: FloatArray
    lead: FloatArray
    hold: FloatArray
    risk: FloatArray

    @classmethod
    def of(cls, lanes: IntArray, *each: FloatArray | float) -> "Asked":
        """Return now, lead, hold and risk of each lane, any of them for all alike."""
        return cls(*(np.broadcast_to(np.asarray(x, dtype=np.float64), lanes.shape) for x in each))

    def take(self, lanes: IntArray) -> "Asked":
        """Return some of the lanes."""
        return Asked(self.now[lanes], self.lead[lanes], self.hold[lanes], self.risk[lanes])


@dataclass(frozen=True, slots=True, eq=False)
class Horizon:
    """When the forecast window is: steps by index, and its distance from the newest reading."""

    first: IntArray
    last: IntArray
    lead_seconds: FloatArray
    """From now, were the newest reading as fresh as usual."""
    hold_seconds: FloatArray

    def take(self, lanes: IntArray) -> "Horizon":
        """Return some of the lanes."""
        return Horizon(*(getattr(self, f.name)[lanes] for f in fields(self)))


def age_seconds(moment: Moment, now: FloatArray) -> FloatArray:
    """Return how old the newest readings are, inf where there is none."""
    return np.asarray(np.maximum(now - moment.sampled_at, 0.0))


def horizon_of(moment: Moment, asked: Asked, *, step_seconds: int) -> Horizon:
    """Return the window; a reading older than usual moves it away by as much."""
    lead = asked.lead.clip(0.0, _DAY_SECONDS)
    hold = asked.hold.clip(BLOCK_SECONDS, _MOST_HOLD_SECONDS)
    begins = (asked.now + lead - moment.end_seconds) / step_seconds
    ends = begins + hold / step_seconds
    age = age_seconds(moment, asked.now)
    late = np.where(np.isfinite(age), age, 0.0) - USUAL_AGE_SECONDS
    return Horizon(
        first=moment.index + 1 + np.floor(begins).astype(np.intp),
        last=moment.index + 1 + np.floor(ends).astype(np.intp),
        lead_seconds=(lead + late).clip(0.0, MOST_LEAD_SECONDS),
        hold_seconds=hold,
    )
