"""Whoever may write a ConfigMap may write anything: a policy comes of it, or a complaint."""

import json
from random import Random

import pytest
import yaml

from autoscaler.decide.facts import TargetRef
from autoscaler.errors import PolicyError
from autoscaler.metrics.own_queries import dated
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.plan import planned
from autoscaler.policy.book import PolicyBook, policy_key
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.parsing import policy_of
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import compiled
from fuzz.hostile import TEXTS, edited, inputs, mutated, noise, value

SOURCE = "ConfigMap shop/policies key checkout"
RATE = {"type": "RequestRate", "requestRate": {"source": "linkerd"}}
SMALL = {"scaleTargetRef": {"name": "checkout"}, "maxReplicas": 60, "metrics": [RATE]}
TARGET = {"averageValue": "120"}
CPU = {"name": "cpu", "container": "app", "target": {"averageUtilization": 70}}
RULES = {
    "stabilizationWindowSeconds": 300,
    "policies": [{"type": "Pods", "value": 4, "periodSeconds": 60}],
    "tolerance": "5%",
}
QUEUE = {"metric": {"name": "queue", "selector": {"a": "b"}}, "target": TARGET}
INGRESS = QUEUE | {"describedObject": {"kind": "Ingress", "name": "shop"}}
NIGHT = {"name": "sale", "start": "0 8 * * 1-5", "end": "0 18 * * 1-5", "minReplicas": 9}
GOOD = [
    SMALL,
    SMALL
    | {"metrics": [{"type": "RequestRate", "requestRate": {"query": "up", "target": TARGET}}]},
    SMALL
    | {"metrics": [{"type": "ContainerResource", "containerResource": CPU}], "minReplicas": 2},
    SMALL | {"metrics": [{"type": "External", "external": QUEUE}]},
    SMALL | {"metrics": [{"type": "Pods", "pods": QUEUE}, {"type": "Object", "object": INGRESS}]},
    SMALL | {"forecast": {"risk": "0.3%", "leadTime": "90s", "timeZone": "Europe/Berlin"}},
    SMALL | {"cooldown": {"scaleDown": "1h30m"}, "behavior": {"scaleDown": RULES}},
    SMALL | {"schedule": [NIGHT], "mode": "ForecastAndScale"},
]
YAML = [yaml.safe_dump(policy, sort_keys=False) for policy in GOOD]
# What YAML gives a meaning, and what breaks its readers.
FRAGMENTS = (
    *("&a ", "*a", "<<: *a", "!!int ", "!!binary ", "!x ", "---\n", "...\n", "? ", ": ", "- ", "|"),
    *("{", "}", "[", "]", "#", "'", '"', "\t", "%YAML 1.1\n", "-0", ".nan", "&a [*a]", "[" * 40),
    *("maxReplicas: 3\n", "minReplicas: 010\n", *TEXTS),
)


def outcome(text: str) -> WorkloadPolicy | None:
    """Return the policy of a text; a refusal has to say whose."""
    complaint = ""
    try:
        return policy_of(PolicyDocument(SOURCE, text, "shop"), own_namespace="autoscaler")
    except PolicyError as error:
        complaint = str(error)
    assert complaint.startswith(SOURCE)
    return None


def assert_sound(text: str) -> None:
    """Refused, or a policy within its bounds that reads back as itself and stays in its place."""
    policy = outcome(text)
    if policy is None:
        return
    assert 0 <= policy.min_replicas <= policy.max_replicas <= 100_000
    assert policy.scale_target_ref.namespace in {None, "shop"}
    assert outcome(policy.model_dump_json(by_alias=True, exclude_none=True)) == policy
    assert_asked_for(policy)


def assert_asked_for(policy: WorkloadPolicy) -> None:
    """What is done for all policies together fails for none."""
    target = TargetRef(*policy_key(policy, namespace="shop"))
    plan = planned(compiled({target: (SOURCE, policy)}).series)
    asked = [group.newest_query() for group in plan.groups]
    asked += [text for i, query in plan.queries.items() for text in dated(examined(query), i)]
    assert asked or plan.impossible


@pytest.mark.parametrize("text", YAML)
def test_what_is_edited_below_is_good(text):
    assert outcome(text) is not None


@inputs(12_000)
def test_edited_text_is_a_policy_or_refused(chance: Random):
    assert_sound(edited(chance.choice(YAML), FRAGMENTS, chance))


@inputs(12_000)
def test_any_value_in_any_place_is_a_policy_or_refused(chance: Random):
    assert_sound(
        json.dumps(mutated(chance.choice(GOOD), chance), ensure_ascii=chance.random() < 0.5)
    )


@inputs(5_000)
def test_text_of_no_kind_is_no_policy(chance: Random):
    assert outcome(noise(chance, longest=200)) is None


@inputs(2_000)
def test_depth_is_bounded(chance: Random):
    opening = chance.choice(["[", "{a: ", "- ", "? ", "[{a: ", "- ? "])

    assert outcome(opening * chance.randrange(40, 4000)) is None


@inputs(1_000)
def test_what_aliases_expand_to_is_bounded(chance: Random):
    width, merged = chance.randrange(2, 40), chance.random() < 0.5
    lines = ["l0: &l0 {" + ", ".join(f"k{i}: x" for i in range(width)) + "}"]
    for i in range(1, chance.randrange(2, 60)):
        members = "[" + ", ".join([f"*l{i - 1}"] * width) + "]"
        lines.append(f"l{i}: &l{i} " + ("{'<<': " + members + "}" if merged else members))

    assert outcome("\n".join(lines)) is None


@inputs(3_000)
def test_a_hostile_document_never_takes_its_neighbours_along(chance: Random):
    text = json.dumps(value(chance)) if chance.random() < 0.5 else noise(chance)
    bad, good = PolicyDocument("bad", text, "bank"), PolicyDocument("good", YAML[0], "shop")

    book = PolicyBook(own_namespace="autoscaler").updated([bad, good])

    assert [source for source, _ in book.policies.values()] == ["good"]
    assert len(book.problems) == 1
