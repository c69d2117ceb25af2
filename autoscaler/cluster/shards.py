"""Which policies are mine: shards spread over all replicas, each shard guarded by a Lease.

Every replica keeps a member Lease alive; who is alive follows from those, and who should hold which
shard from rendezvous hashing.
Agreement on members is only advice: what forbids two writers is the shard's own Lease, taken by
compare-and-swap, and believed by its holder for less time than anybody else waits for it.

Which shard a workload is in depends on the number of shards, so all replicas that write must have
the same number.
Therefore they hold the leader's Lease (`LEASE_NAME`) together, under a name that tells the number,
"16 shards": replicas with another number, or a single leader, wait until it has expired, and
replicas with shards wait likewise for those.
"""

import logging
import math
import threading
from collections.abc import Callable
from functools import partial

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.clocks import awake_seconds
from autoscaler.cluster.api import Json, Request, answered
from autoscaler.cluster.lease import LEASE_NAME, RENEW_DEADLINE, RETRY_PERIOD, set_event
from autoscaler.cluster.rendezvous import holder_of, shard_of
from autoscaler.cluster.seen_leases import LABELS, SeenLease, lease_body, seen_lease
from autoscaler.decide.facts import TargetRef
from autoscaler.ports import HeldBack
from autoscaler.strict import MALFORMED

logger = logging.getLogger(__name__)

SHARD_PREFIX = "predictive-autoscaler-shard-"
MEMBER_PREFIX = "predictive-autoscaler-member-"
_SELECTOR = ",".join(f"{name}={value}" for name, value in LABELS.items())
# A third of what a holder believes: two renewals may fail before the third is needed.
_RENEW_AFTER_SECONDS = RENEW_DEADLINE.total_seconds() / 3
# No reason but tidiness: the Leases of dead members do no harm.
_BURY_AFTER_SECONDS = 600.0
# An update takes a minute or two; a longer wait is for a replica that somebody forgot to stop.
_TELL_AGAIN_SECONDS = 300.0


class Shards:
    """One replica's share of all shards."""

    def __init__(
        self,
        api: ApiClient,
        *,
        namespace: str,
        identity: str,
        n_shards: int,
        can_act: threading.Event | None = None,
        clock: Callable[[], float] = awake_seconds,
    ) -> None:
        self.identity = identity
        self._can_act = can_act or set_event()
        self._n_turns = 0
        """How many rounds were done since we can act."""
        self.n_shards = n_shards
        self.count = f"{n_shards} shards"
        self._peers = f"{MEMBER_PREFIX}{n_shards}-"
        self._mine = f"{self._peers}{identity}"
        self._clock = clock
        self._api = api
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
        self._namespace = namespace
        self._seen: dict[str, SeenLease] = {}
        self._looked_at = -math.inf
        self._believed_until: dict[int, float] = {}
        self._counted_until = -math.inf
        """Until when the common Lease keeps replicas with another number of shards from writing."""
        self._waits_for = ""
        self._told_at = -math.inf
        self._written_at: dict[str, float] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="shards", daemon=True)

    def held(self) -> frozenset[int]:
        """Return the shards that are ours at this very moment."""
        now = self._clock()
        if now >= self._counted_until:
            return frozenset()
        return frozenset(s for s, until in list(self._believed_until.items()) if now < until)

    def followed(self) -> dict[int, str]:
        """Return the shards that are decided here, and what tells our term in each from others.

        They are ours, or were when the API server last answered: an outage of it must not cost the
        forecasts of shards that are ours after it.
        A shard that was lost and came back is held in another term, however short the loss was, and
        all are where replicas with another number of shards, or a leader, acted in between.
        """
        common = self._acquired(LEASE_NAME)
        return {s: f"{common} {self._acquired(_shard_name(s))}" for s in list(self._believed_until)}

    def _acquired(self, name: str) -> str:
        seen = self._seen.get(name)
        return "" if seen is None else seen.acquired

    def owns(self, target: TargetRef) -> bool:
        """Whether we may write this workload now: asked before every write."""
        return shard_of(target, n_shards=self.n_shards) in self.held()

    def held_back(self) -> str:
        """Return why we write nothing at all, empty when what we hold is ours to write."""
        if self._clock() < self._counted_until:
            return ""
        if self._waits_for:
            return f"{HeldBack.WAITING}: replicas of another count act ({self._waits_for})"
        return f"{HeldBack.STANDBY}: the common Lease is not renewed"

    def settled(self) -> bool:
        """Whether we took the shards that were to be had when we could act."""
        return self._n_turns > 0

    def start(self) -> None:
        """Begin to look who holds what, and to compete once we can act."""
        self._thread.start()

    def stop(self) -> None:
        """Write no more, and give everything up so that the others need not wait."""
        self._stopped.set()
        if not self._can_act.is_set():
            self._can_act.set()  # the thread waits for it
            return  # nothing was taken
        self._believed_until.clear()
        if self._thread.is_alive():
            self._thread.join(3 * RETRY_PERIOD.total_seconds())
        # A turn that was under way may have believed once more.
        self._believed_until.clear()
        # Also what a turn under way took, and what was ours when last anybody was heard of.
        shards = (name for name in list(self._seen) if name.startswith(SHARD_PREFIX))
        leases = dict.fromkeys(shards, self._release) | {self._mine: self._delete}
        for name, give_up in leases.items():
            if not self._tried(name, partial(give_up, name)):
                return  # each would take its whole time-out, and a shard ends by itself

    def turn(self) -> None:
        """Do one round: show that we live, look who else does, take, renew and give up shards."""
        # Whatever became of it, looking shows the version that the next renewal needs.
        self._tried(self._mine, self._renew_membership)
        self._look()
        now = self._clock()
        self._bury(now)
        if not self._counted(now):
            return
        members = self._members(now)
        for shard in range(self.n_shards):
            if self._stopped.is_set():
                return
            name = _shard_name(shard)
            mine = holder_of(shard, members) == self.identity
            seen = self._seen.get(name)
            held = seen is not None and seen.holder == self.identity
            if not (held and mine):
                self._believed_until.pop(shard, None)  # stop writing first, then let go
            if held and not mine:
                self._tried(name, partial(self._release, name))
            elif mine and (held or seen is None or not seen.alive(now)):
                self._tried(name, partial(self._hold, shard, name))

    def _counted(self, now: float) -> bool:
        """Whether the common Lease is ours: no replica with another number of shards writes then.

        It is renewed here unless a replica with the same number did so lately.
        """
        seen = self._seen.get(LEASE_NAME)
        others = seen.holder if seen is not None and seen.alive(now) else ""
        if self._waits("" if others == self.count else others, now):
            self._believed_until.clear()
            return False
        if not others or seen is None or now - seen.written_after >= _RENEW_AFTER_SECONDS:
            self._tried(LEASE_NAME, partial(self._write, LEASE_NAME, seen, holder=self.count))
            seen = self._seen.get(LEASE_NAME)
        if seen is not None and seen.holder == self.count and seen.alive(now):
            self._counted_until = seen.written_after + RENEW_DEADLINE.total_seconds()
        return self._clock() < self._counted_until

    def _waits(self, holder: str, now: float) -> bool:
        """Whether we wait for another holder; log when that begins and ends, and now and then."""
        again = bool(holder) and now - self._told_at >= _TELL_AGAIN_SECONDS
        if holder != self._waits_for or again:
            fields = {"identity": self.identity, "counts": self.count, "holder": holder}
            event = "shards_wait" if holder else "shards_wait_no_more"
            logger.warning(event, extra={"fields": fields})
            self._waits_for, self._told_at = holder, now
        return bool(holder)

    def _run(self) -> None:
        # Most can act by then, and need not wait for the next round.
        self._can_act.wait(RETRY_PERIOD.total_seconds())
        while not self._stopped.is_set():
            can_act = self._can_act.is_set()
            self._tried("leases", self.turn if can_act else self._look)
            self._n_turns += can_act
            self._stopped.wait(RETRY_PERIOD.total_seconds())

    def _members(self, now: float) -> set[str]:
        """Return the live replicas with our number of shards: their member Leases still change."""
        others = {
            seen.holder
            for name, seen in self._seen.items()
            if name.startswith(self._peers) and seen.alive(now)
        }
        return others | {self.identity}

    def _renew_membership(self) -> None:
        if self._clock() - self._written_at.get(self._mine, -math.inf) >= _RENEW_AFTER_SECONDS:
            self._write(self._mine, self._seen.get(self._mine))

    def _hold(self, shard: int, name: str) -> None:
        """Take or renew a shard; belief counts from before the request, so it ends too early."""
        seen = self._seen.get(name)
        fresh = self._clock() - self._written_at.get(name, -math.inf) < _RENEW_AFTER_SECONDS
        if seen is not None and seen.holder == self.identity and fresh:
            return
        began = self._clock()
        self._write(name, seen)
        if not self._stopped.is_set():
            self._believed_until[shard] = began + RENEW_DEADLINE.total_seconds()

    def _write(self, name: str, seen: SeenLease | None, *, holder: str = "") -> None:
        """Write a holder (ourselves), on the version that was read or as a new Lease."""
        began = self._clock()
        body = lease_body(name, self._namespace, holder or self.identity, seen)
        if seen is None:
            answer = answered(self._api, Request("POST", self._path, body=body))
        else:
            answer = answered(self._api, Request("PUT", f"{self._path}/{name}", body=body))
        self._written_at[name] = began
        self._seen[name] = seen_lease(answer, None, self._clock(), written_after=began)

    def _release(self, name: str) -> None:
        seen = self._seen.get(name)
        if seen is None or seen.holder != self.identity:
            return
        began = self._clock()
        body = lease_body(name, self._namespace, "", seen)
        answer = answered(self._api, Request("PUT", f"{self._path}/{name}", body=body))
        self._seen[name] = seen_lease(answer, None, self._clock(), written_after=began)

    def _delete(self, name: str) -> None:
        answered(self._api, Request("DELETE", f"{self._path}/{name}"))
        self._seen.pop(name, None)

    def _bury(self, now: float) -> None:
        """Delete, ten minutes later, the member Leases of replicas that left theirs behind."""
        for name, seen in list(self._seen.items()):
            if name.startswith(MEMBER_PREFIX) and now - seen.since > _BURY_AFTER_SECONDS:
                self._tried(name, partial(self._delete, name))

    def _look(self) -> None:
        """Read every Lease of ours once; one that did not change keeps the time it was seen."""
        request = Request("GET", self._path, (("labelSelector", _SELECTOR),))
        now, before = self._clock(), self._looked_at
        items: list[Json] = answered(self._api, request).get("items", [])
        named = {item["metadata"]["name"]: item for item in items}
        if LEASE_NAME not in named:  # made by a leader, it has no labels
            named |= self._asked_for(LEASE_NAME)
        self._seen = {
            name: seen_lease(item, self._seen.get(name), now, written_after=before)
            for name, item in named.items()
        }
        self._looked_at = now

    def _asked_for(self, name: str) -> dict[str, Json]:
        """Return one Lease by its name, nothing where there is none."""
        try:
            return {name: answered(self._api, Request("GET", f"{self._path}/{name}"))}
        except ApiException as error:
            if error.status != 404:
                raise
            return {}

    def _tried(self, name: str, work: Callable[[], None]) -> bool:
        """Do something that may fail now and be done next time; belief runs out by itself.

        Return whether anybody answered.
        """
        try:
            work()
        except ApiException as error:
            if error.status == 404:
                self._seen.pop(name, None)
            fields = {"lease": name, "status": error.status, "error": error.reason}
            logger.info("lease_not_written", extra={"fields": fields})
            return bool(error.status)
        except MALFORMED as error:  # a Lease that is none must not end the thread
            fields = {"lease": name, "error": repr(error)}
            logger.warning("lease_unreadable", extra={"fields": fields})
        return True


def _shard_name(shard: int) -> str:
    return f"{SHARD_PREFIX}{shard:03d}"
