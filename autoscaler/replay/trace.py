"""Which load was recorded: a CSV of `timestamp,value`, read strictly.

Timestamps are unix seconds, values requests/s (or cores), evenly spaced at a step that is inferred.
A missing row is a gap (NaN); a value that is there is a fact and must be a finite number >= 0.
Anything else is refused with file, line and value: a replay of a misread file proves nothing.
"""

import csv
import io
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autoscaler.errors import TraceError, why_not
from autoscaler.strict import decimal_of
from autoscaler.unpacked import unpacked

FloatArray = NDArray[np.float64]

HEADER = ("timestamp", "value")
# The year 2200: whoever writes a later one has written milliseconds.
_LATEST_SECONDS = 7_258_118_400.0
# A year of minutes; a longer gap is far likelier a wrong timestamp than a recording.
_MOST_STEPS = 366 * 1440
# Coarser steps than an hour say nothing about a pod's start-up time.
_LONGEST_STEP_SECONDS = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """A recorded load on an even grid: `load[k]` holds over [start + k step, start + (k+1) step).

    Gaps are NaN.
    """

    name: str
    start_seconds: float
    step_seconds: int
    load: FloatArray

    @property
    def end_seconds(self) -> float:
        """The end of the last step."""
        return self.start_seconds + self.step_seconds * len(self.load)

    @property
    def days(self) -> float:
        """The recorded length in days."""
        return self.step_seconds * len(self.load) / 86400.0

    def scaled(self, factor: float) -> "Trace":
        """Return the same recording with every load multiplied."""
        return Trace(self.name, self.start_seconds, self.step_seconds, self.load * factor)

    def cut(self, end_seconds: float) -> "Trace":
        """Return the steps that began before `end_seconds`."""
        n = math.ceil((end_seconds - self.start_seconds) / self.step_seconds)
        return Trace(self.name, self.start_seconds, self.step_seconds, self.load[: max(0, n)])


def read_trace(path: Path) -> Trace:
    """Return the recording in `path`, gzipped or not; raise `TraceError` where it is wrong."""
    try:
        stamps, loads, lines = _columns(path)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise TraceError(f"{path}: cannot be read: {why_not(error)}") from error
    if len(stamps) < 2:
        raise TraceError(f"{path}: needs at least 2 rows to know its step, got {len(stamps)}")
    return _on_grid(path, np.array(stamps), np.array(loads), lines)


def _columns(path: Path) -> tuple[list[float], list[float], list[int]]:
    stamps: list[float] = []
    loads: list[float] = []
    lines: list[int] = []
    for line, row in _rows(path):
        where = f"{path}: line {line}"
        if len(row) != 2:
            raise TraceError(f"{where}: expected timestamp,value, got {','.join(row)[:80]!r}")
        stamp = _number(row[0], f"{where}: timestamp", "is not a number of unix seconds")
        load = _number(row[1], f"{where}: value", "is not a number; for a gap leave the row out")
        if stamp > _LATEST_SECONDS:
            raise TraceError(
                f"{where}: timestamp {row[0].strip()!r} is after the year 2200: "
                "unix seconds are wanted, not milliseconds"
            )
        if stamps and stamp <= stamps[-1]:
            kind = "repeats" if stamp == stamps[-1] else "is before"
            raise TraceError(f"{where}: timestamp {row[0].strip()!r} {kind} the row above")
        stamps.append(stamp)
        loads.append(load)
        lines.append(line)
    return stamps, loads, lines


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    with unpacked(path) as raw:
        file = io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")
        reader = csv.reader(file)
        header = next(reader, None)
        if header is None or tuple(name.strip().lower() for name in header) != HEADER:
            found = "nothing" if header is None else repr(",".join(header))
            raise TraceError(f"{path}: line 1: the header must be 'timestamp,value', got {found}")
        for row in reader:
            if reader.line_num > _MOST_STEPS + 1:
                raise TraceError(f"{path}: has more than {_MOST_STEPS} rows")
            if row:
                yield reader.line_num, row


def _number(text: str, field: str, complaint: str) -> float:
    """Return a finite number >= 0."""
    try:
        number = decimal_of(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TraceError(f"{field} {text.strip()!r} {complaint}")
    if number < 0:
        raise TraceError(f"{field} {text.strip()!r} is negative")
    return number


def _is_step(step: float) -> bool:
    return step == round(step) and 1 <= step <= _LONGEST_STEP_SECONDS


def _off(places: FloatArray) -> NDArray[np.intp]:
    """Return which rows are between two places of their grid."""
    return np.flatnonzero(places != np.round(places))


def _out_of_step(stamps: FloatArray, lines: list[int], gaps: FloatArray) -> str:
    """Return what is wrong with rows on no even grid: the first that is off the usual spacing.

    The smallest spacing would be that of a single stray row, and all others off its grid.
    """
    spacings, counts = np.unique(np.round(gaps), return_counts=True)
    usual = float(spacings[counts.argmax()])
    if not _is_step(usual):
        return f"a step of {gaps.min():g} s is not whole seconds between 1 s and 1 h"
    row = int(_off((stamps - stamps[0]) / usual)[0])
    return (
        f"line {lines[row]}: timestamp {stamps[row]:.15g} is off the even grid"
        f" of {usual:g} s that began at {stamps[0]:.15g}"
    )


def _on_grid(path: Path, stamps: FloatArray, loads: FloatArray, lines: list[int]) -> Trace:
    """Place the rows on the even grid of their smallest spacing, NaN where rows are missing."""
    gaps = np.diff(stamps)
    step = float(gaps.min())
    places = (stamps - stamps[0]) / step
    if _off(places).size or not _is_step(step):
        raise TraceError(f"{path}: {_out_of_step(stamps, lines, gaps)}")
    if places[-1] >= _MOST_STEPS:
        raise TraceError(f"{path}: spans {places[-1]:.0f} steps, more than {_MOST_STEPS}")
    load = np.full(int(places[-1]) + 1, np.nan)
    load[places.astype(np.intp)] = loads
    return Trace(path.name, float(stamps[0]), int(step), load)
