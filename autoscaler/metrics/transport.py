"""How is one HTTP request kept from hanging, flooding or lying: a session with a deadline.

`requests` bounds each read from a socket, not the answer: a server that drips one byte every nine
seconds holds a thread for ever.
So the connection is kept at hand and cut when the caller's patience ends, the body is read in
pieces up to a limit, and nothing but Prometheus's own JSON is let through.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as TlsError

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.row_by_row import Read, parsed
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.strict import MALFORMED

# Ten thousand workloads with four pods each are about 25 MB; beyond this a query went wrong.
MOST_BYTES = 128 * 1024 * 1024
_PIECE = 256 * 1024
# Long enough to say what is wrong, short enough for a log line.
_LONGEST_EXCERPT = 200
_LONGEST_ERROR = 400
# How Prometheus begins what it says of any query that it cannot read.
_OF_THE_QUERY = 'invalid parameter "query": '


class QueryRefusedError(MetricUnavailableError):
    """Prometheus understood the request and will not answer it: asking again changes nothing."""


class QueryWrongError(QueryRefusedError):
    """The query is wrong or too long (400, 413, 414, 422): others may be answered, it never is."""


class QueryTooHeavyError(MetricUnavailableError):
    """No answer in time, or too large a one: if others are answered, the query is to blame."""


class _Tap:
    """Holds the socket under way, so that another thread may cut it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None

    def hold(self, opened: Any) -> None:
        with self._lock:
            self._socket = opened

    def cut(self) -> None:
        """Shut the socket down: a thread that reads from it gets an error at once."""
        with self._lock:
            if self._socket is not None:
                try:
                    self._socket.shutdown(socket.SHUT_RDWR)
                except OSError:
                    return  # closed already: nobody waits for it any more


def _tapped(connection: type[HTTPConnection], tap: _Tap) -> type[HTTPConnection]:
    """Return a connection class that shows its socket to `tap` before each request."""

    class Tapped(connection):  # type: ignore[valid-type, misc]
        def connect(self) -> None:
            super().connect()
            tap.hold(self.sock)

    return Tapped


class _TappedAdapter(HTTPAdapter):
    """One connection at a time, never retried here: the caller knows how much time is left."""

    def __init__(self, tap: _Tap) -> None:
        self._tap = tap
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Use pools whose connections are tapped."""
        super().init_poolmanager(*args, **kwargs)
        http = type(
            "P", (HTTPConnectionPool,), {"ConnectionCls": _tapped(HTTPConnection, self._tap)}
        )
        https = type(
            "S", (HTTPSConnectionPool,), {"ConnectionCls": _tapped(HTTPSConnection, self._tap)}
        )
        self.poolmanager.pool_classes_by_scheme = {"http": http, "https": https}


class _Answered(requests.Response):
    """A response whose JSON was read and checked already."""

    envelope: dict[str, Any]

    def json(self, **_: Any) -> Any:
        """Return the checked JSON."""
        return self.envelope


class Session(requests.Session):
    """Sends a request and returns only a well-formed, successful Prometheus answer.

    The last answer whole is `taken` apart: `PrometheusConnect` hands out the result alone and would
    drop the warnings. `skew_seconds` is how far the server's clock was ahead of ours.
    """

    def __init__(self, settings: PrometheusSettings, *, url: str) -> None:
        super().__init__()
        # No .netrc: it would silently replace the bearer token.
        self.trust_env = False
        self.proxies = dict(get_environ_proxies(url, no_proxy=None))
        self.verify = str(settings.ca_file) if settings.ca_file else True
        self._settings = settings
        self._tap = _Tap()
        self._deadline = float("inf")
        self._envelope: dict[str, Any] = {}
        self.skew_seconds = 0.0
        self.read: Read = list
        """What is to be made of the rows of the next answer."""

    def mount(self, prefix: Any, adapter: Any) -> None:
        """Keep every scheme on tapped connections, whatever adapter a library would like."""
        super().mount(prefix, _TappedAdapter(self._tap) if hasattr(self, "_tap") else adapter)

    def allow(self, seconds: float) -> None:
        """Give the requests that follow this long, all together."""
        self._deadline = time.monotonic() + seconds

    def taken(self) -> dict[str, Any]:
        """Hand over the last answer: nobody here needs it until the next."""
        envelope, self._envelope = self._envelope, {}
        return envelope

    def cut(self) -> None:
        """Abandon the request under way."""
        self._deadline = 0.0
        self._tap.cut()

    def request(self, method: Any, url: Any, **kwargs: Any) -> _Answered:  # type: ignore[override]
        """Send the request; parameters of a POST travel in its body, not in the address."""
        if str(method).upper() == "POST":
            kwargs["data"] = kwargs.pop("params", None)
        kwargs["headers"] = self._settings.headers()
        kwargs["timeout"] = max(0.001, self._deadline - time.monotonic())
        kwargs.update(stream=True, allow_redirects=False)
        sent_at = time.time()
        try:
            with super().request(method, url, **kwargs) as response:
                text = self._text(response)
        except (requests.RequestException, HTTPError, OSError) as error:
            ca_file = self._settings.ca_file
            by = f" (CA {ca_file})" if ca_file and _is_of_tls(error) else ""
            late = isinstance(error, requests.Timeout)
            kind = QueryTooHeavyError if late else MetricUnavailableError
            raise kind(f"{_place(url)}: {cause_of(error)}{by}") from error
        self.skew_seconds = _skew(response, between=(sent_at, time.time()))
        self._envelope = _envelope(response, text, place=_place(url), read=self.read)
        answered = _Answered()
        answered.status_code = response.status_code
        answered.envelope = self._envelope
        return answered

    def _text(self, response: requests.Response) -> str:
        body = body_of(
            response, most_bytes=MOST_BYTES, late=lambda: time.monotonic() > self._deadline
        )
        # JSON is UTF-8; what is not, is neither a label nor a number of ours.
        return body.decode(errors="replace")


def body_of(response: requests.Response, *, most_bytes: int, late: Callable[[], bool]) -> bytearray:
    """Read a body piece by piece, as long as there is time and room."""
    body = bytearray()
    while piece := response.raw.read1(_PIECE, decode_content=True):
        body += piece
        if len(body) > most_bytes:
            raise QueryTooHeavyError(f"answer over {most_bytes >> 20} MiB")
        if late():
            raise requests.ReadTimeout("the answer took too long")
    return body


def _envelope(
    response: requests.Response, text: str, *, place: str, read: Read = list
) -> dict[str, Any]:
    """Return the JSON of a successful answer, its rows read; say what any other answer was."""
    status = f"HTTP {response.status_code}"

    def told(rows: Iterable[Any]) -> Any:
        try:
            return read(rows)
        except MALFORMED as error:
            raise MetricUnavailableError(f"malformed answer: {error!r}") from error

    try:
        envelope = parsed(text, told)
    except (ValueError, RecursionError):
        envelope = None
    if isinstance(envelope, dict) and envelope.get("status") == "success":
        data = envelope.get("data")
        if response.status_code == 200 and isinstance(data, dict) and "result" in data:
            return envelope
    if isinstance(envelope, dict) and "error" in envelope:
        # What is wrong comes first: a record has room for little more.
        told_error = str(envelope["error"]).removeprefix(_OF_THE_QUERY)[:_LONGEST_ERROR]
        said = f"{told_error} ({envelope.get('errorType', 'error')}, {status} of {place})"
    else:
        excerpt = " ".join(text[:_LONGEST_EXCERPT].split()) or "an empty body"
        said = f"{place}: {status}, not a Prometheus answer: {excerpt}"
    raise _error_of(response.status_code)(said)


def _error_of(status: int) -> type[MetricUnavailableError]:
    """Return what a status means; 429 and 5xx pass, as do proxies' error pages."""
    if status in {400, 413, 414, 422}:
        return QueryWrongError
    if status in {503, 504}:  # what Prometheus, and a proxy, say of a query that took too long
        return QueryTooHeavyError
    return QueryRefusedError if status in {401, 403, 404, 405} else MetricUnavailableError


def _skew(response: requests.Response, *, between: tuple[float, float]) -> float:
    """Return by how many seconds the server's clock is ahead; 0 when within what we can tell."""
    try:
        server = parsedate_to_datetime(response.headers.get("Date", ""))
        stamp = server.timestamp()  # whole seconds, rounded down
    except MALFORMED:
        return 0.0
    if server.tzinfo is None:  # -0000: what zone it is of is not known
        return 0.0
    sent_at, received_at = between
    if stamp + 1 < sent_at:
        return stamp + 1 - sent_at
    return max(0.0, stamp - received_at)


def _place(url: object) -> str:
    """Return an address without what may be secret in it."""
    parts = requests.compat.urlparse(str(url))
    return f"{parts.scheme}://{parts.hostname}:{parts.port or parts.scheme}{parts.path}"


def cause_of(error: BaseException) -> str:
    """Return the innermost cause of a chain of wrapped connection errors."""
    if isinstance(error, requests.Timeout):
        return "timed out"
    *_, inner = _chain(error)
    told = inner.strerror if isinstance(inner, OSError) else None
    return (told or f"{type(inner).__name__}: {inner}")[:_LONGEST_EXCERPT]


def _is_of_tls(error: BaseException) -> bool:
    """Whether it is a certificate, or its CA, that is wrong."""
    kinds = (ssl.SSLError, TlsError, requests.exceptions.SSLError)
    return any(isinstance(each, kinds) for each in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was wrapped around, the innermost last."""
    deeper: object = error
    while isinstance(deeper, BaseException):
        yield deeper
        deeper = getattr(deeper, "reason", None) or deeper.__cause__ or deeper.__context__
