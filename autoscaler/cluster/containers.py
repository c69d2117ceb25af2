"""What do the containers of a pod request, and what may they use at most: cores and bytes.

A pod may have a request and a limit of its own, for all its containers (Kubernetes 1.34); it
stands under `WHOLE_POD` in the place of a container's name.
Pods say what their template does, and many templates say the same, so equal amounts are one object.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import lru_cache
from sys import intern
from typing import Any

from autoscaler.cluster.objects import Amounts
from autoscaler.decide.facts import WHOLE_POD
from autoscaler.policy.quantity import parsed_quantity
from autoscaler.strict import text_of

Json = Mapping[str, Any]

_COUNTED = ("cpu", "memory")


def requests(pod_spec: Json, status: Json | None = None) -> Amounts:
    """Return cores and bytes by (container, resource); a limit without a request is the request.

    Of a pod, whose `status` says what its containers were given, at most that: a request that is
    raised in place is in its spec at once, and given later or, on a full node, never.
    """
    given = _given(status or {})
    found: dict[tuple[str, str], float] = {}
    for container in _running_containers(pod_spec):
        for name, amount in _requested(container):
            key = _common(container["name"]), name
            found[key] = min(amount, given.get(key, amount))
    of_containers = {name for _, name in found}
    for name, amount in _requested(pod_spec):
        key = WHOLE_POD, name
        # Beside the requests of containers a limit of the pod is no request.
        if name not in of_containers or name in (pod_spec["resources"].get("requests") or {}):
            found[key] = min(amount, given.get(key, amount))
    return _shared(tuple(found.items()))


def _requested(owner: Json) -> Iterator[tuple[str, float]]:
    """Yield what a container, or a pod, requests of each resource."""
    resources = owner.get("resources") or {}
    declared = {**(resources.get("limits") or {}), **(resources.get("requests") or {})}
    for name in _COUNTED:
        # An amount we cannot read is not declared, as far as sizing by it goes.
        with suppress(KeyError, ValueError):
            yield name, _amount(declared[name])


def _given(status: Json) -> dict[tuple[str, str], float]:
    """Return what the kubelet says that was given; since Kubernetes 1.33 it does."""
    sections = ("containerStatuses", "initContainerStatuses")
    containers = [c for section in sections for c in status.get(section) or ()]
    found: dict[tuple[str, str], float] = {}
    for owner in (*containers, {**status, "name": WHOLE_POD}):
        amounts = (owner.get("resources") or {}).get("requests") or {}
        for name in _COUNTED:
            with suppress(KeyError, ValueError):
                found[owner["name"], name] = _amount(amounts[name])
    return found


def limits(pod_spec: Json) -> Amounts:
    """Return cores and bytes by (container, resource), infinite where a container has no limit.

    So a sum over containers is a limit only where each of them has one.
    """
    found: dict[tuple[str, str], float] = {}
    for container in _running_containers(pod_spec):
        of_container = dict(_limited(container))
        for name in _COUNTED:
            found[_common(container.get("name") or "?"), name] = of_container.get(name, math.inf)
    found |= {(WHOLE_POD, name): limit for name, limit in _limited(pod_spec)}
    return _shared(tuple(found.items()))


def _limited(owner: Json) -> Iterator[tuple[str, float]]:
    """Yield the limits of a container, or of a pod."""
    declared = (owner.get("resources") or {}).get("limits") or {}
    for name in _COUNTED:
        with suppress(KeyError, ValueError):
            yield name, _amount(declared[name])


@lru_cache(maxsize=16_384)
def _shared(found: tuple[tuple[tuple[str, str], float], ...]) -> Amounts:
    return dict(found)


def _running_containers(pod_spec: Json) -> Iterable[Json]:
    """Return the containers that run as long as the pod: its own, and sidecars among the init."""
    always_on = (
        c for c in pod_spec.get("initContainers") or () if c.get("restartPolicy") == "Always"
    )
    return (*(pod_spec.get("containers") or ()), *always_on)


def _common(value: Any) -> str:
    return intern(text_of(value))


def _amount(value: Any) -> float:
    amount = parsed_quantity(value)
    if amount < 0:
        raise ValueError(f"{value!r} is negative")
    return amount
