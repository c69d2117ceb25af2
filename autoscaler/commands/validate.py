"""`autoscaler validate FILE...`: every mistake in every file, before the cluster sees one."""

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml

from autoscaler.policy.files import checked_files
from autoscaler.policy.schema import WorkloadPolicy


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
        told = f"{source}: {policy.scale_target_ref.kind} {policy.scale_target_ref.name} is valid"
        print(_shown(policy, told) if arguments.show else told)
    return 2 if checked.problems else 0


def _shown(policy: WorkloadPolicy, told: str) -> str:
    """Return a policy as a document that can be pasted, with all that is in force."""
    fields = _without_nothing(policy.model_dump(mode="json", by_alias=True))
    return f"---\n# {told}\n{yaml.safe_dump(fields, sort_keys=False)}".rstrip()


def _without_nothing(value: Any) -> Any:
    """Leave out what says nothing, as the four kinds of metric that an entry is not."""
    if isinstance(value, list):
        return [_without_nothing(item) for item in value]
    if not isinstance(value, dict):
        return value
    nothing: tuple[object, ...] = (None, [], {})
    return {key: _without_nothing(held) for key, held in value.items() if held not in nothing}
