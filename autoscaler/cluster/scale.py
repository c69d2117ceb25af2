"""How is a number written: PATCH of a subresource, carrying the resourceVersion that was read.

The server refuses a stale one (409), so two writers can never overwrite each other unseen.
Its answer holds the number that is there now: one that an admission webhook put in the place of
ours is no rescale.
Writes are sent one after the other, so one that hangs (in somebody's admission webhook) delays all
others: a target whose write was not answered gets none for a multiple of the time that it took.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from autoscaler.cluster.api import Json, Request, answered, list_path
from autoscaler.cluster.resources import Kinds
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError

# The name under which the API server notes our writes in managedFields.
FIELD_MANAGER = "predictive-autoscaler"
_CONFLICT = 409
# From here on it is a gateway's or a dying server's word, behind which a write may have arrived.
_NO_VERDICT = 500
# Times as long as the write took, by how many in a row were not answered. The first hiccup costs no
# cycle; in the end a target that hangs takes a sixty-fifth of the time.
_RESTS = (1.0, 16.0, 64.0)


class _Unanswered(NamedTuple):
    """How many writes in a row got no answer, when the last ended, and how long none is sent."""

    n_writes: int
    ended: float
    rest: float


_NONE = _Unanswered(0, 0.0, 0.0)


class Scaler:
    """Reads and writes scale targets, past the watch."""

    def __init__(
        self, api: ApiClient, kinds: Kinds, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._api = api
        self._kinds = kinds
        self._clock = clock
        self._unanswered: dict[TargetRef, _Unanswered] = {}

    def retain(self, targets: Sequence[TargetRef]) -> None:
        """Forget how the writes of others than `targets` went."""
        if self._unanswered:
            known = self._unanswered
            self._unanswered = {t: known[t] for t in targets if t in known}

    def read(self, target: TargetRef) -> Json:
        """Return the target's object as it is now; `ScaleRefusedError` when it cannot be had."""
        path = self._kinds.of(target).object_path(target)
        return self._request(target, Request("GET", path))

    def read_hpa(self, target: TargetRef, name: str) -> Json | None:
        """Return an HPA as it is now, None where it is gone; as a list, which we may ask for."""
        query = (("fieldSelector", f"metadata.name={name}"),)
        items = self._request(target, Request("GET", _hpas(target), query)).get("items") or []
        return next(iter(items), None)

    def patch_scale(self, target: TargetRef, replicas: int, *, resource_version: str) -> None:
        """Write `spec.replicas` through `scale`."""
        path = f"{self._kinds.of(target).object_path(target)}/scale"
        self._write(target, _merge(path, {"replicas": replicas}, resource_version))

    def patch_hpa(
        self, target: TargetRef, name: str, min_replicas: int, *, resource_version: str
    ) -> None:
        """Write `spec.minReplicas` of the HPA that claims the target."""
        path = f"{_hpas(target)}/{name}"
        self._write(target, _merge(path, {"minReplicas": min_replicas}, resource_version))

    def _write(self, target: TargetRef, request: Request) -> None:
        """Send a write, unless the last ones of this target took long and got no answer."""
        last, began = self._unanswered.get(target), self._clock()
        if last is not None and began < last.ended + last.rest:
            # The same words until it is over: what is told anew at every cycle would be news.
            said = f"{last.n_writes} writes in a row" if last.n_writes > 1 else "the last write"
            raise ScaleRefusedError(
                f"{target}: {said} got no answer, so that none is sent for {last.rest:.0f} s"
            )
        n_before = self._unanswered.pop(target, _NONE).n_writes
        try:
            answer = self._request(target, request)
        except ScaleUnansweredError:
            ended = self._clock()
            rest = (ended - began) * _RESTS[min(n_before, len(_RESTS) - 1)]
            self._unanswered[target] = _Unanswered(n_before + 1, ended, rest)
            raise
        _check_written(target, request.body["spec"], answer.get("spec"))

    def _request(self, target: TargetRef, request: Request) -> Json:
        try:
            return answered(self._api, request)
        except ApiException as error:
            raise refusal(error.status)(
                f"{target}: {request.method} {request.path}: "
                f"{error.status or 'no answer'} {error.reason}"
            ) from error


def refusal(status: int | None) -> type[ScaleRefusedError]:
    """Return what a status means for a write; None or 0 = there was no answer."""
    if status == _CONFLICT:
        return ScaleConflictError
    return ScaleUnansweredError if not status or status >= _NO_VERDICT else ScaleRefusedError


def _check_written(target: TargetRef, ours: Json, theirs: Any) -> None:
    """Raise `ScaleRefusedError` where the answer has another number than was written."""
    for name, number in ours.items():
        if isinstance(theirs, dict) and theirs.get(name, number) != number:
            raise ScaleRefusedError(
                f"{target}: {name} is {theirs[name]} after {number} was written: "
                "an admission webhook changes it"
            )


def _hpas(target: TargetRef) -> str:
    return list_path("autoscaling/v1", "horizontalpodautoscalers", target.namespace)


def _merge(path: str, spec: Json, resource_version: str) -> Request:
    return Request(
        "PATCH",
        path,
        query=(("fieldManager", FIELD_MANAGER),),
        body={"metadata": {"resourceVersion": resource_version}, "spec": spec},
        content_type="application/merge-patch+json",
    )
