"""Named sources: ingress controllers and gateways, which see what comes from outside.

What one workload of the cluster asks of another passes them by; a mesh counts that as well.

References
----------
ingress-nginx, Traefik, Kong, Contour and Envoy Gateway documentation; Envoy "cluster stats".
"""

from autoscaler.metrics.source import Counter, NamedSource

INGRESS_NGINX = NamedSource(
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


def _traefik_service(name: str) -> str:
    """Return `shop-checkout` of `shop-checkout-80@kubernetes` and its CRD and Gateway forms.

    The last segment is the port, or the hash of an IngressRoute; a port whose name has a dash
    leaves a part of itself, which `labels.service` must then contain.
    """
    return name.partition("@")[0].rpartition("-")[0]


TRAEFIK = NamedSource(
    name="traefik",
    counts="requests that Traefik passed to the Service, without those its middleware refused",
    counters=(
        Counter(
            "traefik_service_requests_total",
            identity=("exported_service",),
            key="{service}",
            matchers=(("exported_service", "=~", ".+@kubernetes.*"),),
            unit=("instance",),
            decode=_traefik_service,
        ),
        Counter(
            "traefik_service_requests_total",
            identity=("service",),
            key="{service}",
            matchers=(("exported_service", "=", ""), ("service", "=~", ".+@kubernetes.*")),
            unit=("instance",),
            decode=_traefik_service,
        ),
        Counter(  # Traefik 1.x
            "traefik_backend_requests_total",
            identity=("backend",),
            key="{backend}",
            unit=("instance",),
        ),
    ),
    parameters={"service": "{namespace}-{name}", "backend": "{name}"},
)


def _kong_service(name: str) -> str:
    """Return `shop.checkout` of `shop.checkout.80`."""
    return name.rpartition(".")[0]


def _kong(metric: str) -> tuple[Counter, Counter]:
    """Return a counter of Kong's, and the same where a scrape renamed its `service`."""
    plain = Counter(
        metric,
        identity=("service",),
        key="{namespace}.{service}",
        matchers=(("exported_service", "=", ""), ("service", "!=", "")),
        unit=("instance",),
        decode=_kong_service,
    )
    renamed = Counter(
        metric,
        identity=("exported_service",),
        key="{namespace}.{service}",
        matchers=(("exported_service", "!=", ""),),
        unit=("instance",),
        decode=_kong_service,
    )
    return plain, renamed


KONG = NamedSource(
    name="kong",
    counts="requests that Kong answered for the Service, refused ones included",
    counters=(*_kong("kong_http_requests_total"), *_kong("kong_http_status")),  # 3.x and 2.x
    parameters={"service": "{name}"},
)


def _route(cluster: str) -> str:
    """Return `httproute/shop/checkout` of `httproute/shop/checkout/rule/0`: rules are added up."""
    return "/".join(cluster.split("/")[:3])


def _contour_service(cluster: str) -> str:
    """Return `shop_checkout` of `shop_checkout_80`; Kubernetes names hold no underscore."""
    return cluster.rpartition("_")[0]


def _envoy(metric: str, *, extra: bool = False, sign: int = 1) -> tuple[Counter, Counter]:
    """Return an Envoy cluster counter as Envoy Gateway and as Contour name their clusters."""
    envoy_gateway = Counter(
        metric,
        identity=("envoy_cluster_name",),
        key="httproute/{namespace}/{route}",
        matchers=(("envoy_cluster_name", "=~", "httproute/.+"),),
        unit=("instance",),
        decode=_route,
        extra=extra,
        sign=sign,
    )
    contour = Counter(
        metric,
        identity=("envoy_cluster_name",),
        key="{namespace}_{service}",
        matchers=(("envoy_cluster_name", "=~", "[^/_]+_[^/_]+_[^/_]+"),),
        unit=("instance",),
        decode=_contour_service,
        extra=extra,
        sign=sign,
    )
    return envoy_gateway, contour


# Envoy's total counts attempts; what its circuit breaker refused never became one.
GATEWAY = NamedSource(
    name="gateway",
    counts="requests to the HTTPRoute (Envoy Gateway) or Service (Contour), with those refused by "
    "circuit breakers and without retries",
    counters=(
        *_envoy("envoy_cluster_upstream_rq_total"),
        *_envoy("envoy_cluster_upstream_rq_pending_overflow", extra=True),
        *_envoy("envoy_cluster_upstream_rq_retry", extra=True, sign=-1),
    ),
    parameters={"route": "{name}", "service": "{name}"},
)
