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


# `shop-checkout` is followed by a port, or by the hash of an IngressRoute: `-80@kubernetes`.
# Of a port whose name has a dash a part stays, which `labels.service` must then contain.
# Service `b` of namespace `shop-a` and Service `a-b` of `shop` have one name: no label tells them.
_TRAEFIK_PORT = "-[^-@]*@.*"

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
            suffix=_TRAEFIK_PORT,
        ),
        Counter(
            "traefik_service_requests_total",
            identity=("service",),
            key="{service}",
            matchers=(("exported_service", "=", ""), ("service", "=~", ".+@kubernetes.*")),
            unit=("instance",),
            suffix=_TRAEFIK_PORT,
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

_KONG_PORT = "[.][^.]*"  # `shop.checkout` is followed by `.80`


def _kong(metric: str) -> tuple[Counter, Counter]:
    """Return a counter of Kong's, and the same where a scrape renamed its `service`."""
    plain = Counter(
        metric,
        identity=("service",),
        key="{namespace}.{service}",
        matchers=(("exported_service", "=", ""), ("service", "!=", "")),
        unit=("instance",),
        suffix=_KONG_PORT,
    )
    renamed = Counter(
        metric,
        identity=("exported_service",),
        key="{namespace}.{service}",
        matchers=(("exported_service", "!=", ""),),
        unit=("instance",),
        suffix=_KONG_PORT,
    )
    return plain, renamed


KONG = NamedSource(
    name="kong",
    counts="requests that Kong answered for the Service, refused ones included",
    counters=(*_kong("kong_http_requests_total"), *_kong("kong_http_status")),  # 3.x and 2.x
    parameters={"service": "{name}"},
)


# `httproute/shop/checkout` is followed by `/rule/0`: the rules of a route are added up.
_ROUTE_RULE = "/rule/.*"
# `shop_checkout` is followed by `_80`; Kubernetes names hold no underscore.
_CONTOUR_PORT = "_[^_]*"


def _envoy(metric: str, *, extra: bool = False, sign: int = 1) -> tuple[Counter, Counter]:
    """Return an Envoy cluster counter as Envoy Gateway and as Contour name their clusters."""
    envoy_gateway = Counter(
        metric,
        identity=("envoy_cluster_name",),
        key="httproute/{namespace}/{route}",
        matchers=(("envoy_cluster_name", "=~", "httproute/.+"),),
        unit=("instance",),
        suffix=_ROUTE_RULE,
        extra=extra,
        sign=sign,
    )
    contour = Counter(
        metric,
        identity=("envoy_cluster_name",),
        key="{namespace}_{service}",
        matchers=(("envoy_cluster_name", "=~", "[^/_]+_[^/_]+_[^/_]+"),),
        unit=("instance",),
        suffix=_CONTOUR_PORT,
        extra=extra,
        sign=sign,
    )
    return envoy_gateway, contour


# Envoy's total counts attempts; what its circuit breaker refused, or found no healthy pod, never
# became one.
GATEWAY = NamedSource(
    name="gateway",
    counts="requests to the HTTPRoute (Envoy Gateway) or Service (Contour), with those refused by "
    "circuit breakers or for want of a healthy pod, and without retries",
    counters=(
        *_envoy("envoy_cluster_upstream_rq_total"),
        *_envoy("envoy_cluster_upstream_rq_pending_overflow", extra=True),
        *_envoy("envoy_cluster_upstream_cx_none_healthy", extra=True),
        *_envoy("envoy_cluster_upstream_rq_retry", extra=True, sign=-1),
    ),
    parameters={"route": "{name}", "service": "{name}"},
)
