"""The same answers, many ticks at once: what a replay asks of one series.

Tick by tick, one series costs as much as hundreds together, nearly all of it the price of calling
numpy.
Here the readings of a stretch of ticks are taken in one by one, the features and the network are
worked out for all of them together, and then the promises are made and scored in their order.
The answers are those of `observe_now`, `append` and `predict`, tick by tick; a test holds that.
"""

import math
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.batch import ForecastBatch, concatenated
from models.engine import ForecastEngine
from models.features import Inputs, inputs, minute_view
from models.horizon import Asked, Horizon, horizon_of
from models.moment import Moment, joined, moment_of
from models.network import quantiles

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
Question = tuple[float, float, float]
"""Lead and hold in seconds, and risk."""
_Arrays = TypeVar("_Arrays", Asked, Horizon, Inputs)


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """Trailing one-minute means of one series: when they ended, and when they were looked at.

    `closes` marks those that are the mean of a whole step.
    """

    load: FloatArray
    at_seconds: FloatArray
    now_seconds: FloatArray
    closes: NDArray[np.bool_]


def answers_along(
    engine: ForecastEngine,
    row: int,
    readings: Readings,
    *,
    asked: Question,
) -> ForecastBatch:
    """Return one answer per reading, to the same question."""
    rows = np.array([row], dtype=np.intp)
    moments: list[Moment] = []
    closed: list[int | None] = []
    columns = (readings.load, readings.at_seconds, readings.closes)
    for load, at, closes in zip(*(c.tolist() for c in columns), strict=True):
        value = np.array([load])
        engine.observe_now(value, at_seconds=at, rows=rows)
        if closes:
            engine.append(value, end_seconds=at, rows=rows, settle=False)
        scored = closes and not math.isnan(load)
        closed.append(round(at / engine.step_seconds) if scored else None)
        moments.append(moment_of(engine.memory, engine.pulse, rows))
    return _answered(engine, joined(moments), closed, readings, asked)


def _answered(
    engine: ForecastEngine,
    moment: Moment,
    closed: list[int | None],
    readings: Readings,
    asked: Question,
) -> ForecastBatch:
    now = readings.now_seconds
    questions = Asked(now, *(np.full(len(now), x) for x in asked))
    horizon = horizon_of(moment, questions, step_seconds=engine.step_seconds)
    _, first, minute = np.unique(np.cumsum(readings.closes), return_index=True, return_inverse=True)
    view = minute_view(engine.memory, moment.take(first)).take(minute)
    given = inputs(engine.memory, moment, view, horizon)
    levels = quantiles(engine.prior, given)
    batches: list[ForecastBatch] = []
    starts = [i for i, index in enumerate(closed) if index is not None or i == 0]
    for start, stop in zip(starts, [*starts[1:], len(now)], strict=True):
        index = closed[start]
        if index is not None:
            engine.calibration.settle(index, moment.rows[start : start + 1])
        part = np.arange(start, stop)
        batches.append(
            engine.answered(
                moment.take(part),
                _part(questions, part),
                _part(horizon, part),
                _part(given, part),
                levels[part],
            )
        )
    return concatenated(batches)


def _part(whole: _Arrays, part: IntArray) -> _Arrays:
    return type(whole)(*(getattr(whole, f.name)[part] for f in fields(whole)))
