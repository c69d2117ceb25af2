"""A deployment controller without pods: says of each rescaled Deployment that all is well.

The real one would create a hundred thousand pods here.
Without any the status of a Deployment that was rescaled stays behind its generation, which is a
rollout that never ends.
"""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import urllib3
from kubernetes import client, watch

from autoscaler.cluster.api import Request, answered

# How long nothing came, once everything has come: the watch is a few milliseconds behind.
_QUIET = 0.3
_LONGEST_WAIT = 60.0


class DeploymentController:
    """Watches the Deployments of a namespace in a thread, and writes their statuses."""

    def __init__(self, api: Any, namespace: str) -> None:
        self._api = api
        self._namespace = namespace
        self._watch = watch.Watch()
        self._pool = ThreadPoolExecutor(4)
        self._quiet_since = time.monotonic()
        threading.Thread(target=self._follow, daemon=True).start()

    def settle(self) -> None:
        """Wait until every rescale so far has been answered."""
        end = time.monotonic() + _LONGEST_WAIT
        while time.monotonic() < min(end, self._quiet_since + _QUIET):
            time.sleep(_QUIET / 10)

    def stop(self) -> None:
        """Follow no longer."""
        self._watch.stop()
        self._pool.shutdown(cancel_futures=True)

    def _follow(self) -> None:
        listed = client.AppsV1Api(self._api).list_namespaced_deployment
        version = listed(self._namespace, limit=1).metadata.resource_version
        stream = self._watch.stream(
            listed, self._namespace, resource_version=version, _request_timeout=3600
        )
        # The API server may end before we do.
        with suppress(urllib3.exceptions.ProtocolError):
            for event in stream:
                made = event["raw_object"]
                if made["metadata"]["generation"] > made["status"].get("observedGeneration", 0):
                    self._quiet_since = time.monotonic()
                    self._pool.submit(self._answer, made)

    def _answer(self, made: dict[str, Any]) -> None:
        status = all_is_well(made)
        name, path = made["metadata"]["name"], f"/apis/apps/v1/namespaces/{self._namespace}"
        body = {"status": status}
        kind = "application/merge-patch+json"
        answered(
            self._api,
            Request("PATCH", f"{path}/deployments/{name}/status", body=body, content_type=kind),
        )
        self._quiet_since = time.monotonic()


def all_is_well(made: dict[str, Any]) -> dict[str, Any]:
    """Return the status of a Deployment whose pods are all ready."""
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    replicas = dict.fromkeys(counts, made["spec"]["replicas"])
    return {"observedGeneration": made["metadata"]["generation"], **replicas}
