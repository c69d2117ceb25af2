"""Decision lines back from where they went: standard input, a file, or the daemon's HTTP port.

A log holds other lines too, and what a collector puts around ours (`kubectl logs --prefix`); they
are passed over.
A decision that does not fit the schema is counted, never guessed at.
"""

import contextlib
import json
import sys
import urllib.request
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from pydantic import ValidationError

from autoscaler.errors import FlagError, LogError, why_not
from autoscaler.review.answer import at, times
from autoscaler.review.fields import DECISION, DecisionFields
from autoscaler.unpacked import unpacked

# No line of ours is longer than 16 KiB; a longer one is not ours, whatever it contains.
LONGEST_LINE = 64 * 1024
_TIMEOUT_SECONDS = 30
_MOST_OTHERS = 10
_NO_LOG_OF_OURS = (
    "; lines read: {}, and none is a decision in JSON (as --log-format json writes it)"
)


@dataclass(slots=True)
class Reading:
    """How reading went; filled while the lines are drawn."""

    lines: int = 0
    decisions: int = 0
    unreadable: int = 0
    others: set[str] = field(default_factory=set)
    """Some of the targets that were not asked for."""

    @property
    def passed_over(self) -> str:
        """Return how many decisions could not be read."""
        lines = times(self.unreadable, "decision line")
        return f"{lines} of another version, or not whole, passed over"

    def nothing_found(self, target: str) -> LogError:
        """Return the error of a log without a decision to answer from, and what it has instead."""
        told = f"the log holds no decision{f' about {target}' if target else ''}"
        if self.others:
            told += f"; it has {', '.join(sorted(self.others))}"
        if self.unreadable:
            told += f"; {self.passed_over}"
        if not self.others and not self.unreadable:
            told += "; it is empty" if not self.lines else _NO_LOG_OF_OURS.format(self.lines)
        return LogError(told)


def read_decisions(
    lines: Iterable[str], *, target: str = "", reading: Reading | None = None
) -> Iterator[DecisionFields]:
    """Yield the decisions among `lines`, of one target when it is named.

    Parameters
    ----------
    target
        `namespace/name`, the name alone, or `kind/namespace/name` as `autoscaler status` has it.
    """
    told = reading or Reading()
    for line in lines:
        told.lines += 1
        start = line.find("{")
        if start < 0 or len(line) > LONGEST_LINE or '"desired_replicas"' not in line:
            continue
        try:
            decision = DECISION.validate_python(json.loads(line[start:]))
            at(decision).astimezone(UTC)  # which is to be on the calendar, too
        except (ValidationError, ValueError, OverflowError, RecursionError):
            told.unreadable += 1
            continue
        if _is(decision, target):
            told.decisions += 1
            yield decision
        elif len(told.others) < _MOST_OTHERS:
            told.others.add(who(decision))


def _is(line: DecisionFields, target: str) -> bool:
    """Whether a line is about this target; of all if none is named."""
    whole = reference(line)
    _, _, without_kind = whole.partition("/")
    return target in {"", line["target"]["name"], without_kind, whole}


def reference(line: DecisionFields) -> str:
    """Return `kind/namespace/name` of a line's target, as `autoscaler status` has it."""
    target = line["target"]
    return f"{target['kind']}/{target['namespace']}/{target['name']}"


def who(line: DecisionFields) -> str:
    """Return `namespace/name` of a line's target; the kind before it where it is no Deployment."""
    return reference(line).removeprefix("Deployment/")


@contextlib.contextmanager
def opened(source: str, *, target: str = "") -> Iterator[Iterable[str]]:
    """Open a log: `-` (standard input), an http(s) URL of a daemon, or a file, also gzipped.

    Raises
    ------
    FlagError
        There is no such file, or it is a folder.
    LogError
        What is there cannot be read or refuses, or nothing was piped in.
    """
    if source == "-":
        if sys.stdin.isatty():
            raise LogError("nothing is piped in; pipe a log, or name a file or URL with --log")
        yield sys.stdin
        return
    try:
        with _stream(source, target) as stream:
            yield (line.decode("utf-8", "replace") for line in _lines(stream))
    except (FileNotFoundError, IsADirectoryError) as error:
        raise FlagError(f"{source}: {why_not(error)}") from error
    except (OSError, EOFError, zlib.error, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        told = why_not(reason) if isinstance(reason, Exception) else reason
        hint = "; does the daemon, or a port-forward, run?" if _unreached(error) else ""
        raise LogError(f"{source}: {told}{hint}") from error


def _unreached(error: Exception) -> bool:
    return isinstance(error, URLError) and not isinstance(error, HTTPError)


@contextlib.contextmanager
def _stream(source: str, target: str) -> Iterator[IO[bytes]]:
    if source.startswith(("http://", "https://")):
        *_, kind, namespace, name = ("", "", *target.split("/"))
        parts = {"namespace": namespace, "name": name, "kind": kind}
        asked = urlencode(parts) if namespace else ""
        try:
            answer = urllib.request.urlopen(
                f"{source.rstrip('/')}/decisions?{asked}", timeout=_TIMEOUT_SECONDS
            )
        except ValueError as error:  # no URL
            raise LogError(f"{source}: {error}") from error
        with answer:
            yield answer
        return
    with unpacked(Path(source)) as file:
        yield file


def _lines(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield lines of bounded length: the rest of a longer one is read and dropped."""
    while line := stream.readline(LONGEST_LINE + 1):
        yield line
        while len(line) > LONGEST_LINE and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE + 1)
