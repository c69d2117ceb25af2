"""Where series stand at an instant: everything a forecast needs beside the ring of minutes.

A moment has lanes: the rows of one reconcile, or the ticks of one row in a replay.
Nothing in it is later than its own instant, whatever the ring holds by the time it is looked at.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.memory import Memory
from models.pulse import Pulse
from models.weeks import weekly

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """Arrays whose last axis are the lanes."""

    rows: IntArray
    index: IntArray
    """The newest closed step; later ones are not looked at."""
    end_seconds: FloatArray
    """When that step ended."""
    sampled_at: FloatArray
    blocks: FloatArray
    trailing: FloatArray
    newest: FloatArray
    highest: FloatArray
    lowest: FloatArray
    n_steps: FloatArray
    run_steps: FloatArray
    since_steps: FloatArray
    level: FloatArray
    volatility: FloatArray
    weekly: FloatArray
    """How much more a week ago tells than a day ago, see `weeks.weekly`."""
    day_shift: IntArray
    burst_from: IntArray
    burst_to: IntArray

    def take(self, lanes: IntArray) -> "Moment":
        """Return some of the lanes."""
        return Moment(*(getattr(self, f.name)[..., lanes] for f in fields(self)))


def moment_of(memory: Memory, pulse: Pulse, rows: IntArray) -> Moment:
    """Return where rows stand now."""
    table = memory.table
    assert memory.index is not None
    return Moment(
        rows=rows,
        index=np.full(rows.shape, memory.index, dtype=np.intp),
        end_seconds=np.full(rows.shape, memory.end_seconds),
        sampled_at=table["sampled_at"][rows],
        blocks=table["blocks"][:, rows],
        trailing=table["trailing"][rows],
        newest=table["newest"][rows],
        highest=table["highest"][rows],
        lowest=table["lowest"][rows],
        n_steps=table["n_steps"][rows],
        run_steps=table["run_steps"][rows],
        since_steps=table["since_steps"][rows],
        level=pulse.level(rows),
        volatility=pulse.volatility(rows),
        weekly=weekly(table, rows),
        day_shift=table["day_shift"][:, rows].astype(np.intp),
        burst_from=table["burst_from"][:, rows].astype(np.intp),
        burst_to=table["burst_to"][:, rows].astype(np.intp),
    )


def joined(moments: Sequence[Moment]) -> Moment:
    """Return all lanes of several moments, in order."""
    return Moment(
        *(np.concatenate([getattr(m, f.name) for m in moments], axis=-1) for f in fields(Moment))
    )
