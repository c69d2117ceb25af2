"""What a KEDA ScaledObject says, as a policy.

Its triggers become metrics and floors:

| trigger | policy |
|---|---|
| `prometheus` | an `External` metric with the query |
| `cpu`, `memory` | a `Resource` metric, or `ContainerResource` where a container is named |
| `cron` | a floor of `schedule` |

Any other trigger asks a system that is not Prometheus.
Without it the policy would ask for too few replicas, so the object is refused as a whole.
"""

from collections.abc import Callable, Iterator
from typing import Any

from autoscaler.errors import PolicyError
from autoscaler.policy.complaints import shown
from autoscaler.policy.converted import Converted, Fields, mapping

# KEDA's own defaults.
_MIN_REPLICAS, _MAX_REPLICAS = 0, 100
_PAUSED = "autoscaling.keda.sh/paused"
_PAUSED_REPLICAS = "autoscaling.keda.sh/paused-replicas"


def policy_of_scaled_object(manifest: Fields) -> Converted:
    """Return the policy of a ScaledObject, and which of its fields are left out.

    Raises
    ------
    PolicyError
        Where a trigger, or the formula that joins them, cannot be said in PromQL for it.
    """
    spec = mapping(manifest, "spec")
    advanced = mapping(spec, "advanced")
    if advanced.get("scalingModifiers"):
        raise PolicyError("advanced.scalingModifiers: write the formula as a query in PromQL")
    triggers = spec.get("triggers")
    if not isinstance(triggers, list) or not triggers:
        raise PolicyError(f"triggers: {shown(triggers)} must be a list of triggers")
    fields = {
        "scaleTargetRef": _target(mapping(spec, "scaleTargetRef")),
        "minReplicas": _min_replicas(spec, triggers),
        "maxReplicas": spec.get("maxReplicaCount", _MAX_REPLICAS),
        "metrics": [],
    }
    for number, trigger in enumerate(triggers):
        _add(fields, trigger, f"triggers[{number}]")
    if not fields["metrics"]:
        raise PolicyError("triggers: cron alone measures nothing; a policy needs a metric")
    behavior = mapping(advanced, "horizontalPodAutoscalerConfig").get("behavior")
    if behavior:
        fields["behavior"] = behavior
    if _is_paused(manifest):
        fields["paused"] = True
    return Converted(fields, tuple(_left_out(manifest, spec, triggers)))


def _min_replicas(spec: Fields, triggers: list[Any]) -> Any:
    """Return the least count: 0 also for one that is said to be 1 at work and 0 when idle.

    By CPU or memory alone neither KEDA nor we would see when the first pod is needed again.
    """
    least = spec.get("minReplicaCount", _MIN_REPLICAS)
    if least == 1 and spec.get("idleReplicaCount") == 0:
        least = 0
    wakes = any(isinstance(each, dict) and each.get("type") == "prometheus" for each in triggers)
    return 1 if least == 0 and not wakes else least


def _target(reference: Fields) -> Fields:
    return {name: reference[name] for name in ("apiVersion", "kind", "name") if name in reference}


def _add(fields: Fields, trigger: Any, where: str) -> None:
    """Add what one trigger asks for."""
    if not isinstance(trigger, dict):
        raise PolicyError(f"{where}: {shown(trigger)} must be a mapping of fields")
    kind = trigger.get("type")
    if kind == "cron":
        fields.setdefault("schedule", []).append(_floor(trigger, where))
        return
    metric_of = _METRICS.get(str(kind))
    if metric_of is None:
        raise PolicyError(
            f"{where}.type: {shown(kind)} does not ask Prometheus; write an External metric "
            "with its PromQL"
        )
    fields["metrics"].append(metric_of(trigger, where))


def _of_prometheus(trigger: Fields, where: str) -> Fields:
    metadata = mapping(trigger, "metadata")
    value = "value" if trigger.get("metricType") == "Value" else "averageValue"
    external = {
        "metric": {"name": trigger.get("name") or where},
        "query": _given(metadata, "query", where),
        "target": {value: _given(metadata, "threshold", where)},
    }
    return {"type": "External", "external": external}


def _of_resource(trigger: Fields, where: str) -> Fields:
    metadata, name = mapping(trigger, "metadata"), trigger["type"]
    kind = trigger.get("metricType") or metadata.get("type") or "Utilization"
    field = {"Utilization": "averageUtilization", "AverageValue": "averageValue"}.get(str(kind))
    if field is None:
        raise PolicyError(f"{where}.metricType: {shown(kind)} must be Utilization or AverageValue")
    target, container = {field: _given(metadata, "value", where)}, metadata.get("containerName")
    if container:
        section = {"name": name, "container": container, "target": target}
        return {"type": "ContainerResource", "containerResource": section}
    return {"type": "Resource", "resource": {"name": name, "target": target}}


def _floor(trigger: Fields, where: str) -> Fields:
    metadata = mapping(trigger, "metadata")
    return {
        "name": trigger.get("name") or where,
        "timeZone": _given(metadata, "timezone", where),
        "start": _given(metadata, "start", where),
        "end": _given(metadata, "end", where),
        "minReplicas": _given(metadata, "desiredReplicas", where),
    }


def _given(metadata: Fields, name: str, where: str) -> Any:
    """Return a value, a whole number as one: KEDA's are all text."""
    value = metadata.get(name)
    if value is None:
        raise PolicyError(f"{where}.metadata.{name}: is required")
    return int(value) if isinstance(value, str) and value.isdecimal() else value


_METRICS: dict[str, Callable[[Fields, str], Fields]] = {
    "prometheus": _of_prometheus,
    "cpu": _of_resource,
    "memory": _of_resource,
}


def _is_paused(manifest: Fields) -> bool:
    annotations = mapping(mapping(manifest, "metadata"), "annotations")
    return annotations.get(_PAUSED, "false") != "false" or _PAUSED_REPLICAS in annotations


def _left_out(manifest: Fields, spec: Fields, triggers: list[Fields]) -> Iterator[str]:
    """Yield what changes for a workload whose ScaledObject says more than a policy can."""
    least = _min_replicas(spec, triggers)
    if least != 0 and spec.get("idleReplicaCount") is not None:
        yield "idleReplicaCount is left out: an idle workload keeps minReplicas"
    if spec.get("fallback"):
        yield "fallback is left out: without metrics the forecast steers for 4h, then replicas stay"
    if least == 0:
        yield "cooldownPeriod is left out: the last pod goes after ten idle minutes"
        if any(_takes_nothing_for_zero(trigger) for trigger in triggers):
            yield (
                "ignoreNullValues is left out: an empty answer is unknown and keeps the last pod; "
                "end the query with `or vector(0)` if nothing means zero"
            )
    if any(_has_activation(trigger) for trigger in triggers):
        yield "activationThreshold is left out: any load starts the first pod"
    servers = {str(mapping(t, "metadata").get("serverAddress", "")) for t in triggers} - {""}
    for server in sorted(servers):
        yield f"serverAddress {server} is left out: the daemon asks its own --prometheus-url"
    if any(trigger.get("authenticationRef") for trigger in triggers):
        yield "authenticationRef is left out: the daemon has its own --prometheus-token-file"
    annotations = mapping(mapping(manifest, "metadata"), "annotations")
    if _PAUSED_REPLICAS in annotations:
        fixed = annotations[_PAUSED_REPLICAS]
        yield f"annotate the workload with autoscaler/paused-replicas={fixed} to keep that count"


def _takes_nothing_for_zero(trigger: Fields) -> bool:
    metadata = mapping(trigger, "metadata")
    ignored = str(metadata.get("ignoreNullValues", "true")) != "false"
    return trigger.get("type") == "prometheus" and ignored and "vector(0)" not in str(metadata)


def _has_activation(trigger: Fields) -> bool:
    metadata = mapping(trigger, "metadata")
    return str(metadata.get("activationThreshold", metadata.get("activationValue", "0"))) != "0"
