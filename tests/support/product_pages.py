"""What each product writes when a known load is sent to `shop/checkout`.

`EXPECTED` is one row per source: the series of a policy, the load that was sent, the doubt that is
due, and the pages that carry it.
The same metric of two rows is kept apart by another workload name, as in a cluster.
"""

import math
from dataclasses import dataclass, field

from autoscaler.decide.facts import Doubt, TargetRef
from autoscaler.ports import LoadSeries
from support.load_series import cpu, request_rate
from support.product_exporters import Page, page


@dataclass(frozen=True)
class Case:
    """One source, and what must come out."""

    series: LoadSeries
    load: float | None
    pages: list[Page]
    doubt: Doubt | None = None
    pods: tuple[str, ...] = field(default=())
    lower_bound: bool = False
    """Whether less than `load` may come out, as long as the doubt says so."""


def target(name: str) -> TargetRef:
    return TargetRef("shop", name)


def pod(name: str, last: str = "bcdfg") -> str:
    return f"{name}-7d4b9c5f6-{last}"


def _series(metric: str, **labels: str) -> str:
    inside = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{inside}}}"


def _linkerd_page(
    name: str,
    last: str,
    rate: float,
    *,
    job: str = "linkerd-proxy",
    restarts: float = math.inf,
    **extra: str,
):
    inbound = {"direction": "inbound", "authority": "checkout.shop.svc.cluster.local"}
    return page(
        job,
        {
            _series("request_total", **inbound, tls="true"): rate * 0.75,
            _series("request_total", **inbound, tls="no_identity"): rate * 0.25,
            _series("request_total", direction="inbound", route_name="probe"): 3,
            _series("request_total", direction="outbound", dst_deployment="cart"): 500,
            _series("response_total", **inbound, classification="success"): rate,
        },
        namespace="shop",
        pod=pod(name, last),
        restarts=restarts,
        **extra,
    )


def _linkerd() -> dict[str, Case]:
    relabelled = [
        _linkerd_page("l2", last, rate, deployment="l2")
        for last, rate in (("bcdfg", 50.0), ("hjklm", 70.0))
    ]
    twice = [
        _linkerd_page("l2twice", "bcdfg", 60.0, deployment="l2twice", job=job)
        for job in ("linkerd-proxy", "kubernetes-pods")
    ]
    bare = [_linkerd_page("l2bare", last, 40.0) for last in ("bcdfg", "hjklm")]
    bare_alike = [_linkerd_page("l2bare-v2", "bcdfg", 900.0)]
    alike = [_linkerd_page("l2-v2", "bcdfg", 900.0, deployment="l2-v2")]
    return {
        "linkerd": Case(
            request_rate(source="linkerd", target=target("l2")), 120, relabelled + alike
        ),
        "linkerd scraped by two jobs": Case(
            request_rate(source="linkerd", target=target("l2twice")), 60, twice, Doubt.DUPLICATED
        ),
        "linkerd scraped by two jobs, one of them chosen": Case(
            request_rate(
                source="linkerd", target=target("l2twice"), labels={"job": "linkerd-proxy"}
            ),
            60,
            [],
        ),
        "linkerd without its relabelling": Case(
            request_rate(source="linkerd", target=target("l2bare")),
            80,
            bare + bare_alike,
            pods=(pod("l2bare"), pod("l2bare", "hjklm")),
        ),
        "linkerd whose proxy restarts": Case(
            request_rate(source="linkerd", target=target("l2again")),
            60,
            [_linkerd_page("l2again", "bcdfg", 60.0, deployment="l2again", restarts=7.0)],
            Doubt.PARTIAL,
            lower_bound=True,
        ),
        "linkerd that dropped an idle series": Case(
            request_rate(source="linkerd", target=target("idle")), None, [], Doubt.ABSENT
        ),
    }


def _linkerd1() -> dict[str, Case]:
    def node(scale: float) -> Page:
        return page(
            "linkerd",
            {
                _series("rt:service:requests", rt="incoming", service="/svc/l1"): 30 * scale,
                _series("rt:service:requests", rt="outgoing", service="/svc/l1"): 30 * scale,
                _series("rt:client:requests", rt="incoming", client="/#/io.l5d.consul/dc1/l1",
                        service="/svc/l1"): 36 * scale,
                _series("rt:service:requests", rt="incoming", service="/svc/l1-v2"): 900,
                _series("rt:dst_path:requests", rt="incoming", dst_path="/svc/l0"): 20 * scale,
                _series("rt:dst_path:requests", rt="outgoing", dst_path="/svc/l0"): 20 * scale,
            },
        )  # fmt: skip

    return {
        "linkerd1, both routers": Case(
            request_rate(source="linkerd1", target=target("l1")), 90, [node(1), node(2)]
        ),
        "linkerd1 before 1.0": Case(request_rate(source="linkerd1", target=target("l0")), 60, []),
        "linkerd1, the other router by choice": Case(
            request_rate(source="linkerd1", target=target("l1"), labels={"router": "outgoing"}),
            90,
            [],
        ),
    }


def _istio() -> dict[str, Case]:
    into = {
        "destination_workload": "is",
        "destination_workload_namespace": "shop",
        "destination_service_name": "is",
        "destination_service_namespace": "shop",
    }

    def seen(reporter: str, flags: str) -> str:
        return _series("istio_requests_total", reporter=reporter, response_flags=flags, **into)

    refused = {**into, "destination_workload": "unknown"}
    caller = _series("istio_requests_total", reporter="source", response_flags="UO", **refused)
    pages = [
        page("istio", {seen("destination", "-"): 100}, namespace="shop", pod=pod("is")),
        page("istio", {seen("source", "-"): 100, caller: 20}, namespace="web", pod=pod("front")),
    ]
    return {
        "istio, two reporters and a breaker": Case(
            request_rate(source="istio", target=target("is")), 120, pages
        )
    }


def _ingress() -> dict[str, Case]:
    def controller(name: str, service: str, *, honor_labels: bool) -> Page:
        labels = {"namespace": "shop", "service": service, "ingress": "web", "controller_pod": name}
        metric = "nginx_ingress_controller_requests"
        return page(
            f"ingress-{honor_labels}",
            {
                _series(metric, **labels, status="200", host="a.example"): 30,
                _series(metric, **labels, status="503", host="a.example"): 5,
            },
            honor_labels=honor_labels,
            namespace="ingress",
            service="ingress-nginx-controller",
            pod=name,
        )

    renamed = [controller(f"nginx-{n}", "ng", honor_labels=False) for n in "ab"]
    plain = [controller("nginx-c", "ngplain", honor_labels=True)]
    return {
        "ingress-nginx, labels renamed by the scrape": Case(
            request_rate(source="ingress-nginx", target=target("ng")), 70, renamed
        ),
        "ingress-nginx, labels honoured": Case(
            request_rate(source="ingress-nginx", target=target("ngplain")), 35, plain
        ),
        "ingress-nginx, another Service": Case(
            request_rate(source="ingress-nginx", target=target("web"), labels={"service": "ng"}),
            70,
            [],
        ),
    }


def _gateways() -> dict[str, Case]:
    requests = "traefik_service_requests_total"
    traefik = {
        _series(requests, code="200", service="shop-tr-80@kubernetes"): 40,
        _series(requests, code="429", service="shop-tr-80@kubernetes"): 2,
        _series(requests, code="200", service="shop-tr-admin-80@kubernetes"): 900,
        _series("traefik_service_retries_total", service="shop-tr-80@kubernetes"): 9,
        _series("traefik_backend_requests_total", backend="tr1", code="200"): 15,
    }  # fmt: skip
    kong = {
        _series("kong_http_requests_total", service="shop.ko.80", code="200"): 25,
        _series("kong_http_requests_total", service="shop.ko-v2.80", code="200"): 900,
        _series("kong_http_status", service="shop.ko2.http", code="200"): 35,
    }
    envoy = {}
    for cluster, scale in (("httproute/shop/eg/rule/0", 1), ("httproute/shop/eg/rule/1", 2),
                           ("httproute/shop/eg-v2/rule/0", 50), ("shop_co_80", 1),
                           ("shop_co-v2_80", 50)):  # fmt: skip
        name = {"envoy_cluster_name": cluster}
        envoy[_series("envoy_cluster_upstream_rq_total", **name)] = 22.0 * scale
        envoy[_series("envoy_cluster_upstream_rq_retry", **name)] = 2.0 * scale
        envoy[_series("envoy_cluster_upstream_rq_pending_overflow", **name)] = 5.0 * scale
        envoy[_series("envoy_cluster_upstream_cx_none_healthy", **name)] = 3.0 * scale
    renamed = {"namespace": "gateways", "service": "proxy"}
    return {
        "traefik": Case(
            request_rate(source="traefik", target=target("tr"), labels={"job": "traefik"}),
            42,
            [page("traefik", traefik)],
        ),
        "traefik, labels renamed by the scrape": Case(
            request_rate(source="traefik", target=target("tr"), labels={"job": "traefik-monitor"}),
            42,
            [page("traefik-monitor", traefik, **renamed)],
        ),
        "traefik 1": Case(
            request_rate(source="traefik", target=target("tr1"), labels={"job": "traefik"}), 15, []
        ),
        "kong 3": Case(request_rate(source="kong", target=target("ko")), 25, [page("kong", kong)]),
        "kong 2": Case(request_rate(source="kong", target=target("ko2")), 35, []),
        "Envoy Gateway": Case(
            request_rate(source="gateway", target=target("eg")), 84, [page("envoy", envoy)]
        ),
        "Contour": Case(request_rate(source="gateway", target=target("co")), 28, []),
    }


def _others() -> dict[str, Case]:
    hubble = {"destination_namespace": "shop", "destination_workload": "hu", "protocol": "HTTP/1.1"}
    listener = {"envoy_http_conn_manager_prefix": "public_listener", "local_cluster": "cm"}
    old = {"envoy_http_conn_manager_prefix": "public_listener_http", "local_cluster": "cm0"}
    completed, reset = "envoy_http_downstream_rq_completed", "envoy_http_downstream_rq_rx_reset"
    admin = {**listener, "envoy_http_conn_manager_prefix": "admin"}
    return {
        "hubble, two reporters": Case(
            request_rate(source="hubble", target=target("hu")),
            55,
            [
                page("hubble", {
                    _series("hubble_http_requests_total", reporter=reporter, **hubble): 55
                    for reporter in ("client", "server")
                })
            ],
        ),
        "consul-mesh": Case(
            request_rate(source="consul-mesh", target=target("cm")),
            72,
            [
                page("consul", {
                    _series(completed, consul_source_service="cm", **listener): 65,
                    _series(reset, consul_source_service="cm", **listener): 7,
                    _series(completed, consul_source_service="cm", **admin): 900,
                    _series(completed, **old): 45,
                })
            ],
        ),
        "consul-mesh of older Consul": Case(
            request_rate(source="consul-mesh", target=target("cm0")), 45, []
        ),
        "statsd sidecars": Case(
            request_rate(source="statsd", target=target("st")),
            28,
            [
                page("statsd", {"http_requests_total": rate}, namespace="shop", pod=pod(name, last))
                for name, last, rate in (("st", "bcdfg", 14), ("st", "hjklm", 14),
                                         ("st-v2", "bcdfg", 900))
            ],
            pods=(pod("st"), pod("st", "hjklm")),
        ),
        "statsd central": Case(
            request_rate(
                source="statsd-central", target=target("sc"), labels={"metric": "hits_total"}
            ),
            33,
            [page("statsd-central", {_series("hits_total", app="sc"): 33,
                                     _series("hits_total", app="quiet"): 0})],
        ),
        "recorded by our rules": Case(
            request_rate(source="recorded", target=target("rec")),
            42,
            [
                page("rules", {_series("autoscaler:requests:rate2m", workload="rec"): 42},
                     namespace="shop")
            ],
        ),
        "statsd central, a zero that never expires": Case(
            request_rate(
                source="statsd-central", target=target("quiet"), labels={"metric": "hits_total"}
            ),
            0,
            [],
            Doubt.PARTIAL,
        ),
    }  # fmt: skip


def _cpu() -> dict[str, Case]:
    metric, memory = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"

    def kubelet(name: str, last: str, *, job: str = "kubelet", pod_label: str = "pod") -> Page:
        who = {"namespace": "shop", pod_label: pod(name, last), "cpu": "total"}
        label = "container" if pod_label == "pod" else "container_name"
        return page(
            job,
            {
                _series(metric, **who, **{label: "app"}, id=f"/{last}/1"): 0.4,
                _series(metric, **who, **{label: "linkerd-proxy"}, id=f"/{last}/p"): 0.3,
                _series(metric, **who, **{label: "POD"}, id=f"/{last}/pause"): 0.01,
                _series(metric, **who, id=f"/{last}"): 0.71,
            },
            honor_labels=True,
        )

    pods = (pod("cp"), pod("cp", "hjklm"))
    return {
        "cpu of one container": Case(
            cpu(target=target("cp")), 0.8, [kubelet("cp", n) for n in ("bcdfg", "hjklm")], pods=pods
        ),
        "cpu of every container": Case(
            cpu(target=target("cp"), container=None), 1.4, [], pods=pods
        ),
        "memory of one container": Case(
            cpu(target=target("mem"), resource="memory"),
            3e8,
            [
                page(
                    "kubelet",
                    {
                        _series(memory, container="app"): 3e8,
                        _series(memory, container="linkerd-proxy"): 1e8,
                        _series(memory): 4e8,
                    },
                    namespace="shop",
                    pod=pod("mem"),
                )
            ],
            pods=(pod("mem"),),
        ),
        "cpu, pods known by name only": Case(cpu(target=target("cp")), 0.8, []),
        "cpu of kubelets before 1.16": Case(
            cpu(target=target("cpold")),
            0.4,
            [kubelet("cpold", "bcdfg", pod_label="pod_name")],
            pods=(pod("cpold"),),
        ),
        "cpu by kubelet and cAdvisor": Case(
            cpu(target=target("cptwice")),
            0.4,
            [kubelet("cptwice", "bcdfg", job=job) for job in ("kubelet", "cadvisor")],
            Doubt.DUPLICATED,
            pods=(pod("cptwice"),),
        ),
    }


CASES = {
    **_linkerd(),
    **_linkerd1(),
    **_istio(),
    **_ingress(),
    **_gateways(),
    **_others(),
    **_cpu(),
}
