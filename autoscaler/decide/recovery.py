"""What is known of the time before our start: a memory that was left to us, and what pods tell.

| known | scale in | scale out |
|---|---|---|
| a memory without a hole | goes on as if nothing had been | goes on |
| a memory with a hole | held as without one | every event in it counts, and every pod since |
| nothing | held for a window, cooldown, period or lead time | pods younger than a period count |
| what a standby saw | held likewise | likewise |

A memory has no hole where hardly any time went by, a whole window or lead time had been watched,
and nobody wrote the workload's `spec` since: its generation is the one our last write left behind.
Any doubt about one of these is a hole.
A workload that was deleted and made anew is another object (`uid`): nothing is known of its past.
Pods tell only of growth: those that went left nothing.
Where a rollout runs, or no pod is older, they tell nothing either, for replaced pods look the same;
a rollout must not keep us from scaling out.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autoscaler.decide.facts import WorkloadFacts
from autoscaler.decide.holds import hold_after_restart, restart_hold_left
from autoscaler.decide.lead_time import lead_time_of, longest_lead_time
from autoscaler.decide.learned_capacity import CapacityFit
from autoscaler.decide.pipeline import remembered_for
from autoscaler.decide.rate_limits import LONGEST_PERIOD
from autoscaler.decide.state import ScaleEvent, WorkloadState
from autoscaler.policy.schema import WorkloadPolicy

# Enough to stop a pod, start it elsewhere and read the first lists; most of the default window was
# then watched. In a longer absence a peak may have come and gone that nobody saw.
LONGEST_ABSENCE = timedelta(minutes=2)
_ZERO = timedelta(0)


@dataclass(frozen=True, slots=True)
class Memory:
    """What one process leaves to the next of one workload."""

    state: WorkloadState
    reach: timedelta
    """How far back recommendations were kept, by the policy of that time."""
    fit: CapacityFit | None = None
    """What its pods' CPU taught of their capacity, where that is learned."""


def state_at_start(
    memory: Memory | None, *, workload: WorkloadFacts, policy: WorkloadPolicy, now: datetime
) -> WorkloadState:
    """Return what to begin with: all that may limit; `recovered` where nothing is missing."""
    if memory is None or memory.state.uid != workload.uid:
        seen = growth_seen(workload, since=now - LONGEST_PERIOD, now=now)
        return _with_growth(WorkloadState(started_at=now), seen)
    state = memory.state
    if _without_a_hole(memory, workload, policy, now):
        return replace(state, started_at=now, recovered=True)
    since = max(state.seen_at or now - LONGEST_PERIOD, now - LONGEST_PERIOD)
    limits = replace(
        state,
        started_at=now,
        recovered=False,
        order=None,  # whoever changed the count since then did not contradict us
        idle_since=None,
    )
    return _with_growth(limits, growth_seen(workload, since=since, now=now))


def state_at_hand_over(
    state: WorkloadState, *, workload: WorkloadFacts | None, now: datetime
) -> WorkloadState:
    """Return what to lead with after another led: what it ordered shows in the pods alone.

    That the count is no longer what we ordered before contradicts nobody.
    """
    begun = replace(state, started_at=now, recovered=False, order=None)
    if workload is None:
        return begun
    ours = tuple(event for event in state.scale_events if event.change < 0)
    seen = growth_seen(workload, since=now - LONGEST_PERIOD, now=now)
    return _with_growth(replace(begun, scale_events=ours), seen)


def growth_seen(
    workload: WorkloadFacts, *, since: datetime, now: datetime
) -> tuple[ScaleEvent, ...]:
    """Return the pods created after `since` as scale events, oldest first.

    The API server's clock may be ahead of ours; no pod came later than now.
    """
    pods = [pod for pod in workload.pods or () if pod.goes_on]
    young = sorted(min(pod.created_at, now) for pod in pods if pod.created_at > since)
    if workload.rollout_in_progress or len(young) == len(pods):
        return ()
    return tuple(ScaleEvent(at, 1) for at in young)


def _with_growth(state: WorkloadState, seen: tuple[ScaleEvent, ...]) -> WorkloadState:
    if not seen:
        return state
    return replace(state, scale_events=(*state.scale_events, *seen), last_scale_up_at=seen[-1].at)


def _without_a_hole(
    memory: Memory, workload: WorkloadFacts, policy: WorkloadPolicy, now: datetime
) -> bool:
    """Whether the memory holds every recommendation and rescale that scale-in looks back at.

    What a forecast asked for is needed a lead time later, so a process that watched for less than
    that may have missed it.
    """
    state = memory.state
    if state.seen_at is None or not _ZERO <= now - state.seen_at <= LONGEST_ABSENCE:
        return False
    if state.generation is None or state.generation != workload.generation:
        return False
    ahead = longest_lead_time([lead_time_of(workload, configured=policy.forecast.lead_time)])
    window = max(hold_after_restart(policy), ahead)
    watched = restart_hold_left(state, window=window, now=state.seen_at) <= _ZERO
    return watched and memory.reach >= remembered_for(policy.behavior)
