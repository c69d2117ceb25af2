"""Objects of the tests' cluster: workloads, policies, pods that are Ready when a test says so."""

import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import yaml
from kubernetes import client
from kubernetes.client.exceptions import ApiException

from support.control_plane import ControlPlane


def deployment(
    name: str, *, replicas: int = 1, cpu: str = "500m", kind: str = "Deployment"
) -> dict[str, Any]:
    """Return a Deployment (or a StatefulSet) with one application container and one sidecar."""
    labels = {"app": name}
    containers = [
        {"name": "app", "image": "app:1", "resources": {"requests": {"cpu": cpu}}},
        {"name": "linkerd-proxy", "image": "proxy:1", "resources": {"limits": {"cpu": "100m"}}},
    ]
    spec: dict[str, Any] = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": containers}},
    }
    if kind == "StatefulSet":
        spec |= {"serviceName": name, "podManagementPolicy": "Parallel"}
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def policy_map(name: str, policies: Mapping[str, Any]) -> dict[str, Any]:
    """Return a labelled ConfigMap; each policy is a mapping, or text as it stands."""
    data = {
        key: policy if isinstance(policy, str) else yaml.safe_dump(policy)
        for key, policy in policies.items()
    }
    metadata = {"name": name, "labels": {"autoscaler/policies": "true"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def rate_policy(name: str, *, query: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return a policy that sizes at 100 requests/s per pod, acting unless told otherwise."""
    rate = {"query": query or f'load{{app="{name}"}}', "target": {"averageValue": "100"}}
    return {
        "scaleTargetRef": {"name": name},
        "mode": "ForecastAndScale",
        "minReplicas": 2,
        "maxReplicas": 40,
        "metrics": [{"type": "RequestRate", "requestRate": rate}],
    } | fields


def governed_stateful_set(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a StatefulSet of two pods and the ConfigMap whose policy sizes it."""
    reference = {"apiVersion": "apps/v1", "kind": "StatefulSet", "name": name}
    policy = rate_policy(name, scaleTargetRef=reference)
    return (
        deployment(name, replicas=2, kind="StatefulSet"),
        policy_map("autoscaling", {f"{name}.yaml": policy}),
    )


class Namespace:
    """One namespace of the real API server, for one test."""

    def __init__(self, plane: ControlPlane, api: client.ApiClient, name: str) -> None:
        self.plane = plane
        self.name = name
        self.core = client.CoreV1Api(api)
        self.apps = client.AppsV1Api(api)

    def apply(self, *objects: Mapping[str, Any]) -> None:
        """Create or change objects, as `kubectl apply` does."""
        text = yaml.safe_dump_all([dict(o) for o in objects])
        self.plane.apply(text, "-n", self.name)

    def delete(self, kind: str, name: str) -> None:
        """Delete an object at once."""
        self.plane.kubectl("delete", kind, name, "-n", self.name, "--wait=false")

    def replicas(self, name: str) -> int:
        """Return a Deployment's `spec.replicas`."""
        return int(self.apps.read_namespaced_deployment_scale(name, self.name).spec.replicas)

    def scale(self, name: str, replicas: int) -> None:
        """Scale as somebody else."""
        self.apps.patch_namespaced_deployment_scale(
            name, self.name, {"spec": {"replicas": replicas}}, field_manager="somebody-else"
        )

    def pods(self, app: str | None = None) -> list[Any]:
        """Return the pods there are, of one application or all."""
        selector = {"label_selector": f"app={app}"} if app else {}
        return list(self.core.list_namespaced_pod(self.name, **selector).items)

    def events(self, reason: str) -> list[Any]:
        """Return the Events with this reason, as `kubectl describe` shows them."""
        events = self.core.list_namespaced_event(self.name, field_selector=f"reason={reason}")
        return list(events.items)

    def annotate(self, name: str, annotations: Mapping[str, str | None]) -> None:
        """Set (or with None remove) annotations of a Deployment."""
        body = {"metadata": {"annotations": dict(annotations)}}
        self.apps.patch_namespaced_deployment(name, self.name, body)

    def mark_ready(self, pod: Any, *, at: datetime | None = None) -> None:
        """Do what a kubelet does when a pod's containers run and its probes pass."""
        now = (at or datetime.now(tz=UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")
        ready = [
            {"type": kind, "status": "True", "lastTransitionTime": now}
            for kind in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
        ]
        status = {"phase": "Running", "startTime": now, "conditions": ready}
        self.core.patch_namespaced_pod_status(pod.metadata.name, self.name, {"status": status})

    def mark_all_ready(self, app: str | None = None) -> int:
        """Mark every pod that is not Ready; return how many."""
        unready = [pod for pod in self.pods(app) if not is_ready(pod)]
        for pod in unready:
            try:
                self.mark_ready(pod)
            except ApiException as error:
                if error.status != 404:  # scaled in meanwhile
                    raise
        return len(unready)


def is_ready(pod: Any) -> bool:
    """Return whether a pod has the condition Ready."""
    return any(c.type == "Ready" and c.status == "True" for c in pod.status.conditions or ())


class StandInKubelet:
    """Marks pods Ready some time after their creation; no kubelet can be had here."""

    def __init__(self, namespace: Namespace, *, startup: timedelta) -> None:
        self._namespace = namespace
        self._startup = startup
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "StandInKubelet":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(0.2):
            try:
                self._mark_due()
            except ApiException as error:
                if error.status not in (404, 409):
                    raise

    def _mark_due(self) -> None:
        due = datetime.fromtimestamp(time.time(), tz=UTC) - self._startup
        for pod in self._namespace.pods():
            if not is_ready(pod) and pod.metadata.creation_timestamp <= due:
                self._namespace.mark_ready(pod)
