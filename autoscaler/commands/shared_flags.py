"""The flags that several commands have: how Prometheus and Consul are reached."""

import argparse

from autoscaler.commands import flags
from autoscaler.commands.flags import flag, url_of


def prometheus_flags(whole: argparse.ArgumentParser) -> None:
    """Add where loads are read, as a group of the command's help."""
    command = whole.add_argument_group("Prometheus")
    flag(
        command,
        "--prometheus-url",
        type=url_of(*flags.PROMETHEUS_SCHEMES),
        metavar="URL",
        default="http://prometheus:9090",
        help="also several with commas, dns+srv://NAME, consul://SERVICE",
    )
    flag(
        command, "--prometheus-token-file", metavar="FILE", help="bearer token; reloaded if changed"
    )
    flag(command, "--prometheus-headers-file", metavar="FILE", help="'Name: value' lines")
    flag(command, "--prometheus-ca-file", metavar="FILE", help="CA of the server's certificate")
    flag(command, "--prometheus-timeout", type=flags.span, default="10s", help="per query")
    flag(
        command,
        "--prometheus-scrape-interval",
        type=flags.span,
        default="30s",
        help="the longest of any workload",
    )
    flag(
        command,
        "--prometheus-history-url",
        type=url_of(*flags.PROMETHEUS_SCHEMES),
        metavar="URL",
        help="where the past is read: a server that keeps longer",
    )
    flag(
        command,
        "--prometheus-history-matchers",
        type=flags.pairs,
        default="",
        metavar="LABEL=VALUE,...",
        help="conditions on its series",
    )
    flag(command, "--history-cache", metavar="FOLDER", help="keeps what was read of the past")


def consul_flags(command: argparse.ArgumentParser) -> None:
    """Add where Consul is."""
    flag(
        command,
        "--consul-url",
        metavar="URL",
        help="Consul, for policies that name a service; default: CONSUL_HTTP_ADDR, or this host",
    )
