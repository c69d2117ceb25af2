"""How is one kind of object listed and watched without ever giving up: the source of an informer.

The client's `SharedInformer` keeps a cache, resumes and lists again after 410 Gone; what it does
not do is written here, in the list function it is given:

- lists arrive in pages and are trimmed page by page, so memory never holds them whole;
- failures are retried here, with backoff and a log line now and then, instead of a traceback per
  attempt;
- a connection that is dead without saying so is noticed by the bookmarks that fail to come;
- a watch that hears nothing, or is refused or ended by an error again and again, is replaced by a
  new list: a server that was restored from a backup does not know the version that we watch from;
- a server that is busy (429) is left alone for as long as it says, at most half a minute; a watch
  that it refuses becomes a list, which is dearer, only after minutes, when what we know is too old;
- a watch that ends at once is not opened again at once;
- `stop` ends a request under way.
"""

import logging
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import urllib3
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import Request, answered, opened, refusal_of
from autoscaler.cluster.objects import Seen
from autoscaler.cluster.watched import Resource

logger = logging.getLogger(__name__)
# The informer warns of every end of a watch; ends are usual, and failures are reported here.
logging.getLogger("kubernetes.informer.informer").setLevel(logging.ERROR)

# As client-go's pager: an answer of this size is a few megabytes of pods.
PAGE = 500
# As client-go's reflector: the server ends a watch after five to ten minutes, at random, so that
# the watches of many clients do not all come back in one second.
_WATCH_SECONDS = (300, 600)
# Bookmarks come about once a minute; two missed and a bit.
_SILENCE_SECONDS = 130.0
_CONNECT_SECONDS = 5.0
# Backoff between failures, doubled each time, as client-go's reflector does it.
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 30.0
# Of failures in a row every one that is worth a line of the log: about ten minutes apart.
_TELL_EVERY = 20
# The longest pause is reached by then.
_MOST_DOUBLINGS = 6
# In a row, of a watch from one version: a quarter of a minute. Where nobody answers we wait.
_MOST_REFUSALS = 5
# Likewise by a server that is busy: about six minutes, as long as a watch lasts anyway. A list in
# that time from each client hurts nobody, and one that is refused is tried twice a minute at most.
_MOST_BUSY = 20
GONE = 410
_NOT_FOUND = 404
# As good as a watch that was refused; and how the API server begins to say so, a line an event.
_FAILED = 500
_ERROR_EVENT = re.compile(rb'^\{"type": ?"ERROR"', re.MULTILINE)
_GONE_EVENT = re.compile(rb'"code": ?410\b')
_LONGEST_ERROR = 300
# Too many requests: a list is the dearest that a server could be asked for instead of a watch.
BUSY = 429


@dataclass(frozen=True, slots=True)
class ListMeta:
    """The part of a list's metadata an informer reads."""

    resource_version: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list, trimmed."""

    items: list[Seen]
    metadata: ListMeta


# What the list function returns after `stop`.
_NOTHING = Items([], ListMeta("0"))


class Listing:
    """The list function of one informer: called with `watch=True` it returns an open stream."""

    def __init__(self, api: ApiClient, resource: Resource) -> None:
        self._api = api
        self._resource = resource
        self._stopping = threading.Event()
        self._listed = threading.Event()
        self._stream: WatchStream | None = None
        self._failures = 0
        self._is_served_no_more = False
        self.failure = ""
        """What went wrong last, until the first list came."""
        self.heard_at = time.monotonic()
        """When the last page of a list came, or when it was first asked for."""
        self._opened_at = -_LONGEST_PAUSE_SECONDS

    @property
    def listed(self) -> bool:
        """Whether the first list was taken in: the informer came back to watch from it."""
        return self._listed.is_set()

    @property
    def out_of_sight(self) -> bool:
        """Whether listing and watching fail: what is known is as old as the first failure.

        Of a kind that the server no longer serves, as when KEDA was removed, there is nothing.
        """
        return self._failures > 0 and self._stream is None and not self._is_served_no_more

    def wait_listed(self, seconds: float) -> bool:
        """Wait until the first list was taken in; return whether it was."""
        return self._listed.wait(seconds)

    def stop(self) -> None:
        """End whatever is under way; nothing is asked any more."""
        self._stopping.set()
        stream = self._stream
        if stream is not None:
            stream.interrupt()

    # The annotation tells `kubernetes.watch` to hand events on as plain JSON.
    def __call__(
        self, *, watch: bool = False, resource_version: str | None = None, **_: Any
    ) -> object:
        """List, or open a watch from `resource_version` on; try until it works or `stop`."""
        while not self._stopping.is_set():
            try:
                if not watch:
                    return self._list()
                self._listed.set()
                return self._watch(resource_version or "0")
            except ApiException as error:
                if watch and error.status == GONE:
                    raise
                self._report(error)
                most = _MOST_BUSY if error.status == BUSY else _MOST_REFUSALS
                if watch and error.status and self._failures >= most:
                    raise ApiException(status=GONE, reason=error.reason) from error
        if watch:
            raise ApiException(status=0, reason="stopped")  # ends the informer's thread
        return _NOTHING

    def _list(self) -> Items:
        """Read every page; a continuation that expired starts over."""
        seen: list[Seen] = []
        token = ""
        while not self._stopping.is_set():
            query = [("limit", str(PAGE)), *self._selector()]
            if token:
                query.append(("continue", token))
            page = answered(self._api, Request("GET", self._resource.path, tuple(query)))
            if "items" not in page:  # read as an empty list it would delete everything
                raise ApiException(status=0, reason=f"{page.get('kind')!r} is no list")
            self.heard_at = time.monotonic()
            seen += [s for s in map(self._resource.kept, page.get("items") or ()) if s]
            meta = page.get("metadata") or {}
            token = meta.get("continue") or ""
            if not token:
                self._failures = 0
                return Items(seen, ListMeta(meta.get("resourceVersion") or "0"))
        return _NOTHING

    def _watch(self, resource_version: str) -> "WatchStream":
        self._judge_last_watch()
        self._pause_if_hasty()
        query = (
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", resource_version),
            ("timeoutSeconds", str(random.randint(*_WATCH_SECONDS))),
            *self._selector(),
        )
        response = opened(
            self._api,
            Request("GET", self._resource.path, query),
            timeout=(_CONNECT_SECONDS, _SILENCE_SECONDS),
        )
        stream = WatchStream(response)
        if response.status != 200 or "html" in response.headers.get("Content-Type", ""):
            # A page in the server's place says 200, too.
            stream.close()
            stream.release_conn()
            raise refusal_of(response, reason=f"watch: {response.reason or ''}")
        self._stream = stream
        if self._stopping.is_set():
            stream.interrupt()
        return stream

    def _judge_last_watch(self) -> None:
        """Raise what was wrong with the watch before; where nothing was, failures are over."""
        last, self._stream = self._stream, None
        if last is None:
            return
        if last.silent:
            raise ApiException(status=GONE, reason="not even a bookmark was heard")
        if last.error:
            raise ApiException(status=_FAILED, reason=f"watch: {last.error}")
        self._failures = 0

    def _selector(self) -> tuple[tuple[str, str], ...]:
        selector = self._resource.label_selector
        return (("labelSelector", selector),) if selector else ()

    def _pause_if_hasty(self) -> None:
        """Open at most one watch a second, however fast they end."""
        now = time.monotonic()
        self._stopping.wait(max(0.0, min(1.0, self._opened_at + 1.0 - now)))
        self._opened_at = time.monotonic()

    def _report(self, error: ApiException) -> None:
        """Say what failed, once and then every ten minutes or so; then wait."""
        self._failures += 1
        self._is_served_no_more = error.status == _NOT_FOUND
        self.failure = str(error.reason)
        # An outage of hours has more failures than a float can count doublings.
        doublings = min(self._failures - 1, _MOST_DOUBLINGS)
        pause = min(_LONGEST_PAUSE_SECONDS, _FIRST_PAUSE_SECONDS * 2**doublings)
        logger.log(
            logging.WARNING if self._failures % _TELL_EVERY == 1 else logging.DEBUG,
            "watch_failed",
            extra={
                "fields": {
                    "resource": self._resource.path,
                    "status": error.status,
                    "error": str(error.reason),
                    "failures": self._failures,
                }
            },
        )
        self._stopping.wait(max(pause * random.uniform(0.5, 1.0), _told_to_wait(error)))


def _told_to_wait(error: ApiException) -> float:
    """Return for how many seconds the server wants to be left alone, 0 where it does not say."""
    told = str((error.headers or {}).get("Retry-After", ""))
    return min(float(told), _LONGEST_PAUSE_SECONDS) if told.isdecimal() else 0.0


class WatchStream:
    """A response as `kubernetes.watch` reads one; a connection that breaks is an end, no error."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.silent = False
        self.error = ""
        """What the server said was wrong in the middle of the watch; not that a version is gone,
        which the informer understands by itself."""

    def stream(self, **how: Any) -> Iterator[bytes]:
        """Return the body in pieces as they come."""
        try:
            for piece in self._response.stream(**how):
                if _ERROR_EVENT.search(piece) and not _GONE_EVENT.search(piece):
                    self.error = " ".join(piece[:_LONGEST_ERROR].decode(errors="replace").split())
                yield piece
        except urllib3.exceptions.ReadTimeoutError:
            self.silent = True
        except (urllib3.exceptions.HTTPError, OSError, ValueError):
            return  # the informer watches on from the last version it saw

    def interrupt(self) -> None:
        """End the stream from another thread."""
        connection = getattr(self._response, "connection", None)
        sock = getattr(connection, "sock", None)
        if sock is not None:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # closed already

    def close(self) -> None:
        """Close the connection."""
        self._response.close()

    def release_conn(self) -> None:
        """Give the connection back to its pool."""
        self._response.release_conn()
