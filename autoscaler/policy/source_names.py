"""Which named sources may a policy name, and which parameters does each take in `labels`.

The PromQL behind a name is `autoscaler/metrics/sources.py`'s business; that both tables agree is
a test's.
"""

import difflib
from collections.abc import Mapping

# Conditions on labels that a scrape or a federation adds; every source takes them.
COMMON_PARAMETERS = ("job", "cluster")

SOURCE_PARAMETERS: Mapping[str, tuple[str, ...]] = {
    "linkerd": ("namespaceLabel", "workloadLabel"),
    "linkerd1": ("router", "service"),
    "istio": ("reporter", "service"),
    "hubble": ("reporter", "namespaceLabel", "workloadLabel"),
    "consul-mesh": ("service",),
    "ingress-nginx": ("service",),
    "traefik": ("service", "backend"),
    "kong": ("service",),
    "gateway": ("route", "service"),
    "statsd": ("metric", "namespaceLabel", "podLabel"),
    "statsd-central": ("metric", "nameLabel", "service"),
    "recorded": ("metric", "namespaceLabel", "workloadLabel"),
}


def checked_source(source: str, labels: Mapping[str, str]) -> None:
    """Raise `ValueError` when a source is not known or takes no such parameter."""
    if source not in SOURCE_PARAMETERS:
        alike = difflib.get_close_matches(source, SOURCE_PARAMETERS, n=1)
        guess = f"did you mean {alike[0]}? " if alike else ""
        raise ValueError(
            f"source {source!r} is not known; {guess}"
            f"allowed: {', '.join(sorted(SOURCE_PARAMETERS))}, or give a query"
        )
    allowed = (*SOURCE_PARAMETERS[source], *COMMON_PARAMETERS)
    for name in labels:
        if name not in allowed:
            raise ValueError(
                f"source {source} takes no parameter {name!r} in labels; "
                f"allowed: {', '.join(allowed)}"
            )
