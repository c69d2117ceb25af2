"""From the HPAs of a cluster to its policies, as `kubectl` and the API server know both."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from autoscaler.policy.parsing import checked
from support.workloads import Namespace

AUTOSCALER = Path(sys.executable).with_name("autoscaler")


def hpa(name: str) -> dict[str, Any]:
    """Return one as every API server takes it; newer ones hand it out as `autoscaling/v2`."""
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": "autoscaling/v1",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name},
        "spec": {
            "scaleTargetRef": reference,
            "maxReplicas": 40,
            "targetCPUUtilizationPercentage": 70,
        },
    }


def test_the_hpas_of_a_namespace_become_policies_with_two_commands(namespace: Namespace) -> None:
    namespace.apply(hpa("checkout"), hpa("cart"))
    printed = namespace.plane.kubectl("get", "hpa", "-n", namespace.name, "-o", "yaml")

    ran = subprocess.run(
        [AUTOSCALER, "convert", "-"], input=printed, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    namespace.plane.apply(ran.stdout)

    (found,) = namespace.core.list_namespaced_config_map(
        namespace.name, label_selector="autoscaler/policies=true"
    ).items
    policies = {key: checked(yaml.safe_load(text)) for key, text in found.data.items()}
    assert sorted(policies) == ["cart.yaml", "checkout.yaml"]
    assert all(mistakes == [] for _, mistakes in policies.values())
    policy, _ = policies["checkout.yaml"]
    assert policy is not None
    assert (policy.min_replicas, policy.max_replicas) == (1, 40)  # the first by the API server
    assert [metric.target and metric.target.amount for metric in policy.metrics] == [70.0]
