"""`autoscaler convert FILE...`: policies from the HPAs and ScaledObjects that are there."""

import argparse
import sys
from pathlib import Path

import yaml

from autoscaler.errors import PolicyError
from autoscaler.policy.conversion import converted
from autoscaler.policy.files import read_yaml

# All the HPAs of a cluster in one text, instead of one policy.
_TIMES_A_POLICY = 200


def main(arguments: argparse.Namespace) -> int:
    """Print ConfigMaps, one per namespace; return 2 if an object was not converted."""
    texts = [read_yaml(Path(name), times_a_policy=_TIMES_A_POLICY) for name in arguments.files]
    manifests = [value for _, values in texts for value in values]
    conversion = converted(manifests, namespace=arguments.namespace)
    for warning in conversion.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    for problem in conversion.problems:
        print(f"not converted: {problem}", file=sys.stderr)
    if not conversion.config_maps and not conversion.problems:
        raise PolicyError("there is no HorizontalPodAutoscaler and no ScaledObject in it")
    for config_map in conversion.config_maps:
        print(f"---\n{yaml.dump(config_map, Dumper=_Dumper, sort_keys=False)}", end="")
    return 2 if conversion.problems else 0


class _Dumper(yaml.SafeDumper):
    """Writes a policy within a ConfigMap line by line, as people do."""


def _as_written(dumper: yaml.SafeDumper, text: str) -> yaml.Node:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _as_written)
