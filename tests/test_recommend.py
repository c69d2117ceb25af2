import json

import numpy as np
import pytest
import yaml

from autoscaler.cli import main
from autoscaler.commands.proposal import learned_from
from autoscaler.commands.recorded import recorded
from autoscaler.decide.facts import TargetRef
from autoscaler.metrics.findings import DOUBTFUL
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.workload_past import query_metric
from autoscaler.policy.schema import Mode, WorkloadPolicy
from support.prometheus_stub import PrometheusStub, Reply


def test_a_recorded_load_becomes_a_policy_with_its_reasons(tmp_path, capsys):
    rows = [f"{1_764_547_200 + 60 * k},{500 + 300 * (k % 240 > 120)}" for k in range(480)]
    (tmp_path / "shop.csv").write_text("\n".join(["timestamp,value", *rows]))

    code = main(
        ["recommend", "--trace", str(tmp_path / "shop.csv"), "--name", "checkout",
         "--capacity", "100", "--startup", "60s"]
    )  # fmt: skip

    out = capsys.readouterr().out
    policy = WorkloadPolicy.model_validate(yaml.safe_load(out))
    assert code == 0
    assert (policy.min_replicas, policy.max_replicas, policy.mode) == (5, 16, Mode.FORECAST_ONLY)
    assert policy.metrics[0].request_rate.target.average_value == 100
    assert out.count("<- the knee") == 1
    assert f"{policy.forecast.risk * 100:g}%" in out
    assert max(map(len, out.splitlines())) <= 92


def test_a_query_of_ones_own_takes_the_place_of_the_source(tmp_path, capsys):
    rows = [f"{1_764_547_200 + 60 * k},50" for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["timestamp,value", *rows]))

    main(
        ["recommend", "--trace", str(tmp_path / "t.csv"), "--name", "api",
         "--capacity", "10", "--query", "sum(rate(http_requests_total[1m]))"]
    )  # fmt: skip

    policy = WorkloadPolicy.model_validate(yaml.safe_load(capsys.readouterr().out))
    assert policy.metrics[0].request_rate.query == "sum(rate(http_requests_total[1m]))"


def test_a_recording_does_not_tell_what_a_pod_carries(tmp_path, capsys):
    (tmp_path / "t.csv").write_text("timestamp,value\n0,1\n60,1\n")

    code = main(["recommend", "--trace", str(tmp_path / "t.csv"), "--name", "api"])

    assert code == 2
    assert "give --capacity" in capsys.readouterr().err


def test_what_a_pod_carries_is_learned_from_minutes_in_which_the_pods_were_settled():
    pods = np.repeat([2.0, 4.0], 240)
    load = 300 + 100 * np.sin(np.arange(480) / 40)
    cores = 0.1 * pods + 0.001 * load
    cores[240:242] += 3.0  # new pods warm up
    load[100:120], pods[300:310] = np.nan, np.nan

    learned = learned_from(load, cores, pods, request_cores=1.0)

    assert learned.per_pod == pytest.approx((0.7 - 0.1) / 0.001, rel=0.02)


def test_too_few_minutes_teach_nothing():
    few = np.ones(20)

    assert learned_from(few, few, few, request_cores=1.0) is None


def test_a_prometheus_that_does_not_answer_is_not_asked_about_every_source(capsys):
    stub = PrometheusStub()
    stub.reply = lambda _: Reply(502, b"<html>Bad Gateway</html>")

    code = main(
        ["recommend", "--namespace", "shop", "--name", "api", "--prometheus-url", stub.url]
    )  # fmt: skip

    stub.stop()
    assert code == 1
    assert len({asked.promql for asked in stub.asked}) == 1
    assert "502" in (told := capsys.readouterr().err)
    assert "does --prometheus-url say where Prometheus is?" in told


def test_a_past_that_prometheus_warns_of_is_told_once(capsys):
    stub, data = PrometheusStub(), {"resultType": "matrix", "result": []}
    body = {"status": "success", "data": data, "warnings": ["a store is away"]}
    stub.reply = lambda _: Reply(body=json.dumps(body).encode())

    with recorded(PrometheusSettings(stub.url), TargetRef("shop", "api")) as past:
        for _ in range(2):
            past.load(query_metric("sum(hits)"), days=0.05)
    stub.stop()

    assert capsys.readouterr().err.splitlines() == [f"shop/api: {DOUBTFUL}"]
