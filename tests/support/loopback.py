"""What every stand-in needs of HTTP: a server on loopback in a thread of its own, and answers."""

import ssl
import subprocess
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

# Of a page that Prometheus scrapes.
EXPOSITION = "text/plain; version=0.0.4"


class Handler(BaseHTTPRequestHandler):
    """Answers in one piece and logs nothing; a stand-in adds its `do_GET` and the like."""

    def body(self) -> bytes:
        """Return what came with the request."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(
        self,
        content: bytes,
        *,
        status: int = 200,
        content_type: str = "application/json",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send one whole answer."""
        self.send_response(status)
        each = {"Content-Type": content_type, "Content-Length": str(len(content))}
        for name, value in {**each, **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Say nothing: the tests' output is for the tests."""


class _Server(ThreadingHTTPServer):
    """Ends without its clients, and does not mind those that break off."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128  # of those that ask at once none is to wait for a second SYN
    tls: ssl.SSLContext | None = None

    def get_request(self) -> tuple[Any, Any]:
        plain, address = super().get_request()
        if self.tls is None:
            return plain, address
        try:
            return self.tls.wrap_socket(plain, server_side=True), address
        except OSError:
            plain.close()
            raise

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Loopback:
    """A handler served on a port of loopback from `start` until `stop`, or for a `with` block."""

    def __init__(
        self, handler: type[BaseHTTPRequestHandler], *, tls: ssl.SSLContext | None = None
    ) -> None:
        self._server = _Server(("127.0.0.1", 0), handler)
        self._server.tls = tls
        self.port = int(self._server.server_address[1])
        self.address = f"127.0.0.1:{self.port}"
        self.url = f"{'http' if tls is None else 'https'}://{self.address}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    def start(self) -> Self:
        """Begin to answer."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


def certified(folder: Path, name: str) -> tuple[Path, ssl.SSLContext]:
    """Return a certificate of its own authority for localhost and 127.0.0.1, and a server's TLS."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=localhost", "-addext", names),
            *("-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    return certificate, tls
