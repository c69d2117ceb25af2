"""`autoscaler validate FILE...`: every mistake in every file, before the cluster sees one."""

import argparse
import sys
from pathlib import Path

import yaml

from autoscaler.policy.files import checked_files


def main(arguments: argparse.Namespace) -> int:
    """Print each problem, and each good policy when asked; return 2 if there was a problem.

    A warning is no problem: the policy will be in force.
    """
    checked = checked_files([Path(name) for name in arguments.files])
    for problem in checked.problems:
        print(problem, file=sys.stderr)
    for warning in checked.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for source, policy in checked.policies.items():
        print(f"{source}: {policy.scale_target_ref.kind} {policy.scale_target_ref.name} is valid")
        if arguments.show:
            print(yaml.safe_dump(policy.model_dump(mode="json", by_alias=True), sort_keys=False))
    return 2 if checked.problems else 0
