"""What one pod carries, policy by policy: as declared, else as learned from what load costs in CPU.

The rules are pure functions in `decide/`; this module keeps the regression of each workload, and
adds one minute to it at a time.
A capacity is learned only where the same policy has a CPU metric beside the request rate: the
container's request says how much CPU a pod has, the samples say how much of it the load costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from autoscaler.decide.capacity import declared_capacity, limit_per_pod, requested_per_pod
from autoscaler.decide.facts import Capacity, Sample, TargetRef, WorkloadFacts
from autoscaler.decide.learned_capacity import (
    DEFAULT_UTILIZATION,
    CapacityFit,
    for_template,
    learned_capacity,
    warmed_up,
    with_minute,
)
from autoscaler.decide.measured import known_load
from autoscaler.policy.metric import MetricSpec, MetricType, TargetType
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.ports import FloatArray
from autoscaler.roster import Governed

# The regression forgets per sample at one a minute.
_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, eq=False)
class CapacityPast:
    """Totals of load, CPU cores and pods at the same moments, oldest first, NaN where unknown."""

    load: FloatArray
    cores: FloatArray
    pods: FloatArray
    warm_up: int
    """Pods are taken for warm once their number has been the same for so many steps."""

    @property
    def teaches(self) -> NDArray[np.bool_]:
        """At which moments everything is known of warm pods."""
        warm = self.pods > 0
        for steps in range(1, self.warm_up + 1):
            before = np.concatenate([np.full(steps, np.nan), self.pods[:-steps]])
            warm &= self.pods == before
        known = np.isfinite(self.load) & np.isfinite(self.cores) & (self.load > 0)
        return np.asarray(warm & known)

    def fit(self, template_hash: str = "", *, limit_cores: float | None = None) -> CapacityFit:
        """Return the regression over these moments; pods at their CPU limit teach it nothing."""
        fit, known = CapacityFit(template_hash), self.teaches
        each = zip(
            (self.load[known] / self.pods[known]).tolist(),
            (self.cores[known] / self.pods[known]).tolist(),
            strict=True,
        )
        for load_per_pod, cores_per_pod in each:
            fit = with_minute(
                fit,
                load_per_pod=load_per_pod,
                cores_per_pod=cores_per_pod,
                limit_cores=limit_cores,
            )
        return fit


class Capacities:
    """One fit per workload whose policy leaves a capacity to be learned."""

    def __init__(self) -> None:
        self._fits: dict[TargetRef, CapacityFit] = {}
        self._learned_at: dict[TargetRef, datetime] = {}

    def of(self, governed: Governed, workload: WorkloadFacts) -> tuple[Capacity | None, ...]:
        """Return the capacity for each metric of the policy; None = not known (yet)."""
        return tuple(
            self._learned(governed, workload)
            if to_be_learned(metric)
            else declared_capacity(metric, workload)
            for metric in governed.policy.metrics
        )

    def learn(
        self,
        governed: Governed,
        samples: Sequence[Sample],
        workload: WorkloadFacts,
        *,
        now: datetime,
    ) -> None:
        """Add a minute to the regression, unless samples are doubted, or pods cold or throttled."""
        if len(governed.policy.metrics) == 1:
            return  # nothing beside it to learn from
        rate, cpu = places_to_learn_from(governed.policy)
        if rate is None or cpu is None or not self._due(governed.target, now):
            return
        if not (samples[rate].trusted and samples[cpu].trusted and warmed_up(workload, now=now)):
            return
        load, cores = (known_load(samples[place], now=now) for place in (rate, cpu))
        if load is None or cores is None:
            return
        fit = self._fit(governed, workload)
        pods = workload.ready_replicas
        self._fits[governed.target] = with_minute(
            fit,
            load_per_pod=load / pods,
            cores_per_pod=cores / pods,
            limit_cores=limit_per_pod(governed.policy.metrics[cpu], workload),
        )
        self._learned_at[governed.target] = now

    def fit_of(self, target: TargetRef) -> CapacityFit | None:
        """Return what was learned of one workload; None = nothing."""
        return self._fits.get(target)

    def recall(self, fits: Mapping[TargetRef, CapacityFit]) -> None:
        """Take up what another process learned, which would take half an hour to learn again."""
        self._fits.update(fits)

    def retain(self, targets: set[TargetRef]) -> None:
        """Forget every workload that is not among `targets`."""
        for target in self._fits.keys() - targets:
            del self._fits[target]
            self._learned_at.pop(target, None)

    def _due(self, target: TargetRef, now: datetime) -> bool:
        before = self._learned_at.get(target)
        return before is None or abs(now - before) >= _EVERY  # a clock may be set back

    def _fit(self, governed: Governed, workload: WorkloadFacts) -> CapacityFit:
        """Return the fit of the template that runs; a new one inherits what was known."""
        fit, learned_of = self._fits.get(governed.target), _learned_of(governed)
        if fit is None or fit.learned_of != learned_of:
            return CapacityFit(workload.template_hash, learned_of=learned_of)
        if fit.template_hash == workload.template_hash:
            return fit
        known = _from(fit, governed.policy, workload)
        return for_template(fit, workload.template_hash, known=known)

    def _learned(self, governed: Governed, workload: WorkloadFacts) -> Capacity | None:
        fit = self._fits.get(governed.target)
        if fit is None or fit.learned_of != _learned_of(governed):
            return None
        return _from(fit, governed.policy, workload)


def capacity_from_past(
    policy: WorkloadPolicy, workload: WorkloadFacts, past: CapacityPast
) -> Capacity | None:
    """Return what a policy would have learned from a past; None = nothing yet."""
    _, cpu = places_to_learn_from(policy)
    limit = None if cpu is None else limit_per_pod(policy.metrics[cpu], workload)
    return _from(past.fit(workload.template_hash, limit_cores=limit), policy, workload)


def _from(fit: CapacityFit, policy: WorkloadPolicy, workload: WorkloadFacts) -> Capacity | None:
    """Return what the fit says at the CPU target of the policy."""
    _, place = places_to_learn_from(policy)
    if place is None:
        return None
    metric = policy.metrics[place]
    request = requested_per_pod(metric, workload)
    if not request:
        return None
    target, utilization = metric.target, DEFAULT_UTILIZATION
    if target is not None and target.type is TargetType.UTILIZATION:
        utilization = target.amount / 100
    return learned_capacity(fit, request_cores=request, utilization=utilization)


def _learned_of(governed: Governed) -> str:
    """Return which load and CPU metric a fit relates; it is void once a policy changes one."""
    places = places_to_learn_from(governed.policy)
    return " ".join(governed.series_keys[place] for place in places if place is not None)


def to_be_learned(metric: MetricSpec) -> bool:
    """Whether the policy leaves it open what one pod carries of this load."""
    return metric.type is MetricType.REQUEST_RATE and metric.target is None


def places_to_learn_from(policy: WorkloadPolicy) -> tuple[int | None, int | None]:
    """Return where the rate to be learned and the CPU metric to learn from stand in the policy."""
    rate = cpu = None
    for place, metric in enumerate(policy.metrics):
        resource = metric.container_resource or metric.resource
        if to_be_learned(metric) and rate is None:
            rate = place
        elif resource is not None and resource.name == "cpu" and cpu is None:
            cpu = place
    return rate, cpu
