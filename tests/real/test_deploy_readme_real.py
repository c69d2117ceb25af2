"""`deploy/README.md`, word for word: every block of it is run or checked; none is left out.

Its kubectl commands run in order on a real API server; what needs a kubelet, a container engine or
Helm is checked as far as it goes without (`HOW`).
"""

import gzip
import itertools
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.cli import parser
from autoscaler.cluster.api import connect
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.parsing import policy_of
from autoscaler.review.annotation import annotation_of
from review.records import record
from support.control_plane import ControlPlane
from support.helm_template import Chart
from support.workloads import Namespace, StandInKubelet, deployment

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
HPA = """\
apiVersion: autoscaling/v1
kind: HorizontalPodAutoscaler
metadata: {name: cart, namespace: shop}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: cart}, maxReplicas: 9}
"""
# These need a kubelet.
NOT_HERE = ("logs", "port-forward")


def blocks() -> list[str]:
    """Return the indented blocks of the README, in order."""
    lines = (DEPLOY / "README.md").read_text().splitlines()
    grouped = itertools.groupby(lines, key=lambda line: line.startswith("    "))
    indented = ["\n".join(group) for is_block, group in grouped if is_block]
    return [re.sub(r"^ {4}", "", block, flags=re.MULTILINE) for block in indented]


def commands() -> list[str]:
    """Return the kubectl commands of the README, in order."""
    return [line for b in blocks() for line in b.splitlines() if line.startswith("kubectl ")]


def the(beginning: str) -> str:
    """Return the one block that begins like this."""
    [block] = [block for block in blocks() if block.strip().startswith(beginning)]
    return block


# How the blocks begin, and the test that holds each kind.
HOW = {
    "kubectl ": "test_every_command_works_in_order",
    "docker build ": "test_the_image_is_built_from_what_is_there",
    "# deploy/my/kustomization.yaml": "test_a_kustomization_of_ones_own_is_accepted",
    "- {op: add, ": "test_a_kustomization_of_ones_own_is_accepted",
    "helm upgrade ": "test_the_values_of_the_helm_command_are_values",
    "autoscaler replay ": "test_the_replay_runs",
    "autoscaler doctor ": "test_the_doctor_is_asked_like_that",
    "consul: ": "test_consul_is_named_like_that",
    '{"time"': "test_the_annotation_looks_like_that",
    "spec:": "test_argo_ignores_replicas",
}


@pytest.mark.parametrize("block", blocks())
def test_no_block_is_left_unchecked(block: str) -> None:
    kinds = [name for beginning, name in HOW.items() if block.strip().startswith(beginning)]

    assert [name in globals() for name in kinds] == [True]
    if block.startswith("kubectl "):
        assert all(line.startswith("kubectl ") for line in block.splitlines())


def test_every_command_works_in_order(new_control_plane: Callable[[], ControlPlane]) -> None:
    plane = new_control_plane()
    connection = connect(plane.admin_kubeconfig)
    ours = Namespace(plane, connection.client, "autoscaler-system")
    environment = environment_of(plane)
    with StandInKubelet(ours, startup=timedelta(0)):
        for command in commands():
            if "get hpa" in command:
                plane.apply(HPA)
            if not any(word in command.split() for word in NOT_HERE):
                run(command, environment)
    connection.close()


def environment_of(plane: ControlPlane) -> dict[str, str]:
    """Return where `kubectl` and `autoscaler` are, and which cluster they ask."""
    here = Path(sys.executable).parent
    path = f"{os.environ['KUBEBUILDER_ASSETS']}:{here}:{os.environ['PATH']}"
    return os.environ | {"KUBECONFIG": str(plane.admin_kubeconfig), "PATH": path}


def run(command: str, environment: dict[str, str]) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"


def test_a_kustomization_of_ones_own_is_accepted(plane: ControlPlane, tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    [whole] = [b for b in blocks() if b.strip().startswith("# deploy/my/")]
    [volume] = [b for b in blocks() if b.strip().startswith("- {op: add, ")]
    file = tmp_path / "deploy" / "my" / "kustomization.yaml"
    file.parent.mkdir()
    file.write_text(f"{whole}\n{textwrap.indent(volume, ' ' * 6)}\n")
    plane.ensure_namespace("autoscaler-system")
    manifests = plane.kubectl("kustomize", str(file.parent))
    plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifests)

    made = {d["kind"]: d for d in yaml.safe_load_all(manifests)}
    deployment = made["Deployment"]["spec"]
    [container] = deployment["template"]["spec"]["containers"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    kept = [e["value"] for e in container["env"] if e["name"].endswith(("_CACHE", "_FILE"))]
    assert container["image"] == "registry.example.com/predictive-autoscaler:0.1.0"
    assert container["env"][0]["value"] == "http://prometheus-operated.monitoring.svc:9090"
    assert deployment["strategy"] == {"type": "Recreate"}
    assert {volume["name"] for volume in deployment["template"]["spec"]["volumes"]} == set(mounts)
    assert len(kept) == 2
    assert all(path.startswith(f"{mounts['past']}/") for path in kept)


def test_shards_are_also_kept_apart(plane: ControlPlane, tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    file = tmp_path / "deploy" / "my" / "kustomization.yaml"
    file.parent.mkdir()
    components = ["../components/high-availability", "../components/shards"]
    file.write_text(yaml.safe_dump({"resources": ["../base"], "components": components}))

    manifests = plane.kubectl("kustomize", str(file.parent))

    made = {d["kind"]: d["spec"] for d in yaml.safe_load_all(manifests) if "spec" in d}
    assert made["Deployment"]["replicas"] == 3
    assert made["Deployment"]["template"]["spec"]["topologySpreadConstraints"]
    assert made["PodDisruptionBudget"]["maxUnavailable"] == 1


def test_the_image_is_built_from_what_is_there() -> None:
    words = shlex.split(the("docker build"))
    dockerfile = (ROOT / words[words.index("--file") + 1]).read_text()
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", dockerfile, re.MULTILINE)

    assert words[-1] == "."
    assert all((ROOT / name).exists() for line in copied for name in line.split())


def test_the_values_of_the_helm_command_are_values() -> None:
    words = shlex.split(the("helm upgrade").replace("\\\n", " "))
    values: dict[str, Any] = {}
    for setting in [words[i + 1] for i, word in enumerate(words) if word == "--set"]:
        path, _, value = setting.partition("=")
        *above, last = path.split(".")
        inside = values
        for name in above:
            inside = inside.setdefault(name, {})
        inside[last] = value
    chart = Chart(ROOT / words[4])

    text = chart.rendered(values, name=words[3], namespace="autoscaler-system")
    assert values["prometheus"]["url"] in text


def test_the_replay_runs(tmp_path: Path) -> None:
    minutes = range(3 * 1440)
    rows = "".join(f"{1_700_000_000 + 60 * k},{500 + k % 1440}\n" for k in minutes)
    with gzip.open(tmp_path / "load.csv.gz", "wt") as file:
        file.write(f"timestamp,value\n{rows}")
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    command = shlex.split(the("autoscaler replay"))
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )

    assert done.returncode == 0, done.stderr
    assert "clairvoyant" in done.stdout.lower()


def test_the_doctor_is_asked_like_that() -> None:
    for line in the("autoscaler doctor").splitlines():
        _, *words = shlex.split(line, comments=True)
        given = parser().parse_args(words)

        assert all((ROOT / file).exists() for file in given.files)


def test_consul_is_named_like_that() -> None:
    text = (DEPLOY / "first-policy.yaml").read_text() + the("consul: ") + "\n"

    policy = policy_of(PolicyDocument("a", text, "shop"), own_namespace=None)
    assert policy.consul is not None


def test_the_annotation_looks_like_that() -> None:
    shown, made = json.loads(the('{"time"')), json.loads(annotation_of(record(2, 6)))

    assert {name: type(value) for name, value in shown.items()} == {
        name: type(value) for name, value in made.items()
    }


def test_argo_ignores_replicas() -> None:
    [ignored] = yaml.safe_load(the("spec:"))["spec"]["ignoreDifferences"]

    assert ignored == {"group": "apps", "kind": "Deployment", "jsonPointers": ["/spec/replicas"]}


@pytest.mark.parametrize("flags", ["", "--server-side --field-manager=flux"])
@pytest.mark.parametrize(("handed_over", "left"), [(True, 4), (False, 1)])
def test_replicas_that_leave_the_manifest_stay_if_they_are_handed_over(
    plane: ControlPlane,
    namespace: Namespace,
    tmp_path: Path,
    flags: str,
    handed_over: bool,
    left: int,
) -> None:
    whole, file = deployment("checkout", replicas=4), tmp_path / "checkout.yaml"
    without = whole | {"spec": {k: v for k, v in whole["spec"].items() if k != "replicas"}}
    apply = f"kubectl -n shop apply --validate=false {flags} -f {file}"
    client_side, server_side = the("kubectl -n shop annotate deployment checkout kube").splitlines()
    handover = [server_side if flags else client_side] if handed_over else []

    for manifest, commands_before in ((whole, []), (without, handover)):
        file.write_text(yaml.safe_dump(manifest))
        for command in (*commands_before, apply):
            run(command.replace("-n shop", f"-n {namespace.name}"), environment_of(plane))
    assert namespace.replicas("checkout") == left


def test_a_manifest_without_replicas_that_replaces_is_one_replica(
    plane: ControlPlane, namespace: Namespace
) -> None:
    whole = deployment("checkout", replicas=4)
    namespace.apply(whole)
    del whole["spec"]["replicas"]
    plane.kubectl("replace", "-n", namespace.name, "-f", "-", stdin=yaml.safe_dump(whole))

    assert namespace.replicas("checkout") == 1


@pytest.mark.parametrize(
    ("file", "mode"),
    [("first-policy.yaml", "ForecastOnly"), ("acting-policy.yaml", "ForecastAndScale")],
)
def test_the_policies_of_the_readme_are_valid(file: str, mode: str) -> None:
    text = (DEPLOY / file).read_text()

    policy = policy_of(PolicyDocument(file, text, "shop"), own_namespace=None)

    assert policy.mode == mode


@pytest.mark.parametrize("file", sorted((DEPLOY / "examples").glob("*.yaml")), ids=lambda f: f.name)
def test_the_examples_are_valid(file: Path) -> None:
    document = yaml.safe_load(file.read_text())
    namespace = document["metadata"]["namespace"]
    policies = [
        policy_of(PolicyDocument(key, text, namespace), own_namespace=None)
        for key, text in document["data"].items()
    ]

    assert {policy.mode for policy in policies} == {"ForecastOnly"}


@pytest.mark.parametrize("flag", re.findall(r"`(--[a-z-]+)", (DEPLOY / "README.md").read_text()))
def test_every_flag_that_is_named_is_one(flag: str) -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "autoscaler", "run", "--help"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout

    assert f"{flag} " in help_text
