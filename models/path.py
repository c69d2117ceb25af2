"""The engine's answers for many ticks of one series at once, for replays.

Tick by tick, one series costs as much as hundreds together, nearly all of it for calling numpy.
Here the readings of many ticks are taken in one by one, features and network are computed for all
of them together, and then the answers are calibrated and scored in order, a minute at once, at as
many risks as asked.
The answers are those of `observe_now`, `append` and `predict`, tick by tick; a test holds that.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from models.answer import answered
from models.batch import ForecastBatch, concatenated
from models.engine import ForecastEngine
from models.features import Inputs, inputs, minute_view
from models.horizon import Asked, Horizon, horizon_of
from models.moment import Moment, joined, moment_of
from models.network import quantiles

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
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


class Walk:
    """One series walked along: readings in, an answer per reading at each of several risks.

    Every risk has a row of its own in the engine, and all of them read the same; what the network
    is shown is that of the first.
    """

    def __init__(
        self,
        engine: ForecastEngine,
        *,
        lead_seconds: float,
        hold_seconds: float,
        risks: Sequence[float],
    ) -> None:
        self._engine = engine
        self._risks = np.asarray(risks, dtype=np.float64)
        self.rows = engine.add(len(self._risks))
        self._window = (lead_seconds, hold_seconds)

    def answers(self, readings: Readings) -> list[ForecastBatch]:
        """Take readings in; return one batch per risk, with one answer per reading."""
        engine = self._engine
        moment, closed = self._moments(readings)
        now = readings.now_seconds
        lead, hold = (np.full(len(now), seconds) for seconds in self._window)
        asked = Asked(now, lead, hold, np.zeros(len(now)))
        horizon = horizon_of(moment, asked, step_seconds=engine.step_seconds)
        first, minute = _minutes(readings)
        view = minute_view(engine.memory, moment.take(first)).take(minute)
        given = inputs(engine.memory, moment, view, horizon)
        levels = quantiles(engine.prior, given)
        return self._answers((moment, asked, horizon, given, levels), closed)

    def _answers(
        self,
        question: tuple[Moment, Asked, Horizon, Inputs, FloatArray],
        closed: list[int | None],
    ) -> list[ForecastBatch]:
        """Make promises in their order, and score each as soon as its window has passed."""
        moment, asked, horizon, given, levels = question
        calibration, n_risks = self._engine.calibration, len(self._risks)
        n_steps = self._engine.table["n_steps"]
        batches: list[ForecastBatch] = []
        which: list[IntArray] = []
        starts = [i for i, index in enumerate(closed) if index is not None or i == 0]
        for start, stop in zip(starts, [*starts[1:], len(closed)], strict=True):
            index = closed[start]
            # All of the stretch has been read by now; so many steps were known then.
            n_steps[self.rows] = moment.n_steps[start]
            if index is not None:
                calibration.settle(index, self.rows)
            part = np.tile(np.arange(start, stop), n_risks)
            row = np.repeat(self.rows, stop - start)
            risk = np.repeat(self._risks, stop - start)
            which.append(np.repeat(np.arange(n_risks), stop - start))
            batches.append(
                answered(
                    calibration,
                    replace(moment.take(part), rows=row),
                    replace(_part(asked, part), risk=risk),
                    _part(horizon, part),
                    _part(given, part),
                    levels[part],
                )
            )
        whole, at = concatenated(batches), np.concatenate(which)
        return [whole.take(np.flatnonzero(at == i)) for i in range(n_risks)]

    def _moments(self, readings: Readings) -> tuple[Moment, list[int | None]]:
        """Return where the series stood at each reading, and which step that reading closed.

        Between two steps only the newest reading changes; the rest is looked at once a minute.
        """
        engine, table = self._engine, self._engine.table
        first = self.rows[:1]
        by_minute: list[Moment] = []
        closed: list[int | None] = []
        newest: tuple[list[FloatArray], ...] = ([], [], [])
        columns = (readings.load, readings.at_seconds, readings.closes)
        for load, at, closes in zip(*(c.tolist() for c in columns), strict=True):
            value = np.full(len(self.rows), load)
            engine.observe_now(value, at_seconds=at, rows=self.rows)
            if closes:
                engine.append(value, end_seconds=at, rows=self.rows, settle=False)
            if closes or not by_minute:
                by_minute.append(moment_of(engine.memory, engine.pulse, first))
            index = round(at / engine.step_seconds)
            closed.append(index if closes and self._knows(index) else None)
            for name, values in zip(("blocks", "trailing", "sampled_at"), newest, strict=True):
                values.append(table[name][..., first])
        _, minute = _minutes(readings)
        blocks, trailing, sampled_at = (np.concatenate(values, axis=-1) for values in newest)
        moment = joined(by_minute).take(minute)
        return replace(moment, blocks=blocks, trailing=trailing, sampled_at=sampled_at), closed

    def _knows(self, index: int) -> bool:
        """Whether the load of a step that was just closed is known, and believed."""
        memory, first = self._engine.memory, self.rows[:1]
        return bool(np.isfinite(memory.loads(np.array([index]), first, index)[0]))


def _minutes(readings: Readings) -> tuple[IntArray, IntArray]:
    """Return the first reading of each minute, and each reading's minute."""
    _, first, minute = np.unique(np.cumsum(readings.closes), return_index=True, return_inverse=True)
    return first, minute


def _part(whole: _Arrays, part: IntArray) -> _Arrays:
    return type(whole)(*(getattr(whole, f.name)[part] for f in fields(whole)))
