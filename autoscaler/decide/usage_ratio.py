"""How far a metric is from its target, and whether that is far enough to act.

Tolerance keeps a workload from rescaling over noise: inside it HPA answers "as many as now".
The comparison is `|1 - ratio| <= tolerance`, inclusive, in exactly this floating-point shape.
Since Kubernetes 1.33 HPA compares the ratio with `1 - tolerance` and `1 + tolerance`, which rounds
otherwise at the edges: at exactly 110 % of the target it keeps what is there, and we add pods.

References
----------
Kubernetes documentation, "Horizontal Pod Autoscaling", section "Algorithm details".
"""

from dataclasses import dataclass

from autoscaler.policy.behavior import Behavior

# HPA's `--horizontal-pod-autoscaler-tolerance`; `behavior.*.tolerance` overrides it.
DEFAULT_TOLERANCE = 0.1


@dataclass(frozen=True, slots=True)
class Tolerances:
    """The share by which usage may differ from its target without a rescale, per direction."""

    scale_up: float = DEFAULT_TOLERANCE
    scale_down: float = DEFAULT_TOLERANCE

    def hold(self, usage_ratio: float) -> bool:
        """Whether this usage ratio is too close to 1 to act on."""
        tolerance = self.scale_up if usage_ratio > 1.0 else self.scale_down
        return abs(1.0 - usage_ratio) <= tolerance


HPA_TOLERANCES = Tolerances()


def tolerances_of(behavior: Behavior, *, default: float = DEFAULT_TOLERANCE) -> Tolerances:
    """Return the tolerances a policy asks for, `default` where it says nothing."""
    up, down = behavior.scale_up.tolerance, behavior.scale_down.tolerance
    return Tolerances(default if up is None else up, default if down is None else down)
