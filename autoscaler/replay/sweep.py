"""Several recordings at several start-up times and risks in one run, on as many processes as asked.

Each replay stands for itself, so they spread over processes (joblib) or a Dask cluster alike.
"""

import importlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import exp, log
from typing import Any

from autoscaler.errors import TraceError
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import Job, ReplayResult, replays
from autoscaler.replay.scores import share_of_gap
from autoscaler.replay.trace import Trace

Progress = Callable[[int, int], None]

_DASK = "dask://"


@dataclass(frozen=True, slots=True)
class Summary:
    """Geometric means over the recordings at one start-up time and risk."""

    startup_seconds: float
    risk: float
    n_traces: int
    slow_at_equal_cost: float
    cost_at_equal_slow: float
    limit: float

    @property
    def gap_closed(self) -> float | None:
        """Return (1 - c) / (1 - o) of the means; None without a gap."""
        return share_of_gap(self.cost_at_equal_slow, self.limit)


def jobs_of(
    policy: WorkloadPolicy,
    traces: Iterable[Trace],
    startups: Sequence[float],
    risks: Sequence[float],
) -> list[Job]:
    """Return every combination, traces outermost, risks innermost."""
    return [Job(policy, t, s, tuple(risks)) for t in traces for s in startups]


def run_jobs(
    jobs: Sequence[Job], *, workers: str = "1", progress: Progress | None = None
) -> list[ReplayResult]:
    """Return the results in the order of the jobs, one per risk.

    `workers` is a number of processes, or the address of a Dask scheduler as `dask://host:port`.
    """
    results: list[ReplayResult] = []
    for done, of_job in enumerate(_spread(jobs, workers), start=1):
        results.extend(of_job)
        if progress:
            progress(done, len(jobs))
    return results


def _spread(jobs: Sequence[Job], workers: str) -> Iterator[list[ReplayResult]]:
    if workers.startswith(_DASK):
        yield from _on_dask(jobs, "tcp://" + workers.removeprefix(_DASK))
        return
    if not workers.isdecimal() or int(workers) < 1:
        raise TraceError(f"workers must be a positive number or dask://host:port, got {workers!r}")
    if int(workers) == 1:
        yield from map(replays, jobs)
        return
    from joblib import Parallel, delayed  # noqa: PLC0415 - only where several processes are asked

    parallel = Parallel(n_jobs=int(workers), return_as="generator")
    yield from parallel(delayed(replays)(job) for job in jobs)


def _on_dask(jobs: Sequence[Job], address: str) -> Iterator[list[ReplayResult]]:
    try:
        # An extra, absent in the daemon's image; typed only where it is installed.
        distributed: Any = importlib.import_module("distributed")
    except ImportError as error:
        raise TraceError(
            "dask:// workers need the extra: pip install 'predictive-autoscaler[dask]'"
        ) from error
    with distributed.Client(address) as client:
        yield from client.gather(client.map(replays, list(jobs), pure=False))


def summaries(results: Iterable[ReplayResult]) -> list[Summary]:
    """Return the means per start-up time and risk, in order of first appearance."""
    groups: dict[tuple[float, float], list[ReplayResult]] = {}
    for result in results:
        groups.setdefault((result.startup_seconds, result.risk), []).append(result)
    return [_summary(*key, group) for key, group in groups.items()]


def _summary(startup: float, risk: float, group: list[ReplayResult]) -> Summary:
    scored = [r.scores for r in group if r.scores is not None]
    return Summary(
        startup,
        risk,
        len(scored),
        geometric_mean(s.slow_at_equal_cost for s in scored),
        geometric_mean(s.cost_at_equal_slow for s in scored),
        geometric_mean(s.limit for s in scored),
    )


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean of positive values, 1 of none."""
    logs = [log(v) for v in values]
    return exp(sum(logs) / len(logs)) if logs else 1.0
