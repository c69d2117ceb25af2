"""What does Consul say of a service: its passing instances, by blocking queries.

A list is believed only when it is whole: an answer that was filtered for want of a token is an
error and not an empty list, and an answer from a server that lost its leader is too old.
Token, CA, namespace and partition are named by the variables that every Consul client knows
(`CONSUL_HTTP_TOKEN`, `CONSUL_HTTP_TOKEN_FILE`, `CONSUL_CACERT`, `CONSUL_NAMESPACE`,
`CONSUL_PARTITION`).

References
----------
Consul documentation, "Blocking Queries" (index rules), "Consistency Modes", "Health HTTP endpoint".
"""

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from urllib3.exceptions import HTTPError, ReadTimeoutError

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.settings import in_brackets, one_word
from autoscaler.metrics.transport import body_of, cause_of
from autoscaler.strict import MALFORMED, text_of

# Consul waits up to wait / 16 longer than it was told, to spread its answers.
_WAIT = timedelta(seconds=60)
_JITTER = 17 / 16
# A server that has not heard from its leader for longer is guessing.
_MOST_LAST_CONTACT = timedelta(seconds=10)
# Under churn every wait returns at once; Consul's own advice is to slow down.
_LEAST_BETWEEN_SECONDS = 1.0
_PAUSE_AFTER_ERROR_SECONDS = 5.0
# An instance is about 2 KiB of JSON; a service of thousands of them is still far below.
_MOST_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ConsulAddress:
    """Which service is wanted, and from whom; the token is read from file or environment."""

    base_url: str
    service: str
    tag: str | None = None
    datacenter: str | None = None
    scheme: str = "http"

    def headers(self) -> dict[str, str]:
        """Return the token header, if there is a token (`CONSUL_HTTP_TOKEN`, `..._FILE`)."""
        token = os.environ.get("CONSUL_HTTP_TOKEN", "")
        file = os.environ.get("CONSUL_HTTP_TOKEN_FILE")
        if file:
            try:
                with open(file, encoding="utf-8") as opened:
                    token = opened.read()
            except OSError as error:
                raise MetricUnavailableError(f"Consul token {file}: {error}") from error
        token = one_word(token, where=file or "CONSUL_HTTP_TOKEN")
        return {"X-Consul-Token": token} if token else {}

    def options(self) -> dict[str, str]:
        """Return the parameters that say which instances are meant."""
        named = {
            "tag": self.tag,
            "dc": self.datacenter,
            "ns": os.environ.get("CONSUL_NAMESPACE"),
            "ap": os.environ.get("CONSUL_PARTITION"),
        }
        return {name: value for name, value in named.items() if value}


def consul_of(address: str) -> ConsulAddress:
    """Return what `consul://[host:port/]service?tag=&dc=&scheme=` stands for."""
    parts = urlsplit(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    service = parts.path.strip("/")
    return ConsulAddress(
        base_url(parts.netloc if service else None),
        service or parts.netloc,
        tag=options.get("tag"),
        datacenter=options.get("dc"),
        scheme=options.get("scheme", "http"),
    )


def base_url(address: str | None) -> str:
    """Return where Consul's HTTP API is: as given, else as `CONSUL_HTTP_ADDR` says, else here."""
    host = address or os.environ.get("CONSUL_HTTP_ADDR") or "127.0.0.1:8500"
    tls = os.environ.get("CONSUL_HTTP_SSL", "").lower() in {"1", "true"}
    return (host if "://" in host else f"{'https' if tls else 'http'}://{host}").rstrip("/")


@dataclass(frozen=True, slots=True)
class Instance:
    """One instance of a service that passes every check."""

    address: str
    port: int
    meta: Mapping[str, str] = field(default_factory=dict)


class ConsulWatch:
    """Follows one service; `step` is one query, `follow` repeats blocking ones for ever."""

    def __init__(
        self,
        address: ConsulAddress,
        *,
        timeout: timedelta = timedelta(seconds=10),
        session: requests.Session | None = None,
    ) -> None:
        self._address = address
        self._timeout = timeout.total_seconds()
        self._session = session
        self._index = 0
        self._lock = threading.Lock()
        self._instances: list[Instance] | None = None
        self._error = "not asked yet"
        self._answered_at = -float("inf")
        self.asked_at = 0.0
        """When the last question was asked, in monotonic seconds; 0 = never."""
        self.silent = False
        """Whether it was not answered in all the time there was."""

    @property
    def failed(self) -> bool:
        """Whether the last question was not answered."""
        return bool(self.asked_at and self._error)

    def not_asked(self, why: str) -> None:
        """Say why it was not even asked once."""
        with self._lock:
            if not self.asked_at:
                self._error = why

    def instances(self, *, within: timedelta | None = None) -> list[Instance]:
        """Return the passing instances as last heard; raise when nothing was ever heard.

        `within` refuses what was heard longer ago, and everything once a question failed.
        """
        with self._lock:
            doubtful = within is not None and (
                bool(self._error) or time.monotonic() - self._answered_at > within.total_seconds()
            )
            if self._instances is None or doubtful:
                why = self._error or f"no answer for {within}"
                raise MetricUnavailableError(f"Consul {self._address.service}: {why}")
            return list(self._instances)

    def step(self, *, wait: timedelta = _WAIT) -> bool:
        """Ask once, waiting for a change when something is known; return whether it was heard.

        With no time to wait the question carries no index: Consul takes a wait of zero for its
        default of five minutes.
        """
        self.asked_at = time.monotonic()
        try:
            index, instances = self._asked(wait)
        except (OSError, HTTPError, MetricUnavailableError, *MALFORMED) as error:
            with self._lock:
                self._error, self._index = _said(error), 0
            self.silent = time.monotonic() - self.asked_at >= self._timeout
            return False
        self.silent = False
        with self._lock:
            self._instances, self._error = instances, ""
            self._answered_at = time.monotonic()
            # An index that went backwards is of another Consul: begin again. Zero would not wait.
            self._index = 0 if index < self._index else max(1, index)
        return True

    def follow(self, stop: threading.Event) -> None:
        """Repeat `step` until told to stop, never faster than Consul can bear."""
        while not stop.is_set():
            heard = self.step()
            stop.wait(_LEAST_BETWEEN_SECONDS if heard else _PAUSE_AFTER_ERROR_SECONDS)

    def _asked(self, wait: timedelta) -> tuple[int, list[Instance]]:
        address = self._address
        parameters = {"passing": "1", "stale": "1", **address.options()}
        seconds = wait.total_seconds() if self._index else 0.0
        if seconds:
            parameters |= {"index": str(self._index), "wait": f"{seconds:.0f}s"}
        patience = self._timeout + seconds * _JITTER
        until = time.monotonic() + patience
        asking = self._session or requests.Session()
        try:
            with asking.get(
                f"{address.base_url}/v1/health/service/{quote(address.service, safe='')}",
                params=parameters,
                headers=address.headers(),
                timeout=patience,
                allow_redirects=False,
                stream=True,
                verify=os.environ.get("CONSUL_CACERT") or True,
            ) as response:
                body = body_of(
                    response, most_bytes=_MOST_BYTES, late=lambda: time.monotonic() > until
                )
        finally:
            if asking is not self._session:
                asking.close()
        return int(response.headers.get("X-Consul-Index", "0")), _believed(response, body)


def _said(error: Exception) -> str:
    """Return what went wrong, as people say it."""
    if isinstance(error, (requests.Timeout, ReadTimeoutError)):
        return "timed out"
    if isinstance(error, (requests.RequestException, HTTPError)):
        return f"cannot be reached: {cause_of(error)}"
    if isinstance(error, MetricUnavailableError):
        return str(error)
    return f"malformed answer: {error!r}"[:200]


def _believed(response: requests.Response, body: bytearray) -> list[Instance]:
    """Return the instances of an answer that is whole; raise when it is not."""
    if response.status_code != 200:
        said = " ".join(body[:200].decode(errors="replace").split())
        raise MetricUnavailableError(f"HTTP {response.status_code}: {said}")
    if response.headers.get("X-Consul-Results-Filtered-By-ACLs", "").lower() == "true":
        raise MetricUnavailableError("the answer was filtered: ACLs hide the service from us")
    if response.headers.get("X-Consul-KnownLeader", "true").lower() == "false":
        raise MetricUnavailableError("the server knows no leader")
    last_contact = timedelta(milliseconds=int(response.headers.get("X-Consul-LastContact", "0")))
    if last_contact > _MOST_LAST_CONTACT:
        raise MetricUnavailableError(f"the server's answer is {last_contact} behind its leader")
    answer = json.loads(body)
    if not isinstance(answer, list):
        raise MetricUnavailableError("the answer is not a list")
    return [_instance(entry) for entry in answer]


def _instance(entry: Mapping[str, Any]) -> Instance:
    service = entry["Service"]
    return Instance(
        text_of(service.get("Address") or entry["Node"]["Address"]),
        int(service["Port"]),
        {text_of(key): text_of(value) for key, value in (service.get("Meta") or {}).items()},
    )


class ConsulServers:
    """The servers of one Consul service, followed by a thread from the first question on."""

    def __init__(
        self, address: ConsulAddress, *, timeout: timedelta = timedelta(seconds=10)
    ) -> None:
        self._address = address
        self._watch = ConsulWatch(address, timeout=timeout)
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def urls(self) -> list[str]:
        """Return the passing instances; the last known ones while Consul fails."""
        with self._lock:
            if self._thread is None:
                self._watch.step(wait=timedelta(0))
                self._thread = threading.Thread(
                    target=self._watch.follow, args=(self._stop,), daemon=True, name="consul"
                )
                self._thread.start()
        found = sorted(self._watch.instances(), key=lambda i: (i.address, i.port))
        if not found:
            raise MetricUnavailableError(f"Consul {self._address.service}: no instance passes")
        return [
            f"{self._address.scheme}://{in_brackets(each.address)}:{each.port}" for each in found
        ]

    def close(self) -> None:
        """Stop following; the thread ends with the query it waits for."""
        self._stop.set()
