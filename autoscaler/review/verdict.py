"""Did prediction help on this load: one sentence, and whether to use it at all.

Both readings of a comparison count, slow time at equal cost and cost at equal slow time, because
the first alone can be bought with pods.
Where prediction does not help the verdict says so, and recommends the plain HPA.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import NDArray

from autoscaler.policy.quantity import seconds_text, share_text

FloatArray = NDArray[np.float64]
CountArray = NDArray[np.int64]

# Less than this is within what another week of the same load would change: a share of the cost,
# and of the slow time, which is made of few ticks. The numbers have no better reason.
_LEAST_COST_GAIN = 0.03
_LEAST_SLOW_GAIN = 0.3
# In less, no hour of the day comes twice.
_LEAST_DAYS = 2.0
# The share of time without load; with less, the pod that stays is no large part of any cost.
_MOSTLY_IDLE = 0.5


@dataclass(frozen=True, slots=True)
class Run:
    """How one controller did: shares of time, cost over the least that could carry the load."""

    slow: float
    overload: float
    cost: float
    rescales_per_hour: float


@dataclass(frozen=True, slots=True, eq=False)
class Replayed:
    """A replay as plain values: what happened at each tick, and how it compares.

    Arrays are of one length, one entry per tick; `load` is in pods at the policy's target, NaN
    where nothing was recorded.
    """

    trace: str
    startup_seconds: float
    risk: float
    tick_seconds: float
    seconds: FloatArray
    load: FloatArray
    desired: CountArray
    ready: CountArray
    ours: Run
    clairvoyant: Run
    frontier: tuple[tuple[float, float], ...]
    """(cost, slow share) of HPAs tuned in hindsight, by ascending cost."""
    hpa_slow_at_our_cost: float
    hpa_cost_at_our_slow: float
    slow_at_equal_cost: float
    cost_at_equal_slow: float
    gap_closed: float | None
    median: FloatArray
    quantile: FloatArray
    """The forecast made at each tick, in pods, for one start-up later; NaN where there was none."""
    hpa_name: str
    """What the HPA whose pods are shown reads, and its target."""
    hpa_ready: CountArray

    @property
    def days(self) -> float:
        """How long the recording is."""
        return len(self.seconds) * self.tick_seconds / 86_400

    @property
    def hpa_slow_at_our_slow(self) -> float:
        """The slow share of the HPA nearest to ours: the same, or the least that any of them has.

        Half a tick stands for none, as in the comparison.
        """
        half_a_tick = 0.5 / max(int(np.isfinite(self.load).sum()), 1)
        least = min((slow for _, slow in self.frontier), default=0.0)
        reached = max(self.ours.slow, half_a_tick) >= least * (1 - 1e-9)
        return self.ours.slow if reached else least

    @property
    def out_of_reach(self) -> bool:
        """Whether no HPA is slow as seldom as we are."""
        return self.hpa_slow_at_our_slow > self.ours.slow

    @property
    def tuned_hpas(self) -> tuple[tuple[str, float, float], ...]:
        """Name, slow share and cost of the HPAs tuned in hindsight: to our cost, our slow time."""
        nearest = "HPA that is slow least" if self.out_of_reach else "HPA tuned to our slow time"
        return (
            ("HPA tuned to our cost", self.hpa_slow_at_our_cost, self.ours.cost),
            (nearest, self.hpa_slow_at_our_slow, self.hpa_cost_at_our_slow),
        )


class Worth(Enum):
    """What the comparison advises."""

    USE = "use it"
    HARDLY = "it hardly matters"
    PLAIN_HPA = "use a plain HPA"
    ONE_POD = "nothing to scale"


def worth(run: Replayed) -> Worth:
    """Return the advice: for a yes or a no both readings must agree, and one of them clearly."""
    slow, cost = run.slow_at_equal_cost, run.cost_at_equal_slow
    if _highest_load(run) <= 1:
        return Worth.ONE_POD
    if slow < 1 and cost < 1 and _clear(slow, cost):
        return Worth.USE
    if slow > 1 and cost > 1 and _clear(1 / slow, 1 / cost):
        return Worth.PLAIN_HPA
    return Worth.HARDLY


def _highest_load(run: Replayed) -> float:
    """Return the highest load recorded, in pods; 0 where none was."""
    return float(np.nan_to_num(run.load, nan=0.0).max(initial=0.0))


def _clear(slow: float, cost: float) -> bool:
    return 1 - cost >= _LEAST_COST_GAIN or 1 - slow >= _LEAST_SLOW_GAIN


def _opposed(slow: float, cost: float) -> bool:
    """Whether one reading speaks for prediction, the other against it, and not by a hair."""
    clear = abs(1 - cost) >= _LEAST_COST_GAIN or abs(1 - slow) >= _LEAST_SLOW_GAIN
    return min(slow, cost) < 1 < max(slow, cost) and clear


def verdict(run: Replayed) -> str:
    """Return the one sentence that comes first."""
    slow, cost = run.slow_at_equal_cost, run.cost_at_equal_slow
    if not has_load(run.load):
        return (
            "There is no load in this recording: no value is above 0, so nothing is to be scaled, "
            "and there is nothing that a cost could be compared with. Is it the right metric?"
        )
    if worth(run) is Worth.ONE_POD:
        return (
            f"One pod carries all of this load: its highest is {_highest_load(run):.2g} of what a "
            "pod is said to carry. There is nothing to scale, or the two are in different units."
        )
    if worth(run) is Worth.USE:
        return (
            f"With risk {share_text(run.risk)}: {_change(slow, 'slow time')} than the HPA tuned in "
            f"hindsight at the same cost{_or_as_little(run)}."
        )
    if worth(run) is Worth.PLAIN_HPA:
        return (
            f"Prediction does not help on this load: at the same cost the HPA tuned in hindsight "
            f"has {_change(1 / slow, 'slow time')}, and it costs {_change(1 / cost, '')} for as "
            "little slow time. Keep a plain HPA."
        )
    if _opposed(slow, cost):
        return (
            f"Prediction is a trade on this load: {_change(slow, 'slow time')} than the HPA tuned "
            f"in hindsight at the same cost{_but_dearer(run)}. A plain HPA may do as well."
        )
    return (
        f"Prediction hardly matters on this load: {_change(slow, 'slow time')} than the HPA tuned "
        f"in hindsight at the same cost, {_change(cost, 'cost')} at the same slow time. "
        "A plain HPA does as well."
    )


def summary(run: Replayed) -> str:
    """Return the verdict, and what a reader should know of a recording that is idle or short."""
    told = verdict(run)
    if worth(run) is Worth.ONE_POD:
        return told
    return f"{told}{_idle(run)}{_short(run)}"


def _idle(run: Replayed) -> str:
    """Return how costs are read where there is mostly no load: the least is no pod then."""
    if np.mean(run.load[np.isfinite(run.load)] == 0) < _MOSTLY_IDLE:
        return ""
    return (
        " Most of the time there is no load, for which the least is no pod; clairvoyance keeps one "
        f"all the same, and costs {run.clairvoyant.cost:.3g} times the least."
    )


def _short(run: Replayed) -> str:
    if run.days >= _LEAST_DAYS:
        return ""
    length = seconds_text(run.days * 86_400)
    return f" In {length} no rhythm could be learned: a week or two would tell more."


def has_load(load: FloatArray) -> bool:
    """Whether anything was asked for at all; a cost is told over the least that carries it."""
    return bool((load > 0).any())


def cost_text(cost: float, load: FloatArray) -> str:
    """Return a cost for people; of no load there is none."""
    return f"{cost:.3f}" if has_load(load) else "-"


def _or_as_little(run: Replayed) -> str:
    if run.out_of_reach:
        return _least(run)
    return f", or as little slow time at {_change(run.cost_at_equal_slow, 'cost')}"


def _but_dearer(run: Replayed) -> str:
    if run.out_of_reach:
        return _least(run)
    return f", but {_change(run.cost_at_equal_slow, 'cost')} at the same slow time"


def _least(run: Replayed) -> str:
    """Return what stands in the place of an HPA with as little slow time, where there is none."""
    return (
        f"; no HPA is slow as seldom: the best is slow {run.hpa_slow_at_our_slow:.2%} of the time "
        f"at a cost of {run.hpa_cost_at_our_slow:.2f}, we are slow {run.ours.slow:.2%} "
        f"at {run.ours.cost:.2f}"
    )


def _change(ratio: float, what: str) -> str:
    """Return a ratio as more or less of something; zero slow time divides nothing by nothing."""
    if not np.isfinite(ratio):
        return f"incomparable {what}".rstrip()
    word = "less" if ratio <= 1 else "more"
    if what == "cost":
        word = "lower" if ratio <= 1 else "higher"
    # All of it would be said of what is nearly all.
    share = "over 99%" if 0.99 < 1 - ratio < 1 else f"{abs(1 - ratio):.0%}"
    return f"{share} {word} {what}".rstrip()


@dataclass(frozen=True, slots=True)
class WorstHour:
    """The hour with most slow ticks: where, how short, and how it came."""

    first: int
    last: int
    """Ticks [first, last] of the recording."""
    slow_seconds: float
    peak_load: float
    ready_at_peak: int
    load_before: float | None
    """That one start-up before the peak, all a reaction could have known; None = unknown."""


def slow_ticks(run: Replayed, ready: CountArray) -> NDArray[np.bool_]:
    """Return at which ticks the load was above what these ready pods carry."""
    return np.asarray(np.nan_to_num(run.load, nan=0.0) > ready + 1e-9)


def worst_hour(run: Replayed, ready: CountArray) -> WorstHour | None:
    """Return the hour in which these pods had most slow time; None when there was none."""
    short = slow_ticks(run, ready)
    if not short.any():
        return None
    ticks = max(1, round(3600 / run.tick_seconds))
    sums = np.concatenate([[0], np.cumsum(short)])
    length = min(ticks, len(short))
    counts = sums[length:] - sums[:-length]
    first = int(counts.argmax())
    hour = slice(first, first + length)
    lack = np.where(short[hour], run.load[hour] - ready[hour], -np.inf)
    peak = first + int(lack.argmax())
    before = peak - round(run.startup_seconds / run.tick_seconds)
    known = before >= 0 and bool(np.isfinite(run.load[before]))
    return WorstHour(
        first=first,
        last=first + length - 1,
        slow_seconds=float(counts[first]) * run.tick_seconds,
        peak_load=float(run.load[peak]),
        ready_at_peak=int(ready[peak]),
        load_before=float(run.load[before]) if known else None,
    )
