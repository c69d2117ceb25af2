"""Is a decision carried out: written, held back on purpose, refused, or never answered.

Whether a write without an answer (a time-out, a gateway's 5xx) was carried out is told by the next
version of the object: until the watch shows one, the order is kept aside, neither counted as a
rescale nor forgotten.
A conflict (409) is raised, because only the loop can decide again.
"""

import logging

from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.decide.pipeline import Outcome
from autoscaler.errors import ScaleConflictError, ScaleRefusedError, ScaleUnansweredError
from autoscaler.policy.schema import Actuator, Mode
from autoscaler.ports import UNANSWERED, Cluster
from autoscaler.review.log import log_event
from autoscaler.roster import Governed

logger = logging.getLogger(__name__)


class Orders:
    """The writes of all workloads, and the memory of those that may have arrived."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._unanswered: dict[TargetRef, dict[int, Outcome]] = {}
        """By the count that was written; of several over one version, one at most arrived."""

    def carry_out(
        self, governed: Governed, outcome: Outcome, *, held_back: str
    ) -> tuple[bool, str]:
        """Write the decision if there is one; return whether it was, and what kept it from that.

        Parameters
        ----------
        held_back
            Why nothing at all may be written, empty when it may.

        Raises
        ------
        ScaleConflictError
            When somebody else wrote since the facts were read.
        """
        by_hpa = governed.policy.actuator is Actuator.HPA
        if not (outcome.decision.rescale or (by_hpa and not outcome.decision.stands_still)):
            return False, ""
        if governed.policy.mode is Mode.FORECAST_ONLY:
            held_back = f"mode is {Mode.FORECAST_ONLY}"
        if held_back:
            return False, held_back if outcome.decision.rescale else ""
        write = self._set_floor if by_hpa else self._scale
        try:
            return write(governed.target, outcome), ""
        except ScaleConflictError:
            raise
        except ScaleRefusedError as error:
            return False, _refused(governed.target, error)

    def arrived(self, target: TargetRef, workload: WorkloadFacts) -> Outcome | None:
        """Return the unanswered write of a target once the watch shows that it was carried out.

        It is returned once; None = there is none, it is open still, or it was not carried out.
        """
        tried = self._unanswered.get(target, {})
        arrived = {outcome.arrived(workload): outcome for outcome in tried.values()}
        if not tried or None in arrived:
            return None
        del self._unanswered[target]
        return arrived.get(True)

    def forget(self, target: TargetRef) -> None:
        """Drop what is remembered of a workload that is not governed any more."""
        self._unanswered.pop(target, None)

    def _scale(self, target: TargetRef, outcome: Outcome) -> bool:
        """Write `spec.replicas`; keep a write that nobody answered, for it may have arrived."""
        desired, version = outcome.decision.desired_replicas, outcome.resource_version
        try:
            self._cluster.patch_scale(target, desired, resource_version=version)
        except ScaleUnansweredError:
            self._unanswered.setdefault(target, {})[desired] = outcome
            raise
        self._unanswered.pop(target, None)  # none arrived, or this one would have conflicted
        self._record(target, outcome, event="SuccessfulRescale", told="New size")
        return True

    def _set_floor(self, target: TargetRef, outcome: Outcome) -> bool:
        """Write the HPA's `minReplicas`; return whether it was another one.

        Other replicas above the same floor are the HPA's own decision.
        """
        if not self._cluster.patch_min_replicas(target, outcome.decision.desired_replicas):
            return False
        if outcome.decision.rescale:
            self._record(target, outcome, event="MinReplicasSet", told="Floor of the HPA")
        return True

    def _record(self, target: TargetRef, outcome: Outcome, *, event: str, told: str) -> None:
        decision = outcome.decision
        message = f"{told}: {decision.desired_replicas}; reason: {decision.reason}"
        self._cluster.record_event(target, reason=event, message=message)


def _refused(target: TargetRef, error: ScaleRefusedError) -> str:
    """Log a write that failed, and return why; one without an answer may have succeeded."""
    log_event(logger, logging.ERROR, "scale_refused", target=str(target), error=str(error))
    return f"{UNANSWERED if isinstance(error, ScaleUnansweredError) else ''}{error}"
