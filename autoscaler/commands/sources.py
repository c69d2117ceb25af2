"""`autoscaler sources`: what a policy's `source:` may be, and the PromQL behind it.

A name that is no source is wrong input: exit code 2, as for any other wrong argument.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from autoscaler.errors import MetricUnavailableError, PolicyError
from autoscaler.metrics.catalogue import SourceRow, pasteable, source_table
from autoscaler.metrics.sources import SOURCES
from autoscaler.policy.source_names import SOURCE_PARAMETERS, checked_source

# Beside the queries, so that what is piped or copied is PromQL alone.
_SEVERAL = "the load is the sum of these; most clusters have series for one of them only"


def main(arguments: argparse.Namespace) -> int:
    """List the sources, or print one's PromQL ready to paste."""
    if arguments.action:
        queries = _promql(arguments)
        for query in queries:
            print(query)
        if len(queries) > 1:
            print(_SEVERAL, file=sys.stderr)
    elif arguments.output == "json":
        print(json.dumps(source_table(), indent=2))
    else:
        Console().print(_as_table(source_table()))
    return 0


def _promql(arguments: argparse.Namespace) -> list[str]:
    """Return one source's queries; a source or a label that no policy could name is refused."""
    source, labels = arguments.show, dict(arguments.label)
    if not source:
        raise PolicyError(f"show takes the NAME of a source: {', '.join(sorted(SOURCES))}")
    try:
        if labels and source in SOURCE_PARAMETERS:
            checked_source(source, labels)
        return pasteable(source, namespace=arguments.namespace, name=arguments.name, labels=labels)
    except (ValueError, MetricUnavailableError) as error:
        raise PolicyError(str(error)) from error


def _as_table(rows: Sequence[SourceRow]) -> Table:
    table = Table(caption="autoscaler sources show NAME --namespace N --name N prints the PromQL")
    table.add_column("source", no_wrap=True)
    table.add_column("counts")
    table.add_column("labels to override", no_wrap=True)  # one a line: a name is not broken
    for row in rows:
        parameters = "\n".join(f"{name}={value}" for name, value in row["parameters"].items())
        table.add_row(row["name"], row["counts"], parameters, end_section=True)
    return table
