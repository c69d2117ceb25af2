"""Flags and environment in, a command out; nothing else happens here.

Every flag is also an environment variable: `--prometheus-url` is `AUTOSCALER_PROMETHEUS_URL`.
"""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence

from autoscaler import __version__
from autoscaler.commands import examples, flags
from autoscaler.commands.command_line import EXIT_CODES, OneLineParser
from autoscaler.commands.flags import choice, flag, one_of, url_of
from autoscaler.commands.shared_flags import consul_flags, prometheus_flags
from autoscaler.exit_codes import exit_code_of
from autoscaler.policy.source_names import SOURCE_PARAMETERS


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; who names none is told which there are.

    Matrices of one core: a thread per core of the node would wait, spinning, for a processor that
    the container's limit does not grant.
    """
    top = parser()
    arguments = top.parse_args(argv)
    if arguments.command is None:
        top.print_help(sys.stderr)
        return 2
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before anybody imports numpy
    return exit_code_of(arguments.command, lambda: _done(arguments))


def _done(arguments: argparse.Namespace) -> int:
    """Run the command; what it printed is written before we say that it is done."""
    command = importlib.import_module(f"autoscaler.commands.{arguments.command}")
    code = int(command.main(arguments))
    sys.stdout.flush()
    return code


def parser() -> argparse.ArgumentParser:
    """Return the whole command line."""
    top = OneLineParser(
        prog="autoscaler",
        description="A predictive horizontal autoscaler for Kubernetes.",
        epilog="Every flag is also an environment variable: --interval is AUTOSCALER_INTERVAL. "
        + EXIT_CODES,
    )
    top.add_argument("--version", action="version", version=f"autoscaler {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND")
    for name, (add_flags, told) in _COMMANDS.items():
        whole, epilog = f"{told[0].upper()}{told[1:]}.", examples.with_exit_codes(name)
        add_flags(commands.add_parser(name, help=told, description=whole, epilog=epilog))
    return top


def _run(command: argparse.ArgumentParser) -> None:
    flag(command, "--kubeconfig", metavar="FILE", help="kubeconfig; default: in-cluster account")
    prometheus_flags(command)
    flag(command, "--memory-file", metavar="FILE", help="carries what was learned over a restart")
    consul_flags(command)
    flag(command, "--namespace", metavar="N", help="watch one namespace; default: all")
    flag(command, "--own-namespace", metavar="N", help="whose policies may name other namespaces")
    flag(command, "--interval", type=flags.span, default="15s", help="between reconciles")
    flag(command, "--once", action=flags.Switch, help="reconcile once and exit")
    flag(command, "--dry-run", action=flags.Switch, help="write nothing, and hold no Lease")
    flag(command, "--annotate", action=flags.Switch, help="annotate workloads with their decisions")
    flag(command, "--leader-elect", action=flags.Switch, help="write only while holding a Lease")
    flag(command, "--shards", type=flags.n_shards, default="0", help="spread over the replicas")
    choice(command, "--log-format", "json", "text", help="of the log")
    choice(command, "--log-level", "debug", "info", "warning", "error", default="info")
    _ports(command)


def _ports(command: argparse.ArgumentParser) -> None:
    flag(
        command,
        "--metrics-port",
        type=flags.port,
        default="8080",
        help="of /metrics and the page; 0 = none",
    )
    flag(
        command,
        "--health-port",
        type=flags.port,
        default="8081",
        help="of /healthz and /readyz; 0 = none",
    )
    flag(
        command, "--tls-cert-file", metavar="FILE", help="of the metrics port; reloaded if changed"
    )
    flag(command, "--tls-key-file", metavar="FILE", help="its private key")


def _sources(command: argparse.ArgumentParser) -> None:
    command.add_argument("action", nargs="?", choices=("show",), help="print one's PromQL")
    command.add_argument("show", nargs="?", metavar="NAME", help="of a source")
    flag(command, "--namespace", default="NAMESPACE", help="of the workload")
    flag(command, "--name", default="NAME", help="of the workload")
    flag(
        command,
        "--label",
        type=flags.pairs,
        default="",
        metavar="KEY=VALUE,...",
        help="requestRate.labels of the policy",
    )
    choice(command, "--output", "table", "json", help="how it is printed")


def _doctor(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="*", metavar="FILE", help="policies; default: the cluster's"
    )
    flag(command, "--kubeconfig", metavar="FILE", help="of the cluster to look at as well")
    flag(command, "--namespace", metavar="N", help="look at one; also of files that name none")
    prometheus_flags(command)
    consul_flags(command)
    choice(command, "--output", "text", "json", help="how it is printed")


def _demo(command: argparse.ArgumentParser) -> None:
    flag(command, "--days", type=flags.days, default="2", help="days to live through")
    flag(
        command,
        "--speed",
        type=flags.positive,
        help="simulated seconds per second; default: fastest",
    )
    flag(command, "--seed", type=flags.seed, default="7", help="of the synthetic load")
    flag(command, "--startup", type=flags.startup, default="120s", help="until a pod is ready")
    flag(command, "--risk", type=flags.risk, default="1%", help="accepted chance of being short")
    flag(
        command,
        "--port",
        type=flags.port,
        help="of the page; default: 8090, or a free one if that is taken",
    )
    flag(command, "--keep", action=flags.Switch, help="keep the page open until Ctrl-C")
    choice(command, "--log-format", "text", "json", help="json: a log for explain")


def _replay(command: argparse.ArgumentParser) -> None:
    flag(command, "--policy", metavar="P.yaml", required=True, help="whose decisions are played")
    flag(
        command,
        "--trace",
        action=flags.Several,
        metavar="T.csv[.gz]",
        nargs="+",
        help=flags.TRACE,
    )
    flag(command, "--days", type=flags.days, help="instead of a trace: so much Prometheus history")
    flag(
        command,
        "--startup",
        action=flags.Several,
        type=flags.startups,
        default="120s",
        help="until a pod is ready; one or several: 30s,120s",
    )
    flag(
        command,
        "--risk",
        action=flags.Several,
        type=flags.risks,
        help="accepted chance of being short; one or several: 0.3%,1%; default: the policy's",
    )
    flag(
        command, "--workers", type=flags.workers, default="1", help="processes, or dask://HOST:PORT"
    )
    flag(command, "--decisions", metavar="OUT.csv", help="write timestamp,replicas per 15 s tick")
    flag(command, "--report", metavar="OUT.html", help="write one page to send to a colleague")
    flag(command, "--picture", metavar="OUT.svg", help="write its charts as one picture")
    choice(command, "--output", "table", "json", "csv", help="how the figures are printed")
    prometheus_flags(command)


def _validate(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="policy files or folders; - is standard input"
    )
    flag(command, "--show", action=flags.Switch, help="print each policy with its defaults")


def _convert(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "files", nargs="+", metavar="FILE", help="manifests, as kubectl prints; - is standard input"
    )
    flag(command, "--namespace", metavar="N", help="of objects that name none; default: default")


def _recommend(command: argparse.ArgumentParser) -> None:
    flag(command, "--name", metavar="NAME", required=True, help="of the Deployment")
    flag(command, "--namespace", metavar="N", help="of the Deployment; Prometheus needs it")
    flag(command, "--trace", metavar="T.csv[.gz]", help=f"{flags.TRACE}; default: Prometheus")
    flag(command, "--days", type=flags.days, default="14", help="of Prometheus history")
    flag(
        command,
        "--source",
        type=one_of(*sorted(SOURCE_PARAMETERS), "cpu"),
        metavar="NAME",
        help="of the rate, or cpu; default: what is found",
    )
    flag(command, "--query", metavar="PROMQL", help="instead of a named source")
    flag(command, "--capacity", type=flags.positive, help="requests/s one pod carries")
    flag(command, "--container", metavar="NAME", help="whose CPU counts; default: the pod's")
    flag(
        command,
        "--cpu-request",
        type=flags.quantity,
        metavar="CORES",
        help="of a pod; default: as it is now",
    )
    flag(command, "--startup", type=flags.startup, default="120s", help="until a pod is ready")
    prometheus_flags(command)


def _explain(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "target", nargs="?", default="", metavar="NAMESPACE/NAME", help="the workload"
    )
    flag(
        command,
        "--log",
        metavar="FILE|URL",
        default="-",
        help="a log, or the daemon's address; default: standard input",
    )
    flag(command, "--since", metavar="T", help="what happened since (09:00, 2h, RFC 3339; UTC)")
    flag(command, "--until", metavar="T", help="and until; default: the end of the log")
    choice(command, "--without", "cooldown", default=None, help="what would have been without it")
    states = ("demoted", "held", "capped", "contested", "unknown", "refused", "paused")
    which = f"which were {', '.join(states[:-1])} or {states[-1]}, and for how long"
    choice(command, "--policies", *states, default=None, metavar="STATE", help=which)
    choice(command, "--output", "text", "json", help="how it is printed")


def _status(command: argparse.ArgumentParser) -> None:
    command.add_argument("filter", nargs="?", default="", metavar="PART", help="of namespace/name")
    flag(
        command,
        "--url",
        type=url_of("http", "https"),
        metavar="URL",
        default="http://localhost:8080",
        help="of the daemon",
    )
    flag(command, "--attention", metavar="STATE", help=f"only those that are {flags.STATES}")
    flag(command, "--limit", type=flags.limit, default="50", help="policies shown, at most 500")
    flag(command, "--watch", action=flags.Switch, help="ask again every --watch-interval")
    flag(command, "--watch-interval", type=flags.span, default="5s", help="of --watch")
    choice(command, "--output", "table", "wide", "json", help="wide: with the reason in words")


def _schema(command: argparse.ArgumentParser) -> None:
    of, told = ("policy", "decision"), "of a policy, or of a line of the log"
    command.add_argument("of", choices=of, metavar="{policy,decision}", help=told)


# In the order in which somebody new comes to need them.
_COMMANDS: dict[str, tuple[Callable[[argparse.ArgumentParser], None], str]] = {
    "demo": (_demo, "run the daemon on a simulated cluster, in a minute"),
    "recommend": (_recommend, "propose a policy from a recorded load"),
    "convert": (_convert, "policies from HPAs and KEDA ScaledObjects"),
    "validate": (_validate, "check policy files (exit 2 when one is wrong)"),
    "replay": (_replay, "play a recorded load, before you let it act"),
    "sources": (_sources, "what a policy's source may be, and its PromQL"),
    "doctor": (_doctor, "what is wrong with a policy's metrics"),
    "run": (_run, "run the daemon against a cluster"),
    "status": (_status, "every policy with mode, trust, forecast, reason"),
    "explain": (_explain, "ask the decision log why"),
    "schema": (_schema, "print the JSON Schema of a policy or a log line"),
}
