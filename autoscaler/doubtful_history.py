"""Which minutes of a past were answered with a warning, and when they are read again.

A store may have been away, and the load shown too low.
Such minutes are used, for nothing better is known, and read again after an hour, then after twice
as long each time, until an answer without a warning replaces them.
"""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import NamedTuple

_Span = tuple[datetime, datetime]

# Where every answer has a warning: eight times in the fortnight after which it is let be.
_FIRST_WAIT = timedelta(hours=1)


class _Doubt(NamedTuple):
    """Minutes of a series that were answered with a warning, when, and how long they are left."""

    spans: tuple[_Span, ...]
    since: datetime
    wait: timedelta


class DoubtfulHistory:
    """The doubtful minutes of each series, by key, until they are `let_be_after` so long."""

    def __init__(self, *, let_be_after: timedelta) -> None:
        self._doubts: dict[str, _Doubt] = {}
        self._let_be_after = let_be_after

    def __len__(self) -> int:
        return len(self._doubts)

    def __contains__(self, key: str) -> bool:
        return key in self._doubts

    @property
    def keys(self) -> set[str]:
        """The series that have any."""
        return set(self._doubts)

    def retain(self, keys: Collection[str]) -> None:
        """Forget other series."""
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if key in keys}

    def recall(self, key: str, span: _Span) -> None:
        """Take up that a past was doubtful when it was saved."""
        self._doubts[key] = _Doubt((span,), span[1], _FIRST_WAIT)

    def believed(
        self, key: str, read: tuple[_Span, ...], *, doubtful: bool, at: datetime
    ) -> tuple[_Span, ...]:
        """Return which minutes to take of those that were `read`; remember which are in doubt.

        Those that are so once more stay as they are.
        """
        before = self._doubts.pop(key, _Doubt((), at, _FIRST_WAIT / 2))
        others = tuple(span for span in before.spans if span not in read)
        if doubtful:
            self._doubts[key] = _Doubt((*others, *read), at, 2 * before.wait)
            return tuple(span for span in read if span not in before.spans)
        if others:
            self._doubts[key] = before._replace(spans=others)
        return read

    def due(self, *, now: datetime) -> dict[str, tuple[_Span, ...]]:
        """Return the minutes of each series that are to be read again; let the oldest be."""
        self._doubts = {
            key: doubt
            for key, doubt in self._doubts.items()
            if now - doubt.spans[-1][1] <= self._let_be_after
        }
        # The clock may be set back.
        return {k: d.spans for k, d in self._doubts.items() if abs(now - d.since) >= d.wait}
