"""Service accounts with less, or other, than what `deploy/` grants by default."""

import itertools
import shutil
from pathlib import Path

import yaml

from support.control_plane import ControlPlane

Rule = dict[str, list[str]]

DEPLOY = Path(__file__).parents[2] / "deploy"
ROLES = ("predictive-autoscaler-read", "predictive-autoscaler-scale")


def account_that_may_scale(plane: ControlPlane, namespace: str, *, only: str) -> Path:
    """Return a kubeconfig of an account that may read, and scale one Deployment only."""
    scope = ("-n", namespace)
    plane.kubectl("create", "serviceaccount", "limited", *scope)
    plane.kubectl(
        *("create", "role", "scale", "--verb=patch", f"--resource-name={only}"),
        *("--resource=deployments.apps/scale", *scope),
    )
    subject = f"--serviceaccount={namespace}:limited"
    for name, role in (("read", f"--clusterrole={ROLES[0]}"), ("scale", "--role=scale")):
        plane.kubectl("create", "rolebinding", name, role, subject, *scope)
    return plane.service_account_kubeconfig(namespace, "limited")


def rules_of(plane: ControlPlane, folder: Path, *components: str) -> dict[str, list[Rule]]:
    """Return the rules of both ClusterRoles after adding components, by role."""
    shutil.copytree(DEPLOY, folder / "deploy", dirs_exist_ok=True)
    mine = folder / "mine"
    mine.mkdir(exist_ok=True)
    document = {
        "resources": ["../deploy/overlays/cluster-wide"],
        "components": [f"../deploy/components/{component}" for component in components],
    }
    (mine / "kustomization.yaml").write_text(yaml.safe_dump(document))
    rendered = yaml.safe_load_all(plane.kubectl("kustomize", str(mine)))
    return {o["metadata"]["name"]: o["rules"] for o in rendered if o["kind"] == "ClusterRole"}


def granted(plane: ControlPlane, folder: Path, *components: str) -> list[Rule]:
    """Return all that is granted after adding components."""
    return list(itertools.chain(*rules_of(plane, folder, *components).values()))


def account_with(
    plane: ControlPlane, namespace: str, *, rules: list[Rule], name: str = "granted"
) -> Path:
    """Return a kubeconfig of an account with exactly these rules in one namespace."""
    plane.kubectl("create", "serviceaccount", name, "-n", namespace)
    metadata = {"name": name, "namespace": namespace}
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": metadata,
        "rules": rules,
    }
    plane.apply(yaml.safe_dump(role))
    subject = f"--serviceaccount={namespace}:{name}"
    plane.kubectl("create", "rolebinding", name, f"--role={name}", subject, "-n", namespace)
    return plane.service_account_kubeconfig(namespace, name)
