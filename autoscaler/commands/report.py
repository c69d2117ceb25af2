"""From a replay to its report: the one place where the two meet."""

from pathlib import Path

import numpy as np
import yaml

from autoscaler.errors import TraceError, why_not
from autoscaler.policy.schema import Mode, WorkloadPolicy
from autoscaler.replay.frontier import Peer
from autoscaler.replay.run import ReplayResult
from autoscaler.replay.ticks import TICK_SECONDS
from autoscaler.replay.world import Outcome, ready_replicas
from autoscaler.review.picture import picture_svg
from autoscaler.review.report import report_html
from autoscaler.review.verdict import Replayed, Run


def write_report(path: Path, result: ReplayResult, policy: WorkloadPolicy) -> None:
    """Write the report of a replay that was compared with the HPA."""
    _write(path, report_html(replayed(result), policy_yaml=policy_yaml(policy, risk=result.risk)))


def checked_picture(path: str | None) -> str | None:
    """Return where the picture goes; refuse another format before anything is played."""
    if path and not path.endswith(".svg"):
        raise TraceError(f"{path}: a picture is an SVG; name it {Path(path).stem}.svg")
    return path


def write_picture(path: Path, result: ReplayResult) -> None:
    """Write the charts of a replay that was compared with the HPA, as SVG."""
    _write(path, picture_svg(replayed(result)))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise TraceError(f"{path}: cannot be written: {why_not(error)}") from error


def replayed(result: ReplayResult) -> Replayed:
    """Return a replay as the plain values that a report is made from."""
    frontier, scores, peer = result.frontier, result.scores, result.peer
    if frontier is None or scores is None or peer is None:
        raise TraceError("a report needs the comparison with the HPA")
    return Replayed(
        trace=result.trace,
        startup_seconds=result.startup_seconds,
        risk=result.risk,
        tick_seconds=float(TICK_SECONDS),
        seconds=result.seconds,
        load=result.load_in_pods,
        desired=result.replicas.astype(np.int64),
        ready=ready_replicas(
            result.replicas.astype(np.int64), startup_seconds=result.startup_seconds
        ),
        ours=_run(result.ours),
        clairvoyant=_run(result.clairvoyant),
        frontier=tuple(zip(frontier.cost.tolist(), frontier.slow.tolist(), strict=True)),
        hpa_slow_at_our_cost=frontier.slow_at(result.ours.cost),
        hpa_cost_at_our_slow=frontier.cost_at(result.ours.slow),
        slow_at_equal_cost=scores.slow_at_equal_cost,
        cost_at_equal_slow=scores.cost_at_equal_slow,
        gap_closed=scores.gap_closed,
        median=result.median,
        quantile=result.quantile,
        hpa_name=_peer_name(peer),
        hpa_ready=peer.ready,
    )


def _peer_name(peer: Peer) -> str:
    """Return what the HPA reads and its target, as people write it."""
    if peer.by_cpu:
        return f"HPA at CPU {peer.target:.0%}"
    return f"HPA at {peer.target:.0%} of a pod's limit"


def _run(outcome: Outcome) -> Run:
    return Run(outcome.slow, outcome.overload, outcome.cost, outcome.rescales_per_hour)


def policy_yaml(policy: WorkloadPolicy, *, risk: float) -> str:
    """Return the policy to paste: what was written, with the risk that was played, not acting."""
    forecast = policy.forecast.model_copy(update={"risk": risk})
    chosen = policy.model_copy(update={"mode": Mode.FORECAST_ONLY, "forecast": forecast})
    written = chosen.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    written["scaleTargetRef"] = {
        "apiVersion": policy.scale_target_ref.api_version,
        "kind": policy.scale_target_ref.kind,
        **written["scaleTargetRef"],
    }
    written["mode"] = str(Mode.FORECAST_ONLY)
    written.setdefault("forecast", {})["risk"] = forecast.model_dump(mode="json")["risk"]
    return str(yaml.safe_dump(written, sort_keys=False))
