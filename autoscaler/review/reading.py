"""Decision lines back from where they went: standard input, a file, or the daemon's HTTP port.

A log holds other lines too, and what a collector puts around ours (`kubectl logs --prefix`); they
are passed over.
A decision that does not fit the schema is counted, never guessed at.
"""

import contextlib
import gzip
import json
import sys
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast
from urllib.error import URLError
from urllib.parse import urlencode, urlsplit

from pydantic import ValidationError

from autoscaler.errors import LogError
from autoscaler.review.fields import DECISION, DecisionFields

# No line of ours is longer than 16 KiB; a longer one is not ours, whatever it contains.
LONGEST_LINE = 64 * 1024
_TIMEOUT_SECONDS = 30


@dataclass(slots=True)
class Reading:
    """How reading went; filled while the lines are drawn."""

    decisions: int = 0
    unreadable: int = 0


def read_decisions(
    lines: Iterable[str], *, target: str = "", reading: Reading | None = None
) -> Iterator[DecisionFields]:
    """Yield the decisions among `lines`, of one target when it is named.

    Parameters
    ----------
    target
        `namespace/name`, or the name alone.
    """
    told = reading or Reading()
    for line in lines:
        start = line.find("{")
        if start < 0 or len(line) > LONGEST_LINE or '"desired_replicas"' not in line:
            continue
        try:
            decision = DECISION.validate_python(json.loads(line[start:]))
        except (ValidationError, ValueError, RecursionError):
            told.unreadable += 1
            continue
        if target in {"", decision["target"]["name"], who(decision)}:
            told.decisions += 1
            yield decision


def who(line: DecisionFields) -> str:
    """Return `namespace/name` of a line's target."""
    return f"{line['target']['namespace']}/{line['target']['name']}"


@contextlib.contextmanager
def opened(source: str, *, target: str = "") -> Iterator[Iterable[str]]:
    """Open a log: `-` (standard input), an http(s) URL of a daemon, or a file, also gzipped.

    Raises
    ------
    LogError
        Nothing is there, it refuses, or nothing was piped in.
    """
    if source == "-":
        if sys.stdin.isatty():
            raise LogError("nothing is piped in; pipe a log, or name a file or URL with --log")
        yield sys.stdin
        return
    try:
        with _stream(source, target) as stream:
            yield (line.decode("utf-8", "replace") for line in _lines(stream))
    except (OSError, EOFError) as error:
        reason = error.reason if isinstance(error, URLError) else error
        raise LogError(f"{source}: {reason}") from error


def _stream(source: str, target: str) -> IO[bytes]:
    if urlsplit(source).scheme in {"http", "https"}:
        namespace, _, name = target.rpartition("/")
        asked = urlencode({"namespace": namespace, "name": name}) if namespace else ""
        url = f"{source.rstrip('/')}/decisions?{asked}"
        answer: IO[bytes] = urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS)
        return answer
    path = Path(source)
    return cast(IO[bytes], gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield lines of bounded length: the rest of a longer one is read and dropped."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)
