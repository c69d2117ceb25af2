"""The schema of a policy accepts what we accept, and shows an editor what it can know is wrong."""

from pathlib import Path

import jsonschema
import pytest

from autoscaler.policy.files import policy_documents
from autoscaler.policy.json_schema import policy_schema
from autoscaler.policy.parsing import checked
from autoscaler.policy.yaml_text import documents

SCHEMA = jsonschema.Draft202012Validator(policy_schema())
DEPLOY = Path(__file__).parents[2] / "deploy"
GOOD = """
scaleTargetRef: {name: checkout}
maxReplicas: 60
metrics:
  - type: RequestRate
    requestRate: {source: linkerd, target: {averageValue: "120"}}
"""
# Whatever may be written in two ways, in both.
WHOLE = """
scaleTargetRef: {apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: checkout, namespace: shop}
mode: ForecastAndScale
actuator: hpa
minReplicas: 0
maxReplicas: 60
metrics:
  - {type: RequestRate, requestRate: {query: 'sum(rate(hits[2m]))', target: {averageValue: 1.5k}}}
  - {type: RequestRate, requestRate: {source: istio, labels: {reporter: source}, target: null}}
  - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
  - {type: ContainerResource,
     containerResource: {name: memory, container: app, target: {averageValue: 512Mi}}}
  - {type: Pods, pods: {metric: {name: in_flight, selector: {a: b}}, target: {averageValue: 30}}}
  - {type: External, external: {metric: {name: depth, selector: {matchLabels: {queue: orders}}},
     target: {value: 0.5}}}
  - {type: Object, object: {describedObject: {kind: Ingress, name: main},
     metric: {name: requests}, target: {value: 2k}}}
forecast: {risk: 0.01, leadTime: auto, carriesFor: 1h30m, timeZone: Europe/Berlin}
cooldown: {scaleUp: 30, scaleDown: 5m}
behavior:
  scaleUp: {tolerance: 100m, selectPolicy: Disabled}
  scaleDown: {tolerance: 5%, stabilizationWindowSeconds: 60,
              policies: [{type: Pods, value: 2, periodSeconds: 60}]}
schedule: [{name: sale, start: "0 8 * * *", end: "0 20 * * *", minReplicas: 30}]
consul: {service: checkout, tag: null}
paused: true
"""


def values(text):
    (found,) = documents(text)
    return found


def test_it_is_a_schema():
    SCHEMA.check_schema(SCHEMA.schema)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(GOOD, id="the least"),
        pytest.param(WHOLE, id="everything"),
        *(
            pytest.param(document.text, id=document.source.removeprefix(str(DEPLOY)))
            for name in ("acting-policy.yaml", "example-policy.yaml", "first-policy.yaml")
            for document in policy_documents(DEPLOY / name)
        ),
    ],
)
def test_what_is_accepted_an_editor_accepts(text):
    assert checked(values(text))[1] == []
    assert list(SCHEMA.iter_errors(values(text))) == []


@pytest.mark.parametrize(
    ("written", "instead", "complaint"),
    [
        ("maxReplicas", "maxReplica", "('maxReplica' was unexpected)"),
        ("maxReplicas: 60", "maxReplicas: 60\nmode: Act", "'Act' is not one of ['ForecastOnly'"),
        ("maxReplicas: 60", "maxReplicas: 0", "0 is less than the minimum of 1"),
        ("linkerd", "linkerdd", "'linkerdd' is not one of ['consul-mesh'"),
        ("averageValue", "averagevalue", "('averagevalue' was unexpected)"),
    ],
)
def test_what_an_editor_can_know_is_wrong_it_tells(written, instead, complaint):
    wrong = values(GOOD.replace(written, instead))

    assert checked(wrong)[1] != []
    assert complaint in jsonschema.exceptions.best_match(SCHEMA.iter_errors(wrong)).message


@pytest.mark.parametrize("line", ['minReplicas: "5"', "paused: yes"])
def test_a_number_or_truth_that_is_written_as_text_is_accepted_by_the_policy_alone(line):
    text = f"{GOOD}\n{line}\n"

    assert checked(values(text))[1] == []
    assert len(list(SCHEMA.iter_errors(values(text)))) == 1


def test_defaults_stand_as_one_writes_them():
    cooldown = SCHEMA.schema["$defs"]["Cooldown"]["properties"]

    assert {name: each["default"] for name, each in cooldown.items()} == {
        "scaleUp": "0s",
        "scaleDown": "5m",
    }
    assert SCHEMA.schema["properties"]["forecast"]["default"]["risk"] == "1%"
