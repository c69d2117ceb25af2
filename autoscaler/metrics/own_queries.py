"""How are the users' own queries asked together, and what do their answers amount to.

Hundreds are joined into one question; when Prometheus refuses it, the halves are asked, until the
one that is wrong stands alone with the reason.
It is left alone for a while then: its neighbours must not pay for it at every cycle.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from autoscaler.decide.facts import Doubt, Sample
from autoscaler.metrics.answers import combined
from autoscaler.metrics.connection import Outcome
from autoscaler.metrics.own_query import OwnQuery
from autoscaler.metrics.plan import PART_LABEL
from autoscaler.metrics.promql import labelled
from autoscaler.metrics.transport import QueryRefusedError

# Ten thousand queries in twenty questions.
MOST_TOGETHER = 500
# Prometheus reads at most 10 MB of form.
_MOST_CHARACTERS = 1_000_000

Ask = Callable[[Sequence[str]], Sequence[Outcome]]


def joined(queries: Mapping[int, OwnQuery], *, dated: bool = True) -> str:
    """Return one question for several whole queries; `dated` asks for their age as well."""
    expressions = []
    for index, query in queries.items():
        expressions.append(labelled(f"({query.text}\n)", PART_LABEL, f"{index}:load"))
        if dated:
            expressions += [
                labelled(expression, PART_LABEL, f"{index}:{part}{number}")
                for number, selector in enumerate(query.selectors)
                for part, expression in (
                    ("at", f"max(timestamp({selector}))"),
                    ("series", f"count({selector})"),
                )
            ]
    return "\nor ".join(expressions)


def batches(queries: Mapping[int, OwnQuery]) -> list[dict[int, OwnQuery]]:
    """Return the queries in groups that fit one question; what is not whole stands alone."""
    found: list[dict[int, OwnQuery]] = []
    together: dict[int, OwnQuery] = {}
    n_characters = 0
    for index, query in queries.items():
        if not query.whole:
            found.append({index: query})
            continue
        n_characters += len(query.text)
        if len(together) == MOST_TOGETHER or n_characters > _MOST_CHARACTERS:
            found.append(together)
            together, n_characters = {}, len(query.text)
        together[index] = query
    return [*found, together] if together else found


def answered(
    queries: Mapping[int, OwnQuery], *, ask: Ask, dated: bool = True
) -> dict[int, Outcome]:
    """Return, for each query, the answer it is in, or what is wrong with it."""
    outcomes: dict[int, Outcome] = {}
    waiting = batches(queries)
    while waiting:
        asked = [_question(batch, dated=dated) for batch in waiting]
        halves: list[dict[int, OwnQuery]] = []
        for batch, outcome in zip(waiting, ask(asked), strict=True):
            if isinstance(outcome, QueryRefusedError) and len(batch) > 1:
                items = list(batch.items())
                middle = len(items) // 2
                halves += [dict(items[:middle]), dict(items[middle:])]
            else:
                outcomes.update(dict.fromkeys(batch, outcome))
        waiting = halves
    return outcomes


def _question(batch: Mapping[int, OwnQuery], *, dated: bool) -> str:
    """Return the question for a batch; one that is not whole goes as it is, to be refused."""
    [first, *others] = batch.values()
    return first.text if not others and not first.whole else joined(batch, dated=dated)


def sample_of(result: Sequence[Any], index: int, query: OwnQuery, *, now: datetime) -> Sample:
    """Return what the rows of one query amount to: their sum, no older than its oldest selector."""
    load: float | None = None
    ats: dict[str, float] = {}
    n_series = 0
    for row in result:
        part = row["metric"].get(PART_LABEL, f"{index}:load")
        value = float(row["value"][1])
        if part == f"{index}:load":
            load = value if load is None else combined(load, value, part="load")
        elif part.startswith(f"{index}:at"):
            ats[part] = value
        elif part.startswith(f"{index}:series"):
            n_series += int(value)
    at = min(ats.values()) if ats else None
    sampled_at = now if at is None else datetime.fromtimestamp(at, tz=UTC)
    unknown = Sample(None, sampled_at if at is not None else None, n_series)
    if load is None or (query.selectors and not ats):
        return replace(unknown, doubt=Doubt.ABSENT, detail="no series")
    if not math.isfinite(load):
        return replace(unknown, doubt=Doubt.NOT_A_NUMBER, detail=f"value {load}")
    return Sample(load, sampled_at, n_series)
