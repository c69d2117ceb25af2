"""What a document says, and what is said about a wrong one."""

import json
from datetime import timedelta

import pytest

from autoscaler.errors import PolicyError
from autoscaler.policy.behavior import DEFAULT_SCALE_DOWN, DEFAULT_SCALE_UP
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.parsing import policy_of
from autoscaler.policy.schema import Mode, WorkloadPolicy
from autoscaler.policy.yaml_text import documents

GOOD = """
scaleTargetRef: {name: checkout}
maxReplicas: 60
metrics:
  - type: RequestRate
    requestRate: {source: linkerd, target: {averageValue: "120"}}
"""


def parsed(
    text: str, *, namespace: str | None = "shop", own_namespace: str | None = "autoscaler"
) -> WorkloadPolicy:
    document = PolicyDocument("shop/policies checkout", text, namespace)
    return policy_of(document, own_namespace=own_namespace)


def complaints(text: str, **where: str | None) -> list[str]:
    with pytest.raises(PolicyError) as caught:
        parsed(text, **where)
    return [line.removeprefix("shop/policies checkout: ") for line in str(caught.value).split("\n")]


def with_field(line: str) -> str:
    return f"{GOOD}{line}\n"


def test_a_short_policy_gets_the_documented_defaults():
    policy = parsed(GOOD)

    assert policy.mode is Mode.FORECAST_ONLY
    assert policy.min_replicas == 1
    assert policy.forecast.risk == 0.01
    assert policy.forecast.lead_time is None
    assert policy.cooldown.scale_down == timedelta(minutes=5)
    assert policy.behavior.scale_down_window == timedelta(minutes=5)


def test_a_workload_may_be_kept_at_one_count():
    policy = parsed(with_field("minReplicas: 60"))

    assert (policy.min_replicas, policy.max_replicas) == (60, 60)


def test_a_selector_is_read_as_hpa_writes_it_and_without_its_frame():
    def selector(written: str) -> dict[str, str]:
        external = f"external: {{metric: {{name: q, selector: {written}}}, target: {{value: 9}}}}"
        policy = parsed(GOOD + f"  - type: External\n    {external}\n")
        assert policy.metrics[1].external is not None
        return policy.metrics[1].external.metric.selector

    assert selector("{matchLabels: {queue: orders}}") == {"queue": "orders"}
    assert selector("{queue: orders}") == {"queue": "orders"}
    assert complaints(
        GOOD + "  - {type: External, external: {metric: {name: q, selector: "
        "{matchExpressions: []}}, target: {value: 9}}}\n"
    ) == [
        "metrics[1].external.metric.selector: matchExpressions are not understood; "
        "give matchLabels, or a query"
    ]


def test_the_spec_of_an_hpa_is_a_policy():
    resource = {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "checkout"},
        "maxReplicas": 10,
        "metrics": [{"type": "Resource", "resource": resource}],
        "behavior": {"scaleDown": {"tolerance": "150m"}},  # as the API server prints 0.15
    }

    assert parsed(json.dumps(spec)).behavior.scale_down.tolerance == 0.15


def test_what_one_direction_of_behavior_leaves_out_is_filled_in_as_by_the_api_server():
    text = with_field("behavior: {scaleUp: {selectPolicy: Min}, scaleDown: {selectPolicy: Min}}")
    behavior = parsed(text).behavior

    assert behavior.scale_up == DEFAULT_SCALE_UP.model_copy(update={"select_policy": "Min"})
    assert behavior.scale_down == DEFAULT_SCALE_DOWN.model_copy(update={"select_policy": "Min"})


def test_what_a_direction_of_behavior_says_stands():
    rules = "{stabilizationWindowSeconds: 0, policies: [{type: Pods, value: 1, periodSeconds: 9}]}"
    behavior = parsed(with_field(f"behavior: {{scaleDown: {rules}}}")).behavior

    assert behavior.scale_down_window == timedelta(0)
    assert [policy.value for policy in behavior.scale_down.policies] == [1]


def test_the_shown_policy_reads_back_as_itself():
    policy = parsed(
        with_field("cooldown: {scaleDown: 1h30m}\nforecast: {risk: 0.3%, leadTime: 90s}")
    )

    shown = policy.model_dump_json(by_alias=True, exclude_none=True)

    assert parsed(shown) == policy


def test_what_two_policies_have_alike_is_kept_once():
    behavior = "behavior: {scaleDown: {stabilizationWindowSeconds: 600}}"
    one, other = (parsed(with_field(f"{line}\n{behavior}")) for line in ("", "minReplicas: 2"))

    assert one.metrics[0] is other.metrics[0]
    assert one.behavior is other.behavior
    assert one != other


def test_what_two_policies_have_different_is_not():
    one, other = (parsed(with_field(f"cooldown: {{scaleDown: {s}s}}")) for s in (60, 61))

    assert (one.cooldown.scale_down, other.cooldown.scale_down) == (
        timedelta(seconds=60),
        timedelta(seconds=61),
    )


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        pytest.param(
            "maxReplica: 3",
            "maxReplica: no such field; did you mean maxReplicas? allowed: scaleTargetRef, mode, "
            "actuator, minReplicas, maxReplicas, metrics, forecast, cooldown, behavior, schedule, "
            "paused, pausedScaleIn, pausedScaleOut, consul",
            id="a misspelt field names its likeliest neighbour",
        ),
        pytest.param(
            "min_replicas: 3",
            "min_replicas: no such field; did you mean minReplicas? allowed: scaleTargetRef, mode, "
            "actuator, minReplicas, maxReplicas, metrics, forecast, cooldown, behavior, schedule, "
            "paused, pausedScaleIn, pausedScaleOut, consul",
            id="snake case is not how the field is written",
        ),
        pytest.param(
            "minReplicas: 1_0", "minReplicas: '1_0' is not a whole number", id="Python's 10"
        ),
        pytest.param(
            "minReplicas: true", "minReplicas: true is not a whole number", id="true is not 1"
        ),
        pytest.param(
            "minReplicas: 61", "minReplicas 61 is above maxReplicas 60", id="bounds out of order"
        ),
        pytest.param(
            "minReplicas: 99999999999999999999999",
            "minReplicas: 99999999999999999999999 must be at most 100000",
            id="a huge number",
        ),
        pytest.param(
            "mode: Auto",
            "mode: 'Auto' must be 'ForecastOnly' or 'ForecastAndScale'",
            id="an unknown mode lists the known ones",
        ),
        pytest.param(
            "forecast: {timeZone: Europe/Berln}",
            "forecast.timeZone: 'Europe/Berln' is not an IANA time zone; "
            "did you mean Europe/Berlin?",
            id="an unknown time zone",
        ),
        pytest.param(
            "forecast: {timeZone: CEST}",
            "forecast.timeZone: 'CEST' is not an IANA time zone such as Europe/Berlin",
            id="an abbreviation is not taken for one of another continent",
        ),
        pytest.param(
            "cooldown: {scaleUp: true}",
            "cooldown.scaleUp: true is not a duration such as 90s, 5m or 1h30m",
            id="a truth is told in the words of YAML",
        ),
        pytest.param(
            "forecast: {risk: 1e999}",
            "forecast.risk: '1e999' is not between 0% and 100%",
            id="a number beyond any float is shown as it was written",
        ),
        pytest.param(
            "forecast: {leadTime: 1e400}",
            "forecast.leadTime: '1e400' is not a duration such as 90s, 5m or 1h30m, nor auto",
            id="a duration beyond any float",
        ),
        pytest.param(
            "minReplicas: 1e400", "minReplicas: '1e400' is not a whole number", id="a count, too"
        ),
        pytest.param(
            "risk: 1%",
            "risk: no such field; did you mean forecast.risk? allowed: scaleTargetRef, mode, "
            "actuator, minReplicas, maxReplicas, metrics, forecast, cooldown, behavior, schedule, "
            "paused, pausedScaleIn, pausedScaleOut, consul",
            id="a field of a section says where it belongs",
        ),
        pytest.param(
            "forecast: {risk: 5}",
            "forecast.risk: 5 is not between 0% and 100%; did you mean 5%?",
            id="a percentage without its sign",
        ),
        pytest.param(
            "forecast: {risk: 0%}",
            "forecast.risk: '0%' is not between 0.05% and 50%",
            id="no risk at all",
        ),
        pytest.param(
            "forecast: {leadTime: automatic}",
            "forecast.leadTime: 'automatic' is not a duration such as 90s, 5m or 1h30m, nor auto",
            id="not quite auto",
        ),
        pytest.param(
            "minReplicas: 6.5", "minReplicas: 6.5 is not a whole number", id="half a replica"
        ),
        pytest.param("schedule: {name: a}", "schedule: {'name': 'a'} must be a list", id="no list"),
        pytest.param("behavior: fast", "behavior: 'fast' must be a mapping of fields", id="text"),
        pytest.param("mode:", "mode: null must be 'ForecastOnly' or 'ForecastAndScale'", id="none"),
        pytest.param("paused: maybe", "paused: 'maybe' must be true or false", id="no flag"),
        pytest.param(
            "pаused: true",  # noqa: RUF001 - the point of it
            "pаused: no such field; it is written with U+0430; did you mean paused? "  # noqa: RUF001
            "allowed: scaleTargetRef, mode, actuator, minReplicas, maxReplicas, metrics, forecast, "
            "cooldown, behavior, schedule, paused, pausedScaleIn, pausedScaleOut, consul",
            id="a letter of another alphabet",
        ),
        pytest.param(
            "cooldown:\n\tscaleDown: 5m",
            "line 8, column 1: found character that cannot start any token; "
            "line 8 has a tab instead of a space",
            id="a tab",
        ),
        pytest.param(
            "minReplicas:\u00a05\nmode: ForecastOnly",
            "line 8, column 1: could not find expected ':'; line 7 has U+00A0 instead of a space",
            id="a space of another alphabet",
        ),
        pytest.param(
            "schedule: [{name: a, timeZone: Europe/Berln, start: 0 8 * * *, end: 0 9 * * *, "
            "minReplicas: 3}]",
            "schedule[0].timeZone: 'Europe/Berln' is not an IANA time zone; "
            "did you mean Europe/Berlin?",
            id="an unknown time zone of a schedule",
        ),
        pytest.param(
            "forecast: {timeZone: Berlin}",
            "forecast.timeZone: 'Berlin' is not an IANA time zone; did you mean Europe/Berlin?",
            id="a time zone by its city",
        ),
        pytest.param(
            "forecast: {timeZone: Moon/Base}",
            "forecast.timeZone: 'Moon/Base' is not an IANA time zone such as Europe/Berlin",
            id="a time zone like no other",
        ),
        pytest.param(
            "maxReplicas: 4", "line 7, column 1: 'maxReplicas' stands twice", id="a key twice"
        ),
    ],
)
def test_a_mistake_is_named_with_field_value_and_what_is_allowed(line, complaint):
    assert complaints(with_field(line)) == [complaint]


def test_every_mistake_is_listed_not_only_the_first():
    text = """
scaleTargetRef: {name: checkout}
minReplicas: 5
maxReplicas: 4
metrics:
  - type: RequestRate
    requestRate: {source: linkerd, target: {averageValue: ten}}
  - type: ContainerResource
    containerResource: {name: gpu, container: app, target: {averageUtilization: 70}}
cooldown: {scaleDown: soon}
"""

    assert complaints(text) == [
        "metrics[0].requestRate.target.averageValue: "
        "'ten' is not a quantity such as 120, 250m or 1.5k",
        "metrics[1].containerResource.name: 'gpu' must be 'cpu' or 'memory'",
        "cooldown.scaleDown: 'soon' is not a duration such as 90s, 5m or 1h30m",
        "minReplicas 5 is above maxReplicas 4",
    ]


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        pytest.param("minReplicas: 5\nmaxReplicas: 4", ["5 is above maxReplicas 4"], id="crossed"),
        pytest.param("minReplicas: 4\nmaxReplicas: 4", [], id="one count and no other"),
        pytest.param("maxReplicas: 1", [], id="min is one where it is left out"),
        pytest.param("minReplicas: true\nmaxReplicas: 0", [], id="wrong by themselves"),
    ],
)
def test_bounds_are_compared_also_where_another_field_is_wrong(bounds, told):
    text = f"""
scaleTargetRef: {{name: checkout}}
{bounds}
metrics:
  - type: RequestRate
    requestRate: {{source: linkerd}}
cooldown: {{scaleDown: soon}}
"""
    above = [line.removeprefix("minReplicas ") for line in complaints(text) if "above" in line]

    assert above == told


def test_of_ten_thousand_mistakes_the_first_are_listed_and_the_others_counted():
    entry = ", ".join(f"k{n}: 1" for n in range(90))
    text = with_field(f"schedule: [&a {{{entry}}}{', *a' * 99}]")

    told = complaints(text)

    assert told[0].startswith("schedule[0].name: is required")
    assert (len(told), told[-1]) == (21, "9280 more mistakes")


def test_a_key_adds_no_line_and_clears_no_screen():
    [told] = complaints(with_field(r'"a\n\e[2Jbank: maxReplicas": 1'))

    assert told.startswith(r"a\n\x1b[2Jbank: maxReplicas: no such field; ")


def test_a_mistake_is_told_in_a_few_hundred_characters_however_long_it_is():
    [told] = complaints(with_field(f"forecast: {{risk: {'9x' * 50_000}}}"))

    assert told.startswith("forecast.risk: '9x9x")
    assert len(told) == 500


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        pytest.param("", "holds no policies; give exactly one", id="empty"),
        pytest.param(f"{GOOD}---{GOOD}", "holds 2 policies; give exactly one", id="two in one key"),
        pytest.param("42", "a policy is a mapping of fields, got 42", id="not a mapping"),
        pytest.param(
            "{apiVersion: apps/v1, kind: Deployment, metadata: {name: checkout}}",
            "kind: 'Deployment' is a manifest; a policy begins with scaleTargetRef",
            id="a manifest",
        ),
        pytest.param(
            "{apiVersion: autoscaling/v2, kind: HorizontalPodAutoscaler, spec: {}}",
            "kind: 'HorizontalPodAutoscaler' is a manifest; "
            "`autoscaler convert` makes a policy of it",
            id="an HPA",
        ),
        pytest.param(
            "{apiVersion: keda.sh/v1alpha1, kind: ScaledObject, spec: {}}",
            "kind: 'ScaledObject' is a manifest; `autoscaler convert` makes a policy of it",
            id="a ScaledObject",
        ),
        pytest.param("a: [", "line 2, column 1: did not find expected node content", id="not YAML"),
        pytest.param(
            "[" * 40, "line 1, column 33: nested deeper than 32 levels", id="nested too deep"
        ),
        pytest.param("a: &a [*a]", "line 1, column 8: *a contains itself", id="an endless alias"),
        pytest.param(
            "a: !!python/object/apply:os.system [ls]",
            "line 1, column 4: tag 'tag:yaml.org,2002:python/object/apply:os.system': "
            "a policy has no tags",
            id="a tag that would run something",
        ),
        pytest.param(
            "a: !!int ten",
            "line 1, column 4: tag 'tag:yaml.org,2002:int': a policy has no tags",
            id="a tag that does not fit its value",
        ),
        pytest.param(
            "a: \ud800", "character 4 is no Unicode character", id="half of a surrogate pair"
        ),
        pytest.param(
            "a: é\nb: 'ä\x07'",
            "line 2: U+0007 is a character that YAML does not allow",
            id="a character that only rings a bell",
        ),
        pytest.param("x" * 300_000, "300000 characters: at most 262144 are read", id="too long"),
    ],
)
def test_text_that_holds_no_policy_is_refused(text, complaint):
    assert complaints(text) == [complaint]


def test_an_alias_bomb_is_refused_before_it_is_built():
    levels = [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 12)]
    bomb = "\n".join(["l0: &l0 [x, x, x, x, x, x, x, x, x, x]", *levels])

    assert complaints(bomb) == ["line 5, column 10: expands to over 20000 values"]


def test_the_lines_of_a_query_end_as_everybody_reads_them():
    text = GOOD.replace("source: linkerd", r'query: "a # of\r\n+ b # all\r+ c"')

    assert parsed(text).metrics[0].query == "a # of\n+ b # all\n+ c"


def test_a_plain_anchor_is_still_welcome():
    text = GOOD + "behavior: {scaleUp: &rules {selectPolicy: Min}, scaleDown: *rules}\n"

    assert parsed(text).behavior.scale_down.select_policy == "Min"


@pytest.mark.parametrize(
    ("scalar", "read"),
    [
        pytest.param("22:00", "22:00", id="a time is not sexagesimal"),
        pytest.param("2026-11-27 08:00:00", "2026-11-27 08:00:00", id="a date stays text"),
        pytest.param("no", "no", id="Norway"),
        pytest.param("1e-400", "1e-400", id="a number below any float is not nothing"),
    ],
)
def test_scalars_stay_what_was_written(scalar, read):
    assert documents(f"start: {scalar}") == [{"start": read}]


@pytest.mark.parametrize(
    ("namespace", "target", "refused"),
    [
        pytest.param("shop", "shop", False, id="a ConfigMap governs its own namespace"),
        pytest.param("shop", "bank", True, id="a ConfigMap does not govern another"),
        pytest.param("autoscaler", "bank", False, id="the daemon's own namespace may name others"),
        pytest.param(None, "bank", False, id="a file may name any"),
    ],
)
def test_namespaces_are_isolated(namespace, target, refused):
    text = GOOD.replace("{name: checkout}", f"{{name: checkout, namespace: {target}}}")

    if refused:
        assert complaints(text, namespace=namespace) == [
            "scaleTargetRef.namespace: 'bank': a ConfigMap of namespace shop "
            "governs only workloads of shop"
        ]
    else:
        assert parsed(text, namespace=namespace).scale_target_ref.namespace == target


@pytest.mark.parametrize(
    ("rate", "complaint"),
    [
        pytest.param(
            "{source: linkred}",
            "metrics[0].requestRate: source 'linkred' is not known; did you mean linkerd? allowed: "
            "consul-mesh, gateway, hubble, ingress-nginx, istio, kong, linkerd, linkerd1, "
            "recorded, statsd, statsd-central, traefik, or give a query",
            id="unknown source",
        ),
        pytest.param(
            "{source: linkerd1, labels: {rt: incoming}}",
            "metrics[0].requestRate: source linkerd1 takes no parameter 'rt' in labels; "
            "allowed: router, service, job, cluster",
            id="unknown parameter",
        ),
        pytest.param(
            "{query: up, labels: {job: x}}",
            "metrics[0].requestRate: labels are parameters of a source; a query takes none",
            id="parameters of a query",
        ),
        pytest.param(
            "{source: linkerd, query: up}",
            "metrics[0].requestRate: give exactly one of source and query",
            id="both",
        ),
        pytest.param(
            "{source: linkerd, target: {averageUtilization: 70}}",
            "metrics[0].requestRate: requestRate.target takes averageValue: requests/s one ready "
            "pod may carry",
            id="a share of no request",
        ),
    ],
)
def test_a_source_and_its_parameters_are_checked_at_the_edge(rate, complaint):
    text = GOOD.replace('{source: linkerd, target: {averageValue: "120"}}', rate)

    assert complaints(text) == [complaint]


@pytest.mark.parametrize(
    ("metric", "complaint"),
    [
        pytest.param(
            "{type: Pods, pods: {metric: {name: q}, target: {averageUtilization: 70}}}",
            "Pods takes a target averageValue, got averageUtilization",
            id="a share of no request",
        ),
        pytest.param(
            "{type: External, external: {metric: {name: q}, target: {averageUtilization: 70}}}",
            "External takes a target value or averageValue, got averageUtilization",
            id="a share of what is no pod's",
        ),
        pytest.param(
            '{type: Resource, resource: {name: cpu, target: {value: "5"}}}',
            "Resource takes a target averageUtilization or averageValue, got value",
            id="a total that does not fall with fewer pods",
        ),
    ],
)
def test_a_target_that_hpa_does_not_take_is_refused(metric, complaint):
    text = f"{GOOD.partition('metrics')[0]}metrics: [{metric}]"

    assert complaints(text) == [f"metrics[0]: a metric of type {complaint}"]


@pytest.mark.parametrize(
    ("target", "complaint"),
    [
        pytest.param(
            "{name: Check_Out}",
            "scaleTargetRef.name: 'Check_Out' is no name of Kubernetes: lower-case letters, "
            "digits, '-' and '.', beginning and ending with a letter or digit",
            id="no name",
        ),
        pytest.param(
            "{name: checkout-}",
            "scaleTargetRef.name: 'checkout-' is no name of Kubernetes: lower-case letters, "
            "digits, '-' and '.', beginning and ending with a letter or digit",
            id="an end that no name has",
        ),
        pytest.param(
            "{name: shop/checkout}",
            "scaleTargetRef.name: 'shop/checkout' is no name of Kubernetes: lower-case letters, "
            "digits, '-' and '.', beginning and ending with a letter or digit",
            id="namespace and name in one",
        ),
        pytest.param(
            "{kind: Deploymnt, name: checkout}",
            "scaleTargetRef: apiVersion apps/v1 has no kind 'Deploymnt' to scale; apps/v1 has "
            "Deployment, StatefulSet, ReplicaSet, and a kind of another group needs its apiVersion",
            id="misspelt kind",
        ),
        pytest.param(
            "{apiVersion: a.io/v1/namespaces/bank/tills/t/../.., kind: Till, name: checkout}",
            "scaleTargetRef.apiVersion: 'a.io/v1/namespaces/bank/tills/t/../..' is no API "
            "version such as apps/v1 or argoproj.io/v1alpha1",
            id="a path to elsewhere",
        ),
        pytest.param(
            "{apiVersion: x/../apps/v1, name: checkout}",
            "scaleTargetRef.apiVersion: 'x/../apps/v1' is no API "
            "version such as apps/v1 or argoproj.io/v1alpha1",
            id="another way to the same",
        ),
        pytest.param(
            '{apiVersion: a.io/v1, kind: "\\e[2J", name: checkout}',
            r"scaleTargetRef.kind: '\x1b[2J' is no kind such as Deployment: letters, digits "
            "and '-'",
            id="what clears a terminal",
        ),
        pytest.param(
            "{name: 42}", "scaleTargetRef.name: 42 must be text; put it in quotes", id="42"
        ),
        pytest.param(
            "checkout", "scaleTargetRef: 'checkout' must be a mapping of fields", id="a name alone"
        ),
    ],
)
def test_a_target_that_cannot_exist_is_refused_at_the_edge(target, complaint):
    assert complaints(GOOD.replace("{name: checkout}", target)) == [complaint]


def test_a_kind_of_another_group_is_welcome():
    rollout = "{apiVersion: argoproj.io/v1alpha1, kind: Rollout, name: checkout}"

    assert parsed(GOOD.replace("{name: checkout}", rollout)).scale_target_ref.kind == "Rollout"
