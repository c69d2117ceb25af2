"""How good was a run: against the HPA tuned in hindsight, and against somebody who knew the future.

`slow_at_equal_cost` and `cost_at_equal_slow` are ours over the frontier's: below 1 is better.
`gap_closed` is (1 - c) / (1 - o): 0 is the HPA tuned in hindsight, 1 is clairvoyance.
"""

from dataclasses import dataclass

from autoscaler.replay.frontier import Frontier
from autoscaler.replay.world import Outcome

# Where the clairvoyant saves less than this against the frontier there is no gap to close.
_LEAST_GAP = 1e-3


@dataclass(frozen=True, slots=True)
class Scores:
    """One run read against the HPA frontier and the clairvoyant of the same recording."""

    slow_at_equal_cost: float
    cost_at_equal_slow: float
    limit: float
    """The clairvoyant's cost over the frontier's at our slow share."""

    @property
    def gap_closed(self) -> float | None:
        """Return the share of the gap to the clairvoyant that was closed; None without a gap."""
        return share_of_gap(self.cost_at_equal_slow, self.limit)


def share_of_gap(cost_at_equal_slow: float, limit: float) -> float | None:
    """Return how much of the way from 1 down to `limit` a cost has gone; None without a gap."""
    gap = 1.0 - limit
    return None if gap < _LEAST_GAP else (1.0 - cost_at_equal_slow) / gap


def scores(ours: Outcome, frontier: Frontier, clairvoyant: Outcome) -> Scores:
    """Read one run off the frontier, both ways."""
    frontier_cost = frontier.cost_at(ours.slow)
    return Scores(
        slow_at_equal_cost=max(ours.slow, frontier.least_slow) / frontier.slow_at(ours.cost),
        cost_at_equal_slow=ours.cost / frontier_cost,
        limit=clairvoyant.cost / frontier_cost,
    )
