"""Series of loads as policies would make them, and facts about their workloads."""

from datetime import UTC, datetime, timedelta
from typing import Any

from autoscaler.decide.facts import PodFacts, TargetRef, WorkloadFacts
from autoscaler.policy.metric import MetricSpec
from autoscaler.ports import LoadSeries

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
TARGET = TargetRef("shop", "checkout")


def request_rate(*, target: TargetRef = TARGET, **section: Any) -> LoadSeries:
    """Return the series of a RequestRate metric: `source=`, or `query=`, and `labels=`."""
    return LoadSeries(
        target, MetricSpec.model_validate({"type": "RequestRate", "requestRate": section})
    )


def cpu(
    *, target: TargetRef = TARGET, container: str | None = "app", resource: str = "cpu"
) -> LoadSeries:
    """Return the series of CPU (or memory) of one container, or of all."""
    goal = {"averageUtilization": 70}
    if container is None:
        spec = {"type": "Resource", "resource": {"name": resource, "target": goal}}
    else:
        section = {"name": resource, "container": container, "target": goal}
        spec = {"type": "ContainerResource", "containerResource": section}
    return LoadSeries(target, MetricSpec.model_validate(spec))


def workload(*pods: str, target: TargetRef = TARGET, age: timedelta = timedelta(hours=1)):
    """Return a workload of ready pods of the given age, as a mapping by target."""
    facts = WorkloadFacts(
        target=target,
        spec_replicas=len(pods),
        status_replicas=len(pods),
        ready_replicas=len(pods),
        resource_version="1",
        seen_at=NOW,
        pods=tuple(PodFacts(name, created_at=NOW - age) for name in pods),
    )
    return {target: facts}
