"""`autoscaler recommend`: a policy to paste, from the past of one workload.

The past comes from a file, or from Prometheus, where the source is found and what one pod carries
is learned from what load costs in CPU.
The load is played under several risks; the one at the knee of cost against slow time is proposed,
with bounds from the load itself, and why in comments above it.
It proposes `ForecastOnly`: to act is the reader's decision, after having watched it.
"""

import argparse
import textwrap
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from autoscaler.commands.progress import progress_bar
from autoscaler.commands.proposal import Found, found_in_prometheus
from autoscaler.commands.report import policy_yaml, replayed
from autoscaler.errors import PolicyError, TraceError
from autoscaler.policy.parsing import checked
from autoscaler.policy.quantity import share_text
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import Job, ReplayResult, replays
from autoscaler.replay.ticks import ticks_of
from autoscaler.replay.trace import read_trace
from autoscaler.review.knee import Played, knee, proposed_bounds
from autoscaler.review.verdict import summary

# From hardly any slow time to as much as a tuned HPA has; a finer grid moves the knee by nothing.
RISKS = (0.001, 0.003, 0.01, 0.03, 0.1)
_COMMENT_WIDTH = 90


def main(arguments: argparse.Namespace) -> int:
    """Play the load under every risk and print the policy."""
    if arguments.query and arguments.source:
        raise TraceError("--source and --query: give one of them")
    found = _in_a_file(arguments) if arguments.trace else found_in_prometheus(arguments)
    policy = proposed_policy(arguments, found)
    startup = arguments.startup.total_seconds()
    with progress_bar("replaying") as advance:
        played = replays(Job(policy, found.trace, startup, RISKS), progress=advance)
    results = dict(zip(RISKS, played, strict=True))
    chosen = _chosen(results)
    compared = results[chosen]
    print(_comments([*reasons(results, compared), *found.notes]))
    print(policy_yaml(policy, risk=chosen), end="")
    return 0


def _comments(lines: Iterable[str]) -> str:
    """Return lines as comments of YAML, long ones broken as a person would."""
    broken = (part for line in lines for part in textwrap.wrap(line, _COMMENT_WIDTH) or [""])
    return "\n".join(f"# {part}".rstrip() for part in broken)


def _in_a_file(arguments: argparse.Namespace) -> Found:
    """Return the load of a recording; what one pod carries cannot be learned from it."""
    if arguments.capacity is None:
        raise TraceError("a recorded load does not tell what one pod carries: give --capacity")
    origin = (
        {"query": arguments.query} if arguments.query else {"source": arguments.source or "linkerd"}
    )
    amount = f"{arguments.capacity:.15g}"
    metric = {"type": "RequestRate", "requestRate": {**origin, "target": {"averageValue": amount}}}
    return Found(read_trace(Path(arguments.trace)), metric, arguments.capacity, ())


def proposed_policy(arguments: argparse.Namespace, found: Found) -> WorkloadPolicy:
    """Return the policy without its risk: what is measured, what a pod carries, the bounds."""
    low, high = proposed_bounds(ticks_of(found.trace).offered / found.capacity)
    namespace = {"namespace": arguments.namespace} if arguments.namespace else {}
    policy, mistakes = checked(
        {
            "scaleTargetRef": {"name": arguments.name, **namespace},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [found.metric],
        }
    )
    if policy is None:
        raise PolicyError("\n".join(f"the policy to propose: {mistake}" for mistake in mistakes))
    return policy


def _chosen(results: dict[float, ReplayResult]) -> float:
    played = [Played(risk, r.ours.slow, r.ours.cost) for risk, r in results.items()]
    n_ticks = max(len(r.replicas) for r in results.values())
    return knee(played, least_slow=0.5 / n_ticks).risk


def reasons(results: dict[float, ReplayResult], chosen: ReplayResult) -> list[str]:
    """Return why this policy: the verdict, every risk that was played, how the bounds came."""
    lines = [
        summary(replayed(chosen)),
        "",
        f"{'risk':>6} {'slow':>9} {'cost':>7} {'rescales/h':>11}",
    ]
    for risk, result in results.items():
        ours, mark = result.ours, "  <- the knee" if risk == chosen.risk else ""
        lines.append(
            f"{share_text(risk):>6} {ours.slow:>9.3%} {ours.cost:>7.3f} "
            f"{ours.rescales_per_hour:>11.1f}{mark}"
        )
    known = np.isfinite(chosen.load_in_pods)
    return [
        *lines,
        "",
        "minReplicas carries the quiet hours, maxReplicas twice the highest load recorded.",
        f"Replayed: {chosen.trace}, {len(known) * 15 / 86_400:.1f} days, {known.mean():.1%} of "
        f"them known; pods were ready after {chosen.startup_seconds:g} s.",
    ]
