"""Replay scores per recording, and their geometric means per start-up time and risk."""

from collections.abc import Sequence

import numpy as np
from loads import bench_policy
from promises import shares_above

from autoscaler.replay.run import ReplayResult
from autoscaler.replay.sweep import geometric_mean, jobs_of, run_jobs, summaries
from autoscaler.replay.trace import Trace


def replay_tables(
    traces: Sequence[Trace], *, startups: Sequence[float], risks: Sequence[float], workers: str
) -> list[str]:
    """Return the lines of both tables, markdown."""
    jobs = jobs_of(bench_policy(), traces, startups, risks)
    return tables_of(run_jobs(jobs, workers=workers))


def tables_of(results: list[ReplayResult]) -> list[str]:
    """Return the means, then every recording."""
    return [*_means(results), "", *_per_trace(results)]


def _means(results: list[ReplayResult]) -> list[str]:
    lines = [
        "| start-up | risk | traces | slow at equal cost | cost at equal slow | clairvoyant |"
        " gap closed | rescales of the HPA's | above the quantile / risk |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for s in summaries(results):
        gap = "-" if s.gap_closed is None else f"{s.gap_closed:.0%}"
        alike = [r for r in results if (r.startup_seconds, r.risk) == (s.startup_seconds, s.risk)]
        above = np.mean([shares_above(r)[0] for r in alike]) / s.risk
        lines.append(
            f"| {s.startup_seconds:g} s | {s.risk:.1%} | {s.n_traces} |"
            f" {s.slow_at_equal_cost:.3f} | {s.cost_at_equal_slow:.3f} | {s.limit:.3f} |"
            f" {gap} | {_rescales(alike)} | {above:.2f} |"
        )
    return lines


def _rescales(results: list[ReplayResult]) -> str:
    """Return our rescales over the tuned HPA's at equal slow time, and the most of one."""
    ratios = [
        max(r.ours.rescales_per_hour, 0.1) / max(r.frontier.rescales_at(r.ours.slow), 0.1)
        for r in results
        if r.frontier is not None
    ]
    return f"{geometric_mean(ratios):.2f} (most {max(ratios, default=1.0):.2f})"


def _per_trace(results: list[ReplayResult]) -> list[str]:
    lines = [
        "| recording | start-up | risk | slow | overload | cost | rescales/h | slow at equal cost |"
        " cost at equal slow | clairvoyant | gap closed | above / risk | worst day / risk |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        ours, s = r.ours, r.scores
        if s is None:
            continue
        gap = "-" if s.gap_closed is None else f"{s.gap_closed:.0%}"
        above, worst = (share / r.risk for share in shares_above(r))
        lines.append(
            f"| {r.trace.split('.')[0]} | {r.startup_seconds:g} s | {r.risk:.1%} |"
            f" {ours.slow:.3%} | {ours.overload:.3%} | {ours.cost:.3f} |"
            f" {ours.rescales_per_hour:.1f} | {s.slow_at_equal_cost:.3f} |"
            f" {s.cost_at_equal_slow:.3f} | {s.limit:.3f} | {gap} | {above:.2f} | {worst:.2f} |"
        )
    return lines
