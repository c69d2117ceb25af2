"""Why this many replicas: one record per policy and cycle, which renders itself.

A record holds the values the decision was made from and builds its dictionary and its sentence
only when somebody asks, because most cycles of most policies are never read.
The dictionary is the documented log line: field names are stable, `schema` counts their changes.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from autoscaler.decide.decision import Decision, Limit, Proposal, Recommendation
from autoscaler.decide.facts import Capacity, ForecastFacts, Signal, TargetRef, Trust, WorkloadFacts
from autoscaler.policy.schema import Mode
from autoscaler.review.sentence import sentence

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True)
class DecisionRecord:
    """Everything one cycle knew and did about one workload.

    `rescaled` is whether `scale` was really written; `not_rescaled_because` is empty when it was,
    or when nothing had to be written.
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

    @property
    def trust(self) -> Trust:
        """The least trusted of the signals' forecasts; `Warming` without any."""
        known = {s.forecast.trust for s in self.signals if s.forecast is not None}
        return next((t for t in _LEAST_TRUSTED_FIRST if t in known), Trust.WARMING)

    @property
    def headline(self) -> tuple[object, ...]:
        """What a reader would call news when it differs from the cycle before."""
        return (
            self.decision.desired_replicas,
            self.decision.reason,
            self.rescaled,
            self.not_rescaled_because,
            self.trust,
            self.recommendation.reason,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the log line as plain values, field names stable within a schema version."""
        return {
            "schema": SCHEMA_VERSION,
            "time": self.at.isoformat(timespec="milliseconds"),
            "policy": self.policy,
            "target": {
                "namespace": self.target.namespace,
                "kind": self.target.kind,
                "name": self.target.name,
            },
            "mode": str(self.mode),
            "trust": str(self.trust),
            "current_replicas": self.decision.current_replicas,
            "ready_replicas": self.workload.ready_replicas if self.workload else None,
            "signals": [
                _signal_dict(signal, proposal, self.at)
                for signal, proposal in zip(self.signals, self._proposals(), strict=True)
            ],
            "recommendation": {
                "replicas": self.recommendation.replicas,
                "reason": str(self.recommendation.reason),
                "may_lower": self.recommendation.may_lower,
                "detail": self.recommendation.detail,
            },
            "chain": [_limit_dict(limit) for limit in self.decision.chain],
            "desired_replicas": self.decision.desired_replicas,
            "reason": str(self.decision.reason),
            "rescaled": self.rescaled,
            "not_rescaled_because": self.not_rescaled_because,
            "message": sentence(self),
        }

    def _proposals(self) -> tuple[Proposal | None, ...]:
        """Return one proposal per signal; None where the rules stopped before asking it."""
        given = self.recommendation.proposals
        return given if len(given) == len(self.signals) else (None,) * len(self.signals)


_LEAST_TRUSTED_FIRST = (Trust.STALE, Trust.DEMOTED, Trust.WARMING, Trust.TRUSTED)


def _rounded(value: float | None) -> float | None:
    """Return six significant digits: enough to recompute the chain, short enough to read."""
    return None if value is None else float(f"{value:.6g}")


def _signal_dict(signal: Signal, proposal: Proposal | None, at: datetime) -> dict[str, Any]:
    sample = signal.sample
    return {
        "metric": signal.metric,
        "value": _rounded(sample.value),
        "age_seconds": (
            None
            if sample.sampled_at is None
            else _rounded((at - sample.sampled_at).total_seconds())
        ),
        "series": sample.n_series,
        "doubt": None if sample.doubt is None else str(sample.doubt),
        "detail": sample.detail,
        "capacity": None if signal.capacity is None else _capacity_dict(signal.capacity),
        "forecast": None if signal.forecast is None else _forecast_dict(signal.forecast),
        "usage_ratio": None if proposal is None else _rounded(proposal.usage_ratio),
        "predictive_replicas": None if proposal is None else proposal.predictive,
        "reactive_replicas": None if proposal is None else proposal.reactive,
    }


def _capacity_dict(capacity: Capacity) -> dict[str, Any]:
    return {
        "per_pod": _rounded(capacity.per_pod),
        "source": str(capacity.source),
        "low": _rounded(capacity.low),
        "high": _rounded(capacity.high),
    }


def _forecast_dict(forecast: ForecastFacts) -> dict[str, Any]:
    return {
        "lead_time_seconds": forecast.lead_time.total_seconds(),
        "hold_seconds": forecast.hold.total_seconds(),
        "median": _rounded(forecast.median),
        "quantile": _rounded(forecast.quantile),
        "reactive_quantile": _rounded(forecast.reactive_quantile),
        "risk": forecast.risk,
        "trust": str(forecast.trust),
        "skill": _rounded(forecast.skill),
        "coverage": _rounded(forecast.coverage),
        "burst": forecast.burst,
        "age_seconds": forecast.age.total_seconds(),
    }


def _limit_dict(limit: Limit) -> dict[str, Any]:
    return {
        "reason": str(limit.reason),
        "from": limit.before,
        "to": limit.after,
        "detail": limit.detail,
    }
