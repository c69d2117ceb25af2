"""What HPA would see of this workload's pods: our facts in the shape of its per-pod rules.

Only CPU needs it: a booting pod burns CPU that nobody asked for, and a total cannot tell.
"""

import math
from collections.abc import Mapping
from datetime import datetime

from autoscaler.decide.capacity import amount_of
from autoscaler.decide.facts import PodFacts, Sample, WorkloadFacts
from autoscaler.decide.pod_classes import (
    CPU_INITIALIZATION_PERIOD_SECONDS,
    MeasuredPod,
    SampleTiming,
    booting,
)
from autoscaler.decide.replica_calculator import (
    HpaProposal,
    PodMetric,
    replicas_for_pod_metric,
)
from autoscaler.decide.usage_ratio import Tolerances
from autoscaler.policy.metric import MetricSpec, MetricType, TargetType

_MILLI = 1000
# 0.029 cores are 29m, whatever binary fractions make of it.
_ROUNDING = 1e-6
# What HPA reads pod by pod.
PER_POD = frozenset({MetricType.RESOURCE, MetricType.CONTAINER_RESOURCE, MetricType.PODS})


def hpa_proposal(
    sample: Sample,
    metric: MetricSpec,
    *,
    workload: WorkloadFacts,
    tolerances: Tolerances,
    now: datetime,
) -> HpaProposal | None:
    """Return HPA's answer from samples by pod; None = not a metric that HPA reads by pod.

    Raises
    ------
    ReplicaCalculationError
        HPA has no answer, and would leave the workload as it is.
    """
    target = metric.target
    by_pod, pods = sample.by_pod, workload.pods
    if by_pod is None or not pods or target is None or metric.type not in PER_POD:
        return None
    by_request = target.type is TargetType.UTILIZATION
    amount = round(target.amount * (1 if by_request else _MILLI)) or 1
    scope = scope_of(metric)
    timing = _timing(sample, now)
    return replicas_for_pod_metric(
        [_measured(pod, by_pod, scope, now) for pod in pods],
        current_replicas=workload.spec_replicas,
        metric=PodMetric(target.type, amount, scope[1] == "cpu", tolerances, timing),
    )


def load_without_booting(
    sample: Sample, load: float, metric: MetricSpec, *, workload: WorkloadFacts, now: datetime
) -> float | None:
    """Return the load without what booting pods burn; only CPU is corrected.

    None = every measured pod boots, which says nothing about the load: least of all that it is 0.
    """
    by_pod = sample.by_pod
    if by_pod is None or workload.pods is None or scope_of(metric)[1] != "cpu":
        return load
    timing = _timing(sample, now)
    boot = {
        pod.name: _usage(by_pod, pod) or 0.0 for pod in workload.pods if _boots(pod, timing, now)
    }
    if boot and boot.keys() >= by_pod.keys():
        return None
    return max(load - sum(boot.values()), 0.0)


def knows_every_ready_pod(workload: WorkloadFacts) -> bool:
    """Whether we know as many serving pods by name as the workload says are ready.

    The watch of pods may lag or break alone, and a sum over fewer pods is a lower bound.
    """
    if workload.pods is None:
        return True
    return sum(pod.serves for pod in workload.pods) >= workload.ready_replicas


def counts_every_ready_pod(
    sample: Sample, metric: MetricSpec, *, workload: WorkloadFacts, now: datetime
) -> bool:
    """Whether every serving pod's usage is counted; only then may the sum lower the number.

    HPA leaves out the CPU of a pod that became ready less than a minute ago, though that pod has
    its share of the load already.
    """
    by_pod = sample.by_pod or {}
    if workload.pods is None:
        return sum(0.0 <= usage < math.inf for usage in by_pod.values()) >= workload.ready_replicas
    timing = _timing(sample, now) if scope_of(metric)[1] == "cpu" else None
    return not any(
        _usage(by_pod, pod) is None or (timing and _boots(pod, timing, now))
        for pod in workload.pods
        if pod.serves
    )


def _boots(pod: PodFacts, timing: SampleTiming, now: datetime) -> bool:
    return _is_young(pod, now) and booting(_aged(pod, now), timing)


def _timing(sample: Sample, now: datetime) -> SampleTiming:
    """Return how old the sample is; a sample without a time is of now."""
    at = sample.sampled_at
    return SampleTiming(0.0 if at is None else max((now - at).total_seconds(), 0.0))


def scope_of(metric: MetricSpec) -> tuple[str | None, str]:
    """Return (container, resource) of a resource metric; ("", "") of any other."""
    if metric.container_resource is not None:
        return metric.container_resource.container, metric.container_resource.name
    if metric.resource is not None:
        return None, metric.resource.name
    return "", ""


def _is_young(pod: PodFacts, now: datetime) -> bool:
    started_at = pod.started_at or pod.created_at
    return not pod.ready or (now - started_at).total_seconds() < CPU_INITIALIZATION_PERIOD_SECONDS


def _usage(by_pod: Mapping[str, float], pod: PodFacts) -> float | None:
    """Return what a pod uses; None = it has no sample, or one that cannot be."""
    usage = by_pod.get(pod.name)
    return usage if usage is not None and 0.0 <= usage < math.inf else None


def _measured(
    pod: PodFacts, by_pod: Mapping[str, float], scope: tuple[str | None, str], now: datetime
) -> MeasuredPod:
    usage = _usage(by_pod, pod)
    return _aged(
        pod,
        now,
        request_milli=_request_milli(pod, scope),
        usage_milli=None if usage is None else _milli_units(usage),
    )


def _aged(
    pod: PodFacts,
    now: datetime,
    *,
    request_milli: int | None = None,
    usage_milli: int | None = None,
) -> MeasuredPod:
    return MeasuredPod(
        pod.name,
        pod.phase,
        pod.ready,
        pod.deleted,
        _age_seconds(pod.started_at, now),
        _age_seconds(pod.ready_transition_at, now),
        request_milli,
        usage_milli,
        has_sample=usage_milli is not None,
    )


def _age_seconds(at: datetime | None, now: datetime) -> float | None:
    return None if at is None else (now - at).total_seconds()


def _request_milli(pod: PodFacts, scope: tuple[str | None, str]) -> int | None:
    amount = amount_of(pod.requests, *scope)
    return None if amount is None else _milli_units(amount)


def _milli_units(amount: float) -> int:
    """Return an amount in whole milli-units, rounded up as Kubernetes does.

    A pod that requests 10m and uses 4.4m uses half of it for HPA, not two fifths.
    """
    return math.ceil(amount * _MILLI - _ROUNDING)
