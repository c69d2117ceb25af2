"""How much load one pod carries when nobody says so: learned from what load costs in CPU.

    cores per pod = idle + slope * load per pod

A robust recursive regression: every warm minute adds to weighted sums that forget with a half-life
of a day, and an outlier counts for less the farther out it lies (Huber).
A load far beyond all others would decide the slope alone, however little it counts, so the first
minutes of such a load teach nothing: a counter that goes backwards makes one for a few minutes.
Deliberately conservative: sized on the low end of the 90 % bounds; without enough spread in load
the idle share is taken for load, which asks for more pods, never for fewer.

References
----------
Ljung, "System Identification", 2nd ed., section 11.2 (recursive least squares with forgetting).
Huber, "Robust Statistics", 2nd ed., section 7.8.
"""

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from autoscaler.decide.facts import Capacity, CapacitySource, PodPhase, WorkloadFacts

# Per sample, one a minute: a day's half-life follows a change of traffic mix, not the hour.
FORGETTING = 0.5 ** (1 / 1440)
# Half an hour of warm minutes: fewer say more about one batch job than about the service.
FEWEST_SAMPLES = 30.0
# Residuals beyond 1.345 spreads are outliers: 95 % efficient where there are none.
_HUBER = 1.345
# Relative spread of load below which a slope is guesswork.
_LEAST_SPREAD = 0.05
# Two-sided 90 %.
_Z = 1.645
# HPA's default CPU target.
DEFAULT_UTILIZATION = 0.8
# A load or CPU use so many times its mean is odd, and the tenth odd minute within about a day is
# believed: one wrong sample of a counter is in a rate for five minutes at most.
_ODD, _BELIEVED_AFTER = 10.0, 9.0
# A pod this close to its limit is throttled: what it serves is no longer what it was offered.
_SATURATED = 0.95
# Caches, just-in-time compilers and connection pools settle within a few minutes.
WARM_UP = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class CapacityFit:
    """Weighted sums of (load, cores) per pod of one template; grows by returning a new value."""

    template_hash: str = ""
    weight: float = 0.0
    load: float = 0.0
    cores: float = 0.0
    load_variance: float = 0.0
    covariance: float = 0.0
    spread: float = 0.0
    """Mean absolute residual, in cores."""
    inherited: Capacity | None = None
    """What the template before could carry; stands in until this one is known."""
    learned_of: str = ""
    """Which load cost the CPU of which container: of another load it says nothing."""
    odd: float = 0.0
    """How many minutes were far beyond the mean; forgotten like the sums."""

    @property
    def slope(self) -> float:
        """Cores per unit of load; 0 while unknown."""
        return self.covariance / self.load_variance if self.load_variance > 0 else 0.0


def with_minute(
    fit: CapacityFit, *, load_per_pod: float, cores_per_pod: float, limit_cores: float | None = None
) -> CapacityFit:
    """Return the fit after one more warm minute; a throttled one teaches nothing, nor a glitch."""
    if limit_cores is not None and cores_per_pod >= _SATURATED * limit_cores:
        return fit
    if fit.weight and (load_per_pod > _ODD * fit.load or cores_per_pod > _ODD * fit.cores):
        fit = replace(fit, odd=fit.odd + 1.0)
        if fit.odd <= _BELIEVED_AFTER:
            return fit
    residual = cores_per_pod - fit.cores - fit.slope * (load_per_pod - fit.load)
    trust = _huber_weight(fit, residual)
    weight = FORGETTING * fit.weight + trust
    share = trust / weight
    load_step, cores_step = load_per_pod - fit.load, cores_per_pod - fit.cores
    keep = 1.0 - share
    return replace(
        fit,
        weight=weight,
        load=fit.load + share * load_step,
        cores=fit.cores + share * cores_step,
        load_variance=keep * (fit.load_variance + share * load_step * load_step),
        covariance=keep * (fit.covariance + share * load_step * cores_step),
        spread=fit.spread + share * (abs(residual) - fit.spread) if fit.weight else 0.0,
        odd=FORGETTING * fit.odd,
    )


def _huber_weight(fit: CapacityFit, residual: float) -> float:
    """Return how much a residual counts: all of it until the spread is known."""
    allowed = _HUBER * 1.25 * fit.spread  # mean absolute deviation -> standard deviation
    if fit.weight < FEWEST_SAMPLES or abs(residual) <= allowed:
        return 1.0
    return max(allowed / abs(residual), 0.01)


def for_template(fit: CapacityFit, template_hash: str, *, known: Capacity | None) -> CapacityFit:
    """Return the fit for this pod template: a new one starts over and inherits what was known."""
    if fit.template_hash == template_hash:
        return fit
    return CapacityFit(template_hash, inherited=known or fit.inherited, learned_of=fit.learned_of)


def learned_capacity(
    fit: CapacityFit, *, request_cores: float, utilization: float = DEFAULT_UTILIZATION
) -> Capacity | None:
    """Return the load at which a pod uses `utilization` of its request; None = not known yet.

    Parameters
    ----------
    request_cores
        CPU request (or, without one, the limit) of one pod.
    """
    if fit.weight < FEWEST_SAMPLES or fit.load <= 0 or fit.cores <= 0:
        return fit.inherited
    target = utilization * request_cores
    spread = math.sqrt(fit.load_variance)
    if spread < _LEAST_SPREAD * fit.load or fit.slope <= 0:
        return _proportional(fit, target, request_cores)
    error = 1.25 * fit.spread / math.sqrt(fit.weight)
    slope_error = error / spread
    low = _load_at(target - _Z * error, fit, _steeper(fit, target, _Z * slope_error))
    high = _load_at(target + _Z * error, fit, _steeper(fit, target, -_Z * slope_error))
    if low <= 0:  # also where a pod without any load uses more than the target
        return _proportional(fit, target, request_cores)
    full = max(_load_at(request_cores, fit, fit.slope), low)
    return Capacity(low, CapacitySource.LEARNED, low, high, full)


def _steeper(fit: CapacityFit, target: float, by: float) -> float:
    """Return the slope that makes the answer smaller for a positive `by`, larger for a negative."""
    changed = fit.slope + by if target >= fit.cores else fit.slope - by
    return max(changed, 0.1 * fit.slope)


def _load_at(cores: float, fit: CapacityFit, slope: float) -> float:
    return fit.load + (cores - fit.cores) / slope


def _proportional(fit: CapacityFit, target: float, request_cores: float) -> Capacity:
    """Return what a pod carries if all its cores went into load: never too much."""
    per_core = fit.load / fit.cores
    return Capacity(
        target * per_core,
        CapacitySource.LEARNED,
        target * per_core,
        None,
        request_cores * per_core,
    )


def warmed_up(workload: WorkloadFacts, *, now: datetime) -> bool:
    """Whether this minute says what load costs: no rollout, every pod ready for some minutes."""
    if workload.rollout_in_progress or not workload.ready_replicas:
        return False
    if workload.ready_replicas != workload.spec_replicas:
        return False
    if workload.pods is None:
        return True
    return all(
        pod.ready and (pod.ready_transition_at is None or now - pod.ready_transition_at >= WARM_UP)
        for pod in workload.pods
        if not pod.deleted and pod.phase is PodPhase.RUNNING
    )
