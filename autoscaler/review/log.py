"""Where decisions are read: one JSON object (or one aligned line of text) per record, on stdout.

Changes are INFO, unchanged cycles DEBUG; a reviewer filters by level, not by grep.
Everything else the daemon says goes through the same formatter: a log is one stream of one shape.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any, TextIO

from autoscaler.review.record import DecisionRecord
from autoscaler.review.sentence import sentence

DECISIONS = logging.getLogger("autoscaler.decisions")
_FIELDS_KEY = "fields"
_RECORD_KEY = "decision_record"


class JsonFormatter(logging.Formatter):
    """One JSON object per line: `level`, `ts`, `msg`, then the event's own fields."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an exception's traceback is one escaped field, never loose lines."""
        line: dict[str, Any] = {
            "level": record.levelname,
            "ts": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "msg": record.getMessage(),
        }
        decision = getattr(record, _RECORD_KEY, None)
        if decision is not None:
            line.update(decision.as_dict())
        line.update(getattr(record, _FIELDS_KEY, {}))
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, allow_nan=False)


class TextFormatter(logging.Formatter):
    """One aligned line per record, for terminals."""

    def format(self, record: logging.LogRecord) -> str:
        """Return time, level and either the decision or the event with its fields."""
        decision = getattr(record, _RECORD_KEY, None)
        if decision is not None:
            return decision_line(decision)
        fields = getattr(record, _FIELDS_KEY, {})
        text = " ".join([record.getMessage(), *(f"{k}={v}" for k, v in fields.items())])
        at = datetime.fromtimestamp(record.created, tz=UTC)
        line = f"{at:%Y-%m-%d %H:%M:%S}  {record.levelname:<7} {text}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def decision_line(record: DecisionRecord) -> str:
    """Return a decision as one aligned line: when, who, from, to, why."""
    decision = record.decision
    arrow = f"{decision.current_replicas:>4} -> {decision.desired_replicas:<4}"
    return (
        f"{record.at:%Y-%m-%d %H:%M:%S}  {record.target!s:<24} {arrow} "
        f"{record.trust:<8} {decision.reason:<22} {sentence(record)}"
    )


def configure(*, log_format: str, level: int, stream: TextIO | None = None) -> None:
    """Send every logger of this process to `stream` (stdout) in one format."""
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(JsonFormatter() if log_format == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # libraries speak only when something is wrong
    logging.getLogger("autoscaler").setLevel(level)


def log_event(logger: logging.Logger, level: int, event: str, **fields: object) -> None:
    """Log a constant event name with its fields."""
    logger.log(level, event, extra={_FIELDS_KEY: fields})


class DecisionLog:
    """Writes each record once, at the level its news deserves."""

    def __init__(self) -> None:
        self._headlines: dict[object, tuple[object, ...]] = {}

    def write(self, record: DecisionRecord) -> None:
        """Log at INFO what changed since this target's last record, at DEBUG what did not."""
        news = self._headlines.get(record.target) != record.headline
        self._headlines[record.target] = record.headline
        level = logging.INFO if news or record.rescaled else logging.DEBUG
        if DECISIONS.isEnabledFor(level):
            DECISIONS.log(level, "scale_decision", extra={_RECORD_KEY: record})

    def forget(self, targets: set[object]) -> None:
        """Drop what is remembered of targets that no policy names any more."""
        for target in targets:
            self._headlines.pop(target, None)
