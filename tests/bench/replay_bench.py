"""Replay scores per recording, and their geometric means per start-up time and risk."""

from collections.abc import Sequence

from loads import bench_policy

from autoscaler.replay.run import ReplayResult
from autoscaler.replay.sweep import jobs_of, run_jobs, summaries
from autoscaler.replay.trace import Trace


def replay_tables(
    traces: Sequence[Trace], *, startups: Sequence[float], risks: Sequence[float], workers: str
) -> list[str]:
    """Return the lines of both tables, markdown."""
    jobs = jobs_of(bench_policy(), traces, startups, risks)
    results = run_jobs(jobs, workers=workers)
    return [*_means(results), "", *_per_trace(results)]


def _means(results: list[ReplayResult]) -> list[str]:
    lines = [
        "| start-up | risk | traces | slow at equal cost | cost at equal slow | gap closed |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for s in summaries(results):
        gap = "-" if s.gap_closed is None else f"{s.gap_closed:.0%}"
        lines.append(
            f"| {s.startup_seconds:g} s | {s.risk:.1%} | {s.n_traces} |"
            f" {s.slow_at_equal_cost:.3f} | {s.cost_at_equal_slow:.3f} | {gap} |"
        )
    return lines


def _per_trace(results: list[ReplayResult]) -> list[str]:
    lines = [
        "| recording | start-up | risk | slow | overload | cost | rescales/h | slow at equal cost |"
        " cost at equal slow | clairvoyant | gap closed |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for r in results:
        ours, s = r.ours, r.scores
        if s is None:
            continue
        gap = "-" if s.gap_closed is None else f"{s.gap_closed:.0%}"
        lines.append(
            f"| {r.trace.split('.')[0]} | {r.startup_seconds:g} s | {r.risk:.1%} |"
            f" {ours.slow:.3%} | {ours.overload:.3%} | {ours.cost:.3f} |"
            f" {ours.rescales_per_hour:.1f} | {s.slow_at_equal_cost:.3f} |"
            f" {s.cost_at_equal_slow:.3f} | {s.limit:.3f} | {gap} |"
        )
    return lines
