"""Events on workloads and ConfigMaps, for `kubectl get events`: one per thing that happened.

Posting happens in a thread of its own, so a slow API server never delays a decision; an Event that
cannot be written is logged and forgotten.
Repeats within ten minutes become a count on the first Event, as client-go's correlator does it.
"""

import logging
import queue
import socket
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import Json, Request, answered, micro_time
from autoscaler.decide.facts import TargetRef

logger = logging.getLogger(__name__)

REPORTER = "predictive-autoscaler"
# The API server refuses longer notes; it counts bytes.
LONGEST_NOTE = 1024
# As client-go: an Event that repeats later than this is a new one.
REPEAT_WINDOW_SECONDS = 600.0
# Distinct Events remembered, and Events waiting to be posted; what comes beyond is dropped.
_REMEMBERED = 4096
_WAITING = 1000
_FLUSH_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something to report about a workload, or about a ConfigMap of policies."""

    target: TargetRef
    uid: str
    reason: str
    message: str
    at: datetime
    warning: bool = False


@dataclass(slots=True)
class _Posted:
    """An Event on the server, and how often it happened."""

    name: str
    count: int
    last: float


class EventRecorder:
    """Posts Events in the background."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._waiting: queue.Queue[Happening | None] = queue.Queue(_WAITING)
        self._posted: OrderedDict[tuple[str, str, str], _Posted] = OrderedDict()
        self._instance = socket.gethostname()
        self._is_losing = False
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to post."""
        self._thread.start()

    def stop(self) -> None:
        """Post what waits, as far as a few seconds allow."""
        if self._thread.is_alive():
            try:
                self._waiting.put(None, timeout=_FLUSH_SECONDS)
            except queue.Full:
                return
            self._thread.join(_FLUSH_SECONDS)

    def record(
        self, target: TargetRef, *, uid: str, reason: str, message: str, warning: bool = False
    ) -> None:
        """Queue one Event; never waits, never raises."""
        happening = Happening(target, uid, reason, message, datetime.now(tz=UTC), warning)
        try:
            self._waiting.put_nowait(happening)
        except queue.Full:
            self._failed(happening, f"{_WAITING} Events are waiting already")

    def _run(self) -> None:
        while (happening := self._waiting.get()) is not None:
            self._posting(happening)

    def _posting(self, happening: Happening) -> None:
        try:
            self._post(happening)
        except ApiException as error:
            self._posted.pop(_key(happening), None)  # it may be gone: the next one is new
            self._failed(happening, f"{error.status} {error.reason}")
        else:
            self._is_losing = False

    def _post(self, happening: Happening) -> None:
        key = _key(happening)
        before = self._posted.get(key)
        if before and time.monotonic() - before.last <= REPEAT_WINDOW_SECONDS:
            self._count(happening, before)
        else:
            self._posted[key] = self._create(happening)
        self._posted.move_to_end(key)
        while len(self._posted) > _REMEMBERED:
            self._posted.popitem(last=False)

    def _create(self, happening: Happening) -> _Posted:
        name = f"{happening.target.name[:200]}.{uuid4().hex[:16]}"
        body = event_body(happening, name=name, instance=self._instance)
        answered(self._api, Request("POST", _path(happening), body=body))
        return _Posted(name, 1, time.monotonic())

    def _count(self, happening: Happening, posted: _Posted) -> None:
        posted.count += 1
        posted.last = time.monotonic()
        series = {"count": posted.count, "lastObservedTime": micro_time(happening.at)}
        request = Request(
            "PATCH",
            f"{_path(happening)}/{posted.name}",
            body={"series": series},
            content_type="application/merge-patch+json",
        )
        answered(self._api, request)

    def _failed(self, happening: Happening, error: str) -> None:
        """Say what was lost; a missing permission loses all, so of a row only the first is news."""
        level = logging.DEBUG if self._is_losing else logging.WARNING
        self._is_losing = True
        fields = {"target": str(happening.target), "reason": happening.reason, "error": error}
        logger.log(level, "event_lost", extra={"fields": fields})


def _key(happening: Happening) -> tuple[str, str, str]:
    """Return what makes two happenings the same Event."""
    return happening.uid or str(happening.target), happening.reason, happening.message


def event_body(happening: Happening, *, name: str, instance: str) -> Json:
    """Return an `events.k8s.io/v1` Event."""
    target = happening.target
    return {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": target.namespace},
        "eventTime": micro_time(happening.at),
        "reportingController": REPORTER,
        "reportingInstance": instance,
        "action": "ReadPolicy" if target.kind == "ConfigMap" else "Scale",
        "reason": happening.reason,
        "note": happening.message.encode(errors="replace")[:LONGEST_NOTE].decode(errors="ignore"),
        "type": "Warning" if happening.warning else "Normal",
        "regarding": {
            "apiVersion": target.api_version,
            "kind": target.kind,
            "namespace": target.namespace,
            "name": target.name,
            **({"uid": happening.uid} if happening.uid else {}),
        },
    }


def _path(happening: Happening) -> str:
    return f"/apis/events.k8s.io/v1/namespaces/{happening.target.namespace}/events"
