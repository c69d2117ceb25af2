"""What of the scores is left on recordings the prior has not seen: leave one group out.

A recording's group is what stands before the first underscore of its name: recordings of one source
resemble each other more than the next user's load does.
Groups are dealt into a few folds, each fold's prior is fitted on all the others, and the very
program that ships replays the fold with it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from loads import bench_policy
from replay_bench import tables_of
from young_bench import young_table

from autoscaler.replay.alterations import altered_copies
from autoscaler.replay.pretrain import examples_by_load, pooled
from autoscaler.replay.run import Job
from autoscaler.replay.sweep import run_jobs
from autoscaler.replay.trace import Trace

_N_FOLDS = 5
_DAY_SECONDS = 86_400.0


def generalisation_tables(
    traces: Sequence[Trace], *, startups: Sequence[float], risks: Sequence[float], workers: str
) -> list[str]:
    """Return the lines of the tables, markdown: whole recordings, first 24 hours, first minutes."""
    jobs = list(_jobs(traces, startups, tuple(risks)))
    first = [replace(j, trace=_first_day(j.trace)) for j in jobs]
    known_to = {job.trace.name: (job.trace, job.prior) for job in jobs if job.prior is not None}
    return [
        *tables_of(run_jobs(jobs, workers=workers)),
        *("", "First 24 hours:", "", *tables_of(run_jobs(first, workers=workers))),
        *("", "First minutes, exceeded / risk:", ""),
        *young_table(list(known_to.values()), risks=risks),
    ]


def _jobs(
    traces: Sequence[Trace], startups: Sequence[float], risks: tuple[float, ...]
) -> Iterator[Job]:
    rng = np.random.default_rng(0)
    folds = _folds(traces)
    of_fold = {k: [t for t, f in zip(traces, folds, strict=True) if f == k] for k in set(folds)}
    copies = [
        altered_copies(trace, rng, mates=of_fold[fold])
        for trace, fold in zip(traces, folds, strict=True)
    ]
    examples = examples_by_load([load for of_trace in copies for load in of_trace], seed=1)
    which = np.repeat(np.arange(len(traces)), [len(of_trace) for of_trace in copies])
    for fold in sorted(of_fold):
        seen = [e for e, i in zip(examples, which.tolist(), strict=True) if folds[i] != fold]
        prior = pooled(seen, n_members=1)
        for trace, of in zip(traces, folds, strict=True):
            if of == fold:
                yield from (Job(bench_policy(), trace, s, risks, prior) for s in startups)


def _folds(traces: Sequence[Trace]) -> list[int]:
    """Return each recording's fold; a group is in one fold, the largest are dealt first."""
    names = [trace.name.split("_")[0] for trace in traces]
    groups = sorted(set(names), key=lambda name: (-names.count(name), name))
    fold_of: dict[str, int] = {}
    sizes = [0] * _N_FOLDS
    for group in groups:
        fold_of[group] = int(np.argmin(sizes))
        sizes[fold_of[group]] += names.count(group)
    return [fold_of[name] for name in names]


def _first_day(trace: Trace) -> Trace:
    return trace.cut(trace.start_seconds + _DAY_SECONDS)
