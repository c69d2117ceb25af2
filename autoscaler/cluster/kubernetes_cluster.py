"""Kubernetes behind the `Cluster` port: what is watched, and what is written.

Reading is from the watches' store alone; only a conflict reads objects by themselves.
Before every single write it is asked whether this replica may write (leader, shard), and the write
is refused if not.
"""

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice

from kubernetes.client import ApiClient

from autoscaler.cluster import parsing
from autoscaler.cluster.annotations import Annotator
from autoscaler.cluster.api import REQUEST_TIMEOUT_SECONDS
from autoscaler.cluster.events import EventRecorder
from autoscaler.cluster.floors import Floors
from autoscaler.cluster.informers import Informer, resources
from autoscaler.cluster.objects import HPA
from autoscaler.cluster.resources import Kind, Kinds
from autoscaler.cluster.scale import Scaler
from autoscaler.cluster.store import Store
from autoscaler.cluster.watched import Resource
from autoscaler.decide.facts import SCALED_OBJECT, TargetRef, WorkloadFacts
from autoscaler.errors import ScaleConflictError, ScaleRefusedError
from autoscaler.ports import PolicyDocument
from autoscaler.strict import MALFORMED

logger = logging.getLogger(__name__)

_KEDA = Kind("keda.sh/v1alpha1", SCALED_OBJECT, "scaledobjects")
_POLL_SECONDS = 0.05
# A request under way is answered within this, or late.
_STOP_SECONDS = REQUEST_TIMEOUT_SECONDS
# A kind met for the first time is waited for this long; later it is simply not there yet.
_FIRST_LIST_SECONDS = 2.0
# A kind the server does not serve is asked for again this much later: its CRD may come.
_ASK_AGAIN_SECONDS = 60.0
# Each is a question to the API server that the reconcile waits for, and policies may name any kind.
_MOST_KINDS_ASKED = 10


class KubernetesCluster:
    """The `Cluster` port over one API server."""

    def __init__(
        self,
        api: ApiClient,
        *,
        namespace: str | None = None,
        may_write: Callable[[TargetRef], bool] = lambda target: True,
    ) -> None:
        self._api = api
        self._namespace = namespace
        self._may_write = may_write
        self._store = Store()
        self._kinds = Kinds(api)
        self._scaler = Scaler(api, self._kinds)
        self._floors = Floors()
        self._events = EventRecorder(api)
        self._annotator = Annotator(api, self._kinds, may_write=may_write)
        self._informers: list[Informer] = []
        self._watched = {("apps/v1", "Deployment")}
        self._ask_again_at: dict[tuple[str, str], float] = {}
        self._ends = False

    def start(self) -> None:
        """Begin to watch; returns before anything is known (`wait_synced`)."""
        self._events.start()
        for resource in resources(self._namespace):
            self._watch(resource)
        self._watch_keda()

    def stop(self) -> None:
        """End the watches, post the last Events, close the connections.

        Each waits for the answer to its request under way; what takes longer is left behind.
        """
        stops = (*(i.stop for i in self._informers), self._annotator.stop, self._events.stop)
        threads = [threading.Thread(target=stop, daemon=True) for stop in stops]
        deadline = time.monotonic() + _STOP_SECONDS
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._api.close()

    def refuse_writes(self) -> None:
        """Let nothing more be written: we are about to end."""
        self._ends = True

    def wait_synced(self, within: timedelta, *, stop: threading.Event | None = None) -> bool:
        """Wait for the first lists, or for `stop`; return whether they all came.

        Those of a large cluster take minutes: we give up once no page of any came for `within`.
        """
        stop = stop or threading.Event()
        while not self._synced() and self._silent_seconds() < within.total_seconds():
            if stop.wait(_POLL_SECONDS):
                break
        return self._synced()

    def _silent_seconds(self) -> float:
        """Return for how long no list was answered."""
        heard_at = max((i.listing.heard_at for i in tuple(self._informers)), default=-math.inf)
        return time.monotonic() - heard_at

    def _synced(self) -> bool:
        return bool(self._informers) and all(i.listing.listed for i in tuple(self._informers))

    def not_synced_because(self) -> str:
        """Return what kept the first lists from coming, as far as anything was answered."""
        failed = (i.listing.failure for i in tuple(self._informers) if not i.listing.listed)
        return next((f"{self._api.configuration.host}: {why}" for why in failed if why), "")

    def out_of_sight(self) -> int:
        """Return how many kinds cannot be listed or watched now."""
        return sum(i.listing.out_of_sight for i in tuple(self._informers))

    def policies(self) -> Sequence[PolicyDocument]:
        """Return every policy document; the same object as before while none changed."""
        return self._store.documents()

    def workloads(self, targets: Sequence[TargetRef]) -> Mapping[TargetRef, WorkloadFacts]:
        """Return what the watches know; kinds other than Deployment are watched once named."""
        if (keda := self._watch_keda()) is not None:
            keda.listing.wait_listed(_FIRST_LIST_SECONDS)
        self._watch_kinds({(t.api_version, t.kind): t for t in targets})
        self._scaler.retain(targets)
        self._floors.retain(targets)
        return self._store.workloads(targets)

    def reread(self, target: TargetRef) -> WorkloadFacts:
        """Read one target past the watch, and the HPA that claims it, whose watch may be dead.

        `ScaleRefusedError` when one cannot be had.
        """
        raw, hpa = self._scaler.read(target), self._store.hpa(target)
        fresh = None if hpa is None else self._scaler.read_hpa(target, hpa.name)
        try:
            read = parsing.workload(raw, kind=target.kind, api_version=target.api_version)
            if fresh is not None:
                self._store.put(parsing.horizontal_pod_autoscaler(fresh))
        except MALFORMED as error:
            raise ScaleRefusedError(f"{target}: cannot be read: {error!r}") from error
        return self._store.facts_of(read)

    def patch_scale(self, target: TargetRef, replicas: int, *, resource_version: str) -> None:
        """Write `spec.replicas`."""
        self._fence(target)
        self._scaler.patch_scale(target, replicas, resource_version=resource_version)

    def patch_min_replicas(self, target: TargetRef, min_replicas: int) -> bool:
        """Write `spec.minReplicas` of the HPA that claims the target; False: it is that already."""
        self._fence(target)
        hpa = self._store.hpa(target)
        if hpa is None:
            raise ScaleRefusedError(f"{target}: no {HPA} claims it")
        if hpa.max_replicas is not None and min_replicas > hpa.max_replicas:
            # It was higher when this was decided; what is told has to be what is written.
            raise ScaleConflictError(f"{target}: maxReplicas of {hpa} is {hpa.max_replicas} now")
        if hpa.min_replicas == min_replicas:
            return False
        self._floors.check(target, hpa)
        version = hpa.resource_version
        self._scaler.patch_hpa(target, hpa.name, min_replicas, resource_version=version)
        self._floors.wrote(target, min_replicas, over_version=version)
        return True

    def record_event(
        self, target: TargetRef, *, reason: str, message: str, warning: bool = False
    ) -> None:
        """Queue an Event on the target; never waits, never raises."""
        uid = self._store.uid(target)
        self._events.record(target, uid=uid, reason=reason, message=message, warning=warning)

    def annotate(self, target: TargetRef, annotations: dict[str, str]) -> None:
        """Queue annotations of the target; never waits, never raises."""
        self._annotator.annotate(target, annotations)

    def _fence(self, target: TargetRef) -> None:
        if self._ends:
            raise ScaleRefusedError(f"{target}: this replica ends")
        if not self._may_write(target):
            raise ScaleRefusedError(f"{target}: not the leader")

    def _watch(self, resource: Resource) -> Informer:
        informer = Informer(self._api, resource, self._store)
        informer.start()
        self._informers.append(informer)
        return informer

    def _watch_keda(self) -> Informer | None:
        """Begin to watch KEDA's objects once the server serves them: it may come after us."""
        key = (_KEDA.api_version, _KEDA.kind)
        if key in self._watched or not self._due(key):
            return None
        if not self._kinds.served(*key):
            return None
        self._watched.add(key)
        return self._watch(Resource(_KEDA.list_path(self._namespace), parsing.scaled_object))

    def _due(self, key: tuple[str, str]) -> bool:
        """Whether a kind may be asked for; then not again for a while."""
        now = time.monotonic()
        if now < self._ask_again_at.get(key, 0.0):
            return False
        self._ask_again_at[key] = now + _ASK_AGAIN_SECONDS
        return True

    def _watch_kinds(self, targets: Mapping[tuple[str, str], TargetRef]) -> None:
        """Watch a few of the kinds that are not watched yet, first those never asked for."""
        named = {*targets, (_KEDA.api_version, _KEDA.kind)}
        asked = {key: at for key, at in self._ask_again_at.items() if key in named}
        self._ask_again_at = asked
        unknown = sorted(targets.keys() - self._watched, key=lambda key: asked.get(key, 0.0))
        due = (key for key in unknown if self._due(key))
        for key in islice(due, _MOST_KINDS_ASKED):
            self._watch_kind(key, targets[key])

    def _watch_kind(self, key: tuple[str, str], target: TargetRef) -> None:
        """Begin to watch the kind of `target`, if the server serves it with `scale`."""
        try:
            kind = self._kinds.of(target)
        except ScaleRefusedError as error:
            logger.warning("kind_not_scalable", extra={"fields": {"error": str(error)}})
            return
        trimmed = partial(parsing.workload, kind=kind.kind, api_version=kind.api_version)
        informer = self._watch(Resource(kind.list_path(self._namespace), trimmed))
        informer.listing.wait_listed(_FIRST_LIST_SECONDS)
        self._watched.add(key)
