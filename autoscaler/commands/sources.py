"""`autoscaler sources`: what a policy's `source:` may be, and the PromQL behind it."""

import argparse
import json

from rich.console import Console
from rich.table import Table

from autoscaler.errors import PolicyError
from autoscaler.metrics.catalogue import pasteable, source_table
from autoscaler.policy.source_names import SOURCE_PARAMETERS, checked_source


def main(arguments: argparse.Namespace) -> int:
    """List the sources, or print one's PromQL ready to paste."""
    if arguments.show:
        labels = dict(arguments.label)
        if labels and arguments.show in SOURCE_PARAMETERS:
            _check_labels(arguments.show, labels)
        for query in pasteable(
            arguments.show, namespace=arguments.namespace, name=arguments.name, labels=labels
        ):
            print(query)
    elif arguments.output == "json":
        print(json.dumps(source_table(), indent=2))
    else:
        Console().print(_as_table(source_table()))
    return 0


def _check_labels(source: str, labels: dict[str, str]) -> None:
    try:
        checked_source(source, labels)
    except ValueError as error:
        raise PolicyError(str(error)) from error


def _as_table(rows: list[dict[str, object]]) -> Table:
    table = Table(caption="autoscaler sources show NAME --namespace N --name N prints the PromQL")
    for heading in ("source", "counts", "labels a policy may override"):
        table.add_column(heading)
    for row in rows:
        parameters = row["parameters"]
        shown = (
            ", ".join(f"{k}={v}" for k, v in parameters.items())
            if isinstance(parameters, dict)
            else ""
        )
        table.add_row(str(row["name"]), str(row["counts"]), shown)
    return table
