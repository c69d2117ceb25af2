"""Which servers does a DNS SRV record name.

Always over TCP: answers over UDP are cut silently when they are long, and a server that is not in
the answer looks like one that does not exist.

References
----------
RFC 2782; Consul documentation, "Forward DNS" and `enable_truncate`.
"""

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlsplit

import dns.exception
import dns.message
import dns.query
import dns.rdatatype
import dns.resolver
from dns.rdtypes.IN.SRV import SRV

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.settings import in_brackets

# Consul answers with a time to live of zero; asking at every query would be asking too much.
_LEAST_SECONDS = 10.0
_MOST_SECONDS = 300.0
# Where servers are known, DNS may take this long to say otherwise: the question itself still has to
# be asked within the same patience.
_WHILE_KNOWN_SECONDS = 2.0


class SrvRecords:
    """The servers of one SRV name, remembered for as long as the record says."""

    def __init__(
        self,
        name: str,
        *,
        scheme: str = "http",
        nameserver: str | None = None,
        timeout: timedelta = timedelta(seconds=5),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._scheme = scheme
        self._nameserver = nameserver
        self._timeout = timeout.total_seconds()
        self._clock = clock
        self._lock = threading.Lock()
        self._urls: list[str] = []
        self._until = -float("inf")

    def urls(self) -> list[str]:
        """Return the servers by priority and weight; the last known ones while DNS fails."""
        with self._lock:
            if self._clock() >= self._until:
                try:
                    self._urls, lifetime = self._asked()
                except (dns.exception.DNSException, OSError) as error:
                    lifetime = _LEAST_SECONDS
                    if not self._urls:
                        raise MetricUnavailableError(f"SRV {self._name}: {error}") from error
                self._until = self._clock() + min(max(lifetime, _LEAST_SECONDS), _MOST_SECONDS)
            if not self._urls:
                raise MetricUnavailableError(f"SRV {self._name}: names no server")
            return list(self._urls)

    def _asked(self) -> tuple[list[str], float]:
        patience = min(self._timeout, _WHILE_KNOWN_SECONDS) if self._urls else self._timeout
        answer = self._resolver().resolve(
            self._name, "SRV", tcp=True, lifetime=patience, search=True
        )
        records = [record for record in answer if isinstance(record, SRV)]
        records.sort(key=lambda r: (r.priority, -r.weight, r.target.to_text(), r.port))
        hosts = _addresses(answer.response)
        urls = []
        for record in records:
            host = record.target.to_text(omit_final_dot=True)
            urls.append(f"{self._scheme}://{hosts.get(host.lower(), host)}:{record.port}")
        return urls, float(answer.rrset.ttl if answer.rrset is not None else 0)

    def _resolver(self) -> dns.resolver.Resolver:
        if self._nameserver is None:
            return dns.resolver.Resolver()
        resolver = dns.resolver.Resolver(configure=False)
        try:
            host, resolver.port = host_and_port(self._nameserver)
            resolver.nameservers = [host]
        except ValueError as error:
            told = f"SRV {self._name}: nameserver {self._nameserver!r}: {error}"
            raise MetricUnavailableError(told) from error
        return resolver


def host_and_port(nameserver: str) -> tuple[str, int]:
    """Return the parts of `HOST[:PORT]`, in which an IPv6 address has brackets or no port.

    Raises
    ------
    ValueError
        When the port is none.
    """
    bare = nameserver.count(":") > 1 and "[" not in nameserver
    parts = urlsplit(f"//[{nameserver}]" if bare else f"//{nameserver}")
    return parts.hostname or "", parts.port or 53


def _addresses(response: dns.message.Message) -> dict[str, str]:
    """Return the addresses in the additional section: Consul's own names need no second lookup."""
    found: dict[str, str] = {}
    for rrset in response.additional:
        if rrset.rdtype in {dns.rdatatype.A, dns.rdatatype.AAAA}:
            name = rrset.name.to_text(omit_final_dot=True).lower()
            found.setdefault(name, in_brackets(rrset[0].to_text()))
    return found
