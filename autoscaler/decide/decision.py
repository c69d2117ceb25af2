"""The answer of a reconcile: a number, the chain of rules that shaped it, and the reason.

A decision renders itself; nobody reassembles prose elsewhere.
"""

from dataclasses import field
from datetime import timedelta

from autoscaler.decide.facts import ForecastFacts, Trust
from autoscaler.decide.lead_time import longest_lead_time
from autoscaler.decide.reason import Reason
from autoscaler.policy.quantity import seconds_text
from autoscaler.value import value

_HANDS_OFF = frozenset({Reason.PAUSED, Reason.SCALING_DISABLED, Reason.REPLICAS_CONTESTED})


@value(frozen=True, slots=True)
class Limit:
    """One rule that changed the number, `from` what `to` what."""

    reason: Reason
    before: int
    after: int
    detail: str = ""


def left_text(left: timedelta) -> str:
    """Return for how long a rule still holds, for the detail of its `Limit`."""
    return f"{seconds_text(left.total_seconds())} left"


@value(frozen=True, slots=True)
class Proposal:
    """What one signal asks for by itself.

    None = this signal proposes nothing (unknown); both are floors, the larger counts.
    """

    metric: str
    predictive: int | None
    reactive: int | None
    usage_ratio: float | None = None
    doubt: Reason | None = None
    """Why nothing is lowered on its word; None = it may."""

    @property
    def replicas(self) -> int | None:
        """The larger of both, None when neither is known."""
        if self.predictive is None or self.reactive is None:
            return self.predictive if self.reactive is None else self.reactive
        return max(self.predictive, self.reactive)


@value(frozen=True, slots=True)
class Recommendation:
    """Replicas before damping; None = no signal is known; `may_lower` False = some doubt."""

    replicas: int | None
    reason: Reason
    proposals: tuple[Proposal, ...] = ()
    may_lower: bool = True
    detail: str = ""
    forecasts: tuple[ForecastFacts, ...] = ()
    """Those that have a say in it; without any, measured load alone has."""
    enough_replicas: int | None = None
    """With so many there, nothing is added yet; None = no more is asked for than is there."""
    steered: bool = False
    """Whether more is asked for than is there, and every metric has a trusted forecast without a
    burst (`churn.steered`)."""
    busy_pods: float | None = None
    """How many pods the measured load fills; None = that cannot be told."""

    @property
    def forecast_history(self) -> timedelta | None:
        """The shortest past behind a forecast that has a say; None = measured load alone has."""
        return min((forecast.history for forecast in self.forecasts), default=None)

    @property
    def promised_for(self) -> timedelta:
        """How far ahead the trusted ones look: so long what they asked for is still to come."""
        return longest_lead_time(f.lead_time for f in self.forecasts if f.trust is Trust.TRUSTED)


@value(frozen=True, slots=True)
class Decision:
    """Replicas after damping: current, desired, why, and every step between."""

    current_replicas: int
    desired_replicas: int
    reason: Reason
    chain: tuple[Limit, ...] = field(default=())

    @property
    def rescale(self) -> bool:
        """Whether there is something to write."""
        return self.desired_replicas != self.current_replicas

    @property
    def stands_still(self) -> bool:
        """Whether somebody told us to keep our hands off, so that nothing at all is written."""
        return self.reason in _HANDS_OFF
