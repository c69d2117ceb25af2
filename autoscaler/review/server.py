"""Where the daemon can be asked: read-only HTTP for probes, metrics and the newest decisions.

No request changes anything, none blocks the reconcile, and none may keep a thread for long.
"""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from prometheus_client import CollectorRegistry, generate_latest

from autoscaler.review.latest import LatestRecords

logger = logging.getLogger(__name__)

# A reader that stalls gives its thread back after this long.
_SOCKET_TIMEOUT_SECONDS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """What a path answers with."""

    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    status: HTTPStatus = HTTPStatus.OK


Routes = Mapping[str, Callable[[], Answer]]


def health_routes(alive: Callable[[], bool], ready: Callable[[], bool]) -> Routes:
    """Return `/healthz` (restart me if not 200) and `/readyz` (the first cycle is done)."""
    return {"/healthz": lambda: _verdict(alive()), "/readyz": lambda: _verdict(ready())}


def review_routes(registry: CollectorRegistry, latest: LatestRecords) -> Routes:
    """Return `/metrics` and `/decisions`."""
    return {
        "/metrics": lambda: Answer(
            generate_latest(registry), "text/plain; version=0.0.4; charset=utf-8"
        ),
        "/decisions": lambda: Answer(
            json.dumps([record.as_dict() for record in latest.all()]).encode(), "application/json"
        ),
    }


def _verdict(good: bool) -> Answer:
    if good:
        return Answer(b"ok\n")
    return Answer(b"not ok\n", status=HTTPStatus.SERVICE_UNAVAILABLE)


def start_server(routes: Routes, *, port: int, host: str = "0.0.0.0") -> ThreadingHTTPServer:
    """Serve `routes` from a thread of its own until `shutdown()`; port 0 takes a free one."""

    class Handler(BaseHTTPRequestHandler):
        timeout = _SOCKET_TIMEOUT_SECONDS
        server_version = "autoscaler"
        sys_version = ""

        def do_GET(self) -> None:
            """Answer a known path; anything else is 404."""
            route = routes.get(urlsplit(self.path).path)
            answer = route() if route else Answer(b"not found\n", status=HTTPStatus.NOT_FOUND)
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing: probes every few seconds are not news."""

    server = ThreadingHTTPServer((host, port), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, name=f"http-{port}", daemon=True).start()
    return server
