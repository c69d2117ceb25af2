"""How is a Lease of ours written, and what is known of one that was read.

A Lease is over when it was not seen to change for `LEASE_DURATION` by our own clock: the clocks of
two machines are never compared.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from autoscaler.cluster.api import Json, micro_time
from autoscaler.cluster.lease import LEASE_DURATION

LABELS = {"app.kubernetes.io/name": "predictive-autoscaler"}


@dataclass(frozen=True, slots=True)
class SeenLease:
    """A Lease as last read: who holds it, at which version, since when that version is known."""

    holder: str
    version: str
    since: float
    written_after: float
    """That version was surely not there yet then."""
    acquired: str = ""
    """Its `acquireTime`: its holder's renewals keep it, so another one is another term."""

    def alive(self, now: float) -> bool:
        """Whether somebody holds it."""
        return bool(self.holder) and now - self.since < LEASE_DURATION.total_seconds()


def lease_body(name: str, namespace: str, holder: str, seen: SeenLease | None) -> Json:
    """Return a Lease to be written, on the version that was seen or (None) as a new one."""
    metadata: Json = {"name": name, "namespace": namespace, "labels": LABELS}
    if seen is not None:
        metadata["resourceVersion"] = seen.version
    now = micro_time(datetime.now(tz=UTC))
    acquired = seen.acquired if seen is not None and seen.holder == holder else ""
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(LEASE_DURATION.total_seconds()),
            "renewTime": now,
            # A candidate for the lead takes a Lease without this for one that nobody holds.
            "acquireTime": acquired or now,
        },
    }


def seen_lease(
    item: Mapping[str, Any], before: SeenLease | None, now: float, *, written_after: float
) -> SeenLease:
    """Return what an object says; one that did not change keeps the time it was seen."""
    version = str(item["metadata"]["resourceVersion"])
    if before is not None and before.version == version:
        return before
    spec = item.get("spec", {})
    holder, acquired = (str(spec.get(name) or "") for name in ("holderIdentity", "acquireTime"))
    return SeenLease(holder, version, now, written_after, acquired)
