"""How is a fortnight of thousands of series read without hurting anybody.

In pieces that fit one answer, one question at a time, resting after each as long as it took;
a piece that is too much for Prometheus is halved.
What was read is kept on disk when a folder is given, so that a restart goes on where it stopped.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.answers import row_key
from autoscaler.metrics.connection import Answer, Connection, Outcome, Question
from autoscaler.metrics.grid import Grid, added, chunks, grid_between, placed
from autoscaler.metrics.history_cache import HistoryCache
from autoscaler.metrics.own_queries import OwnQueries, bare
from autoscaler.metrics.own_query import OwnQuery, examined
from autoscaler.metrics.plan import PART_LABEL, Group, past_key, planned
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.transport import MALFORMED, QueryRefusedError
from autoscaler.ports import FloatArray, History, LoadSeries

# Prometheus may need minutes until a scrape is in every store behind a query.
_SETTLED_AFTER = timedelta(minutes=10)
# Resting longer would only make the start slower; Prometheus has had its turn.
_LONGEST_REST_SECONDS = 5.0
# Under an hour of minutes a range is not what makes a query expensive.
_LEAST_POINTS = 60
# A user's own query may be expensive; over a range, few are asked together.
_OWN_TOGETHER = 50
_TOO_MUCH = ("too many samples", "exceeded maximum resolution", "MiB", "timed out", "timeout")


class HistoryReader:
    """Reads recorded loads, from a server of its own if there is one with longer retention."""

    def __init__(
        self, settings: PrometheusSettings, *, rest: Callable[[float], None] = time.sleep
    ) -> None:
        url = settings.history_url or settings.url
        self._connection = Connection(settings, url=url, timeout=settings.history_timeout)
        self._cache = HistoryCache(settings.history_cache)
        self._own_queries = OwnQueries(bare)
        self._settings = settings
        self._rest = rest

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
            When a piece cannot be read; what was read before it is in the cache.
        """
        grid = grid_between(start, end, step)
        load = grid.empty(len(series))
        plan = planned(
            series,
            scrape_interval=self._settings.scrape_interval,
            pinned=self._settings.history_matchers,
        )
        for group in plan.groups:
            rows = [member.index for member in group.members]
            query = group.history_query(step)
            for column, piece in chunks(grid, n_series=len(rows)):
                here = slice(column, column + piece.n_samples)
                load[rows, here] = self._piece(group, query, piece)
        own = {index: examined(text) for index, text in plan.queries.items()}
        for batch in _few(own):
            self._read_own(batch, grid, load)
        return History(load, step, grid.last)

    def _piece(self, group: Group, query: str, grid: Grid) -> FloatArray:
        """Return one piece of a group's past, from the cache or from Prometheus."""
        kept = self._cache.kept(query, grid)
        if kept is not None and kept.shape == (len(group.members), grid.n_samples):
            return kept
        try:
            read = self._rows(group, query, grid)
        except MetricUnavailableError as error:
            if grid.n_samples < _LEAST_POINTS or not any(t in str(error) for t in _TOO_MUCH):
                raise
            half = grid.n_samples // 2
            parts = grid.part(0, half), grid.part(half, grid.n_samples - half)
            return np.concatenate([self._piece(group, query, part) for part in parts], axis=1)
        if datetime.now(tz=UTC) - grid.last > _SETTLED_AFTER:
            self._cache.keep(query, grid, read)
        return read

    def _rows(self, group: Group, query: str, grid: Grid) -> FloatArray:
        answer = self._ask(query, grid)
        try:
            return group_rows(group, answer.result, grid)
        except MALFORMED as error:
            raise MetricUnavailableError(f"malformed answer: {error!r}") from error

    def _ask(self, query: str, grid: Grid) -> Answer:
        """Ask once, then rest as long as that took."""
        began = time.monotonic()
        [outcome] = self._connection.ask([_ranged(query, grid)])
        self._rest(min(time.monotonic() - began, _LONGEST_REST_SECONDS))
        if isinstance(outcome, MetricUnavailableError):
            raise outcome
        return outcome

    def _read_own(self, batch: Mapping[int, OwnQuery], grid: Grid, load: FloatArray) -> None:
        """Fill in the users' own queries; one that is refused has no past, and harms no other."""
        now = datetime.now(tz=UTC)
        for column, piece in chunks(grid, n_series=len(batch)):
            here = slice(column, column + piece.n_samples)
            outcomes = self._own_queries.answered(batch, ask=self._asker(piece), now=now)
            for index, outcome in outcomes.items():
                if isinstance(outcome, Answer):
                    load[index, here] = own_row(index, outcome.result, piece)
                elif not isinstance(outcome, QueryRefusedError):
                    raise outcome

    def _asker(self, grid: Grid) -> Callable[[Sequence[str]], list[Outcome]]:
        return lambda texts: self._connection.ask([_ranged(text, grid) for text in texts])


def _ranged(query: str, grid: Grid) -> Question:
    return Question(query, at=grid.last, start=grid.first, step=grid.step)


def _few(queries: Mapping[int, OwnQuery]) -> list[dict[int, OwnQuery]]:
    items = list(queries.items())
    return [dict(items[i : i + _OWN_TOGETHER]) for i in range(0, len(items), _OWN_TOGETHER)]


def group_rows(group: Group, result: Sequence[Any], grid: Grid) -> FloatArray:
    """Return the past of each member of a group, shape (n_members, n_samples)."""
    tables: dict[str, dict[str, FloatArray]] = {}
    for row in result:
        labels = row["metric"]
        part = labels.get(PART_LABEL, "")
        counter = group.counters[int(part.partition(":")[0])]
        key = past_key(counter, labels) if counter.by_pod else row_key(counter, labels)
        rows = tables.setdefault(part, {})
        placed_row = placed(row["values"], grid)
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
    """Return the past of one query: the sum of its rows."""
    rows: dict[str, FloatArray] = {}
    for row in result:
        part = row["metric"].get(PART_LABEL, f"{index}:load")
        if part == f"{index}:load":
            rows[""] = added(rows, "", placed(row["values"], grid))
    return rows.get("", np.full(grid.n_samples, np.nan))
