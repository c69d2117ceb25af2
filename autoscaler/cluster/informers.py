"""Which kinds are watched, and how what they see gets into the store.

The client's own `SharedInformer` does the watching; `Listing` is its source, `Store` its reader.
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from kubernetes.client import ApiClient
from kubernetes.informer import ADDED, DELETED, MODIFIED, SharedInformer

from autoscaler.cluster import parsing
from autoscaler.cluster.api import Json, list_path
from autoscaler.cluster.listing import Listing
from autoscaler.cluster.objects import Pod, Seen
from autoscaler.cluster.store import Store
from autoscaler.cluster.watched import Resource

POLICY_SELECTOR = "autoscaler/policies=true"
_KEY_FIELDS = ("namespace", "name")
_KEPT = "kept"


class Informer:
    """One watched kind, feeding the store."""

    def __init__(self, api: ApiClient, resource: Resource, store: Store) -> None:
        self._kept = resource.kept
        self._store = store
        self._stopped = False
        self.listing = Listing(api, resource)
        self._informer = SharedInformer(self.listing, key_func=_key)
        for event in (ADDED, MODIFIED):
            self._informer.add_event_handler(event, self._put)
        self._informer.add_event_handler(DELETED, self._remove)

    def start(self) -> None:
        """Begin to list and watch, in a thread of its own."""
        self._informer.start()

    def stop(self) -> None:
        """End the watch; what is known stays known."""
        self._stopped = True
        self.listing.stop()
        self._informer.stop()

    def _put(self, event: Seen | Json) -> None:
        """Take in what a list brought, trimmed already, or the watch."""
        if self._stopped:
            return
        if isinstance(event, dict):
            self._put_watched(event)
        else:
            # What a pod went through before the list was made, nobody watched.
            self._store.put(replace(event, found=True) if isinstance(event, Pod) else event)

    def _put_watched(self, event: Json) -> None:
        uid = event["metadata"]["uid"]
        seen = self._kept(event)
        _shrink(event, seen)
        if seen is None:
            self._store.release(uid)
        else:
            self._store.put(seen)

    def _remove(self, event: Seen | Json) -> None:
        """Forget; a list that misses an object brings what was kept of it."""
        if self._stopped:
            return  # an informer that is being stopped may believe that everything was deleted
        if not isinstance(event, dict):
            self._store.remove(event)
            return
        seen = event[_KEPT] if _KEPT in event else self._kept(event)
        if seen is not None:
            self._store.remove(seen)


def resources(namespace: str | None) -> Iterable[Resource]:
    """Return what every installation watches, in one namespace or (None) in all."""
    deployment = partial(parsing.workload, kind="Deployment", api_version="apps/v1")
    for api_version, plural, trimmed, selector in (
        ("v1", "configmaps", parsing.policy_source, POLICY_SELECTOR),
        ("apps/v1", "deployments", deployment, None),
        ("apps/v1", "replicasets", parsing.replica_set, None),
        ("v1", "pods", parsing.pod, None),
        (
            "autoscaling/v1",
            "horizontalpodautoscalers",
            parsing.horizontal_pod_autoscaler,
            None,
        ),
    ):
        yield Resource(list_path(api_version, plural, namespace), trimmed, selector)


def _key(event: Any) -> str:
    """Return the identity under which an informer's cache holds an object."""
    if isinstance(event, dict):
        return "/".join(str(event["metadata"].get(field, "")) for field in _KEY_FIELDS)
    return f"{event.namespace}/{event.name}"


def _shrink(event: Json, seen: Seen | None) -> None:
    """Leave only what we keep: the informer's own cache would otherwise hold the object whole."""
    identity = {field: event["metadata"].get(field, "") for field in _KEY_FIELDS}
    event.clear()
    event.update({"metadata": identity, _KEPT: seen})
