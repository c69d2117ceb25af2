"""`autoscaler replay`: what it would have done on a recorded load, before it may act.

The load comes from files, or from the user's own Prometheus by the policy's own metric.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from autoscaler.commands.flags import checked_output
from autoscaler.commands.progress import progress_bar
from autoscaler.commands.prometheus import prometheus_settings
from autoscaler.commands.recorded import recorded
from autoscaler.commands.replay_output import print_results, write_decisions
from autoscaler.commands.report import checked_picture, write_picture, write_report
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import PolicyError, TraceError
from autoscaler.policy.book import policy_key
from autoscaler.policy.files import checked_files
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import Job, ReplayResult, capacity_of, replayed_metric, replays
from autoscaler.replay.sweep import jobs_of, run_jobs
from autoscaler.replay.trace import Trace, read_trace


def main(arguments: argparse.Namespace) -> int:
    """Play every load at every start-up time and risk; print the comparison."""
    policy = the_policy(Path(arguments.policy))
    capacity_of(policy)
    decisions, report, picture = _outputs(arguments)
    risks = arguments.risk or (policy.forecast.risk,)
    startups = [startup.total_seconds() for startup in arguments.startup]
    jobs = jobs_of(policy, _traces(arguments, policy), startups, risks)
    if (len(jobs) > 1 or len(risks) > 1) and (decisions or report or picture):
        raise TraceError(
            "--decisions, --report and --picture take one trace, one start-up and one risk"
        )
    results = _played(jobs, workers=arguments.workers)
    print_results(results, output=arguments.output)
    if decisions:
        write_decisions(decisions, results[0])
    if report:
        write_report(report, results[0], policy)
    if picture:
        write_picture(picture, results[0])
    return 0


def _outputs(arguments: argparse.Namespace) -> tuple[Path | None, Path | None, Path | None]:
    """Return where decisions, report and picture go; refuse what cannot be written at once."""
    read = [arguments.policy, *(arguments.trace or [])]
    decisions, report, picture = (
        checked_output(Path(path), inputs=read) if path else None
        for path in (arguments.decisions, arguments.report, checked_picture(arguments.picture))
    )
    return decisions, report, picture


def _played(jobs: list[Job], *, workers: str) -> list[ReplayResult]:
    """Return the results; one replay shows its ticks, several show how many are done."""
    with progress_bar("replaying") as advance:
        if len(jobs) > 1:
            return run_jobs(jobs, workers=workers, progress=advance)
        return replays(jobs[0], progress=advance)


def the_policy(path: Path) -> WorkloadPolicy:
    """Return the one policy of a file; raise `PolicyError` when there is none, or several."""
    checked = checked_files([path])
    if checked.problems:
        raise PolicyError("\n".join(checked.problems))
    if len(checked.policies) != 1:
        raise PolicyError(f"{path}: a replay takes one policy, got {len(checked.policies)}")
    for warning in checked.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    return next(iter(checked.policies.values()))


def _traces(arguments: argparse.Namespace, policy: WorkloadPolicy) -> list[Trace]:
    if arguments.trace and arguments.days is not None:
        raise TraceError("--trace and --days: give one of them")
    if arguments.trace:
        return [read_trace(Path(file)) for file in arguments.trace]
    if arguments.days is None:
        raise TraceError("give a recorded load by --trace, or --days of Prometheus history")
    return [_recorded(arguments, policy)]


def _recorded(arguments: argparse.Namespace, policy: WorkloadPolicy) -> Trace:
    """Return the last days of the load that is replayed, as Prometheus has them."""
    key = policy_key(policy, namespace=None)
    target = TargetRef(key.namespace, key.name, key.kind, key.api_version)
    with recorded(prometheus_settings(arguments), target) as past:
        trace = past.load(replayed_metric(policy), days=arguments.days)
    if not np.isfinite(trace.load).any():
        raise TraceError(f"{target}: Prometheus has no past of this load; try autoscaler doctor")
    return trace
