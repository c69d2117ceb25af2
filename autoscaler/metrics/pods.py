"""Named sources: what pods and their containers report of themselves.

References
----------
cAdvisor's metrics in the kubelet; statsd_exporter documentation.
"""

from autoscaler.metrics.source import CPU_WINDOW, Counter, NamedSource

CPU = NamedSource(
    name="cpu",
    counts="CPU cores used, by container",
    counters=(
        Counter(
            "container_cpu_usage_seconds_total",
            identity=("namespace", "pod", "container"),
            matchers=(("container", "!=", ""), ("container", "!=", "POD")),
            unit=(),
            window=CPU_WINDOW,
            namespace_label="namespace",
            by_pod=True,
        ),
        Counter(  # kubelets before Kubernetes 1.16
            "container_cpu_usage_seconds_total",
            identity=("namespace", "pod_name", "container_name"),
            matchers=(
                ("container", "=", ""),
                ("container_name", "!=", ""),
                ("container_name", "!=", "POD"),
            ),
            unit=(),
            window=CPU_WINDOW,
            namespace_label="namespace",
            by_pod=True,
        ),
    ),
    per_pod=True,
)

MEMORY = NamedSource(
    name="memory",
    counts="bytes of memory in the working set, by container",
    counters=(
        Counter(
            "container_memory_working_set_bytes",
            identity=("namespace", "pod", "container"),
            matchers=(("container", "!=", ""), ("container", "!=", "POD")),
            unit=(),
            window=None,
            namespace_label="namespace",
            by_pod=True,
        ),
    ),
    per_pod=True,
)

# As a sidecar each pod has its own exporter, so that the scrape tells the pod.
STATSD = NamedSource(
    name="statsd",
    counts="a counter that the application sends to the statsd_exporter beside it",
    counters=(
        Counter(
            "{metric}",
            identity=("{namespaceLabel}", "{podLabel}"),
            matchers=(("{podLabel}", "!=", ""),),
            unit=(),
            namespace_label="{namespaceLabel}",
            by_pod=True,
        ),
    ),
    parameters={
        "metric": "http_requests_total",
        "namespaceLabel": "namespace",
        "podLabel": "pod",
    },
    per_pod=True,
    zero_is_silence=True,
)

STATSD_CENTRAL = NamedSource(
    name="statsd-central",
    counts="a counter that applications send to one statsd_exporter, told apart by a label",
    counters=(
        Counter(
            "{metric}",
            identity=("{nameLabel}",),
            key="{service}",
            matchers=(("{nameLabel}", "!=", ""),),
            unit=("instance",),
        ),
    ),
    parameters={"metric": "http_requests_total", "nameLabel": "app", "service": "{name}"},
    zero_is_silence=True,
)

# Written by deploy/prometheus/recording-rules.yaml: a fortnight of it is one series per workload
# instead of one per pod, proxy and status. What is wrong below it, it cannot tell.
RECORDED = NamedSource(
    name="recorded",
    counts="requests/s that a recording rule has added up already",
    counters=(
        Counter(
            "{metric}",
            identity=("{namespaceLabel}", "{workloadLabel}"),
            unit=(),
            window=None,
            namespace_label="{namespaceLabel}",
            name_label="{workloadLabel}",
        ),
    ),
    parameters={
        "metric": "autoscaler:requests:rate2m",
        "namespaceLabel": "namespace",
        "workloadLabel": "workload",
    },
)
