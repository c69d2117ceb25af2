"""How many replicas does one per-pod metric ask for: HPA's own arithmetic, step by step.

Amounts are integer milli-units, as in HPA, because its floors and ceilings depend on it.
Missing data may only make a step smaller, never more drastic.

References
----------
Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from autoscaler.decide.pod_classes import (
    HPA_TIMING,
    MeasuredPod,
    PodClasses,
    SampleTiming,
    classified,
)
from autoscaler.decide.usage_ratio import HPA_TOLERANCES, Tolerances
from autoscaler.errors import MetricUnavailableError
from autoscaler.policy.metric import TargetType


class MetricErrorKind(StrEnum):
    """Why a metric has no answer."""

    NO_PODS = "no_pods"
    NO_SAMPLES = "no_samples"
    CONTAINER_MISSING = "container_missing"
    MISSING_REQUEST = "missing_request"
    NO_MATCHING_PODS = "no_matching_pods"


class ReplicaCalculationError(MetricUnavailableError):
    """A metric gives no replica count; the workload keeps what it has."""

    def __init__(self, kind: MetricErrorKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class HpaProposal:
    """What HPA would answer for one metric, and the figures it would report with it.

    `utilization` is percent, `value_milli` the mean per counted pod (for a `Value` target the
    total); both before any filling-in.
    """

    replicas: int
    usage_ratio: float
    utilization: int | None = None
    value_milli: int | None = None


@dataclass(frozen=True, slots=True)
class PodMetric:
    """What a per-pod metric should be: percent of the request, or milli-units per pod.

    `cpu` turns on the rule for pods that burn CPU while they boot.
    """

    target_type: TargetType
    target: int
    cpu: bool = False
    tolerances: Tolerances = HPA_TOLERANCES
    timing: SampleTiming = HPA_TIMING

    @property
    def by_request(self) -> bool:
        """Whether usage is reckoned as a share of what pods request."""
        return self.target_type is TargetType.UTILIZATION


@dataclass(frozen=True, slots=True)
class _Counted:
    """Samples that enter a ratio: usage by pod name, strangers' samples, requests by pod name."""

    usage: dict[str, int]
    strangers: tuple[int, ...]
    requests: dict[str, int]

    @property
    def n_samples(self) -> int:
        return len(self.usage) + len(self.strangers)

    def with_usage(self, filled_in: dict[str, int]) -> "_Counted":
        return _Counted({**self.usage, **filled_in}, self.strangers, self.requests)


def replicas_for_pod_metric(
    pods: Sequence[MeasuredPod],
    *,
    current_replicas: int,
    metric: PodMetric,
    samples_for_unknown_pods: Sequence[int] = (),
) -> HpaProposal:
    """Return HPA's answer for a Resource, ContainerResource or Pods metric.

    Parameters
    ----------
    pods
        Every pod of the workload, with its sample and request in the metric's scope.
    samples_for_unknown_pods
        Milli-units the source returned for pods that are not in `pods`.

    Raises
    ------
    ReplicaCalculationError
        The metric has no answer; the kind says why.
    """
    _refuse_unusable(pods, samples_for_unknown_pods, by_request=metric.by_request)
    classes = classified(pods, cpu=metric.cpu, timing=metric.timing)
    counted = _counted(classes, pods, samples_for_unknown_pods)
    if counted.n_samples == 0:
        raise ReplicaCalculationError(MetricErrorKind.NO_SAMPLES, "no counted pod has a sample")
    first = _proposal(counted, metric)
    ratio = first.usage_ratio
    if not classes.missing and not (classes.unready and ratio > 1.0):
        replicas = (
            current_replicas
            if metric.tolerances.hold(ratio)
            else math.ceil(ratio * len(classes.ready))
        )
    else:
        filled = counted.with_usage(_filled_in(classes, ratio, metric))
        replicas = _cautious_replicas(ratio, filled, metric, current_replicas)
    return HpaProposal(replicas, ratio, first.utilization, first.value_milli)


def _refuse_unusable(
    pods: Sequence[MeasuredPod], strangers: Sequence[int], *, by_request: bool
) -> None:
    """Raise what HPA raises before it looks at any class of pods, in its order."""
    if not strangers and not any(pod.has_sample for pod in pods):
        raise ReplicaCalculationError(MetricErrorKind.NO_SAMPLES, "the source returned nothing")
    for pod in pods:
        if pod.has_sample and pod.usage_milli is None:
            raise ReplicaCalculationError(
                MetricErrorKind.CONTAINER_MISSING, f"pod {pod.name} has no such container"
            )
    if not pods:
        raise ReplicaCalculationError(MetricErrorKind.NO_PODS, "the workload has no pods")
    for pod in pods:
        if by_request and pod.request_milli is None:
            raise ReplicaCalculationError(
                MetricErrorKind.MISSING_REQUEST, f"pod {pod.name} declares no request"
            )


def _counted(
    classes: PodClasses, pods: Sequence[MeasuredPod], strangers: Sequence[int]
) -> _Counted:
    """Keep the samples of ready pods and of strangers; ignored and unready ones are dropped."""
    return _Counted(
        {pod.name: pod.usage_milli or 0 for pod in classes.ready},
        tuple(strangers),
        {pod.name: pod.request_milli for pod in pods if pod.request_milli is not None},
    )


def _proposal(counted: _Counted, metric: PodMetric) -> HpaProposal:
    """Return the ratio and the figures reported with it; `replicas` is not decided here."""
    if metric.by_request:
        usage = sum(counted.usage.values())
        request = sum(counted.requests[name] for name in counted.usage)
        if request == 0:
            raise ReplicaCalculationError(
                MetricErrorKind.NO_MATCHING_PODS, "the requests of the sampled pods add up to 0"
            )
        percent = 100 * usage // request
        return HpaProposal(0, percent / metric.target, percent, usage // len(counted.usage))
    mean = (sum(counted.usage.values()) + sum(counted.strangers)) // counted.n_samples
    return HpaProposal(0, mean / metric.target, None, mean)


def _filled_in(classes: PodClasses, ratio: float, metric: PodMetric) -> dict[str, int]:
    """Return what missing and unready pods are reckoned with: always against the direction."""
    filled: dict[str, int] = {}
    if ratio < 1.0:
        filled |= {pod.name: _full_usage(pod, metric) for pod in classes.missing}
    elif ratio > 1.0:
        filled |= {pod.name: 0 for pod in (*classes.missing, *classes.unready)}
    return filled


def _full_usage(pod: MeasuredPod, metric: PodMetric) -> int:
    if metric.by_request:
        return (pod.request_milli or 0) * max(100, metric.target) // 100
    return metric.target


def _cautious_replicas(
    first_ratio: float,
    filled: _Counted,
    metric: PodMetric,
    current_replicas: int,
) -> int:
    """Return the count after filling in: it holds when the direction flips or the step reverses."""
    ratio = _proposal(filled, metric).usage_ratio
    flipped = (first_ratio < 1.0 < ratio) or (ratio < 1.0 < first_ratio)
    if metric.tolerances.hold(ratio) or flipped:
        return current_replicas
    replicas = math.ceil(ratio * filled.n_samples)
    against = (ratio < 1.0 and replicas > current_replicas) or (
        ratio > 1.0 and replicas < current_replicas
    )
    return current_replicas if against else replicas
