"""`autoscaler schema`: the JSON Schema of a policy, for editors, or of a line of the log."""

import argparse
import json

from autoscaler.policy.json_schema import policy_schema
from autoscaler.review.fields import decision_schema


def main(arguments: argparse.Namespace) -> int:
    """Print the schema that was asked for."""
    schema = {"policy": policy_schema, "decision": decision_schema}[arguments.of]()
    print(json.dumps(schema, indent=2))
    return 0
