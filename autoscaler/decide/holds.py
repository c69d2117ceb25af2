"""What holds scale-in just now, since when, and until when at the latest.

Every hold has a reason, a bound in time and a way out; none of them ever lowers.
Doubts about one sample are judged in `recommend`; these holds are about the workload as a whole.

| hold | begins | ends | at the latest |
|---|---|---|---|
| rollout | a rollout runs | it is complete | 30 min; ready pods that are needed stay longer |
| pods not ready | fewer pods serve than are needed | enough serve | 15 min |
| contradiction | one metric reads nothing, another is busy | they agree | 30 min |
| load vanished | it falls below a tenth, the need by half, in 5 min | - | 10 min, each |
| burst | the forecast reports a jump | - | 15 min; then it must clear before it counts again |
| clock jump | the clock was set, ran backwards, or skipped minutes | - | as after a restart, each |
| restart | we start without history | - | window, cooldown, period or lead time, the longest |
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from autoscaler.decide.decision import Recommendation
from autoscaler.decide.facts import Signal, WorkloadFacts
from autoscaler.decide.reason import Reason
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.behavior import RateLimitType
from autoscaler.policy.schema import WorkloadPolicy

# The latest end of each hold. A rollout fails its progress deadline after 10 min; three of them.
# Retry storms and bursts come within minutes of what caused them.
LONGEST_HOLD = {
    Reason.ROLLOUT_HOLD: timedelta(minutes=30),
    Reason.PODS_NOT_READY_HOLD: timedelta(minutes=15),
    Reason.METRICS_CONTRADICT_HOLD: timedelta(minutes=30),
    Reason.LOAD_VANISHED_HOLD: timedelta(minutes=10),
    Reason.BURST_HOLD: timedelta(minutes=15),
}
# These outlast what began them; the others end with it.
_LATCHED = frozenset({Reason.LOAD_VANISHED_HOLD, Reason.BURST_HOLD, Reason.CLOCK_JUMP_HOLD})

# A load that falls below a tenth within a window is not a trend; below three pods it is noise.
_VANISHED_SHARE = 0.1
_VANISHED_FROM_REPLICAS = 3
# A metric that reads less than a hundredth of one pod beside one that is a quarter busy lies.
_NOTHING = 0.01
_BUSY = 0.25
_ZERO = timedelta(0)
_ALL = 100
# How far back load and need are remembered for telling a fall from a trend: HPA's default window.
VANISHED_WITHIN = timedelta(minutes=5)
# A cycle that comes this late was not late, the clock moved or we were suspended.
FORWARD_JUMP = timedelta(minutes=5)
# A clock that is set, or runs back, by no more than this was merely corrected.
CORRECTION = timedelta(seconds=5)


def updated_holds(
    signals: Sequence[Signal],
    recommendation: Recommendation,
    *,
    workload: WorkloadFacts,
    state: WorkloadState,
    policy: WorkloadPolicy,
    now: datetime,
) -> tuple[tuple[Reason, datetime], ...]:
    """Return what holds scale-in and since when, given the holds of the cycle before."""
    present = _present(signals, recommendation, workload, state, now)
    if not present and not state.holds:
        return ()
    window = longest_hold_after_restart(policy, recommendation)
    holds = {
        reason: since
        for reason, since in state.holds
        if reason in present
        or (reason in _LATCHED and hold_left(reason, since, window=window, now=now) > _ZERO)
    }
    for reason in present:
        if reason not in holds or (
            # A load that came back meanwhile, and is gone again, holds anew.
            reason is Reason.LOAD_VANISHED_HOLD and _vanished(recommendation, state, holds[reason])
        ):
            holds[reason] = now
    return tuple(holds.items())


def _present(
    signals: Sequence[Signal],
    recommendation: Recommendation,
    workload: WorkloadFacts,
    state: WorkloadState,
    now: datetime,
) -> list[Reason]:
    """Return the holds whose cause is there in this cycle's facts."""
    present: list[Reason] = []
    needed = recommendation.replicas
    if workload.rollout_in_progress:
        present.append(Reason.ROLLOUT_HOLD)
    if needed is not None and workload.ready_replicas < needed:
        present.append(Reason.PODS_NOT_READY_HOLD)
    if len(signals) > 1 and _contradicting(recommendation):
        present.append(Reason.METRICS_CONTRADICT_HOLD)
    if needed is not None and _vanished(recommendation, state, now - VANISHED_WITHIN):
        present.append(Reason.LOAD_VANISHED_HOLD)
    for signal in signals:
        if signal.forecast is not None and signal.forecast.burst:
            present.append(Reason.BURST_HOLD)
            break
    return present


def clock_jumped(state: WorkloadState, *, now: datetime, moved_by: timedelta) -> bool:
    """Whether the clock was set, or more or less time went by than ever does between two cycles.

    Parameters
    ----------
    moved_by
        By how much the clock was set since the cycle before, as far as that is known.
    """
    if abs(moved_by) > CORRECTION:
        return True
    return state.seen_at is not None and not (-CORRECTION <= now - state.seen_at <= FORWARD_JUMP)


def after_jump(state: WorkloadState, *, now: datetime) -> WorkloadState:
    """Return the state after the clock jumped: every hold is as old as before, idleness is not.

    A jump forward must neither end a hold nor count as idle time before scale to zero.
    """
    ahead = max(now - (state.seen_at or now), _ZERO)
    holds = {reason: at + ahead for reason, at in state.holds} | {Reason.CLOCK_JUMP_HOLD: now}
    return replace(state, holds=tuple(holds.items()), idle_since=None)


def _contradicting(recommendation: Recommendation) -> bool:
    """Whether one metric reads nothing while another is busy."""
    ratios = [p.usage_ratio for p in recommendation.proposals if p.usage_ratio is not None]
    return len(ratios) > 1 and min(ratios) < _NOTHING and max(ratios) > _BUSY


def _vanished(recommendation: Recommendation, state: WorkloadState, after: datetime) -> bool:
    """Whether load fell below a tenth of its highest `after` then, and the need to half at most.

    Load is compared with load, because the need has head-room for what the load may become.
    """
    busy_pods = recommendation.busy_pods
    before = next((pods for at, pods in state.busiest if at > after), 0.0)
    if busy_pods is None or before < _VANISHED_FROM_REPLICAS:
        return False
    if busy_pods >= _VANISHED_SHARE * before:
        return False
    needed = (r.replicas for r in state.recommendations if r.at > after and not r.assumed)
    return 2 * (recommendation.replicas or 0) <= max(needed, default=0)


def busiest(
    state: WorkloadState, busy_pods: float | None, *, now: datetime
) -> tuple[tuple[datetime, float], ...]:
    """Return `WorkloadState.busiest` with this cycle's measured load, in pods; None = unknown."""
    kept = state.busiest
    if busy_pods is None:
        return kept
    while kept and kept[-1][1] <= busy_pods:
        kept = kept[:-1]
    while kept and kept[0][0] <= now - VANISHED_WITHIN:
        kept = kept[1:]
    return (*kept, (now, busy_pods))


def hold_left(reason: Reason, since: datetime, *, window: timedelta, now: datetime) -> timedelta:
    """Return how much of a hold is left; zero or less = it is over.

    Parameters
    ----------
    window
        How long a hold lasts that has no span of its own in `LONGEST_HOLD`: the one after a clock
        jump, which lasts as long as the one after a restart.
    """
    return since + LONGEST_HOLD.get(reason, window) - now


def hold_after_restart(policy: WorkloadPolicy) -> timedelta:
    """Return how long nothing is lowered after a restart or a clock jump.

    What was recommended and rescaled before is not known then, or not when. So it is as long as the
    rules of scale-in look back: stabilization window, cooldown, and the periods of rate limits,
    except those of 100 %, which limit nothing.
    """
    periods = [
        timedelta(seconds=rule.period_seconds)
        for rule in policy.behavior.scale_down.policies
        if rule.type is RateLimitType.PODS or rule.value < _ALL
    ]
    return max(policy.behavior.scale_down_window, policy.cooldown.scale_down, *periods)


def longest_hold_after_restart(policy: WorkloadPolicy, recommendation: Recommendation) -> timedelta:
    """Return `hold_after_restart`, but at least the lead time of the trusted forecasts.

    What a forecast asked for before the restart is needed a lead time later.
    """
    return max(hold_after_restart(policy), recommendation.promised_for)


def restart_hold_left(state: WorkloadState, *, window: timedelta, now: datetime) -> timedelta:
    """Return how much of the hold after our own start is left; none with a recovered memory."""
    if state.recovered:
        return timedelta(0)
    return state.started_at + window - now
