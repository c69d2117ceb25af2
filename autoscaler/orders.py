"""Is a decision carried out: written, held back on purpose, refused, or never answered.

A write without an answer is judged by what the object says next: until the watch shows a later
version the order is kept aside, neither counted as a rescale nor forgotten.
Who lost a race raises: only the loop can decide again.
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
        self._unanswered: dict[TargetRef, Outcome] = {}

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
        try:
            return self._written(governed.target, outcome, by_hpa=by_hpa), ""
        except ScaleConflictError:
            raise
        except ScaleRefusedError as error:
            return False, self._refused(governed.target, outcome, error, by_hpa=by_hpa)

    def arrived(self, target: TargetRef, workload: WorkloadFacts) -> Outcome | None:
        """Return the write that nobody answered once it shows that it arrived, and only once."""
        tried = self._unanswered.get(target)
        arrived = None if tried is None else tried.arrived(workload)
        if arrived is None:
            return None
        del self._unanswered[target]
        return tried if arrived else None

    def forget(self, target: TargetRef) -> None:
        """Drop what is remembered of a workload that is not governed any more."""
        self._unanswered.pop(target, None)

    def _refused(
        self, target: TargetRef, outcome: Outcome, error: ScaleRefusedError, *, by_hpa: bool
    ) -> str:
        """Return why a write did not succeed, and log it; it may have arrived all the same."""
        unanswered = isinstance(error, ScaleUnansweredError)
        if unanswered and not by_hpa:
            self._unanswered[target] = outcome
        log_event(logger, logging.ERROR, "scale_refused", target=str(target), error=str(error))
        return f"{UNANSWERED if unanswered else ''}{error}"

    def _written(self, target: TargetRef, outcome: Outcome, *, by_hpa: bool) -> bool:
        """Order the replicas, or give the HPA its floor; a rescale leaves an Event.

        An HPA that has this floor already may have its own reasons for more replicas.
        """
        desired, event, told = outcome.decision.desired_replicas, "SuccessfulRescale", "New size"
        if by_hpa:
            if not self._cluster.patch_min_replicas(target, desired):
                return False
            event, told = "MinReplicasSet", "Floor of the HPA"
        else:
            self._cluster.patch_scale(target, desired, resource_version=outcome.resource_version)
        if outcome.decision.rescale:
            message = f"{told}: {desired}; reason: {outcome.decision.reason}"
            self._cluster.record_event(target, reason=event, message=message)
        return True
