"""Whether somebody told us to stand still: a pause, `spec.replicas: 0`, another autoscaler.

A pause stops acting, never observing: recommendations go on being made and remembered.
Annotations and policy add up: either is enough, and neither lifts the other.
Whatever an annotation says that is not plainly "false" pauses: a typing error must not unpause.
"""

from collections.abc import Mapping

from autoscaler.decide.decision import Limit
from autoscaler.decide.facts import SCALED_OBJECT, WorkloadFacts
from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import MOST_REPLICAS
from autoscaler.policy.schema import Actuator, Mode, WorkloadPolicy

PAUSED = "autoscaler/paused"
PAUSED_SCALE_IN = "autoscaler/paused-scale-in"
PAUSED_SCALE_OUT = "autoscaler/paused-scale-out"
PAUSED_REPLICAS = "autoscaler/paused-replicas"

# An annotation may be of 256 KiB; Python refuses to read numbers of thousands of digits.
_MOST_DIGITS = len(str(MOST_REPLICAS))


def standstill(number: int, *, workload: WorkloadFacts, policy: WorkloadPolicy) -> Limit | None:
    """Return the limit that overrides everything else, None when nobody stops us.

    `autoscaler/paused-replicas` is taken at its word, also outside of the policy's bounds, but not
    against a rival: there, too, nobody wins.
    """
    current = workload.spec_replicas
    paused = _paused(number, workload=workload, policy=policy)
    if paused is not None and paused.reason is Reason.PAUSED:
        return paused
    rival = rival_of(workload, policy)
    if rival is not None and policy.mode is Mode.FORECAST_AND_SCALE:  # a dry run disturbs nobody
        return Limit(Reason.REPLICAS_CONTESTED, number, current, f"governed by {rival}")
    if paused is not None:
        return paused
    if current == 0 and policy.min_replicas > 0:
        return Limit(Reason.SCALING_DISABLED, number, 0, "spec.replicas is 0")
    return None


def _paused(number: int, *, workload: WorkloadFacts, policy: WorkloadPolicy) -> Limit | None:
    """Return the limit of a whole pause, or of a fixed count, which is one, too."""
    current, annotations = workload.spec_replicas, workload.annotations
    if annotations:
        fixed = annotations.get(PAUSED_REPLICAS)
        if fixed is not None:
            return _fixed(number, fixed, current)
        if _is_set(annotations, PAUSED):
            return Limit(Reason.PAUSED, number, current, f"annotation {PAUSED}")
    return Limit(Reason.PAUSED, number, current, "policy") if policy.paused else None


def rival_of(workload: WorkloadFacts, policy: WorkloadPolicy) -> str | None:
    """Return who else sets what this policy would write, None where nobody does.

    With `actuator: hpa` the floor of an HPA is ours to set, unless KEDA made that HPA: it writes
    the floor again whenever somebody else changes it.
    """
    if policy.actuator is Actuator.SCALE or (workload.rival or "").startswith(f"{SCALED_OBJECT} "):
        return workload.rival
    return None


def paused_direction(
    number: int, *, workload: WorkloadFacts, policy: WorkloadPolicy
) -> Limit | None:
    """Return the limit of a pause in one direction, None when it does not apply."""
    current = workload.spec_replicas
    if number == current:
        return None
    if number < current:
        name, by_policy, reason = PAUSED_SCALE_IN, policy.paused_scale_in, Reason.SCALE_IN_PAUSED
    else:
        name, by_policy, reason = PAUSED_SCALE_OUT, policy.paused_scale_out, Reason.SCALE_OUT_PAUSED
    if workload.annotations and _is_set(workload.annotations, name):
        return Limit(reason, number, current, f"annotation {name}")
    return Limit(reason, number, current, "policy") if by_policy else None


def _is_set(annotations: Mapping[str, str], name: str) -> bool:
    text = annotations.get(name)
    return text is not None and text.strip().lower() != "false"


def _fixed(number: int, text: str, current: int) -> Limit:
    stripped = text.strip()
    counts = stripped.isascii() and stripped.isdigit() and len(stripped) <= _MOST_DIGITS
    if counts and int(stripped) <= MOST_REPLICAS:
        return Limit(Reason.PAUSED_REPLICAS, number, int(stripped))
    return Limit(Reason.PAUSED, number, current, f"{PAUSED_REPLICAS} {text!r} is not a count")
