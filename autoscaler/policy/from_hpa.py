"""What an HPA says, as a policy.

The `spec` of an `autoscaling/v2` HPA is one already, word for word; an `autoscaling/v1` HPA has one
CPU target under another name.
"""

from collections.abc import Iterator
from typing import Any

from autoscaler.errors import PolicyError
from autoscaler.policy.complaints import shown
from autoscaler.policy.converted import Converted, Fields, mapping

# What the API server fills in where an HPA names no metric.
_DEFAULT_CPU_UTILIZATION = 80
_OF_A_POLICY = ("scaleTargetRef", "minReplicas", "maxReplicas", "metrics", "behavior")
_VERSIONS_OF_THE_SPEC = ("autoscaling/v2", "autoscaling/v2beta2")
_CONTROLLER = "ScaledObject"
# Where `autoscaling/v1` hides what only `autoscaling/v2` has fields for.
_HIDDEN = (
    "autoscaling.alpha.kubernetes.io/metrics",
    "autoscaling.alpha.kubernetes.io/behavior",
)
_FROM_AN_ADAPTER = {"Pods": "pods", "Object": "object", "External": "external"}


def policy_of_hpa(manifest: Fields) -> Converted:
    """Return the policy of an HPA.

    Raises
    ------
    PolicyError
        Where KEDA wrote it, whose own object says more, or its API version hides some of it.
    """
    owner = keda_object(manifest)
    if owner is not None:
        raise PolicyError(f"KEDA wrote it for ScaledObject {owner}; convert that one")
    spec = mapping(manifest, "spec")
    version = str(manifest.get("apiVersion", ""))
    if version == "autoscaling/v1":
        _refuse_hidden(manifest)
        utilization = spec.get("targetCPUUtilizationPercentage")
        metrics: list[Any] = [cpu_utilization(utilization or _DEFAULT_CPU_UTILIZATION)]
    elif version in _VERSIONS_OF_THE_SPEC:
        metrics = spec.get("metrics") or [cpu_utilization(_DEFAULT_CPU_UTILIZATION)]
    else:
        raise PolicyError(f"apiVersion: {shown(version)} must be autoscaling/v2, v2beta2 or v1")
    said = {**spec, "metrics": metrics}
    fields = {name: said[name] for name in _OF_A_POLICY if said.get(name) is not None}
    return Converted(fields, tuple(_renamed(metrics)))


def _refuse_hidden(manifest: Fields) -> None:
    annotations = mapping(mapping(manifest, "metadata"), "annotations")
    hidden = next((name for name in _HIDDEN if name in annotations), None)
    if hidden is not None:
        raise PolicyError(f"{hidden}: read it as autoscaling/v2, which has fields for that")


def _renamed(metrics: Any) -> Iterator[str]:
    """Yield a note for each metric that an adapter named."""
    for metric in metrics if isinstance(metrics, list) else ():
        section = (
            _FROM_AN_ADAPTER.get(str(metric.get("type"))) if isinstance(metric, dict) else None
        )
        if section is not None:
            name = mapping(mapping(metric, section), "metric").get("name")
            yield (
                f"{name} is the name that the HPA's adapter gave it: ask `autoscaler doctor` "
                "whether Prometheus has it, else write its PromQL as query"
            )


def cpu_utilization(percent: Any) -> Fields:
    """Return the metric of an HPA that names a share of the CPU requests and nothing else."""
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def keda_object(manifest: Fields) -> str | None:
    """Return the name of the ScaledObject that an HPA belongs to, if it belongs to one."""
    owners = mapping(manifest, "metadata").get("ownerReferences")
    kept = (o for o in owners if isinstance(o, dict)) if isinstance(owners, list) else ()
    return next((str(o.get("name")) for o in kept if o.get("kind") == _CONTROLLER), None)
