"""What the doctor finds about a policy as a whole: its target, and what would be learned of it.

Without a cluster to look at, only what Prometheus knows is said.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from autoscaler.capacities import CapacityPast, capacity_from_past, places_to_learn_from
from autoscaler.decide.capacity import requested_per_pod
from autoscaler.decide.facts import Capacity, WorkloadFacts
from autoscaler.decide.lead_time import DEFAULT_LEAD_TIME, FEWEST_PODS, lead_time_of
from autoscaler.decide.standstill import rival_of
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.doctor import Diagnosis, Doctor
from autoscaler.metrics.findings import Finding, Level
from autoscaler.policy.metric import TargetType
from autoscaler.policy.quantity import duration_text, load_text
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.policy.warnings import FARTHEST_FORECAST, warnings_of
from autoscaler.roster import Governed

_GIVE = "give requestRate.target.averageValue, the requests/s one pod may carry"


def without_cluster(
    governed: Governed, diagnoses: Sequence[Diagnosis], doctor: Doctor, *, now: datetime
) -> list[Finding]:
    """Return what one pod would carry, by what Prometheus alone knows."""
    target = governed.target
    requests = doctor.cpu_requests(target, now=now) if _is_learned(governed) else {}
    workload = WorkloadFacts(target, 0, 0, 0, "", now, requests=requests)
    return [*_fields(governed), *_capacity(governed, diagnoses, workload, doctor, now=now)]


def in_cluster(
    governed: Governed,
    diagnoses: Sequence[Diagnosis],
    workload: WorkloadFacts | None,
    doctor: Doctor,
    *,
    now: datetime,
) -> list[Finding]:
    """Return what is to be said beside the signals, the target first."""
    if workload is None:
        says = f"there is no {governed.target.kind} {governed.target}"
        fix = "correct scaleTargetRef, or create the workload"
        return [Finding(Level.ERROR, "target", says, fix)]
    return [
        *_fields(governed),
        *_rival(governed, workload),
        *_requests(governed, workload),
        *_capacity(governed, diagnoses, workload, doctor, now=now),
        _lead_time(governed, workload),
        *_routability(workload),
    ]


def _fields(governed: Governed) -> Iterator[Finding]:
    """Yield each field that cannot hold as it is written."""
    for says in warnings_of(governed.policy):
        field, _, _ = says.partition(":")
        yield Finding(Level.WARNING, "policy", says, f"correct {field}")


def _is_learned(governed: Governed) -> bool:
    return None not in places_to_learn_from(governed.policy)


def _rival(governed: Governed, workload: WorkloadFacts) -> Iterator[Finding]:
    if rival := rival_of(workload, governed.policy):
        fix = "delete one of them, or keep an HPA that is not KEDA's and set actuator: hpa"
        yield Finding(Level.ERROR, "target", f"{rival} scales it, too", fix)


def _requests(governed: Governed, workload: WorkloadFacts) -> Iterator[Finding]:
    """Yield each metric that is a share of a request nobody made."""
    for label, metric in zip(governed.labels, governed.policy.metrics, strict=True):
        target = metric.target
        share = target is not None and target.type is TargetType.UTILIZATION
        if share and not requested_per_pod(metric, workload):
            declared = sorted({c or "the pod" for c, _ in workload.requests}) or ["nobody"]
            says = f"{label}: no request to take a share of; requests are made by {declared}"
            fix = "correct the container's name, or give it a request in the pod template"
            yield Finding(Level.ERROR, "requests", says, fix)


def _capacity(
    governed: Governed,
    diagnoses: Sequence[Diagnosis],
    workload: WorkloadFacts,
    doctor: Doctor,
    *,
    now: datetime,
) -> Iterator[Finding]:
    """Yield what one pod carries by the recorded past, where that is to be learned."""
    rate, cpu = places_to_learn_from(governed.policy)
    if rate is None:
        return
    if cpu is None:
        says = "what one pod carries is neither given nor can it be learned: no CPU metric"
        fix = f"{_GIVE}, or add a ContainerResource metric"
        yield Finding(Level.ERROR, "capacity", says, fix)
    elif not requested_per_pod(governed.policy.metrics[cpu], workload):
        says = "not learned: nobody says what CPU a pod requests"
        yield Finding(Level.WARNING, "capacity", says, f"look with --kubeconfig, or {_GIVE}")
    else:
        yield _learned(governed.policy, workload, diagnoses[rate], diagnoses[cpu], doctor, now=now)


def _learned(
    policy: WorkloadPolicy,
    workload: WorkloadFacts,
    rate: Diagnosis,
    cpu: Diagnosis,
    doctor: Doctor,
    *,
    now: datetime,
) -> Finding:
    """Return what the past of load, CPU and pods teaches together."""
    load, cores = rate.past, cpu.past
    if not (load.size and cores.size):
        says = "not learned: load or CPU is not known"
        return Finding(Level.WARNING, "capacity", says, "mend the signals below first")
    try:
        pods = doctor.pods_of_the_past(cpu.series.target, now=now)
    except MetricUnavailableError as error:
        return Finding(Level.WARNING, "capacity", f"not learned: {error}", _GIVE)
    past = CapacityPast(load, cores, pods, warm_up=1)
    n_samples = int(past.teaches.sum())
    learned = capacity_from_past(policy, workload, past)
    if learned is None:
        says = f"not learned yet: {n_samples} samples have load, CPU and pods together"
        return Finding(Level.WARNING, "capacity", says, f"wait half an hour, or {_GIVE}")
    return Finding(Level.OK, "capacity", f"{_carried(learned)}, learned from {n_samples} samples")


def _carried(capacity: Capacity) -> str:
    bounds = " (at least: load hardly varied)"
    if capacity.low is not None and capacity.high is not None:
        bounds = f" ({load_text(capacity.low)} to {load_text(capacity.high)})"
    return f"{load_text(capacity.per_pod)} requests/s per pod{bounds}"


def _lead_time(governed: Governed, workload: WorkloadFacts) -> Finding:
    configured = governed.policy.forecast.lead_time
    known = lead_time_of(workload, configured=configured)
    lead, n_timed = duration_text(known), len(workload.lead_times)
    if configured is not None:
        says = f"{lead}, as the policy says"
        if known != configured:
            says = f"{lead}, the least there is; the policy says {duration_text(configured)}"
        return Finding(Level.OK, "lead time", says)
    routability = workload.routability
    late = "" if routability is None or not routability.delay else ", and Consul's delay"
    if known == FARTHEST_FORECAST:
        says = f"{lead}, as far as a forecast looks ahead; pods took longer to start{late}"
        return Finding(Level.OK, "lead time", says)
    if n_timed < FEWEST_PODS:
        longest = max(workload.lead_times, default=DEFAULT_LEAD_TIME)
        whose = "the longest" if longest > DEFAULT_LEAD_TIME else "the default"
        says = f"{lead}, {whose} until {FEWEST_PODS} starts were seen ({n_timed} so far){late}"
        return Finding(Level.OK, "lead time", says)
    return Finding(Level.OK, "lead time", f"{lead}, P90 of {n_timed} starts{late}")


def _routability(workload: WorkloadFacts) -> Iterator[Finding]:
    """Yield what Consul says of the pods, where the policy names a service."""
    seen = workload.routability
    if seen is None:
        return
    if seen.passing is None:
        fix = "check --consul-url, and that the token may read the service and its nodes"
        yield Finding(Level.WARNING, "consul", seen.detail, fix)
    elif seen.detail:
        fix = "look at the service's checks, and at how the pods are registered"
        yield Finding(Level.WARNING, "consul", seen.detail, fix)
    else:
        yield Finding(Level.OK, "consul", f"{seen.passing} pass")
