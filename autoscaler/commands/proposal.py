"""What Prometheus tells about a workload that has no policy yet: its load, and what a pod carries.

The first named source with a past is taken, request rates before CPU; what one pod carries is
learned from what load costs in CPU, by the rule the daemon learns with.
Nothing is guessed: where a number cannot be known it is asked for by its flag.
"""

import argparse
from dataclasses import dataclass
from typing import Any

import numpy as np

from autoscaler.capacities import CapacityPast
from autoscaler.commands.prometheus import prometheus_settings
from autoscaler.commands.recorded import Recorded, recorded
from autoscaler.decide.facts import Capacity, TargetRef
from autoscaler.decide.learned_capacity import learned_capacity
from autoscaler.errors import TraceError
from autoscaler.metrics.sources import SOURCES
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.quantity import load_text, parsed_quantity
from autoscaler.ports import FloatArray
from autoscaler.replay.trace import Trace

# Enough to see whether a source knows the workload at all.
_LOOK_DAYS = 1.0
# A minute after the number of pods changed is warm-up, as for the daemon.
_WARM_UP_MINUTES = 2
# Of its request, where a CPU metric is proposed or a capacity is learned.
_UTILIZATION = 0.7
_NO_RATES = ("cpu", "memory")


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A load, the metric that reads it, the load one pod carries, and how that is known."""

    trace: Trace
    metric: dict[str, Any]
    capacity: float
    notes: tuple[str, ...]


def found_in_prometheus(arguments: argparse.Namespace) -> Found:
    """Return what Prometheus tells; raise with the flag that would help when it is not enough."""
    if not arguments.namespace:
        raise TraceError("give --namespace of the Deployment, or a recorded load by --trace")
    target = TargetRef(arguments.namespace, arguments.name)
    with recorded(prometheus_settings(arguments), target) as past:
        origin = _origin(arguments, past)
        return _by_cpu(arguments, past) if origin is None else _by_rate(arguments, past, origin)


def _origin(arguments: argparse.Namespace, past: Recorded) -> dict[str, str] | None:
    """Return the query or source of the request rate; None = only CPU is known."""
    if arguments.query:
        return {"query": arguments.query}
    if arguments.source == "cpu":
        return None
    if arguments.source:
        return {"source": arguments.source}
    for name in SOURCES:
        origin = {"source": name}
        if name not in _NO_RATES and past.found(_rate(origin), days=_LOOK_DAYS) > 0:
            return origin
    return None


def _rate(origin: dict[str, str], **more: Any) -> MetricSpec:
    return MetricSpec.model_validate({"type": "RequestRate", "requestRate": {**origin, **more}})


def _by_rate(arguments: argparse.Namespace, past: Recorded, origin: dict[str, str]) -> Found:
    trace = _known(past.load(_rate(origin), days=arguments.days), f"{origin}")
    capacity, note = _capacity(arguments, past, trace.load)
    amount = f"{capacity:.15g}"
    metric = {"type": "RequestRate", "requestRate": {**origin, "target": {"averageValue": amount}}}
    told = f"The load is read by {next(iter(origin))} {next(iter(origin.values()))}."
    return Found(trace, metric, capacity, (told, note))


def _known(trace: Trace, what: str) -> Trace:
    if not np.isfinite(trace.load).any():
        raise TraceError(
            f"{trace.name}: Prometheus has no past of its load by {what}; "
            "autoscaler doctor says why, autoscaler sources what else there is"
        )
    return trace


def _capacity(arguments: argparse.Namespace, past: Recorded, load: FloatArray) -> tuple[float, str]:
    """Return what one pod carries, and how that is known."""
    if arguments.capacity is not None:
        return arguments.capacity, "averageValue is as --capacity says."
    request = _request(arguments, past)
    cores = past.load(_cpu(arguments), days=arguments.days).load
    learned = learned_from(load, cores, past.pods(days=arguments.days), request_cores=request)
    if learned is None:
        raise TraceError(
            f"{past.target}: what one pod carries cannot be learned, there are not half an hour of "
            "minutes with load, CPU and pods known; give --capacity"
        )
    # More digits would claim to be known.
    return parsed_quantity(load_text(learned.per_pod)), _learned_note(learned, request)


def _learned_note(learned: Capacity, request: float) -> str:
    high = "" if learned.high is None else f", up to {load_text(learned.high)} would be within 90 %"
    return (
        f"averageValue was learned: at it a pod uses {_UTILIZATION:.0%} of the {request:.3g} cores "
        f"it requests{high}. A load test knows better."
    )


def learned_from(
    load: FloatArray, cores: FloatArray, pods: FloatArray, *, request_cores: float
) -> Capacity | None:
    """Return what one pod carries by the daemon's own rule, None when too little is known.

    Parameters
    ----------
    load, cores, pods
        Totals per minute, oldest first, NaN where unknown.
    """
    fit = CapacityPast(load, cores, pods, warm_up=_WARM_UP_MINUTES).fit()
    return learned_capacity(fit, request_cores=request_cores, utilization=_UTILIZATION)


def _request(arguments: argparse.Namespace, past: Recorded) -> float:
    if arguments.cpu_request is not None:
        return float(arguments.cpu_request)
    request = past.requested_cores(arguments.container)
    if not request:
        raise TraceError(
            f"{past.target}: what one pod carries is not known, for Prometheus has no "
            "kube_pod_container_resource_requests of it; give --cpu-request, or --capacity"
        )
    return request


def _cpu(arguments: argparse.Namespace) -> MetricSpec:
    """Return the metric that reads the CPU used; its target says nothing here."""
    return MetricSpec.model_validate(_cpu_metric(arguments, {"averageUtilization": 70}))


def _cpu_metric(arguments: argparse.Namespace, target: dict[str, Any]) -> dict[str, Any]:
    if arguments.container:
        section = {"name": "cpu", "container": arguments.container, "target": target}
        return {"type": "ContainerResource", "containerResource": section}
    return {"type": "Resource", "resource": {"name": "cpu", "target": target}}


def _by_cpu(arguments: argparse.Namespace, past: Recorded) -> Found:
    """Return the CPU used in total as the load: no source of request rates knows the workload."""
    trace = _known(past.load(_cpu(arguments), days=arguments.days), "any named source, nor CPU")
    cores = arguments.capacity or _UTILIZATION * _request(arguments, past)
    amount = f"{round(1000 * cores)}m"
    told = "The load is the CPU used in total: no named source knows its request rate."
    note = f"averageValue is the cores one pod may use, {_UTILIZATION:.0%} of its request."
    metric = _cpu_metric(arguments, {"averageValue": amount})
    return Found(trace, metric, round(1000 * cores) / 1000, (told, note))
