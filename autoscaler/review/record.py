"""Why this many replicas: one record per policy and cycle, which renders itself.

A record holds the values the decision was made from and builds its dictionary and its sentence
only when somebody asks, because most cycles of most policies are never read.
The dictionary is the documented log line: field names are stable, `schema` counts their changes.
"""

from dataclasses import field
from datetime import datetime

from autoscaler.decide.bounds import bounds_in_force, highest_floor
from autoscaler.decide.decision import Decision, Proposal, Recommendation
from autoscaler.decide.facts import Doubt, Signal, TargetRef, Trust, WorkloadFacts
from autoscaler.decide.lead_time import lead_time_of
from autoscaler.decide.rate_limits import scale_down_limit, scale_up_limit
from autoscaler.decide.reason import ROUTINE, Reason
from autoscaler.decide.schedule import scheduled_bounds
from autoscaler.decide.standstill import paused_direction
from autoscaler.decide.state import WorkloadState
from autoscaler.policy.schema import Actuator, Mode, WorkloadPolicy
from autoscaler.ports import held_back_as
from autoscaler.review.fields import (
    ASLEEP,
    POLICY_LIMIT,
    SCHEMA_VERSION,
    BoundsFields,
    DecisionFields,
    WorkloadTrust,
    bounded,
)
from autoscaler.review.line import (
    limit_fields,
    recommendation_fields,
    routability_fields,
    signal_fields,
)
from autoscaler.review.sentence import sentence
from autoscaler.value import value


@value(frozen=True, slots=True)
class DecisionRecord:
    """Everything one cycle knew and did about one workload.

    `rescaled` is whether `scale`, or the floor of an HPA, was really written;
    `not_rescaled_because` is empty when it was, or when nothing had to be written.
    """

    at: datetime
    policy: str
    target: TargetRef
    mode: Mode
    workload: WorkloadFacts | None
    signals: tuple[Signal, ...]
    recommendation: Recommendation
    decision: Decision
    rescaled: bool
    not_rescaled_because: str = ""
    spec: WorkloadPolicy | None = None
    """What the user wrote; with `state` it tells the limits in force."""
    state: WorkloadState | None = None
    """What the decision remembered."""
    headline: tuple[object, ...] = field(init=False, compare=False)
    """What is news at once when it differs from the cycle before."""

    def __post_init__(self) -> None:
        decision, recommendation = self.decision, self.recommendation
        # Who leads instead is news of the replica, not of each policy.
        because = held_back_as(self.not_rescaled_because) or self.not_rescaled_because
        reasons = (recommendation.reason, *[limit.reason for limit in decision.chain])
        headline = (
            decision.desired_replicas,
            because,
            self.trust,
            recommendation.may_lower,
            self.unroutable,
            () if recommendation.may_lower else self._refused_queries(),
            *[reason for reason in reasons if reason not in ROUTINE],
        )
        object.__setattr__(self, "headline", headline)  # log and history both keep it

    def _refused_queries(self) -> tuple[str | None, ...]:
        """Return the users' own queries that are refused: an edit that is wrong, too, is news.

        Not what Prometheus says of them, which may be worded anew at every cycle.
        """
        if self.spec is None:
            return ()
        return tuple(
            metric.query
            for metric, signal in zip(self.spec.metrics, self.signals, strict=False)
            if signal.sample.doubt is Doubt.REFUSED
        )

    @property
    def current_replicas(self) -> int | None:
        """What `spec.replicas` was read as; None where there is no workload to read it from."""
        return None if self.workload is None else self.decision.current_replicas

    @property
    def desired_replicas(self) -> int | None:
        """What was decided; None where there is no workload to decide on."""
        return None if self.workload is None else self.decision.desired_replicas

    @property
    def trust(self) -> WorkloadTrust:
        """The least trusted of the signals' forecasts; `Warming` without any, `Asleep` at rest."""
        asked = self.recommendation
        resting = self.decision.current_replicas == 0 == asked.replicas and asked.may_lower
        if resting and any(signal.sample.value is None for signal in self.signals):
            return ASLEEP
        if len(self.signals) == 1:  # asked for in every cycle of every policy
            forecast = self.signals[0].forecast
            return Trust.WARMING if forecast is None else forecast.trust
        known = {s.forecast.trust for s in self.signals if s.forecast is not None}
        least_first = (Trust.STALE, Trust.DEMOTED, Trust.WARMING, Trust.TRUSTED)
        return next((t for t in least_first if t in known), Trust.WARMING)

    @property
    def unroutable(self) -> bool:
        """Whether ready pods have been out of their callers' reach for too long."""
        routability = None if self.workload is None else self.workload.routability
        return routability is not None and routability.alarming

    @property
    def refused(self) -> bool:
        """Whether a change that should have been written was not: somebody has to look."""
        because = self.not_rescaled_because
        return bool(because) and self.mode is Mode.FORECAST_AND_SCALE and not held_back_as(because)

    def as_dict(self) -> DecisionFields:
        """Return the log line as plain values; `autoscaler schema decision` documents each."""
        line: DecisionFields = {
            "schema": SCHEMA_VERSION,
            "time": self.at.isoformat(timespec="milliseconds"),
            "policy": bounded(self.policy, POLICY_LIMIT),
            "target": {
                "namespace": self.target.namespace,
                "kind": self.target.kind,
                "name": self.target.name,
            },
            "mode": self.mode,
            "actuator": Actuator.SCALE if self.spec is None else self.spec.actuator,
            "trust": self.trust,
            "current_replicas": self.current_replicas,
            "ready_replicas": self.workload.ready_replicas if self.workload else None,
            "routability": routability_fields(self.workload),
            "signals": [
                signal_fields(signal, proposal, self.at)
                for signal, proposal in zip(self.signals, self._proposals(), strict=True)
            ],
            "recommendation": recommendation_fields(self.recommendation),
            "chain": [limit_fields(limit) for limit in self.decision.chain],
            "bounds": self._bounds(),
            "desired_replicas": self.desired_replicas,
            "reason": self.decision.reason,
            "rescaled": self.rescaled,
            "not_rescaled_because": bounded(self.not_rescaled_because),
            "message": "",
        }
        line["message"] = sentence(line)
        return line

    def _bounds(self) -> BoundsFields | None:
        """Return what limited the answer at this instant, by the very rules that decided."""
        if self.spec is None or self.state is None or self.workload is None:
            return None
        current, behavior = self.decision.current_replicas, self.spec.behavior
        events, now = self.state.scale_events, self.at
        lead = lead_time_of(self.workload, configured=self.spec.forecast.lead_time)
        bounds = bounds_in_force(
            self.spec.min_replicas,
            self.spec.max_replicas,
            scheduled_bounds(self.spec.schedule, lead_time=lead, now=now),
        )
        most = highest_floor(self.workload, self.spec)
        highest = bounds.high if most is None else min(bounds.high, most)
        return {
            "min_replicas": min(bounds.low, highest),
            "max_replicas": highest,
            "scale_down_limit": max(
                0, scale_down_limit(current, rules=behavior.scale_down, events=events, now=now)
            ),
            "scale_up_limit": scale_up_limit(
                current, rules=behavior.scale_up, events=events, now=now
            ),
            "scale_in_paused": self._paused(-1),
            "scale_out_paused": self._paused(current + 1),
        }

    def _paused(self, number: int) -> bool:
        """Whether a pause of one direction forbids this number."""
        if self.spec is None or self.workload is None:
            return False
        return paused_direction(number, workload=self.workload, policy=self.spec) is not None

    def _proposals(self) -> tuple[Proposal | None, ...]:
        """Return one proposal per signal; None where the rules stopped before asking it."""
        given = self.recommendation.proposals
        return given if len(given) == len(self.signals) else (None,) * len(self.signals)


def record_of_missing(
    target: TargetRef, *, policy: str, mode: Mode, now: datetime
) -> DecisionRecord:
    """Return the record of a policy whose workload is not there."""
    return DecisionRecord(
        at=now,
        policy=policy,
        target=target,
        mode=mode,
        workload=None,
        signals=(),
        recommendation=Recommendation(None, Reason.TARGET_NOT_FOUND),
        decision=Decision(0, 0, Reason.TARGET_NOT_FOUND),
        rescaled=False,
    )
