"""What was lately: a bounded past of every policy, for the page and for `explain`.

Each cycle leaves one packed row of numbers in a ring of recent rows; of older time only the row of
the highest load in each slot is kept, a day long.
Each change leaves its whole decision line, compressed, so that what the page shows of a change is
what the log says.
Memory and time are shared out among the policies: with a few, hours at full resolution; with ten
thousand, a row a minute for half an hour, and a day in outline.
Written by the reconcile's thread, read by HTTP threads, which copy a ring whole before they look.
"""

import json
import zlib
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from autoscaler.decide.facts import TargetRef
from autoscaler.decide.reason import Reason
from autoscaler.review.attention import attention_of
from autoscaler.review.fields import DECISION, DecisionFields, ForecastFields, SignalFields
from autoscaler.review.news import News
from autoscaler.review.record import DecisionRecord
from autoscaler.review.rows import (
    MOST_CHARTED_SIGNALS,
    Ring,
    column_names,
    packed,
    row_size,
    time_of,
    unpacked,
)
from autoscaler.review.trend import TREND_SECONDS, Trend, outline

# A tenth of the 512 MiB the daemon may take with 10,000 policies.
ROW_BUDGET_BYTES = 48 * 2**20
CHANGE_BUDGET_BYTES = 32 * 2**20
# Four hours at 15 s, and a day at one row a minute.
MOST_RECENT_ROWS, MOST_OLDER_ROWS = 960, 1440
MOST_CHANGES = 500
# Fewer are no history; with these the budget holds up to 20,000 policies of one signal.
FEWEST_ROWS, FEWEST_CHANGES = 30, 3
OLDER_SPAN = timedelta(days=1)
_OLDER_STEP_SECONDS = 60
# When ten thousand policies change at once, as in an outage, their lines are made and compressed
# over the next twenty cycles, not in this one.
_COMPRESS_EVERY = 20
# More lines than this do not wait: policies that change at every cycle would otherwise make them
# faster than they are taken, and a record that waits is several times its line.
_MOST_WAITING = 1_000
# Above so many policies a row a minute is enough: packing all of them at every cycle would take a
# twelfth of the second that a reconcile of ten thousand may take.
_DENSE_POLICIES = 1024
_SPARSE_SECONDS = 60
# A compressed line with Python's own overhead, measured.
_CHANGE_BYTES = 700
# What a row of one signal takes.
_TYPICAL_ROW_BYTES = row_size(1)


@dataclass(frozen=True, slots=True)
class Room:
    """How much past one policy may have."""

    recent_rows: int
    recent_step_seconds: int
    older_rows: int
    older_step_seconds: int
    changes: int


def room_for(n_policies: int) -> Room:
    """Return the share of one policy, the same until their number has doubled."""
    shares = 64
    while shares < n_policies:
        shares *= 2
    rows = ROW_BUDGET_BYTES // (shares * (_TYPICAL_ROW_BYTES))
    older = max(FEWEST_ROWS, min(MOST_OLDER_ROWS, rows * 3 // 5))
    return Room(
        recent_rows=max(FEWEST_ROWS, min(MOST_RECENT_ROWS, rows * 2 // 5)),
        recent_step_seconds=1 if shares <= _DENSE_POLICIES else _SPARSE_SECONDS,
        older_rows=older,
        older_step_seconds=max(_OLDER_STEP_SECONDS, int(OLDER_SPAN.total_seconds()) // older),
        changes=max(
            FEWEST_CHANGES, min(MOST_CHANGES, CHANGE_BUDGET_BYTES // (shares * _CHANGE_BYTES))
        ),
    )


class _Past:
    """The past of one target."""

    __slots__ = (
        "_best",
        "_recent_slot",
        "_shift",
        "_slot",
        "attention",
        "changes",
        "newest",
        "news",
        "older",
        "recent",
        "room",
        "row_size",
        "since",
    )

    def __init__(self, room: Room, record: DecisionRecord) -> None:
        self.row_size = row_size(len(record.signals))
        self.room = room
        self.newest = record
        self.recent = Ring(room.recent_rows, self.row_size)
        self.older = Ring(room.older_rows, self.row_size)
        self.changes: list[bytes | DecisionRecord] = []
        """Oldest first; a list, for an empty deque takes as much as the lines of two changes."""
        self.news = News()
        self.attention = attention_of(record)
        self.since = record.at
        self._slot = self._recent_slot = -1
        # Not every policy in the same cycle.
        self._shift = zlib.crc32(str(record.target).encode()) % _SPARSE_SECONDS
        self._best: tuple[float, bytes] | None = None

    def keep(self, record: DecisionRecord) -> bool:
        """Take in one cycle; return whether it was a change."""
        second = int(record.at.timestamp())
        if record.at < self.newest.at:
            self._forget_future(second)
        self.newest = record
        recent_slot = (second + self._shift) // self.room.recent_step_seconds
        news = self.news.tells(record)
        if news or recent_slot != self._recent_slot:
            self._recent_slot = recent_slot
            row = packed(record)
            self.recent.append(row)
            self._keep_older(record, row, second)
        attention = attention_of(record)
        if attention is not self.attention:
            self.attention, self.since = attention, record.at
        if news:
            self.changes.append(record)
            del self.changes[: -self.room.changes]
        return news

    def _forget_future(self, second: int) -> None:
        """Drop the rows that are still to come for a clock that was set back to `second`.

        A chart has one time axis: kept, they would lie between those that follow.
        """
        self.recent, self.older = self.recent.before(second), self.older.before(second)
        if self._best is not None and time_of(self._best[1]) >= second:
            self._best = None

    def _keep_older(self, record: DecisionRecord, row: bytes, second: int) -> None:
        """Remember of each slot of time the row with the highest load."""
        slot = second // self.room.older_step_seconds
        load = record.signals[0].sample.value if record.signals else None
        weight = -1.0 if load is None else load
        if slot != self._slot:
            if self._best is not None:
                self.older.append(self._best[1])
            self._slot, self._best = slot, (weight, row)
        elif self._best is None or weight >= self._best[0]:
            self._best = (weight, row)

    def compress(self, record: DecisionRecord) -> None:
        """Put a line in the place of a record; it may have been dropped in the meantime."""
        line = _compressed(record.as_dict())
        for i, change in enumerate(self.changes):
            if change is record:
                self.changes[i] = line
                return

    def resize(self, room: Room) -> None:
        self.room = room
        self.recent = self.recent.resized(room.recent_rows)
        self.older = self.older.resized(room.older_rows)
        self.changes = self.changes[-room.changes :]

    def rows(self, *, after: int) -> list[bytes]:
        """Return rows later than `after`: older ones until the recent begin, those, the newest.

        Whoever knows rows that are still to come has them from before the clock was set back, and
        is told all.
        """
        recent, newest = self.recent.rows(), packed(self.newest)
        if after > time_of(newest):
            after = 0
        if not recent or time_of(recent[-1]) < time_of(newest):
            recent.append(newest)
        begin = time_of(recent[0])
        older = self.older.rows() if begin > after else []
        kept = [row for row in older if time_of(row) < begin]
        return [row for row in kept + recent if time_of(row) > after]


class History:
    """The bounded past of every target."""

    def __init__(self) -> None:
        self._pasts: dict[TargetRef, _Past] = {}
        self._room = room_for(0)
        self._waiting: deque[tuple[_Past, DecisionRecord]] = deque()
        self._kept = 0

    def keep(self, record: DecisionRecord) -> None:
        """Take in one cycle of one target."""
        past = self._pasts.get(record.target)
        if past is None or past.row_size != row_size(len(record.signals)):
            # A policy with other metrics than before charts something else: a new past.
            past = self._pasts[record.target] = _Past(self._room, record)
            self._share_out()
        if past.keep(record):
            self._waiting.append((past, record))
        self._kept += 1
        late = len(self._waiting) > _MOST_WAITING
        if self._waiting and (late or self._kept % _COMPRESS_EVERY == 0):
            changed, change = self._waiting.popleft()
            changed.compress(change)

    def retain(self, targets: Iterable[TargetRef]) -> None:
        """Drop every target that is not among `targets`."""
        present = set(targets)
        self._pasts = {t: past for t, past in self._pasts.items() if t in present}
        kept = {id(past) for past in self._pasts.values()}
        self._waiting = deque(pair for pair in self._waiting if id(pair[0]) in kept)
        self._share_out()

    def _share_out(self) -> None:
        """Give every policy the room that their number leaves it."""
        room = room_for(len(self._pasts))
        if room != self._room:
            self._room = room
            for past in self._pasts.values():
                past.resize(room)

    def since(self, target: TargetRef) -> datetime | None:
        """Return since when a target has needed the attention that it needs now."""
        past = self._pasts.get(target)
        return None if past is None else past.since

    def changes(self, target: TargetRef) -> list[DecisionFields]:
        """Return the decision lines at which something changed, oldest first."""
        past = self._pasts.get(target)
        changes = [] if past is None else list(past.changes)
        return [
            _decompressed(change) if isinstance(change, bytes) else change.as_dict()
            for change in changes
        ]

    def columns(self, target: TargetRef, *, after: int = 0) -> dict[str, list[Any]]:
        """Return the rows later than `after` (unix seconds) as one list per column, oldest first.

        A signal's columns are `value.0`, `median.0`, ...: what is not known is None.
        """
        past = self._pasts.get(target)
        if past is None:
            return {}
        rows = [unpacked(row) for row in past.rows(after=after)]
        return {
            name: [row[i] for row in rows] for i, name in enumerate(column_names(past.row_size))
        }

    def last_hour(self, target: TargetRef, k: int) -> Trend:
        """Return the outline of the last hour of the k-th signal."""
        past = self._pasts.get(target)
        if past is None or past.row_size < row_size(k + 1) or k >= MOST_CHARTED_SIGNALS:
            return outline([], k)
        begin = int(past.newest.at.timestamp()) - TREND_SECONDS
        return outline(past.rows(after=begin), k)


# What every line says: a compressor that knows it stores only what differs.
_TYPICAL = json.dumps(
    {
        **dict.fromkeys(DecisionFields.__annotations__),
        "signals": [
            dict.fromkeys([*SignalFields.__annotations__, *ForecastFields.__annotations__])
        ],
        "reasons": list(Reason),
    }
).encode()


def _compressed(line: DecisionFields) -> bytes:
    compressor = zlib.compressobj(zdict=_TYPICAL)
    return compressor.compress(json.dumps(line).encode()) + compressor.flush()


def _decompressed(line: bytes) -> DecisionFields:
    return DECISION.validate_json(zlib.decompressobj(zdict=_TYPICAL).decompress(line))
