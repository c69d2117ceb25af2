"""What load will be there when a pod ordered now is ready: one stateful batch over all series.

State is arrays with one row per series; nothing reads a clock, a file or a network.
The daemon and the replay drive the same methods: `observe_now` at every reading, `append` once a
minute, `learn` once an hour, `predict` at every reconcile.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.answer import answered
from models.batch import ForecastBatch, concatenated, nothing_known
from models.calibration import Calibration
from models.codec import known_loads
from models.features import MinuteView, inputs, minute_view
from models.glitches import Glitches
from models.horizon import USUAL_AGE_SECONDS, Asked, horizon_of
from models.memory import Memory
from models.moment import Moment, moment_of
from models.network import Network, fingerprint, pooled_prior, quantiles
from models.past import Seen
from models.pulse import Pulse
from models.rehearsal import rehearsal, rehearsed
from models.snapshot import load_state, save_state
from models.table import Table
from models.trust import Trust
from models.weeks import Weeks
from models.zones import Zones

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]
BoolArray = NDArray[np.bool_]

__all__ = ["ForecastBatch", "ForecastEngine", "Trust"]

# Eight days of minutes hold the same minute of every weekday; the hour more holds the window.
_RING_DAYS, _RING_EXTRA_STEPS, _DAY_STEPS = 8, 64, 1440
# So many rows fit the processor's caches; more at once are slower and take memory for nothing.
_ROWS_AT_ONCE = 2048
# What a policy accepts by default.
_USUAL_RISK = 0.01


class ForecastEngine:
    """Quantiles of the maximum load over a window, for thousands of series at once.

    `exact_minutes` says that every reading is the plain mean over the minute before it, from which
    its last quarter can be told; a rate over some other window must not be taken apart like that.
    """

    def __init__(
        self,
        *,
        step_seconds: int = 60,
        prior: tuple[Network, ...] | None = None,
        exact_minutes: bool = True,
    ) -> None:
        self.step_seconds = step_seconds
        self.table = Table()
        self.memory = Memory(
            self.table,
            step_seconds=step_seconds,
            n_slots=_RING_DAYS * _DAY_STEPS + _RING_EXTRA_STEPS,
            exact_minutes=exact_minutes,
        )
        self.glitches = Glitches(self.table)
        self.pulse = Pulse(self.table)
        self.weeks = Weeks(self.table, self.memory)
        self.calibration = Calibration(self.table, self.memory)
        self.zones = Zones(self.table)
        self.prior = pooled_prior() if prior is None else prior
        self._views: dict[bytes, MinuteView] = {}
        """The slow part of the features by the rows it is of, until anything is learnt."""

    @property
    def capacity(self) -> int:
        """How many rows there are, free ones included."""
        return self.table.capacity

    def add(self, n: int) -> IntArray:
        """Return `n` fresh rows; rows that were removed are used again first."""
        self._views.clear()
        return self.table.add(n)

    def remove(self, rows: IntArray) -> None:
        """Give rows back."""
        self._views.clear()
        self.table.remove(rows)
        self.zones.forget(rows)

    def backfill(
        self,
        rows: IntArray,
        y: FloatArray,
        *,
        end_seconds: float,
        risk: FloatArray | float = _USUAL_RISK,
        wanted: Callable[[], bool] = lambda: True,
    ) -> None:
        """Take in the past of `rows`: `y` (len(rows), n_samples), gaps NaN, newest last.

        What these rows saw before completes it, behind its end and in its gaps.
        Towards its end the past is also forecast, as a rehearsal: a series begins calibrated for
        the `risk` that will be asked.
        A fortnight takes seconds; once it is not `wanted` any more, it is left half way.
        """
        seen = Seen(self.memory, rows)
        self.table.forget(rows)
        for column, ends, load in seen.completed(y, self._ends(y.shape[1], end_seconds)):
            if not wanted():
                return
            self.append(load, end_seconds=ends, rows=rows)
            if rehearsed(column, n_samples=y.shape[1], n_rows=len(rows)):
                asked = rehearsal(self.memory, self.pulse, rows, end_seconds=ends, risk=risk)
                self._answered(*asked)
        self._go_on(rows, seen, round(end_seconds / self.step_seconds))

    def adopt(self, rows: IntArray, other: "ForecastEngine", others: IntArray) -> None:
        """Take over what another engine learned of the past of `rows`, in its rows `others`.

        What these rows saw after it completes it, and in its gaps their memory; a row of which it
        learned nothing goes on with what it saw.
        """
        learned = other.table["n_steps"][others] > 0
        rows, others = rows[learned], others[learned]
        if not rows.size:
            return
        self._views.clear()
        newest = other.memory.newest_known(others)
        self.memory.opened(other.newest_seconds)
        seen = Seen(self.memory, rows)
        other.memory.opened(self.memory.end_seconds)
        self.table.take_over(rows, other.table, others)
        seen.fill_gaps()
        self._go_on(rows, seen, newest)

    def _go_on(self, rows: IntArray, seen: Seen, newest: IntArray | int) -> None:
        """Close the steps again that were seen of each row after its `newest` known one."""
        for index, load in seen.after(int(np.min(newest))):
            later = np.where(index > newest, load, np.nan)
            self.append(later, end_seconds=float(index * self.step_seconds), rows=rows)
        seen.read_again()

    def refill(self, rows: IntArray, y: FloatArray, *, end_seconds: float) -> None:
        """Fill in minutes of the past that were missed, and leave all else that was learnt.

        Parameters
        ----------
        y
            Loads, shape (n_rows, n_steps), oldest first, NaN where nothing is filled in.
        end_seconds
            When the last of the steps ends, unix seconds; what the memory does not reach is left.
        """
        self._views.clear()
        for past, ends in zip(y.T, self._ends(y.shape[1], end_seconds), strict=True):
            index = round(ends / self.step_seconds)
            if self.memory.reaches(index):
                which, load = self._believed(rows, past)
                self.memory.write(index, rows[which], load)

    def _ends(self, n_samples: int, end_seconds: float) -> Iterator[float]:
        """Yield when each of the steps ends of which the last ends at `end_seconds`."""
        return (end_seconds - k * self.step_seconds for k in reversed(range(n_samples)))

    def set_back(self, *, end_seconds: float) -> None:
        """Forget what is later than the step that ends then: a clock that was ahead was set back.

        What was learnt of no time in particular stays; the newest readings are of then.
        """
        if self.memory.index is None:
            return
        self._views.clear()
        self.memory.set_back(end_seconds)
        self.calibration.set_back(self.memory.index)

    @property
    def newest_seconds(self) -> float:
        """When the newest step ended that any row knows of; minus infinity before the first."""
        return -np.inf if self.memory.index is None else self.memory.end_seconds

    def append(
        self,
        values: FloatArray,
        *,
        end_seconds: float,
        rows: IntArray | None = None,
        settle: bool = True,
        capped: BoolArray | None = None,
        at_seconds: FloatArray | None = None,
    ) -> None:
        """Close the step that ends at `end_seconds`: its mean load per row, NaN where unknown.

        `settle` False leaves the promises whose window ends here to be scored later.
        `capped` marks loads that were all the pods could serve: lower bounds of what was offered.
        `at_seconds` is when each row was sampled, where that is not the end of the step.
        """
        self._views.clear()
        rows = self._rows(rows)
        index = self.memory.opened(end_seconds)
        self.glitches.update(*known_loads(rows, values))
        which, load = self._believed(rows, values)
        at = rows[which]
        self.pulse.update(at, load)
        if index is not None:
            self.memory.write(index, at, load)
            self.weeks.update(index, at, load, self.pulse.level(at))
        sampled = end_seconds if at_seconds is None else at_seconds
        self.observe_now(values, at_seconds=sampled, rows=rows)
        if index is not None and capped is not None:
            self.calibration.mark_capped(index, rows, capped)
        if index is not None and settle:
            self.calibration.settle(index, at)

    def observe_now(
        self, values: FloatArray, *, at_seconds: FloatArray | float, rows: IntArray | None = None
    ) -> None:
        """Take the freshest mean over the last minute; between two steps it sharpens `now`.

        Parameters
        ----------
        values
            Loads, shape (n_rows,); NaN, infinite or negative = not known.
        at_seconds
            When they were sampled, unix seconds: all at once, or each row at a time of its own.
        """
        rows = self._rows(rows)
        at = np.broadcast_to(at_seconds, rows.shape)
        which, load = self._believed(rows, values)
        if self.memory.index is None:
            # One step back, for the step that this reading lies in is not closed yet.
            self.memory.opened(float(np.max(at_seconds)) - self.step_seconds)
        self.memory.freshen(rows[which], load, at_seconds=at[which])

    def _believed(self, rows: IntArray, values: FloatArray) -> tuple[IntArray, FloatArray]:
        """Return the places of the values that are loads and no glitches, and those loads."""
        which, load = known_loads(np.arange(len(rows)), values)
        believed = self.glitches.believed(rows[which], load)
        return which[believed], load[believed]

    def learn(self, rows: IntArray, *, now_seconds: float) -> None:
        """Bring what changes slowly up to date: which days are alike by local time.

        Everything else is learnt from each promise as its window passes, not in hourly batches.
        """
        self.zones.follow(rows, now_seconds=now_seconds)

    def set_time_zone(self, rows: IntArray, names: Sequence[str]) -> None:
        """Tell in which IANA zone the days and weeks of these rows run."""
        self.zones.tell(rows, names)

    def save(self, path: Path, *, rows_by_key: Mapping[str, int]) -> None:
        """Write the whole state, and whose row is which, to a file; raise `SnapshotError`."""
        save_state(path, self.table, self.memory, rows_by_key=rows_by_key, meta=self._meta)

    def load(self, path: Path) -> dict[str, int]:
        """Take the whole state from a file; return whose row is which; raise `SnapshotError`."""
        rows_by_key = load_state(path, self.table, self.memory, meta=self._meta)
        self._views.clear()
        return rows_by_key

    @property
    def _meta(self) -> str:
        """What a snapshot must agree on: the grid, the ring's shape, the prior."""
        prior = fingerprint(self.prior)
        return f"step {self.step_seconds} s, {self.memory.n_slots} slots, prior {prior}"

    def predict(
        self,
        *,
        now_seconds: float | None = None,
        rows: IntArray | None = None,
        lead_seconds: FloatArray | float,
        hold_seconds: FloatArray | float,
        risk: FloatArray | float,
    ) -> ForecastBatch:
        """Return the quantile 1 - `risk` of the maximum load over [now + lead, now + lead + hold].

        Parameters
        ----------
        now_seconds
            Unix seconds; by default the newest reading's time plus its usual age.
        rows
            Shape (n_rows,), all by default; one may come more than once, at other leads.
        lead_seconds, hold_seconds, risk
            One for all rows, or shape (n_rows,); `risk` within (0, 1), cut to 0.05 % and 50 %.
        """
        rows = self._rows(rows)
        if self.memory.index is None:
            return nothing_known(len(rows))
        if now_seconds is None:
            now_seconds = self.memory.newest_reading(rows) + USUAL_AGE_SECONDS
        asked = Asked.of(rows, now_seconds, lead_seconds, hold_seconds, risk)
        parts = np.array_split(np.arange(len(rows)), max(1, -(-len(rows) // _ROWS_AT_ONCE)))
        return concatenated(
            [
                self._answered(moment_of(self.memory, self.pulse, rows[part]), asked.take(part))
                for part in parts
            ]
        )

    def _answered(self, moment: Moment, asked: Asked) -> ForecastBatch:
        horizon = horizon_of(moment, asked, step_seconds=self.step_seconds)
        given = inputs(self.memory, moment, self._minute_view(moment), horizon)
        levels = quantiles(self.prior, given)
        return answered(self.calibration, moment, asked, horizon, given, levels)

    def _minute_view(self, moment: Moment) -> MinuteView:
        key = moment.rows.tobytes()
        if key not in self._views:
            self._views[key] = minute_view(self.memory, moment)
        return self._views[key]

    def _rows(self, rows: IntArray | None) -> IntArray:
        return np.arange(self.capacity) if rows is None else np.asarray(rows, dtype=np.intp)
