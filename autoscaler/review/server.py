"""Where the daemon can be asked: read-only HTTP for probes, metrics, decisions and the page.

No request changes anything and none blocks the reconcile: an answer is made from values that
the reconcile has left behind.
Anybody may connect, so connections are limited in size (headers), time (`_DEADLINE_SECONDS`) and
number (`MOST_CONNECTIONS`); a body is never read.
Answers share the interpreter with the reconcile, so one is made at a time: with 64 scrapes of ten
thousand policies at once the reconcile would take seventeen times as long, and so it takes twice.
"""

import contextlib
import logging
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlsplit

from autoscaler.errors import AutoscalerError, why_not
from autoscaler.review.latest import LatestRecords
from autoscaler.review.page import page_routes
from autoscaler.review.routes import Query, Response, Routes
from autoscaler.review.telemetry import PolicyRegistry
from autoscaler.review.tls import Tls, TlsFiles

logger = logging.getLogger(__name__)

# A reader that stalls gives its thread back after this long.
_SOCKET_TIMEOUT_SECONDS = 10
# One that drips a byte now and then does so after this long; a slow scrape is done by then.
_DEADLINE_SECONDS = 60
# How soon a shutdown and a missed deadline are noticed.
_POLL_SECONDS = 0.1
# Probes, a scraper and a team of viewers; more are turned away before they cost a thread.
MOST_CONNECTIONS = 64
_HEADERS = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Frame-Options", "DENY"),
    # Everything the page needs comes from here; nothing leaves the host.
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    ),
)


def health_routes(alive: Callable[[], bool], ready: Callable[[], bool]) -> Routes:
    """Return `/healthz` (restart me if not 200) and `/readyz` (the first cycle is done)."""
    return {"/healthz": lambda _: _verdict(alive()), "/readyz": lambda _: _verdict(ready())}


def review_routes(registry: PolicyRegistry, latest: LatestRecords) -> Routes:
    """Return `/metrics`, `/decisions`, and the page at `/` with what it asks for."""
    return {
        "/metrics": lambda _: Response(
            registry.exposition(), "text/plain; version=0.0.4; charset=utf-8"
        ),
        **page_routes(latest),
    }


def _verdict(good: bool) -> Response:
    if good:
        return Response(b"ok\n")
    return Response(b"not ok\n", status=HTTPStatus.SERVICE_UNAVAILABLE)


def start_server(
    routes: Routes, *, port: int, host: str = "0.0.0.0", tls: TlsFiles | None = None
) -> ThreadingHTTPServer:
    """Serve `routes` from a thread of its own until `shutdown()`; port 0 takes a free one."""
    server = _Server((host, port), _handler(routes), tls)
    threading.Thread(
        target=server.serve_forever, args=[_POLL_SECONDS], name=f"http-{port}", daemon=True
    ).start()
    return server


def serve_page(
    latest: LatestRecords, *, port: int = 0, host: str = "127.0.0.1"
) -> ThreadingHTTPServer:
    """Serve the page of these records to this machine alone; `server.server_port` says where."""
    return start_server(page_routes(latest), port=port, host=host)


def _handler(routes: Routes) -> type[BaseHTTPRequestHandler]:
    """Return the handler of these routes: GET and HEAD, everything else is refused."""
    making = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        timeout = _SOCKET_TIMEOUT_SECONDS
        server_version = "autoscaler"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer a known path; anything else is 404."""
            with making:
                answer = _answered(routes, self.path)
            if answer.tag and self.headers.get("If-None-Match") == answer.tag:
                answer = Response(b"", answer.content_type, HTTPStatus.NOT_MODIFIED, answer.tag)
            self._send(answer)

        do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

        def _send(self, answer: Response) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            if isinstance(answer.body, bytes):
                self.send_header("Content-Length", str(len(answer.body)))
            self.send_header("Cache-Control", "no-cache")
            for name, value in (*_HEADERS, *((("ETag", answer.tag),) if answer.tag else ())):
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                for piece in _pieces(answer.body, making):
                    self.wfile.write(piece)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: probes every few seconds are not news."""

    return Handler


def _answered(routes: Routes, path: str) -> Response:
    """Return the answer of a path, or the error that a wrong path or question deserves."""
    try:
        parts = urlsplit(path)
        route = routes.get(parts.path)
        if route is None:
            return Response(b"not found\n", status=HTTPStatus.NOT_FOUND)
        return route(_query(parts.query))
    except ValueError as error:
        return Response(f"{error}\n".encode(), status=HTTPStatus.BAD_REQUEST)


def _query(text: str) -> Query:
    """Return the parameters of a URL; the last of a repeated one counts."""
    return dict(parse_qsl(text, max_num_fields=20))


def _pieces(body: bytes | Iterable[bytes], making: threading.Lock) -> Iterator[bytes]:
    """Yield a body, a long one piece by piece; while one is sent, others may make theirs."""
    pieces = iter((body,) if isinstance(body, bytes) else body)
    while True:
        with making:
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece


class _Holder(NamedTuple):
    """Whose a connection is, and when (monotonic seconds) it is cut off."""

    address: str
    deadline: float


class _Server(ThreadingHTTPServer):
    """A threading server that bounds how many connections there are and how long they live."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(
        self,
        address: tuple[str, int],
        handler: type[BaseHTTPRequestHandler],
        tls: TlsFiles | None,
    ) -> None:
        self._holders: dict[socket.socket, _Holder] = {}
        self._lock = threading.Lock()
        self._tls = None if tls is None else Tls(tls)
        try:
            super().__init__(address, handler)
        except OSError as error:
            raise AutoscalerError(f"port {address[1]}: {why_not(error)}") from error

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept; a TLS handshake waits until the connection has its own thread."""
        connection, address = super().get_request()
        connection.settimeout(_SOCKET_TIMEOUT_SECONDS)
        return (connection if self._tls is None else self._tls.wrapped(connection)), address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Turn away whoever is one too many, unless somebody else has more: that one loses one.

        A pod that takes all there are would otherwise take the kubelet's probes, which restart us.
        """
        with self._lock:
            if len(self._holders) < MOST_CONNECTIONS:
                return True
            held = Counter(holder.address for holder in self._holders.values())
            greediest, most = held.most_common(1)[0]
            if held[client_address[0]] >= most:
                return False
            oldest = next(c for c, h in self._holders.items() if h.address == greediest)
            del self._holders[oldest]
        _cut_off(oldest)
        return True

    def process_request(self, request: Any, client_address: Any) -> None:
        """Start the thread of a connection, and its clock."""
        with self._lock:
            deadline = time.monotonic() + _DEADLINE_SECONDS
            self._holders[request] = _Holder(client_address[0], deadline)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection and forget it."""
        with self._lock:
            self._holders.pop(request, None)
        super().shutdown_request(request)

    def service_actions(self) -> None:
        """Cut off whoever is over time; called every `_POLL_SECONDS` by `serve_forever`."""
        now = time.monotonic()
        with self._lock:
            late = [one for one, holder in self._holders.items() if holder.deadline < now]
        for connection in late:
            _cut_off(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log what a route failed with; a reader who went away is nobody's error."""
        if not isinstance(sys.exception(), OSError):
            logger.exception("http_request_failed")


def _cut_off(connection: socket.socket) -> None:
    """End a connection; its thread notices by itself."""
    with contextlib.suppress(OSError):  # it has gone already
        connection.shutdown(socket.SHUT_RDWR)
