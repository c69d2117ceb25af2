"""The Helm chart: its values, and what it renders to, accepted by a real API server.

Helm itself cannot be had from the registries this project uses, so the templates are rendered by
`support.helm_template`; where `helm` is on PATH both must agree.
"""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from support.accounts import ROLES, rules_of
from support.control_plane import ControlPlane
from support.helm_template import Chart

FOLDER = Path(__file__).parents[2] / "deploy" / "helm"
CHART = Chart(FOLDER)
# Not where kustomize installs: a Deployment's selector cannot be changed from one to the other.
NAMESPACE = "by-helm"
ALERTS = FOLDER.parent / "components" / "kube-prometheus-stack" / "prometheus-rule.yaml"
SCHEMA = json.loads((FOLDER / "values.schema.json").read_text())
EVERYTHING = {
    "replicaCount": 3,
    "shards": 24,
    "annotate": True,
    "nameOverride": "scaler",
    "imagePullSecrets": [{"name": "registry"}],
    "prometheus": {
        "historyUrl": "http://thanos:9090",
        "tokenSecret": {"name": "prometheus", "key": "token"},
        "headersSecret": {"name": "prometheus"},
        "caConfigMap": {"name": "authority"},
    },
    "rbac": {"statefulSets": True, "hpaActuator": True},
    "serviceAccount": {"annotations": {"team": "platform"}},
    "podDisruptionBudget": {"enabled": True},
    "networkPolicy": {
        "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}],
        "extraEgress": [{"ports": [{"protocol": "TCP", "port": 8428}]}],
    },
    "podAnnotations": {"a": "1"},
    "podLabels": {"b": "2"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "infra", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "priorityClassName": "system-cluster-critical",
    "extraArgs": ["--prometheus-timeout=20s"],
    "extraEnv": [{"name": "TZ", "value": "UTC"}],
    "extraVolumes": [{"name": "past", "persistentVolumeClaim": {"claimName": "past"}}],
    "extraVolumeMounts": [{"name": "past", "mountPath": "/var/lib/autoscaler"}],
    "strategy": {"type": "Recreate"},
}
CASES = [
    pytest.param({}, id="defaults"),
    pytest.param({"forecastOnly": True}, id="forecast only"),
    pytest.param({"watchNamespace": "shop"}, id="one namespace"),
    pytest.param({"rbac": {"create": False}, "networkPolicy": {"enabled": False}}, id="bare"),
    pytest.param(EVERYTHING, id="everything"),
]


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    text = CHART.rendered(values, name="predictive-autoscaler", namespace=NAMESPACE)
    return [document for document in yaml.safe_load_all(text) if document]


def only(documents: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    return next(document for document in documents if document["kind"] == kind)


@pytest.mark.parametrize("values", CASES)
def test_a_real_api_server_accepts_it(plane: ControlPlane, values: dict[str, Any]) -> None:
    for name in (NAMESPACE, "shop"):
        plane.ensure_namespace(name)
    manifests = yaml.safe_dump_all(rendered(values))
    if "policy/v1" not in plane.kubectl("api-versions").splitlines():
        manifests = manifests.replace("apiVersion: policy/v1\n", "apiVersion: policy/v1beta1\n")

    verdicts = plane.kubectl("apply", "--dry-run=server", "-f", "-", stdin=manifests)

    assert verdicts.count("(server dry run)") == len(rendered(values))


@pytest.mark.parametrize("values", CASES)
def test_helm_itself_renders_the_same(tmp_path: Path, values: dict[str, Any]) -> None:
    if not shutil.which("helm"):
        pytest.skip("helm is not on PATH")
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    command = ["helm", "template", "predictive-autoscaler", FOLDER, "--values", file]
    text = subprocess.run(
        [*command, "--namespace", NAMESPACE], check=True, capture_output=True, text=True
    ).stdout

    def key(document: dict[str, Any]) -> tuple[str, str]:
        return (document["kind"], document["metadata"]["name"])

    theirs = [document for document in yaml.safe_load_all(text) if document]
    assert sorted(theirs, key=key) == sorted(rendered(values), key=key)


def test_the_chart_grants_what_kustomize_grants(plane: ControlPlane, tmp_path: Path) -> None:
    def permissions(rules: list[dict[str, list[str]]]) -> set[tuple[str, str, str]]:
        return {
            (group, resource, verb)
            for rule in rules
            for group in rule["apiGroups"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }

    components = ("statefulsets", "hpa-actuator", "annotation")
    granted = rules_of(plane, tmp_path, *components)
    kustomize = permissions([rule for role in ROLES for rule in granted[role]])
    chart = rendered({"rbac": {"statefulSets": True, "hpaActuator": True}, "annotate": True})

    assert permissions(only(chart, "ClusterRole")["rules"]) == kustomize


def test_what_was_learned_may_be_kept_on_a_volume() -> None:
    deployment = only(rendered(EVERYTHING), "Deployment")["spec"]
    pod = deployment["template"]["spec"]

    assert deployment["strategy"] == {"type": "Recreate"}
    assert pod["volumes"][-1]["persistentVolumeClaim"] == {"claimName": "past"}
    assert pod["containers"][0]["volumeMounts"][-1]["mountPath"] == "/var/lib/autoscaler"


def test_the_alerts_are_those_of_kustomize_and_off_by_default() -> None:
    values = {"metrics": {"prometheusRule": {"enabled": True, "labels": {"release": "kps"}}}}
    jsonschema.validate(values, SCHEMA)
    rule = only(rendered(values), "PrometheusRule")

    assert rule["spec"] == yaml.safe_load(ALERTS.read_text())["spec"]
    assert rule["metadata"]["labels"]["release"] == "kps"
    assert "PrometheusRule" not in {document["kind"] for document in rendered({})}


def test_forecast_only_grants_no_write() -> None:
    documents = rendered({"forecastOnly": True})
    verbs = {verb for rule in only(documents, "ClusterRole")["rules"] for verb in rule["verbs"]}
    environment = only(documents, "Deployment")["spec"]["template"]["spec"]["containers"][0]["env"]

    assert verbs == {"get", "list", "watch"}
    assert not {"Role", "RoleBinding"} & {document["kind"] for document in documents}
    assert {"name": "AUTOSCALER_DRY_RUN", "value": "true"} in environment


def test_one_namespace_grants_nothing_elsewhere() -> None:
    kinds = {document["kind"] for document in rendered({"watchNamespace": "shop"})}

    assert not kinds & {"ClusterRole", "ClusterRoleBinding"}


@pytest.mark.parametrize("values", CASES)
def test_the_schema_accepts_what_is_meant(values: dict[str, Any]) -> None:
    jsonschema.validate(values, SCHEMA)
    jsonschema.validate(CHART.defaults, SCHEMA)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"replicas": 2}, id="a value there is not"),
        pytest.param({"interval": "15"}, id="a duration without a unit"),
        pytest.param({"logging": {"level": "loud"}}, id="a level there is not"),
        pytest.param({"metrics": {"port": 70000}}, id="a port there is not"),
        pytest.param({"forecastOnly": "yes"}, id="a text for a switch"),
    ],
)
def test_the_schema_refuses(values: dict[str, Any]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(values, SCHEMA)


def test_replicas_that_act_without_a_lease_are_refused() -> None:
    alone = CHART.defaults | {"leaderElection": {"enabled": False}}
    jsonschema.validate(alone, SCHEMA)
    jsonschema.validate({"replicaCount": 2}, SCHEMA)
    for allowed in ({"shards": 24}, {"forecastOnly": True}, {"leaderElection": {"enabled": True}}):
        jsonschema.validate(alone | {"replicaCount": 2} | allowed, SCHEMA)

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(alone | {"replicaCount": 2}, SCHEMA)


def test_the_notes_say_what_it_does() -> None:
    notes = CHART.notes({"forecastOnly": True}, name="scaler", namespace="ops")

    assert "It runs in ops and only forecasts." in notes
    assert "logs deployment/scaler --follow" in notes
