"""What an answer is, and how its times and numbers are written: as in the log."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from autoscaler.review.fields import DecisionFields

Lines = Sequence[DecisionFields]


@dataclass(frozen=True, slots=True)
class Answer:
    """One sentence for a person, the numbers it is true of, and the same as data."""

    sentence: str
    numbers: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def at(line: DecisionFields) -> datetime:
    """Return when a line was decided."""
    return datetime.fromisoformat(line["time"])


def moment_text(moment: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}"


def clock(line: DecisionFields) -> str:
    """Return when a line was decided, in words of the log."""
    return moment_text(at(line))


def number_text(value: float | None) -> str:
    """Return a number as the record has it; *unknown* where there is none."""
    return "unknown" if value is None else f"{value:.6g}"


def times(n: int, one: str, many: str = "") -> str:
    """Return a count with its noun."""
    return f"{n} {one if n == 1 else many or f'{one}s'}"
