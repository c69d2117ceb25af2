"""Where Prometheus is and how it wants to be asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from autoscaler.errors import MetricUnavailableError

# A secret that is mounted is a few KiB; a larger file is the wrong one.
_MOST_SECRET_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class PrometheusSettings:
    """Address, credentials and limits; files are read again at every request.

    `headers_file` holds `Name: value` lines; `token_file` a bearer token.
    `timeout` bounds one query from connect to the last byte, and a whole reading of newest
    samples, retries included.
    """

    url: str
    """An address, several with commas between, `dns+srv://` or `consul://` (see `servers.py`)."""
    token_file: Path | None = None
    headers_file: Path | None = None
    ca_file: Path | None = None
    timeout: timedelta = timedelta(seconds=10)
    scrape_interval: timedelta = timedelta(seconds=30)
    """The longest interval at which workloads are scraped: windows are four to ten of them."""
    history_url: str | None = None
    """A server with longer retention (Thanos, Mimir, VictoriaMetrics); None = the same one."""
    history_matchers: Mapping[str, str] = field(default_factory=dict)
    """Conditions on every series of the past, such as the `cluster` that a shared store adds."""
    history_timeout: timedelta = timedelta(seconds=60)
    history_cache: Path | None = None
    """A folder in which history that was read survives a restart; None = it does not."""
    connections: int = 4
    """Queries under way at once: enough to overlap waiting, few enough to hurt nobody."""

    def headers(self) -> dict[str, str]:
        """Return the headers to send now.

        Raises
        ------
        MetricUnavailableError
            When a file cannot be read or does not hold what it should: asking without the
            credentials might be answered, with less than the truth.
        """
        headers: dict[str, str] = {}
        if self.headers_file is not None:
            headers.update(_parsed_headers(_secret(self.headers_file), self.headers_file))
        if self.token_file is not None:
            token = one_word(_secret(self.token_file), where=self.token_file)
            headers["Authorization"] = f"Bearer {token}"
        return headers


def one_word(token: str, *, where: Path | str) -> str:
    """Return a token; raise where it is none, for the client's complaint would quote it."""
    token = token.strip()
    if len(token.split()) > 1:
        raise MetricUnavailableError(f"more than one word in {where}")
    return token


def in_brackets(address: str) -> str:
    """Return an address as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def _secret(path: Path) -> str:
    try:
        with path.open(encoding="utf-8") as opened:
            text = opened.read(_MOST_SECRET_BYTES + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise MetricUnavailableError(f"credentials {path}: {error}") from error
    if not text.strip() or len(text) > _MOST_SECRET_BYTES:
        raise MetricUnavailableError(f"credentials {path}: empty or over 64 KiB")
    return text


def _parsed_headers(text: str, path: Path) -> Mapping[str, str]:
    """Return the headers of `Name: value` lines; blank lines and `#` comments are skipped."""
    headers: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, colon, value = line.partition(":")
        if not colon or not name.strip() or any(c.isspace() for c in name.strip()):
            raise MetricUnavailableError(f"headers {path} line {number}: not `Name: value`")
        headers[name.strip()] = value.strip()
    return headers
