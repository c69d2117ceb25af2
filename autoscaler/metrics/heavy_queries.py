"""Which queries are too heavy for Prometheus: found by bisection, and asked apart from the others.

Queries that are joined into one question are answered or timed out together: one that takes a
minute would leave hundreds of workloads without an answer.
So where a question timed out while others were answered, its two halves are asked in the next
cycles, and so on until one query stands alone.
There is one cut per cycle, because each such question costs the whole time-out.
Two of them are asked per cycle: more would be the very load that they are to prevent.
When all of them are answered it was an overload that is over, and twice as many are asked next.
Queries that wait for their turn are unknown, with the reason; a query that was found too heavy is
asked again every five minutes.
"""

import logging
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from autoscaler.errors import MetricUnavailableError

logger = logging.getLogger(__name__)

# A query that is too heavy now is likely to be so in a minute; halves that were answered stay apart
# as long, for it may have been their sum that was too much.
APART_FOR = timedelta(minutes=5)
# Leaves half of the connections to everybody else.
MOST_SUSPECTS = 2
# Answered groups cost a question each; the oldest join the others again.
_MOST_ANSWERED = 16
_LONGEST_EXCERPT = 200


@dataclass(frozen=True, slots=True)
class _Group:
    """Queries that are asked together and apart from others; with `error`, the last was none."""

    texts: frozenset[str]
    since: datetime
    error: MetricUnavailableError | None = None

    def young(self, now: datetime) -> bool:
        return abs(now - self.since) < APART_FOR

    def rests(self, now: datetime) -> bool:
        """Whether it is a single query that was found, and is left alone for now."""
        return len(self.texts) == 1 and self.error is not None and self.young(now)


@dataclass(frozen=True, slots=True)
class Turn:
    """Which groups are asked in this cycle, suspects last; which queries wait, and why."""

    groups: Sequence[frozenset[str]] = ()
    waiting: dict[str, MetricUnavailableError] = field(default_factory=dict)


class HeavyQueries:
    """The groups apart, from one cycle to the next."""

    def __init__(self) -> None:
        self._groups: list[_Group] = []
        self._most = MOST_SUSPECTS
        self._all_answered = False

    def turn(self, texts: Iterable[str], *, now: datetime) -> Turn:
        """Return which of these queries are asked apart from the others in this cycle."""
        if not self._groups:
            return Turn()
        present = frozenset(texts)
        groups = [replace(group, texts=group.texts & present) for group in self._groups]
        self._groups = [g for g in groups if g.texts and (g.error is not None or g.young(now))]
        answered = [g for g in self._groups if g.error is None]
        suspected = [g for g in self._groups if g.error is not None]
        self._most = 2 * self._most if self._all_answered else MOST_SUSPECTS
        asked = [g for g in suspected if not g.rests(now)][: self._most]
        self._all_answered = bool(asked)
        waiting = {
            text: group.error
            for group in suspected
            if group.error is not None and group not in asked
            for text in group.texts
        }
        return Turn([group.texts for group in (*answered, *asked)], waiting)

    def failed(self, texts: Sequence[str], error: MetricUnavailableError, *, now: datetime) -> None:
        """Note that queries asked together got no answer while others did: halve them."""
        self._all_answered = False
        distinct = list(dict.fromkeys(texts))
        self._leave(distinct)
        middle = len(distinct) // 2
        if not middle:
            fields = {"query": distinct[0][:_LONGEST_EXCERPT], "error": str(error)}
            logger.warning("query_too_heavy", extra={"fields": fields})
            alone = f"{error}: asked alone, and again in {APART_FOR.seconds // 60} minutes"
            self._groups.append(_Group(frozenset(distinct), now, MetricUnavailableError(alone)))
            return
        said = f"{error}: one of {len(distinct)} queries asked together, to be found out"
        for half in (distinct[:middle], distinct[middle:]):
            # Before those that wait: a bisection that has begun is finished first.
            long_ago = now - 2 * APART_FOR
            self._groups.insert(0, _Group(frozenset(half), long_ago, MetricUnavailableError(said)))

    def answered(self, texts: Collection[str], *, now: datetime) -> None:
        """Note that queries asked together were answered."""
        if not self._groups:
            return
        suspected = {t for g in self._groups if g.error is not None for t in g.texts}
        cleared = frozenset(texts) & suspected
        if not cleared:
            return
        self._leave(cleared)
        if len(cleared) > 1:
            self._groups.append(_Group(cleared, now))
        answered = [group for group in self._groups if group.error is None]
        if len(answered) > _MOST_ANSWERED:
            self._groups.remove(answered[0])

    def _leave(self, texts: Collection[str]) -> None:
        left = [replace(group, texts=group.texts.difference(texts)) for group in self._groups]
        self._groups = [group for group in left if group.texts]
