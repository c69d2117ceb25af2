"""One cycle of one policy in a few bytes: what a chart needs, and nothing else.

Loads have six significant digits, as in the record, and four bytes hold those exactly; so a number
read off a chart is the number in the log.
"""

import struct
from datetime import datetime
from typing import Any

from autoscaler.decide.facts import Signal, Trust
from autoscaler.decide.measured import known_load
from autoscaler.decide.reason import Reason
from autoscaler.review.fields import ASLEEP
from autoscaler.review.record import DecisionRecord

# A chart of more signals is not read; the record has them all.
MOST_CHARTED_SIGNALS = 4
ROW_COLUMNS = ("time", "current", "ready", "desired", "recommended", "reason", "trust")
SIGNAL_COLUMNS = ("value", "median", "level", "lead_time_seconds", "per_pod", "reactive")
_ROW = struct.Struct("<IiiiiBBxx")
_SIGNAL = struct.Struct("<fffffi")
_NO_COUNT, _MOST_COUNT = -1, 2**31 - 1
_NAN = float("nan")
# The largest number of four bytes: a hostile metric may hold more, and must not stop the cycle.
_MOST_FLOAT = 3.4e38
_REASONS, _TRUSTS = tuple(Reason), (*Trust, ASLEEP)
_REASON_CODE = {reason: code for code, reason in enumerate(_REASONS)}
_TRUST_CODE = {trust: code for code, trust in enumerate(_TRUSTS)}


def row_size(n_signals: int) -> int:
    """Return the bytes of a row of so many signals."""
    return _ROW.size + min(n_signals, MOST_CHARTED_SIGNALS) * _SIGNAL.size


def column_names(size: int) -> tuple[str, ...]:
    """Return the names of what `unpacked` returns for rows of this size."""
    n_signals = (size - _ROW.size) // _SIGNAL.size
    return (*ROW_COLUMNS, *(f"{c}.{k}" for k in range(n_signals) for c in SIGNAL_COLUMNS))


def packed(record: DecisionRecord) -> bytes:
    """Return the numbers of a record as one row."""
    decision, workload = record.decision, record.workload
    row = _ROW.pack(
        int(record.at.timestamp()),
        _count(record.current_replicas),
        _count(None if workload is None else workload.ready_replicas),
        _count(record.desired_replicas),
        _count(record.recommendation.replicas),
        _REASON_CODE[decision.reason],
        _TRUST_CODE[record.trust],
    )
    proposals = record.recommendation.proposals
    for k, signal in enumerate(record.signals[:MOST_CHARTED_SIGNALS]):
        reactive = proposals[k].reactive if k < len(proposals) else None
        row += _SIGNAL.pack(*_loads(signal, record.at), _count(reactive))
    return row


def _count(replicas: int | None) -> int:
    """Return what four bytes can hold of a count that a monstrous load may ask for."""
    return _NO_COUNT if replicas is None else min(replicas, _MOST_COUNT)


def _loads(signal: Signal, now: datetime) -> tuple[float, float, float, float, float]:
    """Return value, median, the level that decides, lead time and capacity; NaN where unknown."""
    value, forecast, capacity = signal.sample.value, signal.forecast, signal.capacity
    per_pod = _NAN if capacity is None else _four_bytes(capacity.per_pod)
    measured = _NAN if value is None else _four_bytes(value)
    if forecast is None:
        return measured, _NAN, _NAN, _NAN, per_pod
    level = forecast.level(measured=known_load(signal.sample, now=now) is not None)
    return (
        measured,
        _four_bytes(forecast.median),
        _four_bytes(level),
        forecast.lead_time.total_seconds(),
        per_pod,
    )


def _four_bytes(load: float) -> float:
    """Return six digits of a load, within what four bytes can hold."""
    return float(f"{min(load, _MOST_FLOAT):.6g}")


def time_of(row: bytes) -> int:
    """Return when the row was made, in unix seconds."""
    return int.from_bytes(row[:4], "little")


def unpacked(row: bytes) -> tuple[Any, ...]:
    """Return the values of a row in the order of `column_names`; None is *unknown*."""
    at, *counts, reason, trust = _ROW.unpack_from(row)
    values: list[Any] = [
        at,
        *(None if count == _NO_COUNT else count for count in counts),
        _REASONS[reason],
        _TRUSTS[trust],
    ]
    for *loads, reactive in _SIGNAL.iter_unpack(row[_ROW.size :]):
        # Six digits, as in the record; four bytes hold them exactly.
        values += [float(f"{load:.6g}") if load == load else None for load in loads]  # noqa: PLR0124
        values.append(None if reactive == _NO_COUNT else reactive)
    return tuple(values)


def load_and_carried(row: bytes, k: int) -> tuple[int, float, float]:
    """Return when, the load and what the ready pods carry by the k-th signal; NaN is *unknown*."""
    at, _, ready, *_ = _ROW.unpack_from(row)
    value, _, _, _, per_pod, _ = _SIGNAL.unpack_from(row, _ROW.size + k * _SIGNAL.size)
    return at, value, _NAN if ready == _NO_COUNT else ready * per_pod


class Ring:
    """Rows of one size in one piece of memory; the oldest is written over.

    All of it is taken at once: ten thousand pieces that grow row by row leave as much unused.
    """

    __slots__ = ("_count", "_data", "_row_size")

    def __init__(self, rows: int, row_size: int) -> None:
        self._row_size, self._count = row_size, 0
        self._data = bytearray(rows * row_size)

    def append(self, row: bytes) -> None:
        """Add the newest row."""
        at = self._count * self._row_size % len(self._data)
        self._data[at : at + self._row_size] = row
        self._count += 1

    def rows(self) -> list[bytes]:
        """Return a copy of the rows, oldest first."""
        size, count, data = self._row_size, self._count, bytes(self._data)
        cut = [data[at : at + size] for at in range(0, len(data), size)]
        first = count % len(cut)
        return cut[:count] if count < len(cut) else cut[first:] + cut[:first]

    def resized(self, rows: int) -> "Ring":
        """Return a ring for another number of rows, with the newest that fit."""
        return self._of(self.rows()[-rows:], room=rows)

    def before(self, second: int) -> "Ring":
        """Return a ring as large, with the rows that are earlier (unix seconds)."""
        room = len(self._data) // self._row_size
        return self._of([row for row in self.rows() if time_of(row) < second], room=room)

    def _of(self, rows: list[bytes], *, room: int) -> "Ring":
        ring = Ring(room, self._row_size)
        for row in rows:
            ring.append(row)
        return ring
