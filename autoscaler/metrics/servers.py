"""Where is Prometheus: fixed addresses, DNS SRV records, a Consul service; and which one to ask.

    http://prometheus:9090                                  one or several, separated by commas
    dns+srv://_http._tcp.prometheus.monitoring.svc          Kubernetes' or Consul's DNS
    consul://127.0.0.1:8500/prometheus?tag=primary          Consul's catalog

Servers that are found answer below `?path=`, if it is given.

The first server answers until it fails; then the next one does, and the first is tried again after
a while.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.consul import ConsulServers, consul_of
from autoscaler.metrics.srv import SrvRecords

# Long enough for a restart; a server that is down for longer costs one attempt this often.
_REST_AFTER_FAILURE_SECONDS = 30.0


class Servers(Protocol):
    """Knows the addresses that may be asked."""

    def urls(self) -> list[str]:
        """Return the addresses, best first; raise `MetricUnavailableError` when none is known."""


class FixedServers:
    """Addresses that somebody wrote down."""

    def __init__(self, urls: list[str]) -> None:
        self._urls = [url.rstrip("/") for url in urls]

    def urls(self) -> list[str]:
        """Return the addresses as written."""
        return self._urls


class ServersBelow:
    """Servers that were found, which answer below a path, as Mimir's do."""

    def __init__(self, servers: Servers, path: str) -> None:
        self._servers, self._path = servers, path

    def urls(self) -> list[str]:
        """Return the addresses with the path."""
        return [f"{url}/{self._path}" for url in self._servers.urls()]


def servers_of(address: str, *, timeout: timedelta) -> Servers:
    """Return the servers that an address stands for.

    Raises
    ------
    MetricUnavailableError
        When the address is of no known form.
    """
    parts = urlsplit(address)
    if parts.scheme not in {"dns+srv", "consul"}:
        return _fixed(address)
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    servers: Servers
    if parts.scheme == "consul":
        servers = ConsulServers(consul_of(address), timeout=timeout)
    else:
        if parts.netloc and parts.path.strip("/"):
            raise MetricUnavailableError(f"{address!r} has a path: give ?path={parts.path}")
        servers = SrvRecords(
            parts.netloc or parts.path.strip("/"),
            scheme=options.get("scheme", "http"),
            nameserver=options.get("nameserver"),
            timeout=timeout,
        )
    path = options.get("path", "").strip("/")
    return ServersBelow(servers, path) if path else servers


def _fixed(address: str) -> FixedServers:
    urls = [url.strip() for url in address.split(",") if url.strip()]
    if not urls or not all(url.startswith(("http://", "https://")) for url in urls):
        raise MetricUnavailableError(
            f"{address!r} is no address of Prometheus: give http(s)://, dns+srv:// or consul://"
        )
    return FixedServers(urls)


class FailOver:
    """Chooses among servers; safe to use from several threads."""

    def __init__(self, servers: Servers, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._servers = servers
        self._clock = clock
        self._lock = threading.Lock()
        self._failed_at: dict[str, float] = {}

    def choice(self) -> tuple[str, int]:
        """Return the server to ask, and how many there are."""
        urls = self._servers.urls()
        now = self._clock()
        with self._lock:
            failed = self._failed_at.items()
            resting = {url: at for url, at in failed if now - at < _REST_AFTER_FAILURE_SECONDS}
            self._failed_at = resting
            rested = [url for url in urls if url not in resting]
            return (rested[0] if rested else min(urls, key=resting.__getitem__)), len(urls)

    def failed(self, url: str) -> None:
        """Note that a server did not answer."""
        with self._lock:
            self._failed_at[url] = self._clock()

    def answered(self, url: str) -> None:
        """Note that a server answered."""
        with self._lock:
            self._failed_at.pop(url, None)
