import yaml

from autoscaler.cli import main
from autoscaler.policy.schema import Mode, WorkloadPolicy


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


def test_a_query_of_ones_own_takes_the_place_of_the_source(tmp_path, capsys):
    rows = [f"{1_764_547_200 + 60 * k},50" for k in range(60)]
    (tmp_path / "t.csv").write_text("\n".join(["timestamp,value", *rows]))

    main(
        ["recommend", "--trace", str(tmp_path / "t.csv"), "--name", "api",
         "--capacity", "10", "--query", "sum(rate(http_requests_total[1m]))"]
    )  # fmt: skip

    policy = WorkloadPolicy.model_validate(yaml.safe_load(capsys.readouterr().out))
    assert policy.metrics[0].request_rate.query == "sum(rate(http_requests_total[1m]))"
