"""How is a Kubernetes object read: raw JSON from the API server into the values we keep.

Pure; a field the server left out has the meaning the API reference gives to its absence.
Ownership is `ownerReferences` with `controller: true`, never a label selector: selectors overlap.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from sys import intern
from typing import Any

from autoscaler.cluster.containers import limits, requests
from autoscaler.cluster.objects import HPA, Pod, PolicySource, ReplicaSet, Rival, Workload
from autoscaler.decide.facts import SCALED_OBJECT, PodFacts, PodPhase, TargetRef
from autoscaler.strict import instant_of, text_of

Json = Mapping[str, Any]

# Who labels pods with the identity of their template: Deployments, Argo Rollouts, StatefulSets.
_TEMPLATE_LABELS = (
    "pod-template-hash",
    "rollouts-pod-template-hash",
    "controller-revision-hash",
)
_REVISION = "deployment.kubernetes.io/revision"
# Ours; `kubectl apply` alone leaves as much in another as all that we keep of a workload.
_OWN_ANNOTATIONS = "autoscaler/"
# Reasons of the Progressing condition while pods of the new template are still to come; a mere
# change of replicas leaves it at NewReplicaSetAvailable.
_ROLLING = frozenset({"NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated"})
# Kinds whose status leaves `updatedReplicas` out when it is 0; elsewhere its absence says nothing.
_COUNTS_UPDATED = frozenset({"Deployment", "StatefulSet", "Rollout"})
# Kinds whose controllers say which generation they have seen; a status without it is older than
# their first look, when no pod has been ordered yet. Elsewhere its absence says nothing.
_TELLS_GENERATION = frozenset({"Deployment", "StatefulSet"})
# Kinds that have one replica where they leave the count out, by the API server's default or Argo's.
# Of another kind it may stand elsewhere: `scale` of a Flink cluster counts its task managers.
_ONE_BY_DEFAULT = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout"})
# Pods of these are never a scale target's.
_NEVER_SCALED = frozenset({"DaemonSet", "Job", "Node"})
_PHASES = {phase.value: phase for phase in PodPhase}
_NEVER = 2**62
# As a policy it is refused in these words, and the last good version stays in force.
NO_TEXT = "binaryData, not UTF-8 text"


def policy_source(raw: Json) -> PolicySource:
    """Return the documents of a ConfigMap; what is no text is one that will be refused by name."""
    meta, binary = raw["metadata"], dict.fromkeys(raw.get("binaryData") or {}, NO_TEXT)
    texts = {text_of(k): text_of(v) for k, v in {**(raw.get("data") or {}), **binary}.items()}
    created_at = instant(meta.get("creationTimestamp"))
    namespace, name, uid = text_of(meta["namespace"]), text_of(meta["name"]), meta.get("uid", "")
    return PolicySource(namespace, name, texts, created_at, text_of(uid))


def workload(raw: Json, *, kind: str, api_version: str) -> Workload:
    """Return what is kept of a Deployment, StatefulSet, Rollout or the like.

    `ValueError` where its count of replicas is not known: taken for one, a lower number would pass
    for a scale-out.
    """
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    annotations = {text_of(k): text_of(v) for k, v in (meta.get("annotations") or {}).items()}
    namespace, name = _common(meta["namespace"]), text_of(meta["name"])
    return Workload(
        namespace=namespace,
        name=name,
        target=TargetRef(namespace, name, kind, api_version),
        uid=text_of(meta["uid"]),
        resource_version=text_of(meta["resourceVersion"]),
        spec_replicas=_ordered(spec, kind=kind),
        status_replicas=_count(status, "replicas"),
        ready_replicas=_count(status, "readyReplicas"),
        rollout_in_progress=rollout_in_progress(raw, kind=kind),
        revision=annotations.get(_REVISION, ""),
        template_hash=text_of(status.get("updateRevision") or status.get("currentPodHash") or ""),
        annotations={k: v for k, v in annotations.items() if k.startswith(_OWN_ANNOTATIONS)},
        requests=requests(pod_spec),
        limits=limits(pod_spec),
        generation=_count(meta, "generation") or None,
        replicas_manager=manager_of("replicas", meta.get("managedFields") or ()),
    )


def rollout_in_progress(raw: Json, *, kind: str) -> bool:
    """Return whether pods of an old template remain, or those of the new one are still to come.

    Unlike `kubectl rollout status` a changed replica count alone is no rollout: if it were, every
    rescale of ours would freeze the next one.
    """
    meta, status = raw["metadata"], raw.get("status") or {}
    none_observed = 0 if kind in _TELLS_GENERATION else _NEVER
    if _count(meta, "generation") > _count(status, "observedGeneration", absent=none_observed):
        return True
    if "updateRevision" in status and status["updateRevision"] == status.get("currentRevision"):
        return False  # a StatefulSet that is done no longer reports updatedReplicas
    none_updated = 0 if kind in _COUNTS_UPDATED else _NEVER
    if _count(status, "replicas") > _count(status, "updatedReplicas", absent=none_updated):
        return True
    return any(
        condition.get("type") == "Progressing" and condition.get("reason") in _ROLLING
        for condition in status.get("conditions") or ()
    )


def replica_set(raw: Json) -> ReplicaSet | None:
    """Return what is kept of a ReplicaSet; None when nobody controls it."""
    meta = raw["metadata"]
    owner = _controller(meta)
    if owner is None:
        return None
    return ReplicaSet(
        namespace=_common(meta["namespace"]),
        name=text_of(meta["name"]),
        uid=text_of(meta["uid"]),
        owner_uid=_common(owner["uid"]),
        revision=text_of((meta.get("annotations") or {}).get(_REVISION, "")),
        template_hash=_template_hash(meta),
        active=_count(raw.get("spec") or {}, "replicas", absent=1) > 0
        or _count(raw.get("status") or {}, "replicas") > 0,
    )


def pod(raw: Json) -> Pod | None:
    """Return what is kept of a pod; None when no scale target can own it."""
    meta, status = raw["metadata"], raw.get("status") or {}
    owner = _controller(meta)
    if owner is None or owner["kind"] in _NEVER_SCALED:
        return None
    ready = _condition(status, "Ready")
    is_ready = ready.get("status") == "True"
    changed_at = instant(ready.get("lastTransitionTime"))
    return Pod(
        namespace=_common(meta["namespace"]),
        name=text_of(meta["name"]),
        uid=text_of(meta["uid"]),
        owner_uid=_common(owner["uid"]),
        facts=PodFacts(
            name=text_of(meta["name"]),
            created_at=instant_of(meta["creationTimestamp"]),
            phase=_phase(status.get("phase")),
            ready=is_ready,
            deleted="deletionTimestamp" in meta,
            started_at=instant(status.get("startTime")),
            ready_transition_at=changed_at,
            template_hash=_template_hash(meta),
            requests=requests(raw.get("spec") or {}, status),
        ),
        ready_since=changed_at if is_ready else None,
        restarts=max((_count(c, "restartCount") for c in _containers(status)), default=0),
    )


def horizontal_pod_autoscaler(raw: Json) -> Rival:
    """Return what an HPA claims."""
    spec = raw.get("spec") or {}
    return _rival(
        raw,
        kind=HPA,
        target=spec.get("scaleTargetRef") or {},
        min_replicas=_count(spec, "minReplicas", absent=1),
        max_replicas=_count(spec, "maxReplicas") or None,
        floor_manager=manager_of("minReplicas", raw["metadata"].get("managedFields") or ()),
    )


def scaled_object(raw: Json) -> Rival:
    """Return what a KEDA ScaledObject claims: a Deployment unless it says otherwise."""
    spec = raw.get("spec") or {}
    target = {"kind": "Deployment", "apiVersion": "apps/v1", **(spec.get("scaleTargetRef") or {})}
    return _rival(
        raw,
        kind=SCALED_OBJECT,
        target=target,
        min_replicas=_count(spec, "minReplicaCount"),
    )


def _rival(
    raw: Json,
    *,
    kind: str,
    target: Json,
    min_replicas: int,
    max_replicas: int | None = None,
    floor_manager: str | None = None,
) -> Rival:
    meta = raw["metadata"]
    return Rival(
        namespace=_common(meta["namespace"]),
        name=text_of(meta["name"]),
        kind=kind,
        resource_version=text_of(meta.get("resourceVersion", "")),
        target_kind=text_of(target.get("kind", "")),
        target_name=text_of(target.get("name", "")),
        target_group=group_of(text_of(target.get("apiVersion") or "")),
        min_replicas=min_replicas,
        max_replicas=max_replicas,
        floor_manager=floor_manager,
    )


def group_of(api_version: str) -> str:
    """Return the API group: `apps` of `apps/v1`, empty for the core group."""
    group, slash, _ = api_version.partition("/")
    return group if slash else ""


def manager_of(name: str, managed_fields: Iterable[Json]) -> str | None:
    """Return the field manager that wrote a field of `spec` last."""
    owners = [
        (text_of(entry.get("time") or ""), _common(entry.get("manager") or ""))
        for entry in managed_fields
        if f"f:{name}" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})
    ]
    return max(owners)[1] or None if owners else None


def instant(text: str | None) -> datetime | None:
    """Return a Kubernetes timestamp, timezone-aware."""
    return None if not text else instant_of(text)


def _common(value: Any) -> str:
    """Return a text that many objects say, kept once for all of them."""
    return intern(text_of(value))


def _phase(text: str | None) -> PodPhase:
    return _PHASES.get(text_of(text or ""), PodPhase.UNKNOWN)


def _count(section: Json, name: str, *, absent: int = 0) -> int:
    """Return a count; Argo writes some as text, older ones a hash, which counts nothing."""
    value = section.get(name)
    try:
        count = absent if value is None else int(value)
    except ValueError:
        return absent
    if not 0 <= count <= _NEVER:
        raise OverflowError(f"{name} {value!r} is no count")
    return count


def _ordered(spec: Json, *, kind: str) -> int:
    """Return `spec.replicas`."""
    if spec.get("replicas") is None and kind not in _ONE_BY_DEFAULT:
        raise ValueError(f"{kind} has no spec.replicas, so what its `scale` counts is not known")
    return _count(spec, "replicas", absent=1)


def _controller(meta: Json) -> Json | None:
    owners: Iterable[Json] = meta.get("ownerReferences") or ()
    return next((owner for owner in owners if owner.get("controller")), None)


def _template_hash(meta: Json) -> str:
    labels = meta.get("labels") or {}
    return next((_common(labels[name]) for name in _TEMPLATE_LABELS if name in labels), "")


def _condition(status: Json, kind: str) -> Json:
    conditions: Iterable[Json] = status.get("conditions") or ()
    return next((c for c in conditions if c.get("type") == kind), {})


def _containers(status: Json) -> Iterable[Json]:
    return status.get("containerStatuses") or ()
