"""Who else claims a workload: HPAs and ScaledObjects by the target they name."""

from typing import NamedTuple

from autoscaler.cluster.objects import Rival
from autoscaler.cluster.parsing import group_of
from autoscaler.decide.facts import TargetRef


class Claim(NamedTuple):
    """What a rival's target reference names; HPA ignores the version of the group too."""

    namespace: str
    group: str
    kind: str
    name: str


def claim_of(target: TargetRef) -> Claim:
    """Return the claim that would name this target."""
    return Claim(target.namespace, group_of(target.api_version), target.kind, target.name)


class Rivals:
    """Rivals by claim; each change returns the claims whose answer changed."""

    def __init__(self) -> None:
        self._claimants: dict[Claim, dict[tuple[str, str], Rival]] = {}
        self._claims: dict[tuple[str, str, str], Claim] = {}

    def put(self, seen: Rival) -> set[Claim]:
        """Take in a rival; a new target or a new `maxReplicas` changes the facts of its target.

        Its status changes all the time, and changes nothing.
        """
        identity = (seen.kind, seen.namespace, seen.name)
        claim = Claim(seen.namespace, seen.target_group, seen.target_kind, seen.target_name)
        changed: set[Claim] = set()
        if self._claims.get(identity) != claim:
            changed = self.remove(seen) | {claim}
            self._claims[identity] = claim
        claimants = self._claimants.setdefault(claim, {})
        before = claimants.get((seen.kind, seen.name))
        claimants[seen.kind, seen.name] = seen
        if before is not None and before.max_replicas != seen.max_replicas:
            changed |= {claim}
        return changed

    def remove(self, seen: Rival) -> set[Claim]:
        """Forget a rival."""
        claim = self._claims.pop((seen.kind, seen.namespace, seen.name), None)
        if claim is None:
            return set()
        claimants = self._claimants[claim]
        del claimants[seen.kind, seen.name]
        if not claimants:
            del self._claimants[claim]
        return {claim}

    def of(self, target: TargetRef) -> list[Rival]:
        """Return who claims the target; KEDA's ScaledObject before the HPA it made."""
        claimants = self._claimants.get(claim_of(target), {})
        return [claimants[key] for key in sorted(claimants, reverse=True)]
