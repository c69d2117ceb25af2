"""`autoscaler doctor`: what is wrong with each policy's metrics, and what to do, before it acts.

Policies come from files, or from the cluster's ConfigMaps when no file is named.
Exit code 1 when the load of any policy would be unknown.
"""

import argparse
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from autoscaler.cluster.api import connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.commands.prometheus import prometheus_settings
from autoscaler.daemon import SystemClock, targeted
from autoscaler.decide.capacity import declared_capacity
from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.decide.lead_time import lead_time
from autoscaler.errors import AutoscalerError, PolicyError
from autoscaler.metrics.doctor import Diagnosis, Doctor, Level
from autoscaler.policy.book import PolicyBook
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.files import policy_documents
from autoscaler.policy.quantity import duration_text
from autoscaler.roster import Governed, Roster, compiled

_FIRST_LISTS = timedelta(seconds=30)
_MARK = {Level.OK: "ok  ", Level.WARNING: "WARN", Level.ERROR: "FAIL"}

Workloads = Mapping[TargetRef, WorkloadFacts]


def main(arguments: argparse.Namespace) -> int:
    """Examine every policy; return 1 when one could not be trusted with its metrics."""
    with _world(arguments) as (documents, cluster):
        book = PolicyBook(own_namespace=arguments.namespace).updated(documents)
        if book.problems:
            raise PolicyError("\n".join(sorted(book.problems)))
        roster = compiled(targeted(book.policies))
        workloads = {} if cluster is None else cluster.workloads(roster.targets)
        diagnoses = _examined(arguments, roster, workloads)
    report = [_report(g, diagnoses[g.series_slice], workloads) for g in roster.governed]
    if arguments.output == "json":
        print(json.dumps(report, indent=2))
    else:
        for one in report:
            print(_as_text(one))
    return 0 if all(diagnosis.healthy for diagnosis in diagnoses) else 1


@contextmanager
def _world(
    arguments: argparse.Namespace,
) -> Iterator[tuple[list[PolicyDocument], KubernetesCluster | None]]:
    """Yield the policies, and the cluster unless files are examined without a kubeconfig."""
    documents = [d for file in arguments.files for d in policy_documents(Path(file))]
    if documents and not arguments.kubeconfig:
        yield documents, None
        return
    connection = connect(Path(arguments.kubeconfig) if arguments.kubeconfig else None)
    cluster = KubernetesCluster(
        connection.client, namespace=arguments.namespace, may_write=lambda target: False
    )
    cluster.start()
    try:
        if not cluster.wait_synced(_FIRST_LISTS):
            raise AutoscalerError("the API server did not answer the first lists")
        yield documents or list(cluster.policies()), cluster
    finally:
        cluster.stop()


def _examined(
    arguments: argparse.Namespace, roster: Roster, workloads: Workloads
) -> list[Diagnosis]:
    doctor = Doctor(prometheus_settings(arguments))
    try:
        return doctor.diagnoses(roster.series, now=SystemClock().now(), workloads=workloads)
    finally:
        doctor.close()


def _report(governed: Governed, diagnoses: list[Diagnosis], workloads: Workloads) -> dict[str, Any]:
    """Return everything found about one policy as plain values."""
    workload = workloads.get(governed.target)
    signals = []
    for label, metric, diagnosis in zip(
        governed.labels, governed.policy.metrics, diagnoses, strict=True
    ):
        capacity = None if workload is None else declared_capacity(metric, workload)
        signals.append(
            {
                "metric": label,
                "findings": [
                    {"level": str(f.level), "subject": f.subject, "says": f.says, "fix": f.fix}
                    for f in diagnosis.findings
                ],
                "capacity_per_pod": None if capacity is None else capacity.per_pod,
                "promql": diagnosis.promql,
            }
        )
    configured = governed.policy.forecast.lead_time
    measured = () if workload is None else workload.lead_times
    return {
        "policy": governed.source,
        "target": str(governed.target),
        "pods_timed": len(measured),
        "lead_time": duration_text(lead_time(measured, configured=configured)),
        "signals": signals,
    }


def _as_text(report: dict[str, Any]) -> str:
    lines = [f"{report['target']}  ({report['policy']})"]
    lines.append(f"  lead time {report['lead_time']}, {report['pods_timed']} pods timed")
    for signal in report["signals"]:
        lines.append(f"  {signal['metric']}")
        for found in signal["findings"]:
            mark = _MARK[Level(found["level"])]
            lines.append(f"    {mark} {found['subject']}: {found['says']}")
            if found["fix"]:
                lines.append(f"         -> {found['fix']}")
        lines += [f"    promql {line}" for line in signal["promql"].splitlines()]
    return "\n".join(lines)
