"""What does `source: linkerd` mean: the table of named sources.

Server-side counts where there is a choice: client-side ones include retries and miss callers.
Where a product has two generations of labels, both are counters of one source; an exporter writes
one of them, so nothing is counted twice.
Where a scrape renamed a label (`exported_service`), the renamed one is the workload's and the
plain one the exporter's own.

Deliberately absent: NGINX Gateway Fabric, whose open-source metrics do not tell workloads apart.
"""

from autoscaler.metrics.gateways import GATEWAY, INGRESS_NGINX, KONG, TRAEFIK
from autoscaler.metrics.meshes import CONSUL_MESH, HUBBLE, ISTIO, LINKERD, LINKERD1
from autoscaler.metrics.pods import CPU, MEMORY, RECORDED, STATSD, STATSD_CENTRAL

SOURCES = {
    source.name: source
    for source in (
        LINKERD,
        LINKERD1,
        ISTIO,
        HUBBLE,
        CONSUL_MESH,
        INGRESS_NGINX,
        TRAEFIK,
        KONG,
        GATEWAY,
        STATSD,
        STATSD_CENTRAL,
        RECORDED,
        CPU,
        MEMORY,
    )
}
