"""What does `source: linkerd` mean: the table of named sources.

Server-side counts where there is a choice: client-side ones include retries and miss callers.
Where a product has two generations of labels, both are rows of one source; an exporter writes one
of them, so nothing is counted twice.
Where a scrape renamed a label (`exported_service`), the renamed one is the workload's and the
plain one the exporter's own.

References
----------
linkerd2-proxy metrics; linkerd 1 `PrometheusTelemeter`; ingress-nginx, Traefik, Istio, Envoy,
Cilium Hubble, Kong and statsd_exporter documentation; cAdvisor metrics of the kubelet.
"""

from autoscaler.metrics.source import CPU_WINDOW, Counter, NamedSource

_LINKERD = NamedSource(
    name="linkerd",
    counts="requests that reach the pods' linkerd2 proxies, without probes",
    counters=(
        Counter(
            "request_total",
            identity=("{namespaceLabel}", "{workloadLabel}"),
            matchers=(
                ("direction", "=", "inbound"),
                ("route_name", "!=", "probe"),
                ("{workloadLabel}", "!=", ""),
            ),
            namespace_label="{namespaceLabel}",
            name_label="{workloadLabel}",
        ),
        Counter(  # scraped without linkerd's own relabelling: only the pod is known
            "request_total",
            identity=("{namespaceLabel}", "pod"),
            matchers=(
                ("direction", "=", "inbound"),
                ("route_name", "!=", "probe"),
                ("{workloadLabel}", "=", ""),
                ("pod", "!=", ""),
            ),
            unit=(),
            namespace_label="{namespaceLabel}",
            by_pod=True,
        ),
    ),
    parameters={"namespaceLabel": "namespace", "workloadLabel": "deployment"},
    per_pod=True,
)

_ISTIO = NamedSource(
    name="istio",
    counts="requests that reach the workload's sidecars, and those its callers' breakers refused",
    counters=(
        Counter(
            "istio_requests_total",
            identity=("destination_workload_namespace", "destination_workload"),
            matchers=(("reporter", "=", "{reporter}"),),
            namespace_label="destination_workload_namespace",
            name_label="destination_workload",
        ),
        Counter(
            "istio_requests_total",
            identity=("destination_service_namespace", "destination_service_name"),
            key="{namespace}/{service}",
            matchers=(
                ("reporter", "=", "source"),
                ("response_flags", "=~", ".*(UO|UH|URX).*"),
            ),
            namespace_label="destination_service_namespace",
            extra=True,
        ),
    ),
    parameters={"reporter": "destination", "service": "{name}"},
    per_pod=True,
)

_INGRESS_NGINX = NamedSource(
    name="ingress-nginx",
    counts="requests the ingress controllers passed to the Service, refused ones included",
    counters=(
        Counter(
            "nginx_ingress_controller_requests",
            identity=("exported_namespace", "exported_service"),
            key="{namespace}/{service}",
            matchers=(("exported_service", "!=", ""),),
            unit=("controller_pod",),
            namespace_label="exported_namespace",
        ),
        Counter(
            "nginx_ingress_controller_requests",
            identity=("namespace", "service"),
            key="{namespace}/{service}",
            matchers=(("exported_service", "=", ""), ("service", "!=", "")),
            unit=("controller_pod",),
            namespace_label="namespace",
        ),
    ),
    parameters={"service": "{name}"},
)

_CPU = NamedSource(
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

_MEMORY = NamedSource(
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

SOURCES = {source.name: source for source in (_LINKERD, _ISTIO, _INGRESS_NGINX, _CPU, _MEMORY)}
