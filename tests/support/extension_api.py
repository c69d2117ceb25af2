"""Custom kinds behind the real API server: an extension API server, as metrics-server is one.

The API server that the tests have (1.20, built with a later Go than it was written for) crashes on
every custom resource, whatever its definition says: it encodes `metadata` with a library that
reads maps by an older layout than this Go has.
So the kinds are aggregated: discovery, authentication and RBAC are the real server's, which passes
on to us what it allowed; only the objects are kept here.
"""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from support.loopback import Handler, Loopback, certified

Json = dict[str, Any]


@dataclass(frozen=True)
class CustomKind:
    """A kind of one group and version; with `scale` it has that subresource."""

    group: str
    version: str
    kind: str
    plural: str
    scale: bool = False

    @property
    def api_version(self) -> str:
        """As manifests name it."""
        return f"{self.group}/{self.version}"

    def resources(self) -> Json:
        """Return what discovery answers."""
        verbs = ["create", "delete", "get", "list", "patch", "watch"]
        common = {"namespaced": True, "singularName": self.kind.lower()}
        whole = common | {"name": self.plural, "kind": self.kind, "verbs": verbs}
        scale = common | {
            "name": f"{self.plural}/scale",
            "kind": "Scale",
            "verbs": ["get", "patch"],
        }
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": self.api_version,
            "resources": [whole, *([scale] if self.scale else [])],
        }


@dataclass
class _Kept:
    """The objects, every change of them in order, and who waits for the next."""

    objects: dict[str, Json] = field(default_factory=dict)
    changes: list[tuple[int, str, Json]] = field(default_factory=list)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def note(self, what: str, key: str, one: Json) -> Json:
        with self.changed:
            version = len(self.changes) + 1
            meta = one["metadata"] | {"resourceVersion": str(version)}
            one = one | {"metadata": meta}
            self.changes.append((version, what, one))
            if what == "DELETED":
                self.objects.pop(key, None)
            else:
                self.objects[key] = one
            self.changed.notify_all()
            return one

    def since(self, version: int) -> Iterator[Json]:
        """Yield the changes after a version, and wait for the next, for ten minutes at most."""
        while news := self._after(version):
            for number, what, one in news:
                version = number
                yield {"type": what, "object": one}

    def _after(self, version: int) -> list[tuple[int, str, Json]]:
        with self.changed:
            self.changed.wait_for(lambda: len(self.changes) > version, 600)
            return self.changes[version:]


class ExtensionApi(Loopback):
    """Serves one custom kind over HTTPS on loopback."""

    def __init__(self, folder: Path, kind: CustomKind) -> None:
        self.kind = kind
        self.kept = _Kept()
        _, tls = certified(folder, "extension")
        handler = type("Answers", (_Answers,), {"api": self, "root": f"/apis/{kind.api_version}"})
        super().__init__(handler, tls=tls)

    def registration(self) -> list[Json]:
        """Return what makes the real API server pass the kind on to us."""
        name = f"{self.kind.plural}-extension"
        where = {"name": name, "namespace": "default", "port": self.port}
        return [
            {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": {"name": name, "namespace": "default"},
                "spec": {"type": "ExternalName", "externalName": "localhost"},
            },
            {
                "apiVersion": "apiregistration.k8s.io/v1",
                "kind": "APIService",
                "metadata": {"name": f"{self.kind.version}.{self.kind.group}"},
                "spec": {
                    "group": self.kind.group,
                    "version": self.kind.version,
                    "service": where,
                    "insecureSkipTLSVerify": True,
                    "groupPriorityMinimum": 1000,
                    "versionPriority": 10,
                },
            },
        ]

    def listed(self, namespace: str | None) -> Json:
        """Return a list, of one namespace or all."""
        with self.kept.changed:
            found = [o for o in self.kept.objects.values() if _in(o, namespace)]
            version = str(len(self.kept.changes))
        return {
            "kind": f"{self.kind.kind}List",
            "apiVersion": self.kind.api_version,
            "metadata": {"resourceVersion": version},
            "items": found,
        }

    def created(self, namespace: str, one: Json) -> Json:
        """Keep a new object."""
        meta = one["metadata"] | {"namespace": namespace, "uid": str(uuid4()), "generation": 1}
        return self.kept.note("ADDED", f"{namespace}/{meta['name']}", one | {"metadata": meta})

    def scaled(self, key: str, patch: Json) -> tuple[int, Json]:
        """Write `spec.replicas` if the version that was read is still the newest."""
        one = self.kept.objects[key]
        asked = (patch.get("metadata") or {}).get("resourceVersion")
        if asked not in (None, one["metadata"]["resourceVersion"]):
            return 409, {"kind": "Status", "message": "the object has been modified", "code": 409}
        spec = one["spec"] | {"replicas": patch["spec"]["replicas"]}
        one = self.kept.note("MODIFIED", key, one | {"spec": spec})
        scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": one["metadata"]}
        return 200, scale | {"spec": {"replicas": spec["replicas"]}}


def _in(one: Json, namespace: str | None) -> bool:
    return namespace is None or one["metadata"]["namespace"] == namespace


class _Answers(Handler):
    api: "ExtensionApi"
    root: str
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        namespace, name, _ = self._place(url.path)
        query = parse_qs(url.query)
        if url.path == self.root:
            self._answer(200, self.api.kind.resources())
        elif not url.path.startswith(f"{self.root}/"):
            self._answer(404, {"kind": "Status", "code": 404})
        elif name:
            self._answer(*self._one(f"{namespace}/{name}"))
        elif "watch" in query:
            self._stream(namespace, int(query["resourceVersion"][0]))
        else:
            self._answer(200, self.api.listed(namespace))

    def do_POST(self) -> None:
        namespace, _, _ = self._place(urlsplit(self.path).path)
        self._answer(201, self.api.created(str(namespace), self._body()))

    def do_PATCH(self) -> None:
        namespace, name, subresource = self._place(urlsplit(self.path).path)
        body = self._body()
        if subresource != "scale":
            self._answer(405, {"kind": "Status", "code": 405})
        else:
            self._answer(*self.api.scaled(f"{namespace}/{name}", body))

    def do_DELETE(self) -> None:
        namespace, name, _ = self._place(urlsplit(self.path).path)
        wanted = f"{namespace}/{name}"  # without a name: all of a namespace that is being deleted
        for key, one in list(self.api.kept.objects.items()):
            if key == wanted or (not name and _in(one, namespace)):
                self.api.kept.note("DELETED", key, one)
        self._answer(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"})

    def _one(self, key: str) -> tuple[int, Json]:
        found = self.api.kept.objects.get(key)
        return (200, found) if found else (404, {"kind": "Status", "code": 404})

    def _place(self, path: str) -> tuple[str | None, str, str]:
        """Return namespace, name and subresource of a path below the group's root."""
        parts = path.removeprefix(f"{self.root}/").split("/")
        namespace = parts[1] if parts[0] == "namespaces" else None
        rest = parts[3:] if namespace else parts[1:]
        return namespace, rest[0] if rest else "", rest[1] if len(rest) > 1 else ""

    def _body(self) -> Json:
        parsed: Json = json.loads(self.body())
        return parsed

    def _answer(self, status: int, body: Json) -> None:
        self.answer(json.dumps(body).encode(), status=status)

    def _stream(self, namespace: str | None, version: int) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            for event in self.api.kept.since(version):
                if _in(event["object"], namespace):
                    line = json.dumps(event).encode() + b"\n"
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
                    self.wfile.flush()
        except OSError:
            self.close_connection = True
