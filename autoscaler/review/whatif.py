"""What would this cycle have decided without its cooldown: recomputed from the line alone.

Only the rules after the cooldown (rate limits, bounds, paused directions) are applied again; they
depend on nothing but the numbers in the line.
Each cycle is taken by itself: what the workload would have looked like later is not claimed.
"""

from autoscaler.decide.reason import Reason
from autoscaler.review.fields import BoundsFields, DecisionFields


def without_cooldown(line: DecisionFields) -> int | None:
    """Return the replicas this cycle would have decided; None where no cooldown held it.

    Lines without `bounds` (the target did not exist) were not held either.
    """
    held = next((s for s in line["chain"] if s["reason"] == Reason.COOLDOWN_ACTIVE), None)
    current, bounds = line["current_replicas"], line["bounds"]
    if held is None or current is None or bounds is None:
        return None
    return _final(held["from"], current=current, bounds=bounds)


def _final(number: int, *, current: int, bounds: BoundsFields) -> int:
    """Apply the rules after the cooldown, in their order."""
    if number > current:
        number = min(number, bounds["scale_up_limit"])
    elif number < current:
        number = max(number, bounds["scale_down_limit"])
    highest = bounds["max_replicas"]
    number = highest if current > highest else min(max(number, bounds["min_replicas"]), highest)
    paused = bounds["scale_in_paused"] if number < current else bounds["scale_out_paused"]
    return current if paused and number != current else number
