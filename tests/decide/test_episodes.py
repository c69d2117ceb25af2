"""An hour in a workload's life, with whatever may go wrong in it, against oracles of our own.

The properties of one decision start from a memory that was made up; here the memory grows from
decisions that were carried out, and what must hold over time is reckoned from the counts alone.
"""

import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from hypothesis import given

from autoscaler.decide.facts import Doubt, Sample, Signal, Trust, WorkloadFacts
from autoscaler.decide.pipeline import reconciled, remembered_for
from autoscaler.decide.recovery import Memory, state_at_start
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.behavior import RateLimitType, SelectPolicy
from autoscaler.policy.schema import WorkloadPolicy
from decide.strategies import SEEDS, grown, thorough
from decide.worlds import CAPACITY, LONG_AGO, NOW, PER_POD, TARGET, forecast
from decide.worlds import policy as rate_policy

N_TICKS = 12
ROLLOUT_HOLDS = timedelta(minutes=30)
TROUBLES = (
    *(None, None, None, "unknown", "partial", "rollout"),
    *("restart", "remembered restart", "remembered restart"),
)


@dataclass
class Life:
    """What really happened: nothing of it is read from the rules' own memory."""

    policy: WorkloadPolicy
    replicas: int
    started_at: datetime = LONG_AGO
    counts: list[tuple[datetime, int]] = field(default_factory=list)
    """Replicas before each tick."""
    asked: list[tuple[datetime, int]] = field(default_factory=list)
    """What was recommended at each tick at which nothing was in doubt."""
    growth_known_since: datetime = LONG_AGO
    """A restart without a memory forgets what was added; what was removed, it waits for."""
    generation: int = 1
    lowered_at: datetime | None = None
    rolling_since: datetime | None = None

    def at_start(self, now, period_seconds, *, since):
        """Return the replicas when a period that ends now began, or at the first look `since`."""
        begins = now - timedelta(seconds=period_seconds)
        return next(count for at, count in self.counts if at > begins and at >= since)

    def facts(self, now, ready):
        """Return the workload as it is."""
        return WorkloadFacts(
            TARGET,
            self.replicas,
            self.replicas,
            ready,
            str(self.generation),
            now,
            rollout_in_progress=self.rolling_since is not None,
            generation=self.generation,
        )

    def restarted(self, state, now, *, remembers):
        """Return the state of another process, with or without what the one before left."""
        memory = Memory(state, remembered_for(self.policy.behavior)) if remembers else None
        facts = self.facts(now, self.replicas)
        state = state_at_start(memory, workload=facts, policy=self.policy, now=now)
        self.started_at = self.started_at if state.recovered else now
        self.growth_known_since = self.growth_known_since if remembers else now
        return state


def allowed(life, rules, now, *, sign):
    """Return the farthest count that the policies of one direction allow."""
    before = life.counts[-1][1]
    if rules.select_policy is SelectPolicy.DISABLED:
        return before
    limits = []
    since = life.growth_known_since if sign > 0 else LONG_AGO
    for limit in rules.policies:
        start = life.at_start(now, limit.period_seconds, since=since)
        change = sign * limit.value
        by_pods = limit.type is RateLimitType.PODS
        limits.append(start + change if by_pods else start * (1 + change / 100))
    smallest = rules.select_policy is SelectPolicy.MIN
    if sign > 0:
        return max(math.ceil((min if smallest else max)(limits)), before)
    return min(int((max if smallest else min)(limits)), before)


def checked(life, now, after, *, unknown):
    """Assert what must hold of one tick, whatever was going on."""
    before, policy = life.replicas, life.policy
    low, high = policy.min_replicas, policy.max_replicas
    assert low <= after <= high
    assert after <= max(allowed(life, policy.behavior.scale_up, now, sign=1), low)
    assert after >= min(allowed(life, policy.behavior.scale_down, now, sign=-1), high)
    if after >= min(before, high):
        return
    assert not unknown
    window, cooldown = policy.behavior.scale_down_window, policy.cooldown.scale_down
    assert now - life.started_at >= max(window, cooldown)
    lately = [replicas for at, replicas in life.asked if now - at < window]
    assert after >= min(max(lately, default=0), high)
    assert life.lowered_at is None or now - life.lowered_at >= cooldown
    assert life.rolling_since is None or now - life.rolling_since >= ROLLOUT_HOLDS


def lived(life, random):
    """Play some ticks; every one may begin or end any trouble."""
    state, now, pods = WorkloadState(LONG_AGO), NOW, random.uniform(0, 60)
    for _ in range(N_TICKS):
        now += timedelta(seconds=random.choice((15, 15, 15, 60, 240, 600)))
        pods = max(pods * random.choice((1, 1, 0.9, 1.1, 0.5, 1.8, 0.05)), random.uniform(0, 2))
        trouble = random.choice(TROUBLES)
        if trouble in {"restart", "remembered restart"}:
            life.generation += random.choice((0, 0, 0, 1))  # somebody may have written meanwhile
            state = life.restarted(state, now, remembers=trouble == "remembered restart")
        if trouble == "rollout":
            life.rolling_since = None if life.rolling_since else now
        doubt = {"unknown": Doubt.ABSENT, "partial": Doubt.PARTIAL}.get(trouble)
        load = None if trouble == "unknown" else pods * PER_POD
        ahead = forecast(
            random.uniform(0, 1.5) * pods * PER_POD,
            trust=random.choice(tuple(Trust)),
            burst=random.random() < 0.1,
        )
        facts = life.facts(now, max(life.replicas - random.choice((0, 0, 1, 5)), 0))
        life.counts.append((now, life.replicas))
        signal = Signal("rate", Sample(load, now, 1, doubt=doubt), CAPACITY, ahead)
        step = reconciled((signal,), workload=facts, policy=life.policy, state=state, now=now)
        after = step.decision.desired_replicas
        if doubt is None:
            life.asked.append((now, step.recommendation.replicas))
        checked(life, now, after, unknown=doubt is not None)
        state = step.state_after(rescaled=step.decision.rescale)
        life.generation += step.decision.rescale
        if after < life.replicas:
            life.lowered_at = now
        life.replicas = after


def undisturbed(policy):
    """Return the policy with one rate as its metric and nobody's own word in between."""
    plain = {"schedule": (), "paused": False, "paused_scale_in": False, "paused_scale_out": False}
    return policy.model_copy(update=plain | {"metrics": rate_policy().metrics})


@thorough
@given(SEEDS)
def test_what_must_hold_over_time_holds_through_any_hour(seed):
    random, policy = Random(seed), undisturbed(grown(seed, proportional=True).policy)
    first = random.randint(max(policy.min_replicas, 1), policy.max_replicas)

    lived(Life(policy, first), random)
