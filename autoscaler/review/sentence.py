"""What happened, in one sentence for a person: the number first, then the one reason that decided.

Every figure in the sentence is a field of the record; nothing is computed here but rounding.
"""

from typing import Protocol

from autoscaler.decide.decision import Decision, Recommendation
from autoscaler.decide.facts import Signal, Trust
from autoscaler.policy.quantity import duration_text, share_text
from autoscaler.policy.schema import Mode


class Told(Protocol):
    """What a sentence is told from: the part of a `DecisionRecord` it reads."""

    @property
    def mode(self) -> Mode:
        """Whether decisions act."""

    @property
    def signals(self) -> tuple[Signal, ...]:
        """What was measured and forecast."""

    @property
    def recommendation(self) -> Recommendation:
        """Replicas before damping."""

    @property
    def decision(self) -> Decision:
        """Replicas after damping."""

    @property
    def rescaled(self) -> bool:
        """Whether it was written."""

    @property
    def not_rescaled_because(self) -> str:
        """Why not."""


def sentence(record: Told) -> str:
    """Return what was done and why, as one line."""
    return f"{_did(record)}: {_because(record)}."


def _did(record: Told) -> str:
    current, desired = record.decision.current_replicas, record.decision.desired_replicas
    if record.rescaled:
        return f"scaled from {current} to {desired} replicas"
    if not record.decision.rescale:
        return f"kept {current} replicas"
    if record.not_rescaled_because:
        return f"kept {current} replicas instead of {desired} ({record.not_rescaled_because})"
    return f"would scale from {current} to {desired} replicas"


def _because(record: Told) -> str:
    parts = [_recommended(record)]
    parts += [
        f"{limit.reason} {limit.before} -> {limit.after}"
        + (f" ({limit.detail})" if limit.detail else "")
        for limit in record.decision.chain
    ]
    return "; ".join(parts)


def _recommended(record: Told) -> str:
    recommendation = record.recommendation
    asked = (
        "nothing is recommended"
        if recommendation.replicas is None
        else (f"{recommendation.replicas} recommended")
    )
    detail = f" ({recommendation.detail})" if recommendation.detail else ""
    leading = _leading_signal(record)
    evidence = f", {_evidence(leading)}" if leading is not None else ""
    return f"{asked} by {recommendation.reason}{detail}{evidence}"


def _leading_signal(record: Told) -> Signal | None:
    """Return the signal whose proposal won, or the first one when none proposed."""
    proposals = record.recommendation.proposals
    if len(proposals) != len(record.signals):
        return record.signals[0] if record.signals else None
    ranked = sorted(
        zip(proposals, record.signals, strict=True),
        key=lambda pair: -1 if pair[0].replicas is None else pair[0].replicas,
    )
    return ranked[-1][1] if ranked else None


def _evidence(signal: Signal) -> str:
    measured = "unknown" if signal.sample.value is None else f"{signal.sample.value:.6g}"
    parts = [f"{signal.metric} {measured}"]
    if signal.sample.doubt is not None:
        parts.append(str(signal.sample.doubt))
    if signal.forecast is not None:
        f = signal.forecast
        level = f.quantile if f.trust is Trust.TRUSTED else f.reactive_quantile
        parts.append(
            f"{'forecast' if f.trust is Trust.TRUSTED else f'{f.trust} forecast'} {level:.6g}"
            f" in {duration_text(f.lead_time)} at risk {share_text(f.risk)}"
        )
    if signal.capacity is not None:
        parts.append(f"{signal.capacity.per_pod:.6g} per pod ({signal.capacity.source})")
    return ", ".join(parts)
