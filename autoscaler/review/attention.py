"""Which policies should a person look at first, and why.

One word per policy, from its newest record alone; the worst that applies counts.
"""

from enum import StrEnum

from autoscaler.decide.facts import Trust
from autoscaler.decide.measured import known_load
from autoscaler.decide.reason import Reason
from autoscaler.review.record import DecisionRecord


class Attention(StrEnum):
    """What a policy needs, the most urgent first."""

    REFUSED = "refused"
    """A change was decided and could not be written."""
    NOT_FOUND = "not found"
    CONTESTED = "contested"
    """Somebody else writes `spec.replicas`."""
    UNKNOWN = "metrics unknown"
    UNROUTABLE = "not routable"
    """Ready pods are not passing in Consul: callers do not find them."""
    CAPPED = "capped"
    """More is wanted than the bounds allow."""
    STARTING = "pods starting"
    """Fewer pods are ready than are ordered."""
    STALE = "forecast stale"
    DEMOTED = "forecast demoted"
    HELD = "held"
    """Fewer would do, but a rule keeps them."""
    PAUSED = "paused"
    WARMING = "forecast warming"
    CALM = "calm"


SEVERITY = {attention: rank for rank, attention in enumerate(Attention)}

# Rules that keep more than the load asks for, until something passes.
HOLDS = frozenset(
    {
        Reason.COOLDOWN_ACTIVE,
        Reason.SCALE_DOWN_STABILIZED,
        Reason.SCALE_UP_STABILIZED,
        Reason.SCALE_DOWN_LIMIT,
        Reason.SCALE_UP_LIMIT,
        *(reason for reason in Reason if reason.endswith("Hold")),
    }
)

# Bounds that allow less than is wanted.
CAPS = frozenset({Reason.TOO_MANY_REPLICAS, Reason.SCHEDULE_CEILING, Reason.HPA_MAX_REPLICAS})

# What somebody stopped, in both directions or in one.
PAUSES = frozenset(
    {
        Reason.PAUSED,
        Reason.PAUSED_REPLICAS,
        Reason.SCALE_IN_PAUSED,
        Reason.SCALE_OUT_PAUSED,
        Reason.SCALING_DISABLED,
    }
)

_BY_REASON = {
    **dict.fromkeys(HOLDS, Attention.HELD),
    **dict.fromkeys(CAPS, Attention.CAPPED),
    **dict.fromkeys(PAUSES, Attention.PAUSED),
    Reason.TARGET_NOT_FOUND: Attention.NOT_FOUND,
    Reason.REPLICAS_CONTESTED: Attention.CONTESTED,
}
_BY_TRUST: dict[str, Attention] = {
    Trust.STALE: Attention.STALE,
    Trust.DEMOTED: Attention.DEMOTED,
    Trust.WARMING: Attention.WARMING,
}


def attention_of(record: DecisionRecord) -> Attention:
    """Return the most urgent word that applies to a record."""
    decision, trust = record.decision, record.trust
    if trust is Trust.TRUSTED and not decision.chain and _quiet(record):
        return Attention.CALM
    words = [*_of_state(record), _BY_TRUST.get(trust, Attention.CALM)]
    words.append(_BY_REASON.get(decision.reason, Attention.CALM))
    words += [_BY_REASON.get(limit.reason, Attention.CALM) for limit in decision.chain]
    return min(words, key=SEVERITY.__getitem__)


def _quiet(record: DecisionRecord) -> bool:
    """Whether all pods are there and every metric is known, as in most cycles of most policies."""
    workload = record.workload
    return (
        workload is not None
        and workload.ready_replicas >= record.decision.current_replicas
        and record.recommendation.may_lower
        and not record.refused
        and not record.unroutable
    )


def _of_state(record: DecisionRecord) -> list[Attention]:
    """Return what facts beyond the chain call for."""
    words = []
    if record.refused:
        words.append(Attention.REFUSED)
    if record.unroutable:
        words.append(Attention.UNROUTABLE)
    if record.workload is None:
        words.append(Attention.NOT_FOUND)
    elif record.workload.ready_replicas < record.decision.current_replicas:
        words.append(Attention.STARTING)
    if not record.recommendation.may_lower:
        words.append(Attention.HELD if _all_measured(record) else Attention.UNKNOWN)
    return words


def _all_measured(record: DecisionRecord) -> bool:
    """Whether the doubt is not about what was measured: what a pod carries may be unknown, too."""
    samples = (signal.sample for signal in record.signals)
    return all(s.doubt is None and known_load(s, now=record.at) is not None for s in samples)
