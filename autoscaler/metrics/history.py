"""How is a fortnight of thousands of series read without hurting anybody.

In pieces that fit one answer, one question at a time, resting after each as long as it took;
a piece that is too much for Prometheus is halved.
A query that is wrong, or too much however short the range, has no past, and keeps nobody else from
theirs.
What was read is kept on disk when a folder is given, so that a restart goes on where it stopped;
what was answered with a warning is not, for it is to be read again.
"""

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import numpy as np

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.answers import points_of, row_key
from autoscaler.metrics.connection import Answer, Connection, Outcome, Question
from autoscaler.metrics.grid import Grid, added, chunks, grid_between, placed
from autoscaler.metrics.history_cache import HistoryCache
from autoscaler.metrics.own_queries import OwnQueries, bare, batches, halves
from autoscaler.metrics.own_query import OwnQuery, examined
from autoscaler.metrics.plan import PART_LABEL, Group, past_key, planned
from autoscaler.metrics.sample_quality import warnings_of
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.transport import QueryTooHeavyError, QueryWrongError
from autoscaler.ports import FloatArray, History, LoadSeries
from autoscaler.strict import MALFORMED

logger = logging.getLogger(__name__)

# Prometheus may need minutes until a scrape is in every store behind a query.
_SETTLED_AFTER = timedelta(minutes=10)
# Resting longer would only make the start slower; Prometheus has had its turn.
_LONGEST_REST_SECONDS = 5.0
# Under an hour of minutes a range is not what makes a query expensive.
_LEAST_POINTS = 60
# A user's own query may be expensive; over a range, few are asked together.
_OWN_TOGETHER = 50
# A single query that was too much for a short range is so for the other ranges of this past.
_HOPELESS_FOR = timedelta(hours=1)
_LONGEST_EXCERPT = 200
_TOO_MUCH = ("too many samples", "exceeded maximum resolution", "MiB", "timed out", "timeout")


@dataclass(slots=True)
class Spent:
    """What reading the past has cost Prometheus so far, and what was spared it."""

    questions: int = 0
    from_cache: int = 0
    asking_seconds: float = 0.0
    resting_seconds: float = 0.0


class HistoryReader:
    """Reads recorded loads, from a server of its own if there is one with longer retention."""

    def __init__(
        self, settings: PrometheusSettings, *, rest: Callable[[float], None] = time.sleep
    ) -> None:
        url = settings.history_url or settings.url
        self._connection = Connection(settings, url=url, timeout=settings.history_timeout)
        self._cache = HistoryCache(settings.history_cache)
        self._own_queries = OwnQueries(bare)
        self._hopeless: dict[str, tuple[datetime, QueryTooHeavyError]] = {}
        self._settings = settings
        self._rest = rest
        self._spent = Spent()
        self._warned: dict[int, str] = {}
        """Rows of the range being read whose answer had a warning, and which."""

    def close(self) -> None:
        """Let go of connections and threads."""
        self._connection.close()

    def read(
        self, series: Sequence[LoadSeries], *, start: datetime, end: datetime, step: timedelta
    ) -> History:
        """Return the recorded loads of all series on one grid.

        Raises
        ------
        MetricUnavailableError
            When a piece cannot be read, or nothing is known because it is refused or too much;
            what was read before is in the cache.
        """
        self._forget_old(now=datetime.now(tz=UTC))
        self._spent, self._warned = Spent(), {}
        grid = grid_between(start, end, step)
        load = grid.empty(len(series))
        plan = planned(
            series,
            scrape_interval=self._settings.scrape_interval,
            pinned=self._settings.history_matchers,
        )
        refused: list[MetricUnavailableError] = []
        for group in plan.groups:
            rows = [member.index for member in group.members]
            try:
                load[rows] = self._of_group(group, grid)
            except QueryWrongError as error:
                refused.append(error)
                _tell_without(group.source.name, error)
        own = {index: examined(text) for index, text in plan.queries.items()}
        own_texts = set(plan.queries.values())
        self._own_queries.retain(own_texts)
        for batch in batches(own, most=_OWN_TOGETHER):
            rows = list(batch)
            for column, piece in chunks(grid, n_series=len(rows)):
                load[rows, column : column + piece.n_samples] = self._own_piece(batch, piece)
        refused += [error for text, (_, error) in self._hopeless.items() if text in own_texts]
        if refused and np.isnan(load).all():
            raise refused[0]
        self._tell(len(series))
        return History(load, step, grid.last, frozenset(self._warned))

    def _forget_old(self, *, now: datetime) -> None:
        """Drop pieces that nobody asks for any more, and what was too much an hour ago."""
        self._cache.forget_old(now=now.timestamp())
        still = (item for item in self._hopeless.items() if abs(now - item[1][0]) < _HOPELESS_FOR)
        self._hopeless = dict(still)

    def _tell(self, n_series: int) -> None:
        """Log what a range cost: how often Prometheus was asked, and how long left alone."""
        spent = self._spent
        fields = {
            "series": n_series,
            "questions": spent.questions,
            "pieces_from_cache": spent.from_cache,
            "asking_seconds": round(spent.asking_seconds, 3),
            "resting_seconds": round(spent.resting_seconds, 3),
        }
        logger.info("history_read", extra={"fields": fields})
        if self._warned:
            told = {"series": len(self._warned), "warning": next(iter(self._warned.values()))}
            logger.warning("history_doubtful", extra={"fields": told})

    def _of_group(self, group: Group, grid: Grid) -> FloatArray:
        """Return the whole past of a group, piece by piece."""
        query = group.history_query(grid.step)
        pieces = chunks(grid, n_series=len(group.members))
        nothing = grid.part(0, 0).empty(len(group.members))
        read = (self._piece(group, query, piece) for _, piece in pieces)
        return np.concatenate([nothing, *read], axis=1)

    def _piece(self, group: Group, query: str, grid: Grid) -> FloatArray:
        """Return one piece of a group's past, from the cache or from Prometheus."""
        whose = f"{query}\n{group.members_text()}"
        kept = self._cache.kept(whose, grid)
        if kept is not None and len(kept) == len(group.members):
            self._spent.from_cache += 1
            return kept
        try:
            answer = self._answer(group, query, grid)
        except MetricUnavailableError as error:
            if grid.n_samples < _LEAST_POINTS or not any(t in str(error) for t in _TOO_MUCH):
                raise
            half = grid.n_samples // 2
            parts = grid.part(0, half), grid.part(half, grid.n_samples - half)
            return np.concatenate([self._piece(group, query, part) for part in parts], axis=1)
        read = np.asarray(answer.result)
        rows = [member.index for member in group.members]
        if not self._warns(answer, rows, shared=len(rows) > 1):
            self._keep(whose, grid, read)
        return read

    def _answer(self, group: Group, query: str, grid: Grid) -> Answer:
        """Ask once, then rest as long as that took."""
        question = replace(_ranged(query, grid), read=partial(group_rows, group, grid=grid))
        began = time.monotonic()
        [outcome] = self._connection.ask([question])
        self._rest_after(began)
        if isinstance(outcome, MetricUnavailableError):
            raise outcome
        return outcome

    def _warns(self, answer: Answer, rows: Collection[int], *, shared: bool) -> bool:
        """Return whether an answer may be less than all, and note it of its rows."""
        told = "; ".join(warnings_of(answer, shared=shared))[:_LONGEST_EXCERPT]
        self._warned.update(dict.fromkeys(rows, told) if told else {})
        return bool(told)

    def _rest_after(self, began: float) -> None:
        """Leave Prometheus alone for as long as it has just worked for us."""
        took = time.monotonic() - began
        rest = min(took, _LONGEST_REST_SECONDS)
        self._rest(rest)
        self._spent.questions += 1
        self._spent.asking_seconds += took
        self._spent.resting_seconds += rest

    def _own_piece(self, batch: dict[int, OwnQuery], grid: Grid) -> FloatArray:
        """Return one piece of some users' queries; a wrong one has no past and harms no other."""
        together = "\n".join(query.expression for query in batch.values())
        kept = self._cache.kept(together, grid)
        if kept is not None and len(kept) == len(batch):
            self._spent.from_cache += 1
            return kept
        load, whole = grid.empty(len(batch)), True
        now = datetime.now(tz=UTC)
        asked = {i: query for i, query in batch.items() if query.text not in self._hopeless}
        outcomes = self._own_queries.answered(asked, ask=self._asker(grid), now=now)
        for row, index in enumerate(batch):
            outcome = outcomes.get(index)
            if isinstance(outcome, Answer):
                load[row] = own_row(index, outcome.result, grid)
                whole &= not self._warns(outcome, [index], shared=len(asked) > 1)
            elif isinstance(outcome, QueryTooHeavyError):
                return self._own_parts(batch, grid, outcome)
            elif outcome is None or isinstance(outcome, QueryWrongError):
                whole = False
            else:
                raise outcome
        if whole:
            self._keep(together, grid, load)
        return load

    def _own_parts(
        self, batch: dict[int, OwnQuery], grid: Grid, error: QueryTooHeavyError
    ) -> FloatArray:
        """Return a piece that was too much at once by halves, of the queries, then of the time."""
        [alive] = self._connection.ask([Question("vector(1)", at=grid.last)])
        if isinstance(alive, MetricUnavailableError):
            raise error  # nobody is answered: no query is to blame
        if len(batch) > 1:
            return np.concatenate([self._own_piece(half, grid) for half in halves(batch)])
        if grid.n_samples >= _LEAST_POINTS:
            half = grid.n_samples // 2
            parts = grid.part(0, half), grid.part(half, grid.n_samples - half)
            return np.concatenate([self._own_piece(batch, part) for part in parts], axis=1)
        for query in batch.values():
            self._hopeless[query.text] = datetime.now(tz=UTC), error
            _tell_without(query.text, error)
        return grid.empty(len(batch))

    def _keep(self, query: str, grid: Grid, load: FloatArray) -> None:
        if datetime.now(tz=UTC) - grid.last > _SETTLED_AFTER:
            self._cache.keep(query, grid, load)

    def _asker(self, grid: Grid) -> Callable[[Sequence[str]], list[Outcome]]:
        def ask(texts: Sequence[str]) -> list[Outcome]:
            began = time.monotonic()
            outcomes = self._connection.ask([_ranged(text, grid) for text in texts])
            self._rest_after(began)
            return outcomes

        return ask


def _tell_without(what: str, error: MetricUnavailableError) -> None:
    """Log that a source or query has no past, and why."""
    fields = {"query": what[:_LONGEST_EXCERPT], "error": str(error)}
    logger.warning("history_refused", extra={"fields": fields})


def _ranged(query: str, grid: Grid) -> Question:
    return Question(query, at=grid.last, start=grid.first, step=grid.step)


def group_rows(group: Group, result: Iterable[Any], *, grid: Grid) -> FloatArray:
    """Return the past of each member of a group, shape (n_members, n_samples)."""
    tables: dict[str, dict[str, FloatArray]] = {}
    for row in result:
        labels = row["metric"]
        part = labels.get(PART_LABEL, "")
        counter = group.counters[int(part.partition(":")[0])]
        key = past_key(counter, labels) if counter.by_pod else row_key(counter, labels)
        rows = tables.setdefault(part, {})
        placed_row = placed(points_of(row), grid)
        for whose in {key, f"{key.rpartition('/')[0]}/"} if counter.by_pod else {key}:
            rows[whose] = added(rows, whose, placed_row)
    load = grid.empty(len(group.members))
    for position, member in enumerate(group.members):
        for number, part, key in group.past_keys(member):
            row = tables.get(part, {}).get(key)
            if row is None:
                continue
            counter = group.counters[number]
            if counter.extra:
                load[position] += counter.sign * np.nan_to_num(row)
            else:
                load[position] = added({"": load[position]}, "", row)
    return np.maximum(load, 0.0)


def own_row(index: int, result: Sequence[Any], grid: Grid) -> FloatArray:
    """Return the past of one query: the sum of its rows; raise when they are none."""
    rows: dict[str, FloatArray] = {}
    try:
        for row in result:
            part = row["metric"].get(PART_LABEL, f"{index}:load")
            if part == f"{index}:load":
                rows[""] = added(rows, "", placed(points_of(row), grid))
    except MALFORMED as error:
        raise MetricUnavailableError(f"malformed answer: {error!r}") from error
    return rows.get("", np.full(grid.n_samples, np.nan))
