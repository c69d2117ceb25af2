"""How many pods a workload had, and what they request: PromQL over cAdvisor and kube-state-metrics.

For those who look back without a cluster; pods that are gone are known by their names alone.
"""

from autoscaler.decide.facts import TargetRef
from autoscaler.metrics.ownership import owner_pattern
from autoscaler.metrics.promql import Matcher, escaped_regex, selector
from autoscaler.policy.metric import MetricSpec


def pods_of(target: TargetRef) -> tuple[Matcher, ...]:
    """Return what selects the pods of a workload and not those of a longer name."""
    name = owner_pattern(target.kind).replace("(.+)", escaped_regex(target.name))
    return (Matcher("namespace", "=", target.namespace), Matcher("pod", "=~", name))


def pods_metric(target: TargetRef) -> MetricSpec:
    """Return the query for how many pods had a container running."""
    matchers = (*pods_of(target), Matcher("container", "!=", ""))
    used = selector("container_cpu_usage_seconds_total", matchers)
    return query_metric(f"count(count by (pod) ({used}))")


def cores_requested(target: TargetRef, *, container: str | None = None) -> str:
    """Return the selector of the cores that the containers of the pods request, or one of them."""
    which = () if container is None else (Matcher("container", "=", container),)
    matchers = (*pods_of(target), *which, Matcher("resource", "=", "cpu"))
    return selector("kube_pod_container_resource_requests", matchers)


def query_metric(promql: str) -> MetricSpec:
    """Return a metric that is read by a query."""
    return MetricSpec.model_validate({"type": "RequestRate", "requestRate": {"query": promql}})
