"""Where decisions are read: one JSON object (or one aligned line of text) per record, on stdout.

What is news is INFO (`review/news.py`), the other cycles DEBUG; a reviewer filters by level, not by
grep.
Once an hour an unchanged decision is INFO too, so that a log cut anywhere tells the state in force.
Everything else the daemon says goes through the same formatter: a log is one stream of one shape.
"""

import json
import logging
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TextIO

from autoscaler.decide.facts import TargetRef, Trust
from autoscaler.review.fields import DecisionFields, bounded, redacted
from autoscaler.review.news import News
from autoscaler.review.record import DecisionRecord

DECISIONS = logging.getLogger("autoscaler.decisions")
DECISION_EVENT = "scale_decision"
# 10,000 policies at rest write three lines a second with this.
HEARTBEAT = timedelta(hours=1)
_FIELDS_KEY = "fields"
_RECORD_KEY = "decision_record"
# A field of an ordinary event: an error body may be long, a log line should not be.
_FIELD_LIMIT = 1000
_BOLD, _DIM, _RESET = "\x1b[1m", "\x1b[2m", "\x1b[0m"
_TRUST_COLOURS: dict[str, str] = {
    Trust.TRUSTED: "\x1b[32m",
    Trust.DEMOTED: "\x1b[33m",
    Trust.STALE: "\x1b[31m",
}


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `level`, `ts`, `msg`, then the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception's traceback is one escaped field, never loose lines."""
        line: dict[str, Any] = {
            "level": record.levelname,
            "ts": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "msg": bounded(record.getMessage(), _FIELD_LIMIT),
        }
        decision: DecisionRecord | None = getattr(record, _RECORD_KEY, None)
        if decision is not None:
            line.update(decision.as_dict())
        line.update(_presentable(getattr(record, _FIELDS_KEY, {})))
        if record.exc_info:
            line["traceback"] = redacted(self.formatException(record.exc_info))
        return json.dumps(line, default=str, allow_nan=False, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """One aligned line per record, for terminals; coloured where colours are seen."""

    def __init__(self, *, colour: bool = False) -> None:
        super().__init__()
        self._colour = colour

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level and either the decision or the event with its fields."""
        decision: DecisionRecord | None = getattr(record, _RECORD_KEY, None)
        if decision is not None:
            return decision_line(decision.as_dict(), colour=self._colour)
        fields = _presentable(getattr(record, _FIELDS_KEY, {}))
        told = [f"{name}={value}" for name, value in fields.items() if value != ""]
        text = " ".join([bounded(record.getMessage(), _FIELD_LIMIT), *told])
        at = datetime.fromtimestamp(record.created, tz=UTC)
        line = f"{at:%Y-%m-%d %H:%M:%S}  {record.levelname:<7} {text}"
        if record.exc_info:
            line += f"\n{redacted(self.formatException(record.exc_info))}"
        return line


def decision_line(line: DecisionFields, *, colour: bool = False) -> str:
    """Return a decision as one aligned line: when, who, from, to, how trusted, why."""
    at, target = datetime.fromisoformat(line["time"]), line["target"]
    arrow = f"{_count(line['current_replicas']):>4} -> {_count(line['desired_replicas']):<4}"
    trust, reason = f"{line['trust']:<8}", f"{line['reason']:<22}"
    if colour:
        arrow = f"{_BOLD if line['rescaled'] else _DIM}{arrow}{_RESET}"
        trust = f"{_TRUST_COLOURS.get(line['trust'], _DIM)}{trust}{_RESET}"
    who = f"{target['namespace']}/{target['name']}"
    return f"{at:%Y-%m-%d %H:%M:%S}  {who:<24} {arrow} {trust} {reason} {line['message']}"


def _count(replicas: int | None) -> str:
    return "?" if replicas is None else str(replicas)


def _presentable(fields: dict[str, Any]) -> dict[str, Any]:
    """Return an event's fields with every text bounded, on one line and without credentials."""
    return {
        name: value
        if value is None or isinstance(value, bool | int | float)
        else bounded(str(value), _FIELD_LIMIT)
        for name, value in fields.items()
    }


def colours_wanted(stream: TextIO) -> bool:
    """Whether somebody sees them and did not refuse them (https://no-color.org)."""
    refused = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return stream.isatty() and not refused


class _EndsWithItsReader(logging.StreamHandler[TextIO]):
    """Raises where nobody reads any more, instead of a traceback per line."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Pass on that the reader went away."""
        if isinstance(error := sys.exc_info()[1], BrokenPipeError):
            raise error
        super().handleError(record)


def configure(
    *,
    log_format: str,
    level: int,
    stream: TextIO | None = None,
    ends_with_reader: bool = False,
    clock: Callable[[], datetime] | None = None,
) -> None:
    """Send every logger of this process to `stream` (stdout) in one format.

    A daemon goes on without a reader; what a person pipes into `head` ends with it.
    A world with a simulated `clock` dates its lines by that.
    """
    chosen = stream or sys.stdout
    handler = (_EndsWithItsReader if ends_with_reader else logging.StreamHandler)(chosen)
    json_wanted = log_format == "json"
    handler.setFormatter(
        JsonFormatter() if json_wanted else TextFormatter(colour=colours_wanted(chosen))
    )
    if clock is not None:
        handler.addFilter(_dated_by(clock))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries speak only when something is wrong
    logging.getLogger("autoscaler").setLevel(level)


def _dated_by(clock: Callable[[], datetime]) -> Callable[[logging.LogRecord], bool]:
    """Return a filter that passes every line, dated by `clock`."""

    def dated(record: logging.LogRecord) -> bool:
        record.created = clock().timestamp()
        return True

    return dated


def log_event(logger: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Log a constant event name with its fields."""
    logger.log(level, event, extra={_FIELDS_KEY: fields})


class DecisionLog:
    """Writes each record once, at the level its news deserves."""

    def __init__(self) -> None:
        self._news: dict[TargetRef, News] = {}
        self._told_at: dict[TargetRef, datetime] = {}
        self._swept_at: datetime | None = None

    def write(self, record: DecisionRecord) -> None:
        """Log at INFO what is news, and every hour what is in force; at DEBUG all else."""
        target, now = record.target, record.at
        known = self._news.get(target)
        if known is None:
            known = self._news[target] = News()
        told = known.tells(record)
        if not told and abs(now - self._told_at[target]) >= HEARTBEAT:
            known.note(record)  # it may have said another reason
            told = True
        if told:
            self._told_at[target] = now
            self._sweep(now)
        level = logging.INFO if told else logging.DEBUG
        if DECISIONS.isEnabledFor(level):
            DECISIONS.log(level, DECISION_EVENT, extra={_RECORD_KEY: record})

    def _sweep(self, now: datetime) -> None:
        """Once in two hours drop who has not been told of since: who is governed is, every hour."""
        if self._swept_at is None:
            self._swept_at = now
        elif now - self._swept_at >= 2 * HEARTBEAT:
            since, self._swept_at = self._swept_at, now
            self._told_at = {t: at for t, at in self._told_at.items() if at >= since}
            self._news = {t: news for t, news in self._news.items() if t in self._told_at}
