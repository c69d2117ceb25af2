"""`deploy/README.md`, word for word: its kubectl commands are run in order on a real API server."""

import os
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from autoscaler.cluster.api import connect
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.parsing import policy_of
from support.control_plane import ControlPlane
from support.workloads import Namespace, StandInKubelet

ROOT = Path(__file__).parents[2]
# These need a kubelet.
NOT_HERE = ("logs", "port-forward")


def commands() -> list[str]:
    """Return the kubectl commands of the README, in order."""
    lines = (ROOT / "deploy" / "README.md").read_text().splitlines()
    return [line.strip() for line in lines if line.startswith("    kubectl ")]


def test_every_command_works_in_order(new_control_plane: Callable[[], ControlPlane]) -> None:
    plane = new_control_plane()
    connection = connect(plane.admin_kubeconfig)
    ours = Namespace(plane, connection.client, "autoscaler-system")
    path = f"{os.environ['KUBEBUILDER_ASSETS']}:{os.environ['PATH']}"
    environment = os.environ | {"KUBECONFIG": str(plane.admin_kubeconfig), "PATH": path}
    with StandInKubelet(ours, startup=timedelta(0)):
        for command in commands():
            if not any(word in command.split() for word in NOT_HERE):
                run(command, environment)
    connection.close()


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


@pytest.mark.parametrize(
    ("file", "mode"),
    [("first-policy.yaml", "ForecastOnly"), ("acting-policy.yaml", "ForecastAndScale")],
)
def test_the_policies_of_the_readme_are_valid(file: str, mode: str) -> None:
    text = (ROOT / "deploy" / file).read_text()

    policy = policy_of(PolicyDocument(file, text, "shop"), own_namespace=None)

    assert policy.mode == mode
