"""`autoscaler status`: like `kubectl get hpa`, with mode, trust, forecast and reason.

It asks the daemon's HTTP port; in a cluster, `kubectl port-forward deploy/autoscaler 8080` first.
Policies that need attention come first.
"""

import argparse
import json
import sys
import time
import urllib.request
from contextlib import suppress
from datetime import datetime
from http import HTTPStatus
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode

from autoscaler.errors import FlagError, LogError, why_not
from autoscaler.policy.quantity import load_text, seconds_text
from autoscaler.review.answer import moment_text

_TIMEOUT_SECONDS = 10
# An answer of 500 policies is 350 kB; more than this is not the daemon's.
_MOST_BYTES = 16 * 2**20
_NOT_OURS = "something else than the daemon answers there; its metrics port is 8080"
_CLEAR = "\x1b[H\x1b[2J"


def main(arguments: argparse.Namespace) -> int:
    """Print the table, once or until interrupted."""
    if not arguments.watch:
        print(_text(arguments))
        return 0
    with suppress(KeyboardInterrupt):
        while True:
            text = _text(arguments)
            print(f"{_CLEAR if sys.stdout.isatty() else ''}{text}", flush=True)
            time.sleep(arguments.watch_interval.total_seconds())
    return 0


def _text(arguments: argparse.Namespace) -> str:
    overview = _overview(arguments)
    if arguments.output == "json":
        return json.dumps(overview, indent=2)
    return status_table(overview, wide=arguments.output == "wide")


def _overview(arguments: argparse.Namespace) -> dict[str, Any]:
    """Ask the daemon for what it knows."""
    _, *reference = arguments.filter.split("/", maxsplit=1)
    whole = "/" in "".join(reference)  # as the first column has it
    asked = {
        "q": reference[0] if whole else arguments.filter,
        "attention": arguments.attention or "",
        "limit": str(int(arguments.limit)),
    }
    url = f"{arguments.url.rstrip('/')}/api/policies?{urlencode(asked)}"
    if not url.startswith(("http://", "https://")):
        raise LogError(f"{arguments.url} is not an http or https URL")
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            overview: dict[str, Any] = json.loads(answer.read(_MOST_BYTES))
    except HTTPError as error:
        with error:
            told = " ".join(error.read(500).decode("utf-8", "replace").split())
        if error.code == HTTPStatus.BAD_REQUEST:
            raise FlagError(f"{arguments.url}: {told}") from error
        said = f"HTTP {error.code} {told[:80]!r}: {_NOT_OURS}"
        raise LogError(f"{arguments.url}: {said}") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, URLError) else error
        told = why_not(reason) if isinstance(reason, Exception) else str(reason)
        raise LogError(
            f"{arguments.url}: {told}; does the daemon, or a port-forward, run?"
        ) from error
    except ValueError as error:
        raise LogError(f"{arguments.url}: {_NOT_OURS}") from error
    if not isinstance(overview, dict) or not {"policies", "total", "matched"} <= overview.keys():
        raise LogError(f"{arguments.url}: {_NOT_OURS}")
    return overview


def status_table(overview: dict[str, Any], *, wide: bool = False) -> str:
    """Return the overview as aligned columns, without lines around them, as kubectl prints."""
    held_back = overview.get("held_back")
    told = [f"This replica writes nothing: {held_back}."] if held_back else []
    told += overview.get("policy_problems", [])
    return "\n".join([*_lines(overview, wide=wide), *told])


def _lines(overview: dict[str, Any], *, wide: bool) -> list[str]:
    policies = overview["policies"]
    if not overview["total"]:
        return [f"{_nothing(overview)}{_not_live(overview)}."]
    if not policies:
        return ["No policy matches."]
    headings = ["REFERENCE", "STATE", "MODE", "TRUST", "LOAD", "FORECAST", "MINPODS", "MAXPODS",
                "READY", "REPLICAS", "REASON"]  # fmt: skip
    rows = [headings + ["WHY"] * wide]
    rows += [_cells(policy) + [policy["message"]] * wide for policy in policies]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return [*lines, _counted(overview)]


def _nothing(overview: dict[str, Any]) -> str:
    """Return why there is no row: a cycle without a policy, or none yet."""
    return "No policy has been decided yet" if overview["at"] is None else "No policy is in force"


def _not_live(overview: dict[str, Any]) -> str:
    """Return why this is how it was: a table of a daemon that hangs looks like any."""
    silence = overview.get("silence")
    return f"; not live: {silence}" if silence else ""


def _counted(overview: dict[str, Any]) -> str:
    """Return how many are shown, and of when."""
    n_shown, n_matched = len(overview["policies"]), overview["matched"]
    more = n_shown < n_matched
    counted = f"{n_shown} of {n_matched}" if more else f"{n_shown}"
    decided = moment_text(datetime.fromisoformat(overview["at"]))
    noun = "policy" if n_matched == 1 else "policies"
    told = f"{counted} {noun}, decided {decided} UTC{_not_live(overview)}"
    return f"{told}; --limit shows more" if more else told


def _cells(policy: dict[str, Any]) -> list[str]:
    current, desired = policy["current_replicas"], policy["desired_replicas"]
    lead = policy["lead_time_seconds"]
    ahead = "" if lead is None else f" in {seconds_text(lead)}"
    return [
        f"{policy['kind']}/{policy['namespace']}/{policy['name']}",
        policy["attention"],
        policy["mode"],
        policy["trust"],
        _number(policy["value"]),
        _number(policy["forecast"]) + ahead,
        _number(policy["min_replicas"]),
        _number(policy["max_replicas"]),
        _number(policy["ready_replicas"]),
        _number(current) if current == desired else f"{current} -> {desired}",
        policy["reason"],
    ]


def _number(value: float | None) -> str:
    """Return a number as one reads it, kubectl's word where there is none."""
    return "<unknown>" if value is None else load_text(value)
