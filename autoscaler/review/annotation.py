"""What `kubectl describe` shows of the last decision, and when it is worth a write.

The annotation that is already there is the memory: it says what was written last and when, so a
restart, a new leader or another shard's holder writes nothing again that has not changed.
An annotation of anybody's making is only text: what cannot be read is overwritten.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

from autoscaler.decide.decision import Decision
from autoscaler.policy.schema import Mode
from autoscaler.review.fields import bounded
from autoscaler.review.record import DecisionRecord

LAST_DECISION = "autoscaler/last-decision"
# All annotations of an object share 256 KiB, and this one is copied to its ReplicaSet.
LONGEST = 1024
_LONGEST_MESSAGE = 400
# A number that changes is news, once per usual cycle: then `scale` is written and an Event posted,
# too. A reason alone often goes back and forth with the load.
AFTER_A_NUMBER = timedelta(seconds=15)
AFTER_A_REASON = timedelta(minutes=10)


class _Written(NamedTuple):
    at: datetime
    replicas: int
    reason: str


def annotation_due(record: DecisionRecord) -> str | None:
    """Return the annotation that is to be written now; None when there is nothing new to say.

    A policy that only forecasts changes nothing of its workload, so it leaves no annotation either.
    """
    if record.workload is None or record.mode is Mode.FORECAST_ONLY:
        return None
    written = _read(record.workload.annotations.get(LAST_DECISION, ""))
    return annotation_of(record) if _is_due(record.decision, written, now=record.at) else None


def _is_due(decision: Decision, written: _Written | None, *, now: datetime) -> bool:
    if written is None or written.at > now:  # nobody's, or of a clock that was ahead
        return True
    if decision.desired_replicas != written.replicas:
        return now - written.at >= AFTER_A_NUMBER
    return decision.reason != written.reason and now - written.at >= AFTER_A_REASON


def annotation_of(record: DecisionRecord) -> str:
    """Return the last decision as one line of JSON, at most `LONGEST` bytes of ASCII."""
    fields = {
        "time": record.at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "replicas": record.decision.desired_replicas,
        "reason": str(record.decision.reason),
        "trust": str(record.trust),
        "message": bounded(record.as_dict()["message"], _LONGEST_MESSAGE),
    }
    text = json.dumps(fields)
    if len(text) > LONGEST:  # a message of non-ASCII, which JSON writes six times as long
        text = json.dumps(fields | {"message": bounded(str(fields["message"]), 100)})
    return text


@lru_cache(maxsize=16_384)
def _read(text: str) -> _Written | None:
    """Return what an annotation says; the same text, cycle after cycle, is read once."""
    if not text or len(text) > LONGEST:
        return None
    try:
        fields = json.loads(text)
        at = datetime.strptime(fields["time"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        return _Written(at, int(fields["replicas"]), str(fields["reason"]))
    except (ValueError, TypeError, LookupError, OverflowError, RecursionError):
        return None
