"""`autoscaler recommend`: a policy to paste, from the recorded load of one workload.

The load is played under several risks; the one at the knee of cost against slow time is proposed,
with bounds from the load itself, and why in comments above it.
It proposes `ForecastOnly`: to act is the reader's decision, after having watched it.
"""

import argparse
from pathlib import Path

from autoscaler.commands.progress import progress_bar
from autoscaler.commands.report import policy_yaml, replayed
from autoscaler.policy.quantity import share_text
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import ReplayResult, replay
from autoscaler.replay.ticks import ticks_of
from autoscaler.replay.trace import Trace, read_trace
from autoscaler.review.knee import Played, knee, proposed_bounds
from autoscaler.review.verdict import verdict

# From hardly any slow time to as much as a tuned HPA has; a finer grid moves the knee by nothing.
RISKS = (0.001, 0.003, 0.01, 0.03, 0.1)


def main(arguments: argparse.Namespace) -> int:
    """Play the trace under every risk and print the policy."""
    trace = read_trace(Path(arguments.trace))
    policy = proposed_policy(arguments, trace)
    startup = arguments.startup.total_seconds()
    results: dict[float, ReplayResult] = {}
    for risk in RISKS:
        with progress_bar(f"risk {share_text(risk)}") as advance:
            results[risk] = replay(
                policy,
                trace,
                startup_seconds=startup,
                risk=risk,
                compare=False,
                progress=advance,
            )
    chosen = _chosen(results)
    compared = replay(policy, trace, startup_seconds=startup, risk=chosen)
    print("\n".join(f"# {line}" for line in reasons(results, compared)))
    print(policy_yaml(policy, risk=chosen), end="")
    return 0


def proposed_policy(arguments: argparse.Namespace, trace: Trace) -> WorkloadPolicy:
    """Return the policy without its risk: what is measured, what a pod carries, the bounds."""
    low, high = proposed_bounds(ticks_of(trace).offered / arguments.capacity)
    rate: dict[str, object] = {"target": {"averageValue": f"{arguments.capacity:.15g}"}}
    rate |= {"query": arguments.query} if arguments.query else {"source": arguments.source}
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": arguments.name},
            "minReplicas": low,
            "maxReplicas": high,
            "metrics": [{"type": "RequestRate", "requestRate": rate}],
        }
    )


def _chosen(results: dict[float, ReplayResult]) -> float:
    played = [Played(risk, r.ours.slow, r.ours.cost) for risk, r in results.items()]
    n_ticks = max(len(r.replicas) for r in results.values())
    return knee(played, least_slow=0.5 / n_ticks).risk


def reasons(results: dict[float, ReplayResult], chosen: ReplayResult) -> list[str]:
    """Return why this policy: the verdict, every risk that was played, how the bounds came."""
    lines = [
        verdict(replayed(chosen)),
        "",
        f"{'risk':>6} {'slow':>9} {'cost':>7} {'rescales/h':>11}",
    ]
    for risk, result in results.items():
        ours, mark = result.ours, "  <- the knee" if risk == chosen.risk else ""
        lines.append(
            f"{share_text(risk):>6} {ours.slow:>9.3%} {ours.cost:>7.3f} "
            f"{ours.rescales_per_hour:>11.1f}{mark}"
        )
    return [
        *lines,
        "",
        "minReplicas carries the quiet hours, maxReplicas twice the highest load recorded.",
        f"Replayed from {chosen.trace}; pods were ready after {chosen.startup_seconds:g} s.",
    ]
