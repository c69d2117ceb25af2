"""The policy reference is whole and true: every field, every default, every sample."""

import re
import shlex
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
import yaml

import autoscaler.policy
from autoscaler.cli import parser
from autoscaler.policy.base import Section
from autoscaler.policy.metric import _TARGET_FIELD, _TARGETS, MetricType
from autoscaler.policy.parsing import checked
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.policy.yaml_text import documents

TEXT = (Path(autoscaler.policy.__file__).parent / "README.md").read_text(encoding="utf-8")
BLOCKS = [
    re.sub(r"^ {4}", "", block, flags=re.MULTILINE)
    for block in re.findall(r"(?:^ {4}.*\n)+", TEXT, re.MULTILINE)
]
COMMANDS = re.findall(r"autoscaler ((?:validate|sources|doctor)[^`|\n#]*)", TEXT)
WHOLE: dict[str, Any] = {
    "scaleTargetRef": {"name": "checkout"},
    "maxReplicas": 60,
    "metrics": [{"type": "RequestRate", "requestRate": {"source": "linkerd"}}],
}


def sections(annotation: Any) -> set[type[Section]]:
    """Return every section that a field's type leads to."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        inner = [field.annotation for field in annotation.model_fields.values()]
        return {annotation}.union(*map(sections, inner))
    if get_origin(annotation) in (Annotated, Union, UnionType, tuple, dict):
        return set().union(*map(sections, get_args(annotation)))
    return set()


def test_every_field_of_a_policy_is_told():
    fields = {
        field.alias
        for section in sections(WorkloadPolicy)
        for field in section.model_fields.values()
    }

    assert {"scaleTargetRef", "periodSeconds", "describedObject"} < fields
    assert {name for name in fields if not re.search(rf"\b{name}\b", TEXT)} == set()


def test_the_defaults_are_those_in_force():
    policy, _ = checked(WHOLE)
    assert policy is not None
    shown = policy.model_dump(mode="json", by_alias=True)
    fields = TEXT.split("## Metrics")[0]
    told = re.findall(r"^\| `([\w.]+)`(?:, `[\w.]+`)? \| `([^`]+)` \|", fields, re.MULTILINE)

    assert len(told) > 8
    for path, default in told:
        value: Any = shown
        for key in path.split("."):
            value = value[key]
        assert str(value).lower() == default.lower() or path == "scaleTargetRef", path


@pytest.mark.parametrize("block", [b for b in BLOCKS if re.match(r"\w+:\n", b)])
def test_every_sample_is_valid(block):
    policy, mistakes = checked({**WHOLE, **documents(block)[0]})

    assert mistakes == []
    assert policy is not None


def test_every_type_of_metric_has_a_sample_and_its_targets():
    [sample] = [yaml.safe_load(block) for block in BLOCKS if block.startswith("metrics:")]
    types = TEXT.split("## Metrics")[1]
    rows = dict(re.findall(r"^\| `([A-Z]\w+)` \| `\w+` \| ([^|;]+)", types, re.MULTILINE))

    assert {metric["type"] for metric in sample["metrics"]} == set(MetricType) == set(rows)
    for kind, targets in _TARGETS.items():
        assert re.findall(r"`(\w+)`", rows[kind]) == [_TARGET_FIELD[each] for each in targets]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one(command):
    assert parser().parse_args(shlex.split(command)).command
