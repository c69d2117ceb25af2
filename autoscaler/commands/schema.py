"""`autoscaler schema decision`: the JSON Schema of a decision line, for whoever reads our logs."""

import argparse
import json

from autoscaler.review.fields import decision_schema


def main(arguments: argparse.Namespace) -> int:
    """Print the schema that was asked for; there is one so far."""
    schema = {"decision": decision_schema}[arguments.of]()
    print(json.dumps(schema, indent=2))
    return 0
