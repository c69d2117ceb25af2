"""How is the last decision written onto a workload as an annotation, without delaying a rescale.

Written in a thread of its own, the newest text per workload, at a bounded rate; a failure is
logged and forgotten.
Deployments and StatefulSets are patched through `status`: the server then takes no change of
`spec` from us, so the permission to annotate is none to change a pod template, and the object's
generation stays, which a rollout is told by.
Custom resources ignore metadata there and are patched themselves.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import Request, answered
from autoscaler.cluster.resources import Kinds
from autoscaler.cluster.scale import FIELD_MANAGER
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleRefusedError

logger = logging.getLogger(__name__)

# Ten a second: a morning in which three thousand workloads change is told within five minutes.
PAUSE_SECONDS = 0.1
# A workload is annotated at most this often, whatever the watch has (not) seen of it meanwhile.
APART_SECONDS = 15.0
# After a refusal no workload of the kind is annotated for so long: a missing permission is no
# reason to hammer.
AFTER_REFUSAL_SECONDS = 300.0
# These are one workload's own affair: it is gone, somebody wrote it just now, a webhook refused it.
_OF_ONE_ALONE = frozenset({400, 404, 409, 422})
# Some webhooks refuse with 403, as RBAC does; the API server says which of the two it was.
_BY_WEBHOOK = "admission webhook"
_BY_STATUS = frozenset({"Deployment", "StatefulSet"})
_APPS = "apps/v1"


class Annotator:
    """Writes annotations in the background; workloads `may_write` denies are left alone."""

    def __init__(
        self,
        api: ApiClient,
        kinds: Kinds,
        *,
        may_write: Callable[[TargetRef], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._api = api
        self._kinds = kinds
        self._may_write = may_write
        self._clock = clock
        self._changed = threading.Condition()
        self._waiting: OrderedDict[TargetRef, dict[str, str]] = OrderedDict()
        self._last: OrderedDict[TargetRef, float] = OrderedDict()
        self._not_before: dict[tuple[str, str], float] = {}
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="annotations", daemon=True)

    def stop(self) -> None:
        """Write no more; what waits is dropped, the next leader says it anew."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def annotate(self, target: TargetRef, annotations: dict[str, str]) -> None:
        """Queue annotations in the place of those that wait; never waits, never raises."""
        with self._changed:
            if self._stopping or not self._due(target):
                return
            self._waiting[target] = annotations
            if self._thread.ident is None:  # not before the first annotation: most have none
                self._thread.start()
            self._changed.notify()

    def _due(self, target: TargetRef) -> bool:
        now = self._clock()
        while self._last and now - next(iter(self._last.values())) >= APART_SECONDS:
            self._last.popitem(last=False)
        kind = (target.api_version, target.kind)
        return target not in self._last and now >= self._not_before.get(kind, now)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping)
                if self._stopping:
                    return
                target, annotations = self._waiting.popitem(last=False)
                self._last[target] = self._clock()
            self.write(target, annotations)
            with self._changed:
                self._changed.wait_for(lambda: self._stopping, PAUSE_SECONDS)

    def write(self, target: TargetRef, annotations: dict[str, str]) -> None:
        """Write now, if we may; say what went wrong, never raise it."""
        if not self._may_write(target):
            return
        try:
            path = self._kinds.of(target).object_path(target)
            by_status = target.api_version == _APPS and target.kind in _BY_STATUS
            request = Request(
                "PATCH",
                f"{path}/status" if by_status else path,
                query=(("fieldManager", FIELD_MANAGER),),
                body={"metadata": {"annotations": annotations}},
                content_type="application/merge-patch+json",
            )
            answered(self._api, request)
        except ApiException as error:
            if error.status not in _OF_ONE_ALONE and _BY_WEBHOOK not in str(error.reason):
                self._leave_alone(target)
            _say_refused(target, f"{error.status or 'no answer'} {error.reason}")
        except ScaleRefusedError as error:
            self._leave_alone(target)
            _say_refused(target, str(error))

    def _leave_alone(self, target: TargetRef) -> None:
        """Annotate no workload of this one's kind for a while."""
        with self._changed:
            kind = (target.api_version, target.kind)
            self._not_before[kind] = self._clock() + AFTER_REFUSAL_SECONDS
            self._waiting.clear()


def _say_refused(target: TargetRef, error: str) -> None:
    logger.warning("annotation_refused", extra={"fields": {"target": str(target), "error": error}})
