"""Named sources: service meshes, whose proxies count what reaches a workload.

References
----------
linkerd2-proxy metrics and linkerd-viz's relabelling; linkerd 1 `PrometheusTelemeter` (its counters
are Finagle's); Istio standard metrics; Cilium Hubble `httpV2`; Consul's own Envoy bootstrap.
"""

from autoscaler.metrics.source import Condition, Counter, NamedSource

LINKERD = NamedSource(
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

# One request crosses two routers in a linker-to-linker set-up: `incoming` is the arrival. `service`
# counts requests, `client` attempts with retries. No label names a workload, only a logical name.
LINKERD1 = NamedSource(
    name="linkerd1",
    counts="requests for the logical name at one router of the linkerd 1.x on every node",
    counters=(
        Counter(
            "rt:service:requests",
            identity=("service",),
            key="{service}",
            matchers=(("rt", "=", "{router}"),),
            unit=("instance",),
        ),
        Counter(  # before 1.0
            "rt:dst_path:requests",
            identity=("dst_path",),
            key="{service}",
            matchers=(("rt", "=", "{router}"),),
            unit=("instance",),
        ),
    ),
    parameters={"router": "incoming", "service": "/svc/{name}"},
)

ISTIO = NamedSource(
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
                ("response_flags", "=~", ".*(UO|UH).*"),
            ),
            namespace_label="destination_service_namespace",
            extra=True,
        ),
    ),
    parameters={"reporter": "destination", "service": "{name}"},
    per_pod=True,
    per_pod_while=("reporter",),
)

HUBBLE = NamedSource(
    name="hubble",
    counts="HTTP requests that Cilium sees arrive; needs httpV2 with workload labels",
    counters=(
        Counter(
            "hubble_http_requests_total",
            identity=("{namespaceLabel}", "{workloadLabel}"),
            matchers=(("reporter", "=", "{reporter}"), ("{workloadLabel}", "!=", "")),
            unit=("instance",),
            namespace_label="{namespaceLabel}",
            name_label="{workloadLabel}",
        ),
    ),
    parameters={
        "reporter": "server",
        "namespaceLabel": "destination_namespace",
        "workloadLabel": "destination_workload",
    },
)

_PUBLIC_LISTENER: Condition = ("envoy_http_conn_manager_prefix", "=~", "public_listener(_http)?")


def _consul(metric: str, *, extra: bool = False) -> tuple[Counter, Counter]:
    """Return a counter of a sidecar's listener, and the same before Consul labelled its proxies."""
    labelled = Counter(
        metric,
        identity=("consul_source_service",),
        key="{service}",
        matchers=(_PUBLIC_LISTENER, ("consul_source_service", "!=", "")),
        unit=("instance",),
        extra=extra,
    )
    plain = Counter(
        metric,
        identity=("local_cluster",),
        key="{service}",
        matchers=(_PUBLIC_LISTENER, ("consul_source_service", "=", "")),
        unit=("instance",),
        extra=extra,
    )
    return labelled, plain


# Overflow at the sidecar's own cluster is answered by the listener, so it is counted already.
# A request that its caller gave up is never completed: of an overloaded service most are.
CONSUL_MESH = NamedSource(
    name="consul-mesh",
    counts="HTTP requests that the Service's Consul sidecars answered, and those given up before",
    counters=(
        *_consul("envoy_http_downstream_rq_completed"),
        *_consul("envoy_http_downstream_rq_rx_reset", extra=True),
    ),
    parameters={"service": "{name}"},
    per_pod=True,
)
