"""Which pods count when a per-pod metric is averaged: HPA's four classes.

A booting pod burns CPU that says nothing about load, and a pod without a sample says nothing at
all; HPA leaves the first out and fills the second in with whatever makes the step smaller.

References
----------
Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

from collections.abc import Sequence
from dataclasses import dataclass

from autoscaler.decide.facts import PodPhase

# kube-controller-manager defaults: `--horizontal-pod-autoscaler-cpu-initialization-period` and
# `--horizontal-pod-autoscaler-initial-readiness-delay`.
CPU_INITIALIZATION_PERIOD_SECONDS = 300.0
INITIAL_READINESS_DELAY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class MeasuredPod:
    """One pod and its sample, in milli-units; ages are seconds before now, None = never.

    `has_sample` with `usage_milli` None means that the named container is absent from the sample.
    """

    name: str
    phase: PodPhase = PodPhase.RUNNING
    ready: bool = True
    deleted: bool = False
    start_age_seconds: float | None = None
    ready_transition_age_seconds: float | None = None
    request_milli: int | None = None
    usage_milli: int | None = None
    has_sample: bool = True


@dataclass(frozen=True, slots=True)
class SampleTiming:
    """How old samples are, over how long they were averaged, and HPA's two grace periods."""

    metric_age_seconds: float = 0.0
    metric_window_seconds: float = 60.0
    cpu_initialization_period_seconds: float = CPU_INITIALIZATION_PERIOD_SECONDS
    initial_readiness_delay_seconds: float = INITIAL_READINESS_DELAY_SECONDS


HPA_TIMING = SampleTiming()


@dataclass(frozen=True, slots=True)
class PodClasses:
    """The pods that count, those that are filled in; ignored pods are in neither."""

    ready: tuple[MeasuredPod, ...]
    unready: tuple[MeasuredPod, ...]
    missing: tuple[MeasuredPod, ...]


def classified(pods: Sequence[MeasuredPod], *, cpu: bool, timing: SampleTiming) -> PodClasses:
    """Sort pods into the first class that fits; only CPU suffers from boot-time usage."""
    ready: list[MeasuredPod] = []
    unready: list[MeasuredPod] = []
    missing: list[MeasuredPod] = []
    for pod in pods:
        if pod.deleted or pod.phase is PodPhase.FAILED:
            continue
        if pod.phase is PodPhase.PENDING:
            unready.append(pod)
        elif not pod.has_sample:
            missing.append(pod)
        elif cpu and booting(pod, timing):
            unready.append(pod)
        else:
            ready.append(pod)
    return PodClasses(tuple(ready), tuple(unready), tuple(missing))


def booting(pod: MeasuredPod, timing: SampleTiming) -> bool:
    """Whether a pod's CPU is still that of its start rather than that of its load."""
    start_age, transition_age = pod.start_age_seconds, pod.ready_transition_age_seconds
    if start_age is None or transition_age is None:
        return True
    if start_age < timing.cpu_initialization_period_seconds:
        measured_since_the_flip = transition_age - timing.metric_age_seconds
        return not pod.ready or measured_since_the_flip < timing.metric_window_seconds
    never_ready = start_age - transition_age < timing.initial_readiness_delay_seconds
    return not pod.ready and never_ready
