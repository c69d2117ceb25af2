"""The table of named sources: whole, consistent, and fit to be pasted."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.catalogue import pasteable, source_table
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.plan import planned
from autoscaler.metrics.sources import SOURCES
from autoscaler.policy.metric import MetricSpec
from autoscaler.policy.source_names import SOURCE_PARAMETERS
from autoscaler.ports import LoadSeries
from support.load_series import TARGET, cpu, request_rate

# Measured by the types Resource and ContainerResource, not by a source of RequestRate.
OF_RESOURCES = {"cpu", "memory"}


def test_the_names_a_policy_may_use_are_the_sources_there_are():
    parameters = {n: tuple(s.parameters) for n, s in SOURCES.items() if n not in OF_RESOURCES}

    assert {n: set(p) for n, p in parameters.items()} == {
        n: set(p) for n, p in SOURCE_PARAMETERS.items()
    }


@pytest.mark.parametrize("name", SOURCES)
def test_every_source_is_a_row_for_people_and_whole_promql(name):
    queries = pasteable(name, namespace="shop", name="checkout")

    assert name in {row["name"] for row in source_table()}
    assert all(examined(query.partition("  #")[0]).whole for query in queries)
    assert any("checkout" in query for query in queries)


def test_linkerd_ready_to_paste():
    assert pasteable("linkerd", namespace="shop", name="checkout")[0] == (
        "sum by (namespace, deployment, cluster) (max by (namespace, deployment, cluster, pod) ("
        "sum by (namespace, deployment, cluster, pod, job, prometheus_replica) (rate(request_total{"
        'direction="inbound",route_name!="probe",deployment!="",namespace="shop",'
        'deployment="checkout"}[120s]))))'
    )


def test_an_unknown_source_names_the_known_ones():
    with pytest.raises(MetricUnavailableError, match="there are consul-mesh, cpu"):
        pasteable("linkred", namespace="shop", name="checkout")


def test_a_thousand_workloads_of_one_source_are_one_question():
    many = [
        request_rate(source="linkerd", target=TARGET.__class__("shop", f"app-{i}"))
        for i in range(1000)
    ]

    assert len(planned(many).groups) == 1


def test_a_parameter_that_only_names_the_workload_makes_no_second_question():
    pair = [request_rate(source="linkerd1", labels={"service": f"/svc/{i}"}) for i in "ab"]
    other_router = request_rate(source="linkerd1", labels={"router": "outgoing"})

    assert len(planned(pair).groups) == 1
    assert len(planned([*pair, other_router]).groups) == 2


def test_every_container_shares_one_question():
    assert (
        len(planned([cpu(container="app"), cpu(container="web"), cpu(container=None)]).groups) == 1
    )


def test_a_label_that_is_none_is_refused_for_its_policy_alone():
    bad = request_rate(source="linkerd", labels={"workloadLabel": 'x"}) or up{a="'})
    plan = planned([bad, request_rate(source="linkerd")])

    assert list(plan.impossible) == [0]
    assert [member.index for group in plan.groups for member in group.members] == [1]


def metric(kind, section):
    value = {"type": kind, kind.lower(): section | {"target": {"averageValue": "1"}}}
    return LoadSeries(TARGET, MetricSpec.model_validate(value))


HOSTILE = ("{", "}", "{foo}", "{namespace.__class__}", "{namespace:>2000000000}", "{0}", "{{x}}")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_name_in_braces_is_no_template_and_refused_for_its_policy_alone(text):
    named, selecting = {"name": text}, {"name": "queue", "selector": {text: "x"}}
    described = {"kind": text, "name": "shop"}
    bad = [
        *(metric(kind, {"metric": named}) for kind in ("External", "Pods")),
        *(metric(kind, {"metric": selecting}) for kind in ("External", "Pods")),
        metric("Object", {"metric": {"name": "queue"}, "describedObject": described}),
    ]

    plan = planned([*bad, request_rate(source="linkerd")])

    assert list(plan.impossible) == [0, 1, 2, 3, 4]
    assert all(text in str(error) for error in plan.impossible.values())


def test_the_value_of_a_selector_may_have_braces():
    selecting = {"name": "queue", "selector": {"topic": "{foo}"}}

    [group] = planned([metric("External", {"metric": selecting})]).groups

    assert 'queue{topic="{foo}"}' in group.newest_query()


RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "recording-rules.yaml"


def test_the_recording_rules_record_what_the_source_reads():
    rules = [
        rule for group in yaml.safe_load(RULES.read_text())["groups"] for rule in group["rules"]
    ]

    assert {rule["record"] for rule in rules} == {SOURCES["recorded"].parameters["metric"]}
    assert all('"workload"' in rule["expr"] for rule in rules)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_the_recording_rules_are_valid():
    checked = subprocess.run(
        ("promtool", "check", "rules", str(RULES)), capture_output=True, check=False
    )

    assert checked.returncode == 0, checked.stderr
