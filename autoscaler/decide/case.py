"""What may a rule between a recommendation and a decision look at: one workload at one instant."""

from datetime import datetime
from typing import NamedTuple

from autoscaler.decide.bounds import Bounds, bounds_in_force
from autoscaler.decide.decision import Recommendation
from autoscaler.decide.facts import WorkloadFacts
from autoscaler.decide.lead_time import lead_time_of
from autoscaler.decide.schedule import NO_SCHEDULE, ScheduledBounds, scheduled_bounds
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import WorkloadPolicy


class Case(NamedTuple):
    """The facts, the policy, the memory, and what is recommended."""

    current: int
    recommendation: Recommendation
    workload: WorkloadFacts
    policy: WorkloadPolicy
    state: WorkloadState
    now: datetime

    def bounds(self) -> Bounds:
        """Return the bounds in force at this instant."""
        return bounds_in_force(self.policy.min_replicas, self.policy.max_replicas, self.scheduled())

    def scheduled(self) -> ScheduledBounds:
        """Return what the schedule demands at this instant."""
        policy = self.policy
        if not policy.schedule:
            return NO_SCHEDULE
        lead = lead_time_of(self.workload, configured=policy.forecast.lead_time)
        return scheduled_bounds(policy.schedule, lead_time=lead, now=self.now)
