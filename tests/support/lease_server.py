"""Leases as the API server keeps them, over a real socket: versions, conflicts, label selectors."""

import json
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubernetes.client import ApiClient, Configuration

from support.loopback import Handler, Loopback

Json = dict[str, Any]
_REASONS = {
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    422: "Invalid",
    500: "InternalError",
}


class LeaseServer(Loopback):
    """Answers for the Leases of one namespace."""

    def __init__(self) -> None:
        self.leases: dict[str, Json] = {}
        self.refused: dict[str, int] = {}
        """The status that a method is refused with, where it is."""
        self.before: Callable[[str, str], object] = lambda method, name: None
        """Called with method and name before a request is looked at."""
        self.asked: Counter[tuple[str, str]] = Counter()
        """How often each method was used on each Lease; a list has no name."""
        self._version = 0
        server = self

        class Answers(Handler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # head and body are two writes

            def _lease(self) -> None:
                status, body = server._told(self.command, self.path, self.body())
                self.answer(json.dumps(body).encode(), status=status)

            do_GET = do_POST = do_PUT = do_DELETE = _lease

        super().__init__(Answers)

    def client(self) -> ApiClient:
        """Return a client of this server."""
        configuration = Configuration(host=self.url)
        configuration.retries = False
        return ApiClient(configuration)

    def holder(self, name: str) -> str:
        """Return who holds a Lease, empty when nobody does."""
        return str(self.leases.get(name, {}).get("spec", {}).get("holderIdentity") or "")

    def put(self, name: str, **spec: Any) -> None:
        """Write a Lease as somebody else does."""
        self.keep({"metadata": {"name": name}, "spec": spec})

    def keep(self, lease: Json) -> Json:
        """Write a Lease anew, as its next version."""
        self._version += 1
        lease["metadata"]["resourceVersion"] = str(self._version)
        self.leases[lease["metadata"]["name"]] = lease
        return lease

    def _told(self, method: str, path: str, body: bytes) -> tuple[int, Json]:
        parts = urlsplit(path)
        name = parts.path.partition("/leases")[2].strip("/")
        sent = json.loads(body) if method in {"POST", "PUT"} else {}
        name = name or sent.get("metadata", {}).get("name", "")
        self.asked[method, name] += 1
        self.before(method, name)
        if method in self.refused:
            return _status(self.refused[method])
        if method == "GET" and not name:
            wanted = parse_qs(parts.query).get("labelSelector", [""])[0]
            return 200, {"items": [each for each in self.leases.values() if _has(each, wanted)]}
        return self._of_one(method, name, sent)

    def _of_one(self, method: str, name: str, sent: Json) -> tuple[int, Json]:
        there = self.leases.get(name)
        if method == "POST":
            return (201, self.keep(sent)) if there is None else _status(409)
        if there is None:
            return _status(404)
        if method == "PUT":
            version = sent["metadata"].get("resourceVersion")
            if version != there["metadata"]["resourceVersion"]:
                return _status(409 if version else 422)
            return 200, self.keep(sent)
        if method == "DELETE":
            del self.leases[name]
        return 200, there


def _has(lease: Json, selector: str) -> bool:
    pairs = [each.split("=", 1) for each in selector.split(",") if each]
    labels = lease["metadata"].get("labels", {})
    return all(labels.get(name) == value for name, value in pairs)


def _status(code: int) -> tuple[int, Json]:
    return code, {"kind": "Status", "apiVersion": "v1", "code": code, "reason": _REASONS[code]}
