"""The forecast of a series that has fallen silent: the same minutes of earlier days.

The network looks at the newest minutes; without new ones it would repeat its last answer.
After five minutes of silence the forecast is therefore each earlier day's load, scaled to the level
that this day had when the series fell silent.
The network was never fitted on such horizons, so no better quantile is known than the highest of
the seven days: it is exceeded with a chance of about one in eight, whatever risk was asked for.
"""

import warnings

import numpy as np
from numpy.typing import NDArray

from models.horizon import Horizon
from models.memory import Memory
from models.moment import Moment

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]

# Up to here the last minutes say more than earlier days do; a missed scrape or two is no outage.
SILENT_SECONDS = 300.0
_DAY_STEPS = 1440
# Days are compared by the hour before the silence.
_COMPARED_STEPS = 60
# An earlier day is scaled by this factor at most; a day that differs more has another shape.
_MOST_RATIO = 2.0
# Minutes before and after the window: rhythms are not kept to the minute.
_SLACK_STEPS = 2
_MOST_STEPS = 60


def carried(
    memory: Memory,
    moment: Moment,
    horizon: Horizon,
    promised: tuple[FloatArray, FloatArray],
    silent: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Return median and quantile per lane, those of silent lanes by earlier days if any is known.

    Parameters
    ----------
    promised
        Median and quantile as the network and its calibration have them.
    silent
        Lanes that are without a reading for longer than `SILENT_SECONDS`.
    """
    known_days = profile(memory, moment.take(silent), horizon.take(silent))
    answers = []
    for promise, by_days in zip(promised, known_days, strict=True):
        answer = promise.copy()
        answer[silent] = np.where(np.isfinite(by_days), by_days, promise[silent])
        answers.append(answer)
    return answers[0], answers[1]


def profile(memory: Memory, moment: Moment, horizon: Horizon) -> tuple[FloatArray, FloatArray]:
    """Return median and highest of the earlier days' peaks, per lane; NaN where no day is known."""
    steps = np.arange(-_SLACK_STEPS, min(_longest(horizon), _MOST_STEPS) + _SLACK_STEPS)
    ahead = horizon.first[None, :] + steps[:, None]
    last = np.floor(moment.sampled_at / memory.step_seconds).astype(np.intp)
    before = last[None, :] - np.arange(_COMPARED_STEPS)[:, None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a day without any sample is NaN
        level = np.nanmean(_loads(memory, moment, before), axis=0)
        days = [_like_this_day(memory, moment, (ahead, before), day, level) for day in range(7)]
        return np.nanmedian(days, axis=0), np.nanmax(days, axis=0)


def _longest(horizon: Horizon) -> int:
    return int((horizon.last - horizon.first).max(initial=0)) + 1


def _like_this_day(
    memory: Memory, moment: Moment, steps: tuple[IntArray, IntArray], day: int, level: FloatArray
) -> FloatArray:
    """Return the peak of one earlier day, at the level of this one."""
    back = _DAY_STEPS * (day + 1) - moment.day_shift[day]
    ahead, before = (_loads(memory, moment, at - back) for at in steps)
    its_level = np.nanmean(before, axis=0)
    ratio = level / np.maximum(its_level, 1e-12)
    return np.asarray(np.nanmax(ahead, axis=0) * np.clip(ratio, 1 / _MOST_RATIO, _MOST_RATIO))


def _loads(memory: Memory, moment: Moment, at: IntArray) -> FloatArray:
    return memory.loads(at, moment.rows, moment.index).astype(np.float64)
