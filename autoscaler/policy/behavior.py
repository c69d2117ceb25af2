"""How fast may it move: `behavior` of autoscaling/v2, whole, with the same defaults.

In HPA a *scaling policy* is one rate limit (type, value, period); our per-workload document is a
`WorkloadPolicy`, never a scaling policy.

References
----------
Kubernetes API reference, `HorizontalPodAutoscalerBehavior`; the rules are in `autoscaler/decide/`.
"""

from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Self

from pydantic import Field, model_validator

from autoscaler.policy.base import Section
from autoscaler.policy.quantity import Tolerance, WholeNumber


class SelectPolicy(StrEnum):
    """Which of several rate limits counts: the largest change, the smallest, or none."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class RateLimitType(StrEnum):
    """Whether a rate limit counts pods or a percentage of the pods at the start of its period."""

    PODS = "Pods"
    PERCENT = "Percent"


class ScalingPolicy(Section):
    """One rate limit: at most `value` pods or percent within `period_seconds`."""

    type: RateLimitType
    value: WholeNumber = Field(gt=0, le=1_000_000)
    period_seconds: WholeNumber = Field(gt=0, le=1800)


class ScalingRules(Section):
    """The rules of one direction; `tolerance` None means the default of 10 %."""

    stabilization_window_seconds: WholeNumber | None = Field(default=None, ge=0, le=3600)
    select_policy: SelectPolicy = SelectPolicy.MAX
    policies: tuple[ScalingPolicy, ...] = Field(default=(), max_length=16)
    tolerance: Tolerance | None = None


DEFAULT_SCALE_UP = ScalingRules(
    stabilization_window_seconds=0,
    policies=(
        ScalingPolicy(type=RateLimitType.PODS, value=4, period_seconds=15),
        ScalingPolicy(type=RateLimitType.PERCENT, value=100, period_seconds=15),
    ),
)
DEFAULT_SCALE_DOWN = ScalingRules(
    stabilization_window_seconds=300,
    policies=(ScalingPolicy(type=RateLimitType.PERCENT, value=100, period_seconds=15),),
)


def _with_defaults(rules: ScalingRules, defaults: ScalingRules) -> ScalingRules:
    """Fill what the user left out, field by field, as the API server does."""
    window = rules.stabilization_window_seconds
    return rules.model_copy(
        update={
            "stabilization_window_seconds": (
                defaults.stabilization_window_seconds if window is None else window
            ),
            "policies": rules.policies or defaults.policies,
        }
    )


@lru_cache(maxsize=1024)  # asked for several times in every cycle of every policy
def _span(seconds: int | None) -> timedelta:
    return timedelta(seconds=seconds or 0)


class Behavior(Section):
    """Both directions, every default filled in."""

    scale_up: ScalingRules = DEFAULT_SCALE_UP
    scale_down: ScalingRules = DEFAULT_SCALE_DOWN

    @model_validator(mode="after")
    def _fill_defaults(self) -> Self:
        # The instance is frozen; validation is the one moment at which it is still being built.
        object.__setattr__(self, "scale_up", _with_defaults(self.scale_up, DEFAULT_SCALE_UP))
        object.__setattr__(self, "scale_down", _with_defaults(self.scale_down, DEFAULT_SCALE_DOWN))
        return self

    @property
    def scale_down_window(self) -> timedelta:
        """The scale-in stabilization window."""
        return _span(self.scale_down.stabilization_window_seconds)

    @property
    def scale_up_window(self) -> timedelta:
        """The scale-out stabilization window."""
        return _span(self.scale_up.stabilization_window_seconds)
