"""The page: what the browser asks of the daemon, or of the demo, and what it is told.

Everything is read-only and made from values the reconcile has left behind.
The page itself is a few files of this package: no build step, nothing from another host.

    /               the page
    /api/policies   one page of the overview (q, attention, sort, offset, limit; trend=hour)
    /api/policy     one policy: newest record and ways out, changes, numbers since `after`
    /decisions      decision lines, one JSON object per line (namespace, name, kind), for `explain`
"""

import json
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from importlib.resources import files

from autoscaler.review.explanation import last_rescale, ways_out
from autoscaler.review.fields import DecisionFields
from autoscaler.review.latest import LatestRecords
from autoscaler.review.overview import Overview
from autoscaler.review.record import DecisionRecord
from autoscaler.review.routes import (
    Query,
    Response,
    Routes,
    content_tag,
    json_response,
    whole_number,
)

_STATIC = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
    **{
        f"/{module}.js": (f"{module}.js", "text/javascript; charset=utf-8")
        for module in (
            "address",
            "chart",
            "elements",
            "format",
            "freshness",
            "hpa",
            "overview",
            "page",
            "paths",
            "policy",
            "readout",
            "sparkline",
        )
    },
}


def page_routes(latest: LatestRecords) -> Routes:
    """Return the page and everything it asks for."""
    overview = Overview(latest)
    return {
        **{path: _StaticRoute(*what) for path, what in _STATIC.items()},
        "/api/policies": lambda query: json_response(overview.page(query)),
        "/api/policy": lambda query: _policy(latest, query),
        "/decisions": lambda query: Response(_lines(latest, query), "application/x-ndjson"),
    }


class _StaticRoute:
    """One file of the package, read once."""

    def __init__(self, name: str, content_type: str) -> None:
        body = (files("autoscaler.review") / "static" / name).read_bytes()
        self._answer = Response(body, content_type, tag=content_tag(body))

    def __call__(self, query: Query) -> Response:
        return self._answer


def _policy(latest: LatestRecords, query: Query) -> Response:
    """Return one policy: newest record, ways out, changes, and numbers later than `after`."""
    asked = _asked(latest, query)
    if not asked:
        return Response(b"no policy governs this workload\n", status=HTTPStatus.NOT_FOUND)
    record = asked[0]
    target, history = record.target, latest.history
    after = whole_number(query, "after", 0, most=2**32 - 1)
    newest, changes, since = record.as_dict(), history.changes(target), history.since(target)
    return json_response(
        {
            "held_back": latest.held_back(),
            "silence": latest.silence(record.at),
            "newest": newest,
            "ways_out": ways_out(newest, rescaled=last_rescale(changes)),
            "since": None if since is None else since.isoformat(timespec="milliseconds"),
            "changes": changes,
            "rows": history.columns(target, after=after),
        }
    )


def _asked(latest: LatestRecords, query: Query) -> list[DecisionRecord]:
    """Return the newest record of the workload that a question names; of each, if it is several."""
    namespace, name = query.get("namespace", ""), query.get("name", "")
    if not namespace or not name:
        raise ValueError("give namespace and name")
    return latest.named(namespace, name, kind=query.get("kind", ""))


def _lines(latest: LatestRecords, query: Query) -> Iterable[bytes]:
    """Return every decision line that is remembered: changes, then the newest of each target."""
    records = _asked(latest, query) if query.get("name") else latest.all()
    return (_line(line) for record in records for line in _remembered(latest, record))


def _remembered(latest: LatestRecords, record: DecisionRecord) -> Iterator[DecisionFields]:
    """Yield the changes of a target and, if that is not the last of them, its newest record."""
    newest = record.as_dict()
    changes = latest.history.changes(record.target)
    yield from changes
    if not changes or changes[-1]["time"] != newest["time"]:
        yield newest


def _line(line: DecisionFields) -> bytes:
    return json.dumps(line, allow_nan=False, separators=(",", ":")).encode() + b"\n"
