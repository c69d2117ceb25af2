"""What becomes of the HPAs and ScaledObjects of a cluster."""

import pytest
import yaml

from autoscaler.policy.conversion import converted
from autoscaler.policy.parsing import checked


def hpa(name="checkout", *, version="autoscaling/v2", metadata=None, **spec):
    reference = {"apiVersion": "apps/v1", "kind": "Deployment", "name": name}
    return {
        "apiVersion": version,
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": name, "namespace": "shop", **(metadata or {})},
        "spec": {"scaleTargetRef": reference, "maxReplicas": 60, **spec},
        "status": {"currentReplicas": 3},
    }


def scaled_object(name="orders", *triggers, annotations=None, **spec):
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": name, "namespace": "shop", "annotations": annotations or {}},
        "spec": {"scaleTargetRef": {"name": name}, "triggers": list(triggers), **spec},
    }


def trigger(kind="prometheus", *, metric_type=None, **metadata):
    own = {} if metric_type is None else {"metricType": metric_type}
    return {"type": kind, **own, "metadata": metadata}


RATE = trigger(query="sum(rate(http_requests_total[2m]))", threshold="100")


def policy_in(conversion, key):
    """Return the fields of the one policy of that key, which must be a good one."""
    (config_map,) = conversion.config_maps
    fields = yaml.safe_load(config_map["data"][key])
    policy, mistakes = checked(fields)
    assert policy is not None, mistakes
    return fields


def test_an_hpa_becomes_a_policy_that_says_the_same_and_only_forecasts():
    cpu = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    metrics = [{"type": "Resource", "resource": cpu}]
    behavior = {"scaleDown": {"stabilizationWindowSeconds": 120}}

    conversion = converted([hpa(minReplicas=2, metrics=metrics, behavior=behavior)])

    assert policy_in(conversion, "checkout.yaml") == {
        "mode": "ForecastOnly",
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
        "minReplicas": 2,
        "maxReplicas": 60,
        "metrics": metrics,
        "behavior": behavior,
    }
    assert conversion.warnings == conversion.problems == []


def test_the_config_map_is_one_that_the_daemon_watches():
    (config_map,) = converted([hpa()]).config_maps

    assert config_map["metadata"] == {
        "name": "converted-policies",
        "namespace": "shop",
        "labels": {"autoscaler/policies": "true"},
    }


@pytest.mark.parametrize(
    ("given", "percent"),
    [
        (hpa(), 80),
        (hpa(version="autoscaling/v1"), 80),
        (hpa(version="autoscaling/v1", targetCPUUtilizationPercentage=55), 55),
    ],
)
def test_an_hpa_without_metrics_has_the_api_servers_cpu_target(given, percent):
    (metric,) = policy_in(converted([given]), "checkout.yaml")["metrics"]

    assert metric["resource"]["target"]["averageUtilization"] == percent


def test_the_name_that_an_adapter_gave_is_to_be_checked():
    pods = {"metric": {"name": "in_flight"}, "target": {"type": "AverageValue", "averageValue": 5}}

    conversion = converted([hpa(metrics=[{"type": "Pods", "pods": pods}])])

    assert conversion.warnings == [
        "HorizontalPodAutoscaler shop/checkout: in_flight is the name that the HPA's adapter gave "
        "it: ask `autoscaler doctor` whether Prometheus has it, else write its PromQL as query"
    ]


def test_a_list_as_kubectl_prints_it_has_one_config_map_per_namespace():
    other = hpa("cart", metadata={"namespace": "market"})
    nowhere = hpa("cron", metadata={"namespace": None})
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "checkout"}}
    listed = {"apiVersion": "v1", "kind": "List", "items": [hpa(), other, service, nowhere]}

    conversion = converted([listed, None, "text"], namespace="jobs")

    assert [(m["metadata"]["namespace"], list(m["data"])) for m in conversion.config_maps] == [
        ("jobs", ["cron.yaml"]),
        ("market", ["cart.yaml"]),
        ("shop", ["checkout.yaml"]),
    ]


def test_triggers_become_metrics_and_floors():
    behavior = {"scaleUp": {"stabilizationWindowSeconds": 30}}
    cron = trigger(
        "cron", timezone="Europe/Berlin", start="0 8 * * 1-5", end="0 18 * * *", desiredReplicas="6"
    )
    given = scaled_object(
        "orders",
        RATE,
        trigger(query="sum(queued)", threshold="12.5", metric_type="Value"),
        trigger("cpu", value="70"),
        trigger("memory", metric_type="AverageValue", value="512Mi", containerName="app"),
        trigger("cpu", type="AverageValue", value="500m"),
        cron,
        minReplicaCount=2,
        maxReplicaCount=40,
        advanced={"horizontalPodAutoscalerConfig": {"behavior": behavior}},
    )

    fields = policy_in(converted([given]), "orders.yaml")

    assert (fields["minReplicas"], fields["maxReplicas"]) == (2, 40)
    assert fields["behavior"] == behavior
    assert fields["metrics"] == [
        {
            "type": "External",
            "external": {
                "metric": {"name": "triggers[0]"},
                "query": "sum(rate(http_requests_total[2m]))",
                "target": {"averageValue": 100},
            },
        },
        {
            "type": "External",
            "external": {
                "metric": {"name": "triggers[1]"},
                "query": "sum(queued)",
                "target": {"value": "12.5"},
            },
        },
        {"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": 70}}},
        {
            "type": "ContainerResource",
            "containerResource": {
                "name": "memory",
                "container": "app",
                "target": {"averageValue": "512Mi"},
            },
        },
        {"type": "Resource", "resource": {"name": "cpu", "target": {"averageValue": "500m"}}},
    ]
    assert fields["schedule"] == [
        {
            "name": "triggers[5]",
            "timeZone": "Europe/Berlin",
            "start": "0 8 * * 1-5",
            "end": "0 18 * * *",
            "minReplicas": 6,
        }
    ]


def test_a_scaled_object_has_kedas_bounds_where_it_names_none():
    fields = policy_in(converted([scaled_object("orders", RATE)]), "orders.yaml")

    assert (fields["minReplicas"], fields["maxReplicas"]) == (0, 100)


@pytest.mark.parametrize("bounds", [{}, {"minReplicaCount": 1, "idleReplicaCount": 0}])
def test_by_cpu_alone_nothing_goes_to_zero(bounds):
    conversion = converted([scaled_object("orders", trigger("cpu", value="70"), **bounds)])

    assert policy_in(conversion, "orders.yaml")["minReplicas"] == 1


@pytest.mark.parametrize(
    ("least", "idle", "min_replicas"),
    [
        pytest.param(1, 0, 0, id="one at work and none when idle"),
        pytest.param(5, 0, 5, id="five at work and none when idle cannot be said"),
        pytest.param(1, None, 1, id="one also when idle"),
    ],
)
def test_who_is_idle_without_a_pod_goes_to_zero(least, idle, min_replicas):
    conversion = converted(
        [scaled_object("orders", RATE, minReplicaCount=least, idleReplicaCount=idle)]
    )

    left_out = any("idleReplicaCount is left out" in told for told in conversion.warnings)
    ten_minutes = any("cooldownPeriod is left out" in told for told in conversion.warnings)
    assert policy_in(conversion, "orders.yaml")["minReplicas"] == min_replicas
    assert (left_out, ten_minutes) == (least == 5, min_replicas == 0)


def test_what_a_scaled_object_says_and_a_policy_cannot_is_told_and_stands_in_the_policy():
    asking = trigger(
        query="sum(x)", threshold="1", activationThreshold="5", serverAddress="http://p:9090"
    )
    given = scaled_object(
        "orders",
        {**asking, "authenticationRef": {"name": "token"}},
        fallback={"failureThreshold": 3, "replicas": 6},
        annotations={"autoscaling.keda.sh/paused-replicas": "4"},
    )

    conversion = converted([given])

    assert conversion.warnings == [
        f"ScaledObject shop/orders: {told}"
        for told in (
            "fallback is left out: without metrics the forecast steers for 4h, then replicas stay",
            "cooldownPeriod is left out: the last pod goes after ten idle minutes",
            "ignoreNullValues is left out: an empty answer is unknown and keeps the last pod; end "
            "the query with `or vector(0)` if nothing means zero",
            "activationThreshold is left out: any load starts the first pod",
            "serverAddress http://p:9090 is left out: the daemon asks its own --prometheus-url",
            "authenticationRef is left out: the daemon has its own --prometheus-token-file",
            "annotate the workload with autoscaler/paused-replicas=4 to keep that count",
        )
    ]
    text = conversion.config_maps[0]["data"]["orders.yaml"]
    assert text.count("# ") == len(conversion.warnings) + 1
    assert policy_in(conversion, "orders.yaml")["paused"] is True


@pytest.mark.parametrize(
    ("query", "ignored", "told"),
    [("x", "true", 1), ("x", "false", 0), ("x or vector(0)", "true", 0)],
)
def test_that_an_empty_answer_is_unknown_is_told_where_it_counted_as_zero(query, ignored, told):
    asking = trigger(query=query, threshold="1", ignoreNullValues=ignored)

    warnings = converted([scaled_object("orders", asking)]).warnings

    assert sum("ignoreNullValues" in warning for warning in warnings) == told


@pytest.mark.parametrize(("annotation", "paused"), [("true", True), ("false", False)])
def test_a_paused_scaled_object_is_a_paused_policy(annotation, paused):
    given = scaled_object("orders", RATE, annotations={"autoscaling.keda.sh/paused": annotation})

    assert policy_in(converted([given]), "orders.yaml").get("paused", False) is paused


OWNED = {"ownerReferences": [{"kind": "ScaledObject", "name": "orders"}]}


def test_an_hpa_that_keda_wrote_is_passed_over_beside_its_scaled_object():
    conversion = converted([hpa("keda-hpa-orders", metadata=OWNED), scaled_object("orders", RATE)])

    assert list(conversion.config_maps[0]["data"]) == ["orders.yaml"]
    assert conversion.problems == []


def test_an_hpa_and_a_scaled_object_of_one_name_are_two_policies():
    conversion = converted([scaled_object("web", RATE, scaleTargetRef={"name": "b"}), hpa("web")])

    assert list(conversion.config_maps[0]["data"]) == ["web.yaml", "scaledobject-web.yaml"]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (
            hpa(version="autoscaling/v2beta1"),
            "apiVersion: 'autoscaling/v2beta1' must be autoscaling/v2, v2beta2 or v1",
        ),
        (
            hpa(
                version="autoscaling/v1",
                metadata={"annotations": {"autoscaling.alpha.kubernetes.io/metrics": "[]"}},
            ),
            "autoscaling.alpha.kubernetes.io/metrics: read it as autoscaling/v2, which has fields "
            "for that",
        ),
        (hpa(metadata=OWNED), "KEDA wrote it for ScaledObject orders; convert that one"),
        (hpa(maxReplicas=0), "maxReplicas: 0 must be at least 1"),
        (
            scaled_object("orders", RATE, trigger("rabbitmq", value="20")),
            "triggers[1].type: 'rabbitmq' does not ask Prometheus; write an External metric with "
            "its PromQL",
        ),
        (
            scaled_object("orders", RATE, advanced={"scalingModifiers": {"formula": "a + b"}}),
            "advanced.scalingModifiers: write the formula as a query in PromQL",
        ),
        (scaled_object("orders"), "triggers: [] must be a list of triggers"),
        (scaled_object("orders", "x"), "triggers[0]: 'x' must be a mapping of fields"),
        (
            scaled_object("orders", trigger(threshold="1")),
            "triggers[0].metadata.query: is required",
        ),
        (
            scaled_object("orders", trigger("cpu", metric_type="Value", value="1")),
            "triggers[0].metricType: 'Value' must be Utilization or AverageValue",
        ),
        (
            scaled_object(
                "orders",
                trigger("cron", timezone="UTC", start="0 8 * * *", end="0 9 * * *")
                | {"metadata": {"timezone": "UTC"}},
            ),
            "triggers[0].metadata.start: is required",
        ),
        (
            scaled_object(
                "orders",
                trigger(
                    "cron", timezone="UTC", start="0 8 * * *", end="0 9 * * *", desiredReplicas="3"
                ),
            ),
            "triggers: cron alone measures nothing; a policy needs a metric",
        ),
        (
            scaled_object("orders", trigger("cpu", metric_type=["Value"], value="1")),
            "triggers[0].metricType: ['Value'] must be Utilization or AverageValue",
        ),
        (hpa(metadata={"ownerReferences": 5}, metrics=5), "metrics: 5 must be a list"),
        (
            scaled_object("orders", RATE, scaleTargetRef="orders"),
            "scaleTargetRef: 'orders' must be a mapping of fields",
        ),
    ],
)
def test_what_would_be_sized_wrongly_is_not_converted_and_keeps_back_nobody_else(given, why):
    conversion = converted([given, hpa("other")])

    (problem,) = conversion.problems
    name = given["metadata"]["name"]
    assert problem == f"{given['kind']} shop/{name}: {why}"
    assert list(conversion.config_maps[0]["data"]) == ["other.yaml"]


def test_two_objects_of_one_workload_are_one_policy_and_a_complaint():
    conversion = converted(
        [hpa("a", scaleTargetRef={"name": "x"}), hpa("b", scaleTargetRef={"name": "x"})]
    )

    assert list(conversion.config_maps[0]["data"]) == ["a.yaml"]
    assert len(conversion.problems) == 1
