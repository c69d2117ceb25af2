"""What does a document say: text in, a `WorkloadPolicy` out, or every mistake at once.

A user who fixes one mistake only to be told the next stops reading; so all are listed (of very
many the first), each with its source, its field path as written, the value, and what is allowed.
"""

from typing import Any

from pydantic import ValidationError

from autoscaler.errors import PolicyError
from autoscaler.policy.complaints import complaints, shown
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.policy.yaml_text import documents


def policy_of(document: PolicyDocument, *, own_namespace: str | None) -> WorkloadPolicy:
    """Return the policy that a document holds, which has to be exactly one.

    Parameters
    ----------
    own_namespace
        The daemon's own namespace, whose ConfigMaps may govern other namespaces.

    Raises
    ------
    PolicyError
        One line per mistake; each begins with the document's source.
    """
    source, namespace = document.source, document.namespace
    try:
        found = documents(document.text)
    except PolicyError as error:
        raise PolicyError(f"{source}: {error}") from error
    if len(found) != 1:
        raise PolicyError(f"{source}: holds {len(found) or 'no'} policies; give exactly one")
    policy, mistakes = checked(found[0])
    if policy is not None:
        mistakes = foreign_namespace(policy, namespace=namespace, own_namespace=own_namespace)
    if policy is None or mistakes:
        raise PolicyError("\n".join(f"{source}: {mistake}" for mistake in mistakes))
    return policy


def checked(values: Any) -> tuple[WorkloadPolicy | None, list[str]]:
    """Return the policy in parsed YAML, or None and every mistake in it."""
    if not isinstance(values, dict):
        return None, [f"a policy is a mapping of fields, got {shown(values)}"]
    if "apiVersion" in values and "kind" in values:
        return None, [f"kind: {_no_policy(values['kind'])}"]
    try:
        return WorkloadPolicy.model_validate(values, by_alias=True, by_name=False), []
    except ValidationError as error:
        return None, complaints(error) + _bounds_complaints(values, error)


def _no_policy(kind: Any) -> str:
    """Say what a manifest is not, and who makes a policy of it."""
    if kind in {"HorizontalPodAutoscaler", "ScaledObject"}:
        return f"{shown(kind)} is a manifest; `autoscaler convert` makes a policy of it"
    return f"{shown(kind)} is a manifest; a policy begins with scaleTargetRef"


def foreign_namespace(
    policy: WorkloadPolicy, *, namespace: str | None, own_namespace: str | None
) -> list[str]:
    """Return the complaint when a ConfigMap governs a namespace that is not its own."""
    wanted = policy.scale_target_ref.namespace
    if namespace is None or wanted in {None, namespace} or namespace == own_namespace:
        return []
    return [
        f"scaleTargetRef.namespace: {wanted!r}: a ConfigMap of namespace {namespace} "
        f"governs only workloads of {namespace}"
    ]


def _bounds_complaints(values: dict[str, Any], error: ValidationError) -> list[str]:
    """Compare the bounds although another field is wrong, which keeps pydantic from doing so."""
    low, high = values.get("minReplicas", 1), values.get("maxReplicas")
    if not (isinstance(low, int) and isinstance(high, int) and low > high):
        return []
    bounds = {(), ("minReplicas",), ("maxReplicas",)}
    if any(details["loc"] in bounds for details in error.errors(include_url=False)):
        return []  # said already
    return [f"minReplicas {low} is above maxReplicas {high}"]
