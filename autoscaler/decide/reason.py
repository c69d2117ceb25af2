"""The words a decision gives as its reason: HPA's, verbatim, and ours in the same form."""

from enum import StrEnum


class Reason(StrEnum):
    """Why a step changed the number, or why nothing changed."""

    # HPA's own (condition reasons of autoscaling/v2).
    DESIRED_WITHIN_RANGE = "DesiredWithinRange"
    TOO_FEW_REPLICAS = "TooFewReplicas"
    TOO_MANY_REPLICAS = "TooManyReplicas"
    SCALE_UP_LIMIT = "ScaleUpLimit"
    SCALE_DOWN_LIMIT = "ScaleDownLimit"
    SCALE_UP_STABILIZED = "ScaleUpStabilized"
    SCALE_DOWN_STABILIZED = "ScaleDownStabilized"
    SCALING_DISABLED = "ScalingDisabled"

    # Ours.
    FORECAST_ABOVE_TARGET = "ForecastAboveTarget"
    METRIC_ABOVE_TARGET = "MetricAboveTarget"
    ALL_BELOW_TARGET = "AllBelowTarget"
    COOLDOWN_ACTIVE = "CooldownActive"
    METRICS_UNKNOWN_HOLD = "MetricsUnknownHold"
    METRICS_PARTIAL_HOLD = "MetricsPartialHold"
    METRICS_CONTRADICT_HOLD = "MetricsContradictHold"
    LOAD_VANISHED_HOLD = "LoadVanishedHold"
    FORECAST_CARRIES_FLOOR = "ForecastCarriesFloor"
    CAPACITY_UNKNOWN_HOLD = "CapacityUnknownHold"
    ROLLOUT_HOLD = "RolloutHold"
    PODS_NEVER_READY = "PodsNeverReady"
    PODS_NOT_READY_HOLD = "PodsNotReadyHold"
    RESTART_HOLD = "RestartHold"
    CLOCK_JUMP_HOLD = "ClockJumpHold"
    BURST_HOLD = "BurstHold"
    CHURN_HOLD = "ChurnHold"
    RISING_LOAD = "RisingLoad"
    SCHEDULE_FLOOR = "ScheduleFloor"
    SCHEDULE_CEILING = "ScheduleCeiling"
    HPA_MAX_REPLICAS = "HpaMaxReplicas"
    PAUSED = "Paused"
    SCALE_IN_PAUSED = "ScaleInPaused"
    SCALE_OUT_PAUSED = "ScaleOutPaused"
    PAUSED_REPLICAS = "PausedReplicas"
    REPLICAS_CONTESTED = "ReplicasContested"
    TARGET_NOT_FOUND = "TargetNotFound"
    SCALED_TO_ZERO = "ScaledToZero"
    WOKEN_FROM_ZERO = "WokenFromZero"


# What a load that scatters makes come and go, cycle by cycle, while the number stays.
ROUTINE = frozenset(
    {
        Reason.DESIRED_WITHIN_RANGE,
        Reason.FORECAST_ABOVE_TARGET,
        Reason.METRIC_ABOVE_TARGET,
        Reason.ALL_BELOW_TARGET,
        Reason.SCALE_UP_STABILIZED,
        Reason.SCALE_DOWN_STABILIZED,
        Reason.SCALE_UP_LIMIT,
        Reason.SCALE_DOWN_LIMIT,
        Reason.COOLDOWN_ACTIVE,
        Reason.CHURN_HOLD,
        Reason.RISING_LOAD,
        Reason.TOO_FEW_REPLICAS,
    }
)
