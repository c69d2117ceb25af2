"""While a past is read in, its last day is also forecast, so that a series begins calibrated.

Only the end of the past is forecast, with the usual lead time and window: forecasts of older days
would be scored before the experts have learnt anything.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from models.horizon import USUAL_AGE_SECONDS, Asked
from models.memory import Memory
from models.moment import Moment, moment_of
from models.pulse import Pulse

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# The last day of a past, where that costs seconds; of very many rows at once, two hours.
_STEPS, _STEPS_OF_MANY, _MANY_ROWS = 1440, 120, 64
_EVERY = 2
# The usual question: two minutes ahead, until the next cycle.
_LEAD_SECONDS, _HOLD_SECONDS = 120.0, 15.0


def rehearsed(column: int, *, n_samples: int, n_rows: int) -> bool:
    """Whether a forecast is made at this column of a past."""
    n_steps = _STEPS if n_rows <= _MANY_ROWS else _STEPS_OF_MANY
    return column >= n_samples - n_steps and column % _EVERY == 0


def rehearsal(
    memory: Memory, pulse: Pulse, rows: IntArray, *, end_seconds: float, risk: FloatArray | float
) -> tuple[Moment, Asked]:
    """Return what is asked, and of when: the step that ends then, however far other rows are."""
    now = end_seconds + USUAL_AGE_SECONDS
    asked = Asked.of(rows, now, _LEAD_SECONDS, _HOLD_SECONDS, risk)
    then = np.full(rows.shape, round(end_seconds / memory.step_seconds), dtype=np.intp)
    moment = moment_of(memory, pulse, rows)
    return replace(moment, index=then, end_seconds=np.full(rows.shape, end_seconds)), asked
