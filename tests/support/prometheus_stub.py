"""Something that speaks the Prometheus API, or fails to, over a real socket.

A real Prometheus never sends HTML, half an answer or a byte a second; the proxies in front of it
do, and what the reader makes of them is tested here.
"""

import json
import urllib.parse
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.loopback import Handler, Loopback

Row = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request: path, parameters of address and body, headers."""

    path: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    query_string: str = ""

    @property
    def promql(self) -> str:
        """The query."""
        return self.parameters.get("query", "")


@dataclass(frozen=True)
class Reply:
    """What is sent back; `pieces` go out one by one, `before_piece` is called before each."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_length: int | None = None
    before_piece: Callable[[], object] | None = None


def success(rows: Iterable[Row], **envelope: Any) -> Reply:
    """Return a successful answer with the given rows."""
    data = {"resultType": "vector", "result": list(rows)}
    return Reply(body=json.dumps({"status": "success", "data": data, **envelope}).encode())


def failure(status: int, kind: str, message: str) -> Reply:
    """Return Prometheus's own form of an error."""
    body = {"status": "error", "errorType": kind, "error": message}
    return Reply(status, json.dumps(body).encode())


def row(value: object, *, at: float = 0.0, **labels: str) -> Row:
    """Return one row of an instant vector."""
    return {"metric": labels, "value": [at, str(value)]}


class _Answers(Handler):
    protocol_version = "HTTP/1.1"
    stub: "PrometheusStub"

    def do_GET(self) -> None:
        self._answer(b"")

    def do_POST(self) -> None:
        self._answer(self.body())

    def _answer(self, body: bytes) -> None:
        address = urllib.parse.urlsplit(self.path)
        given = urllib.parse.parse_qsl(f"{address.query}&{body.decode()}")
        asked = Asked(address.path, dict(given), dict(self.headers), address.query)
        self.stub.asked.append(asked)
        try:
            self._send(self.stub.reply(asked))
        except OSError:
            self.close_connection = True  # the reader gave up, which is what is tested

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        length = len(reply.body) if reply.content_length is None else reply.content_length
        for name, value in {"Content-Length": str(length), **reply.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if reply.before_piece is None:
            self.wfile.write(reply.body)
        else:
            self._drip(reply.body, reply.before_piece)
        self.close_connection = self.close_connection or length > len(reply.body)

    def _drip(self, body: bytes, before_piece: Callable[[], object]) -> None:
        for byte in body:
            before_piece()
            self.wfile.write(bytes([byte]))
            self.wfile.flush()


class PrometheusStub(Loopback):
    """A server whose answers a test decides; every request is kept in `asked`."""

    def __init__(self) -> None:
        self.reply: Callable[[Asked], Reply] = lambda _: success([])
        self.asked: list[Asked] = []
        super().__init__(type("Answers", (_Answers,), {"stub": self}))
        self.start()
