"""What will be asked of each workload: drives one forecast engine for every load series at once.

The engine (`models/`) knows rows of numbers; this module knows which row is whose, fills rows from
recorded history, closes one column a minute from the newest samples, and hands out `ForecastFacts`.
Reading history is slow, so it never happens in a reconcile: `missing_history` names what is wanted
(`missing_history.py`), another thread reads it and learns it (`learned`), and `accept_history`
copies the result into the engine that answers.
"""

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.facts import ForecastFacts, Sample, TargetRef, WorkloadFacts
from autoscaler.decide.lead_time import hold_seconds, lead_time_of, metric_age_of
from autoscaler.forecast_facts import Horizon, forecast_facts
from autoscaler.missing_history import HISTORY, LONGEST_GAP, STEP, MissingHistory, Span
from autoscaler.policy.quantity import seconds_text
from autoscaler.ports import History, LoadSeries
from autoscaler.review.log import log_event
from autoscaler.roster import Roster
from models.batch import ForecastBatch
from models.engine import ForecastEngine
from models.network import Network
from models.snapshot import SnapshotError
from models.trust import Trust

__all__ = ["Forecasts", "Horizon", "SnapshotError"]

logger = logging.getLogger(__name__)

# A clock set back by less is caught up with before anybody's forecast is stale.
_CATCHES_UP = 2 * STEP
# A series that was seen for as long is forecast from what was seen, even if its past is unread.
_WAITS_FOR_PAST = timedelta(minutes=10)

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.intp]


def horizon_of(
    roster: Roster,
    workloads: Mapping[TargetRef, WorkloadFacts],
    samples: Sequence[Sample],
    *,
    interval: timedelta,
    now: datetime,
) -> Horizon:
    """Return the window to forecast for every series: it begins a lead time from now."""
    leads: list[float] = []
    for governed in roster.governed:
        lead = lead_time_of(
            workloads.get(governed.target),
            configured=governed.policy.forecast.lead_time,
            cycle=interval,
            metric_age=metric_age_of(samples[governed.series_slice], now=now),
        )
        leads += [lead.total_seconds()] * len(governed.policy.metrics)
    return Horizon(
        lead_seconds=np.array(leads, dtype=np.float64),
        hold_seconds=np.full(len(leads), hold_seconds(interval)),
        risk=np.array(roster.risks, dtype=np.float64),
    )


class Terms(NamedTuple):
    """On what terms a series is forecast."""

    risk: float
    time_zone: str


# Of a series whose policy left while its past was read: it may be back when that arrives.
_LEFT = Terms(0.01, "UTC")


def _engine(prior: tuple[Network, ...] | None = None) -> ForecastEngine:
    """Return an engine that knows no series yet."""
    return ForecastEngine(step_seconds=int(STEP.total_seconds()), exact_minutes=False, prior=prior)


@dataclass(frozen=True, slots=True, eq=False)
class Learned:
    """Pasts that were learned in an engine of their own, and which of its rows is whose.

    `row_of` is the row by the place of the series among those that were read.
    """

    engine: ForecastEngine
    row_of: Mapping[int, int]

    def rows(self, places: Sequence[int]) -> IntArray:
        """Return the rows of these places."""
        return np.array([self.row_of[i] for i in places], dtype=np.intp)


class Forecasts:
    """One engine row per load series, kept in step with the roster."""

    def __init__(self, engine: ForecastEngine | None = None) -> None:
        self._engine = engine or _engine()
        self._row_of: dict[str, int] = {}
        self._terms_of: Mapping[str, Terms] = {}
        self._missing = MissingHistory()
        self._roster = Roster()
        self._seen_at: datetime | None = None
        self._rows: IntArray = np.empty(0, dtype=np.intp)
        self._minute: int | None = None

    def follow(self, roster: Roster) -> None:
        """Give every series of the roster a row, and free the rows of those that left."""
        present = set(roster.series_keys)
        gone = [key for key in self._row_of if key not in present]
        if gone:
            self._engine.remove(np.array([self._row_of.pop(key) for key in gone], dtype=np.intp))
        terms = map(Terms, roster.risks, roster.time_zones)
        self._terms_of = dict(zip(roster.series_keys, terms, strict=True))
        series_of = dict(zip(roster.series_keys, roster.series, strict=True))
        fresh = [key for key in series_of if key not in self._row_of]
        self._row_of.update(zip(fresh, self._engine.add(len(fresh)).tolist(), strict=True))
        self._missing.follow(series_of, whole=fresh)
        self._roster = roster
        self._rows = np.array([self._row_of[key] for key in roster.series_keys], dtype=np.intp)
        self._engine.set_time_zone(self._rows, list(roster.time_zones))

    def save(self, path: Path) -> None:
        """Write all that was learned, and whose it is, to a file; raise `SnapshotError`."""
        rows = {self._missing.marked(key): row for key, row in self._row_of.items()}
        self._engine.save(path, rows_by_key=rows)

    def restore(self, path: Path, *, now: datetime) -> None:
        """Take up what another process saved a moment ago; raise `SnapshotError` when it is not.

        Older memories have a gap in their newest hour, where it matters most: their past is read
        again instead.
        """
        age = now.timestamp() - path.stat().st_mtime if path.exists() else None
        if age is not None and age > LONGEST_GAP.total_seconds():
            raise SnapshotError(f"{path}: is {seconds_text(age)} old")
        rows = self._engine.load(path)
        keys = self._missing.recalled(rows, now=now)
        self._row_of = dict(zip(keys, rows.values(), strict=True))

    def missing_history(self, *, limit: int) -> dict[str, LoadSeries]:
        """Return up to `limit` series whose past was not read yet, by key; whole pasts first.

        Series that were returned before and are still missing could not be read; they come last.
        """
        return self._missing.next(limit)

    def span_missing(self, keys: Collection[str], *, now: datetime) -> Span:
        """Return start and end of the past that the given series lack; at most `history_span`."""
        return self._missing.span_of(keys, now=now)

    @property
    def n_missing_history(self) -> int:
        """How many series have no past yet."""
        return len(self._missing)

    @property
    def n_doubtful_history(self) -> int:
        """How many series have a past that was answered with a warning, and is read again."""
        return self._missing.n_doubts

    def learned(
        self, keys: Sequence[str], history: History, *, wanted: Callable[[], bool] = lambda: True
    ) -> Learned:
        """Learn whole pasts that were read, beside the engine that answers: seconds of work.

        May run in any thread: it reads nothing that a cycle changes in place.
        Learning stops half-way, and its result must not be used, once `wanted` says no.
        """
        terms_of, engine = self._terms_of, _engine(self._engine.prior)
        places = [i for i, key in enumerate(keys) if not self._missing.lacks_minutes(key)]
        rows = engine.add(len(places))
        if places:
            terms = [terms_of.get(keys[i], _LEFT) for i in places]
            risk, end = np.array([each.risk for each in terms]), history.end_at.timestamp()
            engine.set_time_zone(rows, [each.time_zone for each in terms])
            # Thirty megabytes, once: nearly always all of it.
            load = history.load if len(places) == len(keys) else history.load[places]
            engine.backfill(rows, load, end_seconds=end, risk=risk, wanted=wanted)
            engine.learn(rows, now_seconds=end)
        return Learned(engine, dict(zip(places, rows.tolist(), strict=True)))

    def accept_history(
        self, keys: Sequence[str], history: History, learned: Learned | None = None
    ) -> None:
        """Take in the past of the given series; what was not `learned` elsewhere is learned now."""
        learned = learned or self.learned(keys, history)
        end_seconds = history.end_at.timestamp()
        gaps, gap_loads, wholes = self._missing.arrived(keys, history)
        self._engine.refill(self._rows_of(keys, gaps), gap_loads, end_seconds=end_seconds)
        rows = self._rows_of(keys, wholes)
        self._engine.adopt(rows, learned.engine, learned.rows(wholes))
        self._engine.learn(rows, now_seconds=end_seconds)

    def _rows_of(self, keys: Sequence[str], places: Sequence[int]) -> IntArray:
        return np.array([self._row_of[keys[i]] for i in places], dtype=np.intp)

    def observe(
        self, samples: Sequence[Sample], *, now: datetime, capped: Collection[int] = ()
    ) -> None:
        """Show the engine the newest trusted samples; they close a step once a minute.

        Parameters
        ----------
        capped
            Which series' pods serve all they can: their load is a lower bound of what is offered.
        """
        if self._rows.size == 0:
            return
        self._follow_clock(now)
        values = np.array([_learnable(s, now=now) for s in samples], dtype=np.float64)
        at = _measured_at(samples, now=now)
        minute = int(at.max() // STEP.total_seconds())
        if minute == self._minute:
            self._engine.observe_now(values, at_seconds=at, rows=self._rows)
            return
        self._minute = minute
        heard = np.isfinite(values).tolist()
        self._missing.note_answers(self._roster.series_keys, samples, heard, now=now)
        self._missing.want_doubtful_again(now=now)
        at_limit = np.zeros(len(values), dtype=np.bool_)
        at_limit[list(capped)] = True
        end_seconds = minute * STEP.total_seconds()
        self._engine.append(
            values, end_seconds=end_seconds, rows=self._rows, capped=at_limit, at_seconds=at
        )

    def _follow_clock(self, now: datetime) -> None:
        """Follow a clock that was set: forget minutes that are still to come, read skipped ones.

        A clock that was ahead has left minutes in the engine that lie in the future now; as long as
        they do, the engine would take every new reading for an old one.
        """
        before, self._seen_at = self._seen_at, now
        ahead = self._engine.newest_seconds - now.timestamp()
        if ahead > _CATCHES_UP.total_seconds():
            step = STEP.total_seconds()
            self._minute = None
            self._engine.set_back(end_seconds=(now.timestamp() // step - 1) * step)
            log_event(logger, logging.WARNING, "clock_set_back", seconds=round(ahead))
        elif before is None or now - before <= LONGEST_GAP:
            return
        since = now - HISTORY if before is None or ahead > 0 else before
        self._missing.want_since(since, now=now)

    def learn(self, *, now: datetime, part: int, parts: int) -> None:
        """Refit every `parts`-th row, beginning with `part`: the hour's work in equal slices."""
        rows = np.sort(self._rows)[part::parts]
        if rows.size:
            self._engine.learn(rows, now_seconds=now.timestamp())

    def predict(self, horizon: Horizon, *, now: datetime) -> list[ForecastFacts | None]:
        """Return one forecast per series of the roster; None where nothing was ever measured."""
        if self._rows.size == 0:
            return []
        batch = self._engine.predict(
            now_seconds=now.timestamp(),
            rows=self._rows,
            lead_seconds=horizon.lead_seconds,
            hold_seconds=horizon.hold_seconds,
            risk=horizon.risk,
        )
        return forecast_facts(self._warming(batch), horizon)

    def _warming(self, batch: ForecastBatch) -> ForecastBatch:
        """Mark series as warming that were seen for minutes only and whose past is yet to be read.

        Their forecasts would steer by these minutes now, and change as soon as the past is read.
        """
        if not len(self._missing):
            return batch
        waits = np.array([self._missing.lacks_whole(key) for key in self._roster.series_keys])
        waits &= batch.history_seconds < _WAITS_FOR_PAST.total_seconds()
        waits &= batch.trust == Trust.TRUSTED
        return replace(batch, trust=np.where(waits, np.int8(Trust.WARMING), batch.trust))


def _learnable(sample: Sample, *, now: datetime) -> float:
    """Return what may enter the history: a trusted value of this last minute or two, else NaN."""
    if not sample.trusted or sample.value is None or sample.sampled_at is None:
        return float("nan")
    return sample.value if now - sample.sampled_at <= 2 * STEP else float("nan")


def _measured_at(samples: Sequence[Sample], *, now: datetime) -> FloatArray:
    """Return when each sample was taken, unix seconds; one that is not trusted, as the newest.

    Where none is trusted, all are of `now`.
    """
    latest = now.timestamp()
    known = [s.sampled_at.timestamp() if s.trusted and s.sampled_at else np.nan for s in samples]
    at = np.minimum(known, latest)
    newest = np.fmax.reduce(at)
    return np.where(np.isnan(at), latest if np.isnan(newest) else newest, at)
