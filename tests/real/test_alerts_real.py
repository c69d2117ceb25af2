"""Alert rules and dashboard: Prometheus' own tools accept them, and they ask for what there is."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from autoscaler.review.latest import LatestRecords
from autoscaler.review.telemetry import Telemetry
from support import prometheus_server

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "components" / "kube-prometheus-stack" / "prometheus-rule.yaml"
DASHBOARD = json.loads((DEPLOY / "dashboard.json").read_text())
NAME = re.compile(r"\bautoscaler_[a-z_]+")
ALERTS = yaml.safe_load(RULES.read_text())["spec"]


def asked_in_dashboard() -> list[str]:
    expressions = [t["expr"] for panel in DASHBOARD["panels"] for t in panel["targets"]]
    return [re.sub(r"\$\w+", ".*", expression) for expression in expressions]


@pytest.fixture(scope="module", autouse=True)
def promtool() -> None:
    if prometheus_server.missing_binaries():
        pytest.skip("apt-get install prometheus")


def checked(folder: Path, groups: dict[str, Any]) -> str:
    file = folder / "rules.yaml"
    file.write_text(yaml.safe_dump(groups))
    done = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_promtool_accepts_the_alerts(tmp_path: Path) -> None:
    n_rules = len(ALERTS["groups"][0]["rules"])

    assert f"{n_rules} rules found" in checked(tmp_path, ALERTS)


def test_promtool_accepts_every_question_of_the_dashboard(tmp_path: Path) -> None:
    rules = [{"record": f"q:{k}", "expr": e} for k, e in enumerate(asked_in_dashboard())]

    checked(tmp_path, {"groups": [{"name": "dashboard", "rules": rules}]})


def test_only_metrics_that_exist_are_asked_for() -> None:
    families = {family.name for family in Telemetry(LatestRecords()).registry.collect()}
    suffixes = ("", "_total", "_bucket", "_count", "_sum")
    known = {family + suffix for family in families for suffix in suffixes}
    asked = " ".join([*asked_in_dashboard(), *(r["expr"] for r in ALERTS["groups"][0]["rules"])])

    assert set(NAME.findall(asked)) <= known


def series(name: str, values: str, **labels: str) -> list[dict[str, str]]:
    """Return what the replica that acts says of a workload, and one that is warm likewise."""
    of = {"namespace": "shop", "name": "a", **labels}
    return [ours(name, values, **of, pod=pod) for pod in ("acts", "warm")]


def doubtful(metric: str, load: str, *, reason: str = "MetricsPartialHold") -> list[dict[str, str]]:
    """Return a load on whose word nothing is lowered, for ten hours."""
    doubt = series("metric_doubt", "1x600", metric=metric, reason=reason)
    return [*series("load", f"{load}x600", metric=metric), *doubt]


def ours(name: str, values: str, /, **labels: str) -> dict[str, str]:
    inside = ",".join(f'{k}="{v}"' for k, v in labels.items())
    return {"series": f"autoscaler_{name}{{{inside}}}", "values": values}


AT_THE_LEAST = [
    *series("reason", "1x600", reason="MetricsPartialHold"),
    *series("status_current_replicas", "2x600"),
    *series("spec_min_replicas", "2x600"),
]


@pytest.mark.parametrize(
    ("inputs", "at", "alert"),
    [
        pytest.param(
            [
                *series("status_desired_replicas", "9x60"),
                *series("spec_max_replicas", "9x60"),
                *series("spec_min_replicas", "2x60"),
                *series("mode", "1x60", mode="ForecastAndScale"),
            ],
            "16m",
            "AutoscalerAtMaxReplicas",
            id="at max",
        ),
        pytest.param(
            [
                *series("status_desired_replicas", "6x60"),
                *series("spec_max_replicas", "9x60"),
                *series("spec_min_replicas", "2x60"),
                *series("reason", "1x60", reason="HpaMaxReplicas"),
                *series("mode", "1x60", mode="ForecastAndScale"),
            ],
            "16m",
            "AutoscalerAtMaxReplicas",
            id="at the max of an HPA",
        ),
        pytest.param(
            series("reason", "1x60", reason="MetricsUnknownHold"),
            "11m",
            "AutoscalerMetricsUnknown",
            id="unknown",
        ),
        pytest.param(
            series("reason", "1x60", reason="ForecastCarriesFloor"),
            "11m",
            "AutoscalerMetricsUnknown",
            id="unknown, and the forecast carries on",
        ),
        pytest.param(
            series("reason", "1x400", reason="MetricsPartialHold"),
            "361m",
            "AutoscalerMetricsPartial",
            id="partial",
        ),
        pytest.param(
            [
                *series("reason", "1x400", reason="MetricsPartialHold"),
                *series("load", "0x400", metric="RequestRate statsd"),
                *series("status_current_replicas", "9x400"),
                *series("spec_min_replicas", "2x400"),
            ],
            "361m",
            "AutoscalerMetricsPartial",
            id="a zero that keeps nine",
        ),
        pytest.param(
            [*AT_THE_LEAST, *doubtful("RequestRate linkerd", "7")],
            "361m",
            "AutoscalerMetricsPartial",
            id="partial at the least, where more may come than is seen",
        ),
        pytest.param(
            [*AT_THE_LEAST, *doubtful("RequestRate linkerd", "0")],
            "361m",
            "AutoscalerMetricsPartial",
            id="nothing is seen, at the least, for pods that are not scraped",
        ),
        pytest.param(
            [
                *AT_THE_LEAST,
                *doubtful("RequestRate statsd", "0"),
                *doubtful("ContainerResource app cpu", "0.2"),
            ],
            "361m",
            "AutoscalerMetricsPartial",
            id="a statsd sender that rests, at the least, beside a metric that is partial",
        ),
        pytest.param(
            [
                *AT_THE_LEAST,
                *doubtful("RequestRate statsd", "0"),
                *doubtful("RequestRate statsd 2", "7"),
            ],
            "361m",
            "AutoscalerMetricsPartial",
            id="of two statsd counters only one rests",
        ),
        pytest.param(
            series("trust", "1x90", trust="Demoted"),
            "61m",
            "AutoscalerForecastDemoted",
            id="demoted",
        ),
        pytest.param(
            series("reason", "1x60", reason="ReplicasContested"),
            "6m",
            "AutoscalerReplicasContested",
            id="contested",
        ),
        pytest.param(
            series("mode", "1x400", mode="ForecastOnly"),
            "15d",
            "AutoscalerForecastOnlyLeftOn",
            id="left on",
        ),
        pytest.param(
            series("unroutable_seconds", "0 30 75 90"),
            "2m",
            "AutoscalerPodsNotRoutable",
            id="not routable",
        ),
        pytest.param([], "6m", "AutoscalerNotReconciling", id="not running"),
        pytest.param(
            [
                ours("reconciliation_duration_seconds_bucket", f"0+{n}x60", le=le)
                for le, n in (("5", 0), ("15", 4), ("+Inf", 4))
            ],
            "30m",
            "AutoscalerCycleLate",
            id="late",
        ),
        pytest.param(
            [ours("role", "1x60", role="standby", pod=pod) for pod in ("a", "b")],
            "6m",
            "AutoscalerNobodyActs",
            id="nobody acts",
        ),
        pytest.param(
            [ours("role", "1x60", role="waiting"), ours("role", "1x60", role="active", pod="b")],
            "16m",
            "AutoscalerWaits",
            id="waits",
        ),
        pytest.param(
            [ours("reconciliations_total", "0+4x60", error="internal")],
            "30m",
            "AutoscalerScaleRefused",
            id="refused",
        ),
        pytest.param(
            [ours("policy_failures_total", "0+4x60")],
            "30m",
            "AutoscalerPolicyFailing",
            id="failing",
        ),
        pytest.param(
            [ours("policy_problems", "2x60")], "30m", "AutoscalerPolicyRefused", id="garbage"
        ),
    ],
)
def test_an_alert_fires_on_what_it_is_for_and_says_whose_it_is(
    tmp_path: Path, inputs: list[dict[str, str]], at: str, alert: str
) -> None:
    checked(tmp_path, ALERTS)
    rule = next(r for r in ALERTS["groups"][0]["rules"] if r["alert"] == alert)
    of_workload = bool(inputs) and 'name="a"' in inputs[0]["series"]
    workload = {"namespace": "shop", "name": "a"} if of_workload else {}
    extra = {"role": "waiting"} if alert == "AutoscalerWaits" else {}
    annotations = {
        key: re.sub(r"\{\{ \$labels\.(\w+) \}\}", lambda m: workload.get(m[1], ""), text)
        for key, text in rule["annotations"].items()
    }
    expected = {"exp_labels": rule["labels"] | workload | extra, "exp_annotations": annotations}
    fires(tmp_path, inputs, at=at, alert=alert, expected=[expected])


def installed(namespace: str, name: str, values: str, **labels: str) -> dict[str, str]:
    """Return what one of several installations says of itself, its target's labels included."""
    return ours(name, values, namespace=namespace, job="predictive-autoscaler", **labels)


@pytest.mark.parametrize(
    ("inputs", "at", "alert"),
    [
        pytest.param(
            [
                installed("one", "role", "1x60", role="standby"),
                installed("two", "role", "1x60", role="active"),
            ],
            "6m",
            "AutoscalerNobodyActs",
            id="nobody acts",
        ),
        pytest.param(
            [
                installed("one", "reconciliation_duration_seconds_count", "4x60"),
                installed("two", "reconciliation_duration_seconds_count", "0+4x60"),
                *(installed(each, "build_info", "1x60") for each in ("one", "two")),
            ],
            "12m",
            "AutoscalerNotReconciling",
            id="stuck",
        ),
        pytest.param(
            [
                installed("one", "build_info", "1x9 stale"),
                installed("two", "build_info", "1x60"),
            ],
            "30m",
            "AutoscalerNotReconciling",
            id="gone",
        ),
        pytest.param(
            [
                installed("one", "reconciliations_total", "0+4x60", error="internal"),
                installed("two", "reconciliations_total", "0+4x60", error="none"),
            ],
            "30m",
            "AutoscalerScaleRefused",
            id="refused",
        ),
        pytest.param(
            [
                installed("one", "policy_failures_total", "0+4x60"),
                installed("two", "policy_failures_total", "0x60"),
            ],
            "30m",
            "AutoscalerPolicyFailing",
            id="failing",
        ),
        pytest.param(
            [
                installed("one", "policy_problems", "1x60"),
                installed("two", "policy_problems", "0x60"),
            ],
            "30m",
            "AutoscalerPolicyRefused",
            id="garbage",
        ),
        pytest.param(
            [
                installed(each, "reconciliation_duration_seconds_bucket", f"0+{n}x60", le=le)
                for each, le, n in (
                    *(("one", "5", 0), ("one", "15", 4), ("one", "+Inf", 4)),
                    *(("two", "5", 4000), ("two", "15", 4000), ("two", "+Inf", 4000)),
                )
            ],
            "30m",
            "AutoscalerCycleLate",
            id="late",
        ),
    ],
)
def test_an_installation_that_is_well_hides_none_that_is_not(
    tmp_path: Path, inputs: list[dict[str, str]], at: str, alert: str
) -> None:
    checked(tmp_path, ALERTS)
    rule = next(r for r in ALERTS["groups"][0]["rules"] if r["alert"] == alert)
    whose = {"namespace": "one", "job": "predictive-autoscaler"}
    expected = {"exp_labels": rule["labels"] | whose, "exp_annotations": rule["annotations"]}

    fires(tmp_path, inputs, at=at, alert=alert, expected=[expected])


@pytest.mark.parametrize(
    ("inputs", "at", "alert"),
    [
        pytest.param(
            [
                *series("status_desired_replicas", "9x60"),
                *series("spec_max_replicas", "9x60"),
                *series("spec_min_replicas", "9x60"),
                *series("mode", "1x60", mode="ForecastAndScale"),
            ],
            "40m",
            "AutoscalerAtMaxReplicas",
            id="pinned",
        ),
        pytest.param(
            [
                *series("status_desired_replicas", "9x60"),
                *series("spec_max_replicas", "9x60"),
                *series("spec_min_replicas", "2x60"),
                *series("mode", "1x60", mode="ForecastOnly"),
            ],
            "40m",
            "AutoscalerAtMaxReplicas",
            id="only watched",
        ),
        pytest.param(
            series("reason", "1x300 stale", reason="MetricsPartialHold"),
            "400m",
            "AutoscalerMetricsPartial",
            id="partial for a while",
        ),
        pytest.param(
            [
                *AT_THE_LEAST,
                *doubtful("RequestRate statsd", "0"),
                *series("load", "0.2x600", metric="ContainerResource app cpu"),
            ],
            "600m",
            "AutoscalerMetricsPartial",
            id="a statsd sender that rests all night, at the least",
        ),
        pytest.param(
            [
                *AT_THE_LEAST,
                *doubtful("RequestRate statsd", "0"),
                *doubtful("RequestRate statsd 2", "0"),
                *doubtful("RequestRate linkerd", "0", reason="CapacityUnknownHold"),
            ],
            "600m",
            "AutoscalerMetricsPartial",
            id="two of them, beside a capacity that is still to be learned",
        ),
        pytest.param(
            series("mode", "1x400", mode="ForecastOnly"),
            "10d",
            "AutoscalerForecastOnlyLeftOn",
            id="watched for ten days",
        ),
        pytest.param(
            series("mode", "1x380 stale", mode="ForecastOnly"),
            "16d",
            "AutoscalerForecastOnlyLeftOn",
            id="acting since",
        ),
        pytest.param(
            [ours("role", "1x60", role=role) for role in ("active", "standby")],
            "30m",
            "AutoscalerNobodyActs",
            id="one acts",
        ),
        pytest.param(
            [ours("policy_failures_total", "7x60")], "30m", "AutoscalerPolicyFailing", id="long ago"
        ),
        pytest.param(
            [ours("policy_problems", "1x20 0x40")], "30m", "AutoscalerPolicyRefused", id="mended"
        ),
        pytest.param(
            [ours("role", "1x60", role="dry run")], "30m", "AutoscalerNobodyActs", id="dry run"
        ),
    ],
)
def test_an_alert_is_silent_otherwise(
    tmp_path: Path, inputs: list[dict[str, str]], at: str, alert: str
) -> None:
    checked(tmp_path, ALERTS)

    fires(tmp_path, inputs, at=at, alert=alert, expected=[])


def test_what_the_ready_pods_carry_is_told_beside_a_replica_that_is_warm(tmp_path: Path) -> None:
    [carried] = [e for e in asked_in_dashboard() if "autoscaler_capacity" in e]
    inputs = [
        *series("capacity", "120x9", kind="Deployment", metric="m"),
        *series("status_ready_replicas", "3x9", kind="Deployment"),
    ]
    labels = '{kind="Deployment",metric="m",name="a",namespace="shop"}'
    samples = [{"labels": labels, "value": 360}]
    asked = {"expr": carried, "eval_time": "5m", "exp_samples": samples}

    passes(tmp_path, {"interval": "1m", "input_series": inputs, "promql_expr_test": [asked]})


def fires(
    folder: Path, inputs: list[dict[str, str]], *, at: str, alert: str, expected: list[object]
) -> None:
    step = "1h" if at.endswith("d") else "1m"
    fired = {"eval_time": at, "alertname": alert, "exp_alerts": expected}
    passes(folder, {"interval": step, "input_series": inputs, "alert_rule_test": [fired]})


def passes(folder: Path, test: dict[str, Any]) -> None:
    """Let promtool run one test over the rules that are in the folder."""
    rules = [file.name for file in folder.glob("rules.yaml")]
    whole = {"rule_files": rules, "evaluation_interval": test["interval"], "tests": [test]}
    (folder / "test.yaml").write_text(yaml.safe_dump(whole))
    done = subprocess.run(
        ["promtool", "test", "rules", "test.yaml"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
