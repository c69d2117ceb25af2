"""`autoscaler doctor`: what is wrong with each policy's metrics, and what to do, before it acts.

Policies come from files, or from the cluster's ConfigMaps when no file is named.
With a cluster to look at, also what the daemon would learn there: capacity and lead time.
Exit code 1 when any policy could not be decided on: its load, its target or its capacity unknown;
2 when one is refused as it is written, which is told after all others were examined.
"""

import argparse
import json
import logging
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from autoscaler.cluster.api import connect
from autoscaler.cluster.kubernetes_cluster import KubernetesCluster
from autoscaler.commands.policy_findings import in_cluster, without_cluster
from autoscaler.commands.progress import progress_bar
from autoscaler.commands.prometheus import prometheus_settings
from autoscaler.daemon import SystemClock, targeted
from autoscaler.decide.facts import TargetRef, WorkloadFacts
from autoscaler.errors import AutoscalerError, PolicyError
from autoscaler.metrics.doctor import Diagnosis, Doctor
from autoscaler.metrics.findings import Finding, Level
from autoscaler.metrics.witness import ReadinessWitness
from autoscaler.policy.book import PolicyBook
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.files import policy_documents
from autoscaler.review.answer import times
from autoscaler.review.log import colours_wanted
from autoscaler.roster import Governed, Roster, compiled

_FIRST_LISTS = timedelta(seconds=30)
_MARK = {Level.OK: "ok  ", Level.WARNING: "WARN", Level.ERROR: "FAIL"}
_COLOUR = {Level.OK: "32", Level.WARNING: "33", Level.ERROR: "31"}

Workloads = Mapping[TargetRef, WorkloadFacts]
Report = dict[str, Any]


def main(arguments: argparse.Namespace) -> int:
    """Examine every policy; return 1 when something has to be mended first."""
    # What failed is told at the end; a bare event name on the way there tells nobody anything.
    logging.getLogger("autoscaler").addHandler(logging.NullHandler())
    with _world(arguments) as (documents, cluster):
        book = PolicyBook(own_namespace=arguments.namespace).updated(documents)
        if book.problems and not book.policies:
            raise PolicyError("\n".join(sorted(book.problems)))
        roster = compiled(targeted(book.policies))
        workloads = None if cluster is None else cluster.workloads(roster.targets)
        reports = _examined(arguments, roster, workloads)
    levels = Counter(found["level"] for report in reports for found in _all_findings(report))
    if arguments.output == "json":
        print(json.dumps(reports, indent=2))
    else:
        for report in reports:
            print(_as_text(report, colour=colours_wanted(sys.stdout)))
        print(
            f"{times(len(reports), 'policy', 'policies')}, {times(len(roster.series), 'signal')}: "
            f"{levels[Level.ERROR]} to mend, {levels[Level.WARNING]} to look at"
        )
    if book.problems:  # one that is wrong keeps no neighbour from being looked at
        raise PolicyError("\n".join(sorted(book.problems)))
    return 1 if levels[Level.ERROR] else 0


@contextmanager
def _world(
    arguments: argparse.Namespace,
) -> Iterator[tuple[list[PolicyDocument], KubernetesCluster | None]]:
    """Yield the policies, and the cluster unless files are examined without a kubeconfig."""
    documents = _of_files(arguments)
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
            why = cluster.not_synced_because()
            raise AutoscalerError(f"the API server did not answer the first lists: {why}")
        yield documents or list(cluster.policies()), cluster
    finally:
        cluster.stop()


def _of_files(arguments: argparse.Namespace) -> list[PolicyDocument]:
    """Return the documents of files; one that names no namespace is of `--namespace`."""
    read = [document for file in arguments.files for document in policy_documents(Path(file))]
    wanted = arguments.namespace
    return [replace(d, namespace=d.namespace or wanted) for d in read] if wanted else read


def _examined(
    arguments: argparse.Namespace, roster: Roster, workloads: Workloads | None
) -> list[Report]:
    """Return everything found about each policy as plain values."""
    now = SystemClock().now()
    witnessed = _witnessed(arguments, roster, workloads, now=now)
    doctor = Doctor(prometheus_settings(arguments))
    with closing(doctor), progress_bar("asking Prometheus"):
        diagnoses = doctor.diagnoses(roster.series, now=now, workloads=workloads or {})
        reports = []
        for governed in roster.governed:
            found = diagnoses[governed.series_slice]
            if witnessed is None:
                findings = without_cluster(governed, found, doctor, now=now)
            else:
                workload = witnessed.get(governed.target)
                findings = in_cluster(governed, found, workload, doctor, now=now)
            reports.append(_report(governed, found, findings))
        return reports


def _witnessed(
    arguments: argparse.Namespace, roster: Roster, workloads: Workloads | None, *, now: datetime
) -> Workloads | None:
    """Return the workloads with what Consul says of those that are registered there."""
    named = {g.target: g.policy.consul for g in roster.governed if g.policy.consul is not None}
    if workloads is None or not named:
        return workloads
    witness = ReadinessWitness(arguments.consul_url)
    witness.ask_once(named)
    return witness.witnessed(workloads, now=now)


def _report(
    governed: Governed, diagnoses: Sequence[Diagnosis], findings: Sequence[Finding]
) -> Report:
    return {
        "policy": governed.source,
        "target": str(governed.target),
        "findings": _fields(findings),
        "signals": [
            {
                "metric": label,
                "findings": _fields(diagnosis.findings),
                "load_promql": diagnosis.load_promql,
                "promql": diagnosis.promql,
            }
            for label, diagnosis in zip(governed.labels, diagnoses, strict=True)
        ],
    }


def _fields(findings: Sequence[Finding]) -> list[dict[str, str]]:
    return [
        {"level": str(f.level), "subject": f.subject, "says": f.says, "fix": f.fix}
        for f in findings
    ]


def _all_findings(report: Report) -> Iterator[dict[str, str]]:
    yield from report["findings"]
    for signal in report["signals"]:
        yield from signal["findings"]


def _as_text(report: Report, *, colour: bool) -> str:
    """Return a policy's findings, one a line, and the PromQL of each load."""
    lines = [f"{report['target']}  ({report['policy']})"]
    lines += _lines(report["findings"], indent="  ", colour=colour)
    for signal in report["signals"]:
        lines.append(f"  {signal['metric']}")
        lines += _lines(signal["findings"], indent="    ", colour=colour)
        lines += [f"    promql {line}" for line in signal["load_promql"].splitlines()]
    return "\n".join(lines)


def _lines(findings: Sequence[dict[str, str]], *, indent: str, colour: bool) -> Iterator[str]:
    for found in findings:
        level = Level(found["level"])
        mark = f"\033[{_COLOUR[level]}m{_MARK[level]}\033[0m" if colour else _MARK[level]
        yield f"{indent}{mark} {found['subject']}: {found['says']}"
        if found["fix"]:
            yield f"{indent}     -> {found['fix']}"
