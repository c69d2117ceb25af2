"""Where is a kind served: its plural and whether it has `scale`, asked of the API server once.

Deployments and StatefulSets are known by heart; anything else goes through discovery, so an Argo
Rollout or a custom resource with a `scale` subresource is scaled by the same path.
"""

from dataclasses import dataclass

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import Request, answered, list_path
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleRefusedError

_BY_HEART = {
    ("apps/v1", "Deployment"): "deployments",
    ("apps/v1", "StatefulSet"): "statefulsets",
    ("apps/v1", "ReplicaSet"): "replicasets",
}


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of scale target."""

    api_version: str
    kind: str
    plural: str

    def list_path(self, namespace: str | None) -> str:
        """Return where objects are listed, in one namespace or in all."""
        return list_path(self.api_version, self.plural, namespace)

    def object_path(self, target: TargetRef) -> str:
        """Return where one object is."""
        return f"{self.list_path(target.namespace)}/{target.name}"


class Kinds:
    """Discovery, remembered."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._known = {key: Kind(*key, plural) for key, plural in _BY_HEART.items()}

    def of(self, target: TargetRef) -> Kind:
        """Return the kind of a target.

        Raises
        ------
        ScaleRefusedError
            When the server does not serve it, or serves it without `scale`.
        """
        key = (target.api_version, target.kind)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._discovered(target)
        return known

    def served(self, api_version: str, kind: str) -> bool:
        """Return whether the server has this kind at all; not reachable counts as no."""
        try:
            return any(r["kind"] == kind for r in self._resources(api_version))
        except ApiException:
            return False

    def _discovered(self, target: TargetRef) -> Kind:
        try:
            resources = self._resources(target.api_version)
        except ApiException as error:
            raise ScaleRefusedError(
                f"{target}: {target.api_version} {target.kind}: {error.status} {error.reason}"
            ) from error
        plural = next(
            (r["name"] for r in resources if r["kind"] == target.kind and "/" not in r["name"]), ""
        )
        if not plural or not any(r["name"] == f"{plural}/scale" for r in resources):
            raise ScaleRefusedError(
                f"{target}: {target.api_version} {target.kind} has no scale subresource"
            )
        return Kind(target.api_version, target.kind, plural)

    def _resources(self, api_version: str) -> list[dict[str, str]]:
        path = "/api/v1" if api_version == "v1" else f"/apis/{api_version}"
        listed = answered(self._api, Request("GET", path)).get("resources") or ()
        return [r for r in listed if isinstance(r, dict) and "kind" in r and "name" in r]
