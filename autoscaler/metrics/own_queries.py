"""How are the users' own queries joined into a few questions, and the wrong ones among them found.

Hundreds are joined into one question; when Prometheus says that it is wrong (400), its halves are
asked, until the wrong query stands alone, with the reason.
That query is not asked again for five minutes, so that its neighbours do not pay at every cycle.
A query that is too heavy is found likewise, over several cycles (`heavy_queries.py`).
Where Prometheus refuses us and not the query (an expired token), all are unknown until the next
cycle.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.connection import Answer, Outcome
from autoscaler.metrics.heavy_queries import HeavyQueries
from autoscaler.metrics.own_query import OwnQuery
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.promql import duration, labelled
from autoscaler.metrics.source import PROBE
from autoscaler.metrics.transport import QueryTooHeavyError, QueryWrongError

# Ten thousand queries in nineteen questions, and `up` is the twentieth. Not more together: a chain
# of `or` costs Prometheus the square of its length.
MOST_TOGETHER = 550
# Prometheus reads at most 10 MB of form; a query's selectors are repeated a few times.
_MOST_CHARACTERS = 1_000_000
# What was wrong with a query a moment ago is wrong still: its text is the same.
_REFUSED_FOR = timedelta(minutes=5)
# Of so few questions all may well be late for their own reasons.
_FEW = 3

# What an instant query may answer that is no load, by Prometheus's name of it.
_NO_LOAD = {
    "matrix": "a range vector, not numbers of now: put rate() or the like around it",
    "string": "a text, not a number",
}


class AsWritten(str):
    """A query that is asked to hear what is wrong with it: at a time of which nothing is known.

    What is said of it is the same then, and a range of every series is not sent.
    """


Ask = Callable[[Sequence[str]], Sequence[Outcome]]
Form = Callable[[OwnQuery, int], list[str]]


def dated(query: OwnQuery, index: int) -> list[str]:
    """Return the expressions of a newest sample: the load, and what its selectors stand on."""
    expressions = [_part(query.expression, index, "load")]
    for number, found in enumerate(query.selectors):
        text = found.text
        expressions.append(_part(f"max(timestamp({text}))", index, f"at{number}"))
        expressions.append(_part(f"count by (job, namespace) ({text})", index, f"series{number}"))
        if found.window is not None:
            before = f"{text}[{duration(PROBE)}] offset {found.window}"
            expressions.append(_part(f"count(count_over_time({before}))", index, f"before{number}"))
    return expressions


def bare(query: OwnQuery, index: int) -> list[str]:
    """Return the load alone, and only while a series stands behind it: for ranges."""
    expression = query.expression
    if query.selectors:
        present = " or ".join(f"count({found.text})" for found in query.selectors)
        expression = f"({expression} and on () ({present}))"
    return [_part(expression, index, "load")]


def _part(expression: str, index: int, part: str) -> str:
    return labelled(expression, PART_LABEL, f"{index}:{part}")


@dataclass(frozen=True, slots=True)
class Round:
    """One cycle: the batches of queries that are asked, and outcomes known without asking."""

    batches: list[dict[int, OwnQuery]]
    known: dict[int, Outcome]


@dataclass(slots=True)
class OwnQueries:
    """The memory of which queries are refused, which are too heavy, and which are scalars."""

    form: Form
    together: int = MOST_TOGETHER
    heavy: HeavyQueries = field(default_factory=HeavyQueries)
    _refused: dict[str, tuple[datetime, QueryWrongError]] = field(default_factory=dict)
    _scalars: set[str] = field(default_factory=set)

    def retain(self, texts: Collection[str]) -> None:
        """Forget which of all but these queries are scalars; the rest is forgotten with time."""
        self._scalars &= set(texts)

    def answered(
        self, queries: Mapping[int, OwnQuery], *, ask: Ask, now: datetime
    ) -> dict[int, Outcome]:
        """Return, for each query, the answer it is in, or what is wrong with it."""
        begun = self.begun(queries, now=now)
        return self.finished(begun, ask(self.questions(begun.batches)), ask=ask, now=now)

    def begun(self, queries: Mapping[int, OwnQuery], *, now: datetime) -> Round:
        """Return which queries are to be asked together, and what is known of the others."""
        still = (item for item in self._refused.items() if abs(now - item[1][0]) < _REFUSED_FOR)
        self._refused = dict(still)
        turn = self.heavy.turn((query.text for query in queries.values()), now=now)
        group_of = {text: group for group in turn.groups for text in group}
        known: dict[int, Outcome] = {}
        apart: dict[frozenset[str], dict[int, OwnQuery]] = {group: {} for group in turn.groups}
        together: dict[int, OwnQuery] = {}
        for index, query in queries.items():
            if query.text in self._refused:
                known[index] = self._refused[query.text][1]
            elif query.text in turn.waiting:
                known[index] = turn.waiting[query.text]
            else:
                among = apart[group_of[query.text]] if query.text in group_of else together
                scalar = query.text in self._scalars
                among[index] = replace(query, scalar=True) if scalar else query
        groups = [batch for batch in apart.values() if batch]
        return Round([*batches(together, most=self.together), *groups], known)

    def questions(self, waiting: Sequence[Mapping[int, OwnQuery]]) -> list[str]:
        """Return what is asked for each batch."""
        return [self._question(batch) for batch in waiting]

    def finished(
        self,
        begun: Round,
        answers: Sequence[Outcome],
        *,
        ask: Ask,
        now: datetime,
        alive: bool = False,
    ) -> dict[int, Outcome]:
        """Return, for each query of a round, the answer it is in, or what is wrong with it.

        `alive` says that Prometheus answered other questions: one that timed out may be too heavy.
        """
        outcomes, waiting = dict(begun.known), begun.batches
        refused: dict[int, QueryWrongError] = {}
        alive = alive and not _overloaded(answers)
        while waiting:
            again: list[dict[int, OwnQuery]] = []
            for batch, outcome in zip(waiting, answers, strict=True):
                if isinstance(outcome, QueryWrongError) and len(batch) > 1:
                    again += halves(batch)
                elif isinstance(outcome, QueryWrongError) and (raw := _next_form(batch)):
                    refused = {**dict.fromkeys(raw, outcome), **refused}
                    again.append(raw)
                else:
                    told = _in_the_end(batch, outcome, refused)
                    self._learn(batch, told, now=now, alive=alive)
                    outcomes.update(dict.fromkeys(batch, told))
            waiting, alive = again, False  # what is left of the patience is no measure
            answers = ask(self.questions(waiting)) if waiting else ()
        return outcomes

    def _question(self, batch: Mapping[int, OwnQuery]) -> str:
        if any(not query.whole for query in batch.values()):
            [query] = batch.values()
            return AsWritten(query.text)  # to be refused in Prometheus's own words
        return "\nor ".join(e for index, query in batch.items() for e in self.form(query, index))

    def _learn(
        self, batch: Mapping[int, OwnQuery], outcome: Outcome, *, now: datetime, alive: bool
    ) -> None:
        texts = [query.text for query in batch.values()]
        if not isinstance(outcome, MetricUnavailableError):
            self.heavy.answered(texts, now=now)
        elif isinstance(outcome, QueryTooHeavyError) and alive:
            self.heavy.failed(texts, outcome, now=now)
        for query in batch.values():
            if isinstance(outcome, QueryWrongError):
                self._refused[query.text] = (now, outcome)
            elif query.scalar and not isinstance(outcome, MetricUnavailableError):
                self._scalars.add(query.text)


def batches(queries: Mapping[int, OwnQuery], *, most: int) -> list[dict[int, OwnQuery]]:
    """Return the queries in groups that fit one question; what is not whole stands alone."""
    found: list[dict[int, OwnQuery]] = []
    together: dict[int, OwnQuery] = {}
    n_characters = 0
    for index, query in queries.items():
        if not query.whole:
            found.append({index: query})
            continue
        n_characters += len(query.text)
        if len(together) == most or n_characters > _MOST_CHARACTERS:
            found.append(together)
            together, n_characters = {}, len(query.text)
        together[index] = query
    return [*found, together] if together else found


def unless_no_load(outcome: Outcome) -> Outcome:
    """Return the answer to an instant query, or what is wrong with one that cannot be a load."""
    if not isinstance(outcome, Answer) or outcome.kind not in _NO_LOAD:
        return outcome
    return QueryWrongError(f"the query answers {_NO_LOAD[outcome.kind]}")


def blameless(outcome: Outcome) -> Outcome:
    """Return an answer, or an error that is no query's fault: none is to be found and left out."""
    wrong = isinstance(outcome, QueryWrongError)
    return MetricUnavailableError(str(outcome)) if wrong else outcome


def _overloaded(answers: Sequence[Outcome]) -> bool:
    """Whether so many are late that it is not for one query's sake."""
    n_late = sum(isinstance(answer, QueryTooHeavyError) for answer in answers)
    return len(answers) > _FEW and 2 * n_late > len(answers)


def halves(batch: dict[int, OwnQuery]) -> list[dict[int, OwnQuery]]:
    """Return a batch in two."""
    items = list(batch.items())
    middle = len(items) // 2
    return [dict(items[:middle]), dict(items[middle:])]


def _next_form(batch: dict[int, OwnQuery]) -> dict[int, OwnQuery] | None:
    """Return how to ask a refused query next: as a scalar, then as it is written, then never."""
    [(index, query)] = batch.items()
    if not query.whole:
        return None
    return {index: replace(query, whole=False) if query.scalar else replace(query, scalar=True)}


def _in_the_end(
    batch: Mapping[int, OwnQuery], outcome: Outcome, refused: Mapping[int, QueryWrongError]
) -> Outcome:
    """Return the first refusal of a query that is wrong only where there are samples."""
    [index, *others] = batch
    as_written = not others and not batch[index].whole and isinstance(outcome, Answer)
    return refused.get(index, outcome) if as_written else outcome
