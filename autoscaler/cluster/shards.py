"""Which policies are mine: shards spread over all replicas, each shard guarded by a Lease.

Every replica keeps a member Lease alive; who is alive follows from those, and who should hold which
shard from rendezvous hashing.
Agreement on members is only advice: what forbids two writers is the shard's own Lease, taken by
compare-and-swap, and believed by its holder for less time than anybody else waits for it.
A Lease is over when it was not seen to change for `LEASE_DURATION` by our own clock: the clocks of
two machines are never compared.
"""

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import Json, Request, answered
from autoscaler.cluster.lease import LEASE_DURATION, RENEW_DEADLINE, RETRY_PERIOD, awake_seconds
from autoscaler.cluster.rendezvous import holder_of, shard_of
from autoscaler.decide.facts import TargetRef

logger = logging.getLogger(__name__)

SHARD_PREFIX = "predictive-autoscaler-shard-"
MEMBER_PREFIX = "predictive-autoscaler-member-"
_SELECTOR = "app.kubernetes.io/name=predictive-autoscaler"
_LABELS = {"app.kubernetes.io/name": "predictive-autoscaler"}
# A third of what a holder believes: two renewals may fail before the third is needed.
_RENEW_AFTER_SECONDS = RENEW_DEADLINE.total_seconds() / 3
# No reason but tidiness: the Leases of dead members do no harm.
_BURY_AFTER_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class _Seen:
    """A Lease as last read: who holds it, at which version, since when that version is known."""

    holder: str
    version: str
    since: float

    def alive(self, now: float) -> bool:
        return bool(self.holder) and now - self.since < LEASE_DURATION.total_seconds()


class Shards:
    """One replica's share of all shards."""

    def __init__(self, api: ApiClient, *, namespace: str, identity: str, n_shards: int) -> None:
        self.identity = identity
        self.n_shards = n_shards
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._seen: dict[str, _Seen] = {}
        self._believed_until: dict[int, float] = {}
        self._written_at: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shards", daemon=True)

    def held(self) -> frozenset[int]:
        """Return the shards that are ours at this very moment."""
        now = awake_seconds()
        return frozenset(s for s, until in list(self._believed_until.items()) if now < until)

    def owns(self, target: TargetRef) -> bool:
        """Whether we may write this workload now: asked before every write."""
        until = self._believed_until.get(shard_of(target, n_shards=self.n_shards), 0.0)
        return awake_seconds() < until

    def start(self) -> None:
        """Begin to compete."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more, and give everything up so that the others need not wait."""
        self._stopped.set()
        held = self.held()
        self._believed_until.clear()
        if self._thread.is_alive():
            self._thread.join(3 * RETRY_PERIOD.total_seconds())
        for shard in held:
            self._tried(_shard_name(shard), partial(self._release, _shard_name(shard)))
        mine = MEMBER_PREFIX + self.identity
        self._tried(mine, partial(self._delete, mine))

    def turn(self) -> None:
        """Do one round: show that we live, look who else does, take, renew and give up shards."""
        self._renew_membership()
        self._look()
        now = awake_seconds()
        self._bury(now)
        members = self._members(now)
        for shard in range(self.n_shards):
            name = _shard_name(shard)
            mine = holder_of(shard, members) == self.identity
            seen = self._seen.get(name)
            held = seen is not None and seen.holder == self.identity
            if held and not mine:
                self._believed_until.pop(shard, None)  # stop writing first, then let go
                self._tried(name, partial(self._release, name))
            elif mine and (held or seen is None or not seen.alive(now)):
                self._tried(name, partial(self._hold, shard, name))

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._tried("leases", self.turn)
            self._stopped.wait(RETRY_PERIOD.total_seconds())

    def _members(self, now: float) -> set[str]:
        """Return who lives: ourselves, and everybody whose member Lease still changes."""
        others = {
            seen.holder
            for name, seen in self._seen.items()
            if name.startswith(MEMBER_PREFIX) and seen.alive(now)
        }
        return others | {self.identity}

    def _renew_membership(self) -> None:
        name = MEMBER_PREFIX + self.identity
        if awake_seconds() - self._written_at.get(name, -1e9) >= _RENEW_AFTER_SECONDS:
            self._write(name, self._seen.get(name))

    def _hold(self, shard: int, name: str) -> None:
        """Take or renew a shard; belief counts from before the request, so it ends too early."""
        seen = self._seen.get(name)
        fresh = awake_seconds() - self._written_at.get(name, -1e9) < _RENEW_AFTER_SECONDS
        if seen is not None and seen.holder == self.identity and fresh:
            return
        began = awake_seconds()
        self._write(name, seen)
        if not self._stopped.is_set():
            self._believed_until[shard] = began + RENEW_DEADLINE.total_seconds()

    def _write(self, name: str, seen: _Seen | None) -> None:
        """Write ourselves as holder, on the version that was read or as a new Lease."""
        began = awake_seconds()
        body = _lease(name, self._namespace, self.identity, None if seen is None else seen.version)
        if seen is None:
            answer = answered(self._api, Request("POST", self._path, body=body))
        else:
            answer = answered(self._api, Request("PUT", f"{self._path}/{name}", body=body))
        self._written_at[name] = began
        self._seen[name] = _seen(answer, None, awake_seconds())

    def _release(self, name: str) -> None:
        seen = self._seen.get(name)
        if seen is None or seen.holder != self.identity:
            return
        body = _lease(name, self._namespace, "", seen.version)
        answer = answered(self._api, Request("PUT", f"{self._path}/{name}", body=body))
        self._written_at.pop(name, None)
        self._seen[name] = _seen(answer, None, awake_seconds())

    def _delete(self, name: str) -> None:
        answered(self._api, Request("DELETE", f"{self._path}/{name}"))
        self._seen.pop(name, None)

    def _bury(self, now: float) -> None:
        """Delete the member Leases of those who went without a word, long after."""
        for name, seen in list(self._seen.items()):
            if name.startswith(MEMBER_PREFIX) and now - seen.since > _BURY_AFTER_SECONDS:
                self._tried(name, partial(self._delete, name))

    def _look(self) -> None:
        """Read every Lease of ours once; one that did not change keeps the time it was seen."""
        request = Request("GET", self._path, (("labelSelector", _SELECTOR),))
        now = awake_seconds()
        items: list[Json] = answered(self._api, request).get("items", [])
        self._seen = {
            item["metadata"]["name"]: _seen(item, self._seen.get(item["metadata"]["name"]), now)
            for item in items
        }

    def _tried(self, name: str, work: Callable[[], None]) -> None:
        """Do something that may fail now and be done next time; belief runs out by itself."""
        try:
            work()
        except ApiException as error:
            if error.status == 404:
                self._seen.pop(name, None)
            logger.info(
                "lease_not_written",
                extra={"fields": {"lease": name, "status": error.status, "error": error.reason}},
            )


def _shard_name(shard: int) -> str:
    return f"{SHARD_PREFIX}{shard:03d}"


def _lease(name: str, namespace: str, holder: str, version: str | None) -> Json:
    metadata: Json = {"name": name, "namespace": namespace, "labels": _LABELS}
    if version is not None:
        metadata["resourceVersion"] = version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": metadata,
        "spec": {
            "holderIdentity": holder,
            "leaseDurationSeconds": int(LEASE_DURATION.total_seconds()),
            "renewTime": datetime.now(tz=UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


def _seen(item: Mapping[str, Any], before: _Seen | None, now: float) -> _Seen:
    version = str(item["metadata"]["resourceVersion"])
    holder = str(item.get("spec", {}).get("holderIdentity") or "")
    if before is not None and before.version == version:
        return before
    return _Seen(holder, version, now)
