"""Which series' history is to be read from Prometheus, and how much of it.

Of a new series that is the whole past, `HISTORY`; of others the minutes in which Prometheus did not
answer, or which a clock skipped: the hour before now matters most, and the server often has it.
Whole pasts come first; a series that could not be read is asked for again after all others.
A past that was answered with a warning may be too low, for a store may have been away: it is used,
and read again until an answer comes without one, which then replaces it.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.facts import Doubt, Sample
from autoscaler.doubtful_history import DoubtfulHistory
from autoscaler.ports import History, LoadSeries
from autoscaler.review.log import log_event

logger = logging.getLogger(__name__)

STEP = timedelta(minutes=1)
# A fortnight holds two of every weekday: the least from which a week can be told from chance.
HISTORY = timedelta(days=14)
# A roll-out, a node drained: longer gaps than this are read back rather than left.
LONGEST_GAP = timedelta(minutes=10)
# Two unanswered readings farther apart than this are two outages: between them somebody answered.
_ONE_OUTAGE = 2 * STEP
# Stand in a saved memory before the key of a series whose past was not read yet, or lacks minutes,
# and of one whose past was answered with a warning.
_UNREAD = "unread:"
_DOUBTFUL = "doubtful:"
_NOT_ANSWERED = frozenset({Doubt.UNREACHABLE, Doubt.REFUSED})

Span = tuple[datetime, datetime]


class Arrived(NamedTuple):
    """Which of the series that were read fill a gap, with its minutes alone; which are whole."""

    gaps: list[int]
    gap_loads: NDArray[np.float64]
    wholes: list[int]


class MissingHistory:
    """Series by key whose past is wanted, and since when nobody answered for the others."""

    def __init__(self) -> None:
        self._series: Mapping[str, LoadSeries] = {}
        self._wanted: dict[str, LoadSeries] = {}
        self._gaps: dict[str, tuple[Span, ...]] = {}
        """Of those, series that lack only some minutes of a past they have, and which."""
        self._tried: frozenset[str] = frozenset()
        """Series that were asked for in this round; once all were, the next round begins."""
        self._reading_gaps: dict[str, tuple[Span, ...]] = {}
        """Series of which just gaps are being read, and which."""
        self._unanswered: dict[str, Span] = {}
        """The minutes for which nobody answered, of series that were not heard of since."""
        self._doubts = DoubtfulHistory(let_be_after=HISTORY)
        self._recalled: dict[str, Span | None] = {}
        """Series of a restored memory that lack a past (None), or have a doubtful one."""

    def __len__(self) -> int:
        return len(self._wanted)

    def marked(self, key: str) -> str:
        """Return the key as it is saved: with what its past lacks, also in an outage that goes on.

        A past that is doubtful is read again with all that it lacks.
        """
        if key in self._doubts:
            return f"{_DOUBTFUL}{key}"
        outage = self._unanswered.get(key)
        lacks_some = key in self._wanted or (outage is not None and _is_long(outage))
        return f"{_UNREAD}{key}" if lacks_some else key

    def recalled(self, marked: Iterable[str], *, now: datetime) -> list[str]:
        """Return keys that were saved a moment ago; want what their pasts lack."""
        keys = []
        for each in marked:
            keys.append(each.removeprefix(_UNREAD).removeprefix(_DOUBTFUL))
            if each != keys[-1]:
                doubtful = each.startswith(_DOUBTFUL)
                self._recalled[keys[-1]] = history_span(now) if doubtful else None
        return keys

    @property
    def n_doubts(self) -> int:
        """Of how many series some of the past was answered with a warning."""
        return len(self._doubts)

    def lacks_whole(self, key: str) -> bool:
        """Whether nothing of a series' past was read yet."""
        return key in self._wanted and key not in self._gaps

    def lacks_minutes(self, key: str) -> bool:
        """Whether just a gap of this series' past is being read."""
        return key in self._reading_gaps

    def follow(self, series_of: Mapping[str, LoadSeries], *, whole: Collection[str]) -> None:
        """Forget series that left the roster; want the whole past of the given ones."""
        whole = {*whole, *(key for key, span in self._recalled.items() if span is None)}
        wanted = self._wanted.keys() | whole
        self._series = series_of
        self._wanted = {k: s for k, s in series_of.items() if k in wanted}
        self._gaps = {k: s for k, s in self._gaps.items() if k in self._wanted.keys() - whole}
        left = series_of.keys() - whole
        self._unanswered = {k: s for k, s in self._unanswered.items() if k in left}
        self._doubts.retain(left)
        for key, span in self._recalled.items():
            if span is not None and key in left:
                self._doubts.recall(key, span)
        self._recalled.clear()

    def next(self, limit: int) -> dict[str, LoadSeries]:
        """Return up to `limit` series that are to be read now."""
        wanted, gaps = list(self._wanted.items()), self._gaps
        wanted = [item for item in wanted if item[0] not in gaps] or wanted
        fresh = [item for item in wanted if item[0] not in self._tried]
        if not fresh:
            self._tried, fresh = frozenset(), wanted
        chosen = dict(fresh[:limit])
        self._tried |= chosen.keys()
        return chosen

    def span_of(self, keys: Collection[str], *, now: datetime) -> Span:
        """Return start and end of what the given series lack; at most `history_span`."""
        start, end = history_span(now)
        gaps = self._gaps
        begins = [min(gaps[key])[0] for key in keys if key in gaps]
        whole = len(begins) < len(keys)
        self._reading_gaps = {} if whole else {key: gaps[key] for key in keys}
        if not self._reading_gaps:
            return start, end
        return min(max(start, min(begins) - 2 * STEP), end - STEP), end

    def arrived(self, keys: Sequence[str], history: History) -> Arrived:
        """Return what is of use of a past that was read, and want it no longer."""
        # A series that left and came back while its gap was read needs its whole past by now.
        too_little = self._reading_gaps.keys() - self._gaps.keys()
        places = [i for i, k in enumerate(keys) if k in self._series and k not in too_little]
        gaps = [i for i in places if keys[i] in self._gaps]
        wholes = [i for i in places if keys[i] not in self._gaps]
        loads, doubted = history.load[gaps], self._doubts.keys
        for i in wholes:
            del self._wanted[keys[i]]
            self._believed(keys[i], (history_span(history.end_at),), history, i)
        for load, i in zip(loads, gaps, strict=True):
            read = self._reading_gaps.get(keys[i], self._gaps[keys[i]])
            self._want_less(keys[i], read)
            load[~_during(self._believed(keys[i], read, history, i), history)] = np.nan
        if settled := doubted - self._doubts.keys:
            log_event(logger, logging.INFO, "history_no_longer_doubtful", series=len(settled))
        return Arrived(gaps, loads, wholes)

    def _want_less(self, key: str, read: tuple[Span, ...]) -> None:
        """Want no longer these minutes of a series, but those that it lacks since they were."""
        left = tuple(span for span in self._gaps.pop(key) if span not in read)
        if left:
            self._gaps[key] = left
        else:
            del self._wanted[key]

    def _believed(
        self, key: str, read: tuple[Span, ...], history: History, row: int
    ) -> tuple[Span, ...]:
        """Return which minutes to take from a row that was read."""
        doubtful = row in history.doubtful
        return self._doubts.believed(key, read, doubtful=doubtful, at=history.end_at)

    def want_doubtful_again(self, *, now: datetime) -> None:
        """Want what was answered with a warning a while ago."""
        if due := self._doubts.due(now=now):
            self._want(due)

    def note_answers(
        self,
        keys: Sequence[str],
        samples: Sequence[Sample],
        heard: Sequence[bool],
        *,
        now: datetime,
    ) -> None:
        """Remember for which minutes nobody answered; want them once somebody does again.

        Minutes that were answered with a doubt are left out: what was partial then is partial in
        the past as well, and there nothing says so.

        Parameters
        ----------
        samples, heard
            What was said of each series, and whether a load can be told from it.
        """
        over: dict[str, Span] = {}
        for key, sample, is_heard in zip(keys, samples, heard, strict=True):
            if sample.doubt in _NOT_ANSWERED:
                begin, end = last = self._unanswered.get(key, (now, now))
                if now - end > _ONE_OUTAGE:  # another one, and nobody was heard between them
                    begin, over[key] = now, last
                self._unanswered[key] = (begin, now)
            elif is_heard and key in self._unanswered:
                over[key] = self._unanswered.pop(key)
        over = {key: span for key, span in over.items() if _is_long(span)}
        if over:
            log_event(logger, logging.INFO, "outage_over", series=len(over))
            self._want({key: (span,) for key, span in over.items()})

    def want_since(self, since: datetime, *, now: datetime) -> None:
        """Want the minutes since then of every series."""
        self._want(dict.fromkeys(self._series, ((since, now),)))

    def _want(self, spans: Mapping[str, tuple[Span, ...]]) -> None:
        """Want these minutes of the series that have a past; a whole one includes them."""
        whole = self._wanted.keys() - self._gaps.keys()
        lacking = {k: one for k, one in self._series.items() if k in spans and k not in whole}
        for key in lacking:
            self._gaps[key] = tuple(dict.fromkeys((*self._gaps.get(key, ()), *spans[key])))
        self._wanted = {**self._wanted, **lacking}


def _is_long(span: Span) -> bool:
    """Whether a gap is read back."""
    begin, end = span
    return end - begin > LONGEST_GAP


def _during(spans: Iterable[Span], history: History) -> NDArray[np.bool_]:
    """Return which steps of a history were to be closed within one of the spans."""
    step = history.step.total_seconds()
    ends = history.end_at.timestamp() - step * np.arange(history.load.shape[1])[::-1]
    within = np.zeros(len(ends), dtype=np.bool_)
    for begin, end in spans:
        within |= (ends > begin.timestamp() - step) & (ends <= end.timestamp())
    return within


def history_span(now: datetime) -> Span:
    """Return start and end of the past that is read back, on the minute grid."""
    seconds = STEP.total_seconds()
    end = datetime.fromtimestamp(now.timestamp() // seconds * seconds, tz=UTC)
    return end - HISTORY, end
