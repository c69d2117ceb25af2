"""What `deploy/` says is what a real API server accepts, and what its RBAC grants is enough.

`kubectl apply --dry-run=server` validates and admits everything without keeping it.
"""

import shutil
from pathlib import Path

import pytest
import yaml

from support.control_plane import ControlPlane

DEPLOY = Path(__file__).parents[2] / "deploy"
OVERLAYS = [".", "overlays/cluster-wide", "overlays/forecast-only", "overlays/single-namespace"]
COMPONENTS = ["annotation", "high-availability", "hpa-actuator", "shards", "statefulsets"]


@pytest.fixture(scope="module")
def namespaces(plane: ControlPlane) -> None:
    """The namespaces that the manifests name: a server-side dry run creates none."""
    for name in ("autoscaler-system", "shop"):
        plane.ensure_namespace(name)


def accepted(plane: ControlPlane, manifests: str) -> list[str]:
    """Return what a server-side dry run says of each object."""
    if "policy/v1" not in plane.kubectl("api-versions").splitlines():
        manifests = manifests.replace("apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n")
    output = plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifests)
    return output.splitlines()


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_is_accepted_whole(plane: ControlPlane, namespaces: None, overlay: str) -> None:
    manifests = plane.kubectl("kustomize", str(DEPLOY / overlay))

    verdicts = accepted(plane, manifests)

    assert len(verdicts) == len(list(yaml.safe_load_all(manifests)))
    assert all(verdict.endswith("(server dry run)") for verdict in verdicts)


def test_forecast_only_may_change_nothing(plane: ControlPlane) -> None:
    manifests = plane.kubectl("kustomize", str(DEPLOY / "overlays/forecast-only"))
    roles = [o for o in yaml.safe_load_all(manifests) if o["kind"] in ("ClusterRole", "Role")]

    verbs = {verb for role in roles for rule in role["rules"] for verb in rule["verbs"]}
    assert verbs == {"get", "list", "watch"}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_component_fits_on_the_cluster_wide_overlay(
    plane: ControlPlane, namespaces: None, tmp_path: Path, component: str
) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    mine = tmp_path / "mine"
    mine.mkdir()
    document = {
        "resources": ["../deploy/overlays/cluster-wide"],
        "components": [f"../deploy/components/{component}"],
    }
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(document))

    verdicts = accepted(plane, plane.kubectl("kustomize", str(mine)))

    assert all(verdict.endswith("(server dry run)") for verdict in verdicts)


@pytest.mark.parametrize(
    ("verb", "resource", "expected"),
    [
        pytest.param("patch", "deployments.apps/scale", "yes", id="scales"),
        pytest.param("patch", "deployments.apps", "no", id="changes no Deployment"),
        pytest.param("patch", "deployments.apps/status", "no", id="annotates nothing unasked"),
        pytest.param("get", "secrets", "no", id="reads no Secret"),
        pytest.param("create", "pods", "no", id="creates no pod"),
        pytest.param("update", "configmaps", "no", id="writes no policy"),
        pytest.param("delete", "deployments.apps", "no", id="deletes nothing"),
    ],
)
def test_the_service_account_may(
    installed: ControlPlane, verb: str, resource: str, expected: str
) -> None:
    account = "system:serviceaccount:autoscaler-system:predictive-autoscaler"

    answer = installed.can_i(account, verb, resource, namespace="anywhere")

    assert answer == expected
