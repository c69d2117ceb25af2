"""`autoscaler replay`: what it would have done on a recorded load, before it may act."""

import argparse
import csv
import json
import math
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from autoscaler.commands.progress import progress_bar
from autoscaler.commands.report import write_report
from autoscaler.errors import PolicyError, TraceError
from autoscaler.policy.files import checked_files
from autoscaler.policy.quantity import share_text
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.replay.run import ReplayResult, replay
from autoscaler.replay.trace import read_trace
from autoscaler.replay.world import Outcome


def main(arguments: argparse.Namespace) -> int:
    """Play the trace, write the decisions when asked, print the comparison."""
    policy = the_policy(Path(arguments.policy))
    trace = read_trace(Path(arguments.trace))
    with progress_bar("replaying") as advance:
        result = replay(
            policy,
            trace,
            startup_seconds=arguments.startup.total_seconds(),
            risk=arguments.risk,
            progress=advance,
        )
    if arguments.decisions:
        write_decisions(Path(arguments.decisions), result)
    if arguments.report:
        write_report(Path(arguments.report), result, policy)
    if arguments.output == "json":
        print(json.dumps(as_dict(result), allow_nan=False))
    else:
        Console().print(as_table(result))
    return 0


def the_policy(path: Path) -> WorkloadPolicy:
    """Return the one policy of a file; raise `PolicyError` when there is none, or several."""
    checked = checked_files([path])
    if checked.problems:
        raise PolicyError("\n".join(checked.problems))
    if len(checked.policies) != 1:
        raise PolicyError(f"{path}: a replay takes one policy, got {len(checked.policies)}")
    return next(iter(checked.policies.values()))


def write_decisions(path: Path, result: ReplayResult) -> None:
    """Write `timestamp,replicas`, one row per 15 s tick."""
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            rows = csv.writer(file, lineterminator="\n")
            rows.writerow(("timestamp", "replicas"))
            rows.writerows(zip(_stamps(result), result.replicas.tolist(), strict=True))
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {error}") from error


def _stamps(result: ReplayResult) -> list[int | float]:
    return [int(at) if at.is_integer() else at for at in result.seconds.tolist()]


def as_dict(result: ReplayResult) -> dict[str, Any]:
    """Return the comparison as plain values; shares and ratios, not percentages."""
    scores = result.scores
    return {
        "trace": result.trace,
        "startup_seconds": result.startup_seconds,
        "risk": result.risk,
        "ticks": len(result.replicas),
        "ours": _outcome_dict(result.ours),
        "clairvoyant": _outcome_dict(result.clairvoyant),
        "hpa_frontier": None
        if result.frontier is None
        else [
            {"cost": cost, "slow": slow}
            for cost, slow in zip(
                result.frontier.cost.tolist(), result.frontier.slow.tolist(), strict=True
            )
        ],
        "slow_at_equal_cost": None if scores is None else scores.slow_at_equal_cost,
        "cost_at_equal_slow": None if scores is None else scores.cost_at_equal_slow,
        "gap_closed": None if scores is None else scores.gap_closed,
    }


def _outcome_dict(outcome: Outcome) -> dict[str, float]:
    return {
        "slow": outcome.slow,
        "overload": outcome.overload,
        "cost": outcome.cost,
        "rescales_per_hour": outcome.rescales_per_hour,
    }


def as_table(result: ReplayResult) -> Table:
    """Return the comparison for a person: ours, the tuned HPA both ways, the clairvoyant."""
    table = Table(
        title=f"{result.trace}, start-up {result.startup_seconds:g} s", title_justify="left"
    )
    table.add_column("controller")
    for heading in ("slow", "overload", "cost", "rescales/h"):
        table.add_column(heading, justify="right")
    table.add_row(f"autoscaler, risk {share_text(result.risk)}", *outcome_cells(result.ours))
    if result.frontier is not None:
        ours = result.ours
        table.add_row(
            "HPA tuned to our cost",
            f"{result.frontier.slow_at(ours.cost):.2%}",
            "",
            f"{ours.cost:.3f}",
        )
        table.add_row(
            "HPA tuned to our slow time",
            f"{ours.slow:.2%}",
            "",
            f"{result.frontier.cost_at(ours.slow):.3f}",
        )
    table.add_row("clairvoyant", *outcome_cells(result.clairvoyant))
    table.caption = _verdict(result)
    return table


def _verdict(result: ReplayResult) -> str:
    scores = result.scores
    if scores is None:
        return ""
    gap = scores.gap_closed
    closed = "" if gap is None or not math.isfinite(gap) else f"; {gap:.0%} of the gap closed"
    return (
        f"slow time at equal cost x{scores.slow_at_equal_cost:.2f}, "
        f"cost at equal slow time x{scores.cost_at_equal_slow:.2f}{closed}"
    )


def outcome_cells(outcome: Outcome) -> tuple[str, str, str, str]:
    """Return slow, overload, cost and rescales per hour as table cells."""
    return (
        f"{outcome.slow:.2%}",
        f"{outcome.overload:.2%}",
        f"{outcome.cost:.3f}",
        f"{outcome.rescales_per_hour:.1f}",
    )
