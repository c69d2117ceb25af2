import json

import pytest

from autoscaler.cli import main, parser

POLICY = """\
scaleTargetRef: {name: checkout}
maxReplicas: 50
metrics:
  - type: RequestRate
    requestRate: {source: linkerd, target: {averageValue: "100"}}
"""


@pytest.fixture
def policy(tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


@pytest.fixture
def trace(tmp_path):
    path = tmp_path / "trace.csv"
    rows = [f"{1_700_000_000 + 60 * i},{500 + 100 * (i % 30 > 15)}" for i in range(120)]
    path.write_text("\n".join(["timestamp,value", *rows]) + "\n")
    return path


def test_a_flag_may_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("AUTOSCALER_INTERVAL", "30s")
    monkeypatch.setenv("AUTOSCALER_ONCE", "true")

    arguments = parser().parse_args(["run"])

    assert (arguments.interval.total_seconds(), arguments.once) == (30, True)


def test_a_flag_on_the_command_line_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("AUTOSCALER_INTERVAL", "30s")

    assert parser().parse_args(["run", "--interval", "5s"]).interval.total_seconds() == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["run", "--interval", "soon"], "'soon' is not a duration", id="duration"),
        pytest.param(["demo", "--days", "-1"], "'-1' is not a number above 0", id="days"),
        pytest.param(["demo", "--risk", "much"], "'much' is not a share", id="risk"),
        pytest.param(["run", "--metrics-port", "99999"], "not a port from 0", id="port"),
        pytest.param([], "required: COMMAND", id="no command"),
    ],
)
def test_a_wrong_flag_is_named_with_its_value(arguments, complaint, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    assert stopped.value.code == 2
    assert complaint in capsys.readouterr().err


def test_validate_accepts_a_good_policy(policy, capsys):
    assert main(["validate", str(policy)]) == 0
    assert "Deployment checkout is valid" in capsys.readouterr().out


def test_validate_shows_the_defaults_in_force(policy, capsys):
    main(["validate", "--show", str(policy)])

    assert "stabilizationWindowSeconds: 300" in capsys.readouterr().out


def test_validate_names_every_mistake_and_exits_with_2(tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text(POLICY.replace("50", "0") + "minReplicas: few\n")

    code = main(["validate", str(path)])

    complaint = capsys.readouterr().err
    assert code == 2
    assert "maxReplicas" in complaint
    assert "minReplicas" in complaint


def test_replay_writes_one_row_per_tick(policy, trace, tmp_path, capsys):
    out = tmp_path / "out.csv"

    code = main(["replay", "--policy", str(policy), "--trace", str(trace), "--decisions", str(out)])

    header, *rows = out.read_text().splitlines()
    assert code == 0
    assert header == "timestamp,replicas"
    assert len(rows) == 120 * 4
    assert rows[0].startswith("1700000000,")
    told = " ".join(capsys.readouterr().out.split())
    assert "clairvoyant" in told
    assert "A plain HPA does as well." in told or "the HPA tuned in hindsight" in told


def test_replay_answers_in_json(policy, trace, capsys):
    main(["replay", "--policy", str(policy), "--trace", str(trace), "--output", "json"])

    answer = json.loads(capsys.readouterr().out)
    assert answer["risk"] == 0.01
    assert set(answer["ours"]) == {"slow", "overload", "cost", "rescales_per_hour"}


@pytest.mark.parametrize(
    ("flag", "content", "complaint"),
    [
        pytest.param("--trace", "timestamp,value\n1,x\n", "value 'x' is not a number", id="trace"),
        pytest.param("--trace", None, "cannot be read", id="no such trace"),
        pytest.param("--policy", "maxReplicas: 5\n", "scaleTargetRef", id="policy"),
        pytest.param("--policy", None, "cannot be read", id="no such policy"),
    ],
)
def test_replay_names_what_it_cannot_read(
    flag, content, complaint, policy, trace, tmp_path, capsys
):
    bad = tmp_path / "bad.csv"
    if content is not None:
        bad.write_text(content)
    files = {"--policy": str(policy), "--trace": str(trace), flag: str(bad)}

    code = main(["replay", *(word for pair in files.items() for word in pair)])

    error = capsys.readouterr().err
    assert code == 2
    assert str(bad) in error
    assert complaint in error


def test_a_decisions_file_that_cannot_be_written_is_named(policy, trace, tmp_path, capsys):
    out = tmp_path / "no" / "such" / "folder.csv"

    code = main(["replay", "--policy", str(policy), "--trace", str(trace), "--decisions", str(out)])

    assert code == 2
    assert f"{out}: cannot be written" in capsys.readouterr().err


def test_the_demo_ends_with_the_comparison(capsys):
    code = main(["demo", "--port", "0", "--days", "0.02"])

    shown = capsys.readouterr().out
    assert code == 0
    for word in (
        "checkout",
        "autoscaler",
        "HPA, CPU at 70%",
        "HPA tuned to our cost",
        "slow",
        "cost",
        "rescales/h",
    ):
        assert word in shown


def test_the_log_of_the_demo_is_json_alone_and_can_be_explained(tmp_path, capsys):
    code = main(["demo", "--port", "0", "--days", "0.02", "--log-format", "json"])

    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in out.splitlines()]
    (tmp_path / "demo.log").write_text(out)
    assert code == 0
    assert {line["target"]["name"] for line in lines} == {"checkout", "catalog", "tickets"}
    assert not all(line["rescaled"] for line in lines)
    assert "HPA tuned to our cost" in err
    assert main(["explain", "shop/catalog", "--log", str(tmp_path / "demo.log")]) == 0


def test_the_demo_with_a_seed_repeats_itself(capsys):
    main(["demo", "--port", "0", "--days", "0.02", "--seed", "3"])
    first = capsys.readouterr().out
    main(["demo", "--port", "0", "--days", "0.02", "--seed", "3"])

    assert capsys.readouterr().out == first


def test_sources_lists_what_a_policy_may_name(capsys):
    assert main(["sources", "--output", "json"]) == 0

    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert {"linkerd", "linkerd1", "istio", "ingress-nginx", "cpu"} <= names


def test_a_source_prints_its_promql_ready_to_paste(capsys):
    code = main(["sources", "show", "linkerd", "--namespace", "shop", "--name", "checkout"])

    assert code == 0
    assert 'namespace="shop",deployment="checkout"' in capsys.readouterr().out


def test_a_source_that_does_not_exist_is_told_with_those_that_do(capsys):
    assert main(["sources", "show", "linkerd9"]) == 1

    error = capsys.readouterr().err
    assert "'linkerd9' is not known" in error
    assert "istio" in error


def test_the_doctor_fails_a_policy_whose_prometheus_does_not_answer(policy, capsys):
    address = ["--prometheus-url", "http://127.0.0.1:9", "--prometheus-timeout", "1s"]

    code = main(["doctor", str(policy), *address])

    shown = capsys.readouterr().out
    assert code == 1
    assert "FAIL newest sample" in shown
    assert "check the address" in shown


def test_the_doctor_names_a_wrong_policy(tmp_path, capsys):
    path = tmp_path / "bad.yaml"
    path.write_text(POLICY.replace("50", "0"))

    assert main(["doctor", str(path)]) == 2
    assert "maxReplicas" in capsys.readouterr().err


def test_pairs_that_are_none_are_refused(capsys):
    with pytest.raises(SystemExit):
        main(["run", "--prometheus-history-matchers", "cluster"])

    assert "'cluster' is not NAME=VALUE" in capsys.readouterr().err


def test_several_risks_and_startups_are_a_row_each_and_their_means(policy, trace, capsys):
    several = ["--startup", "30s,120s", "--risk", "1%,10%", "--output"]

    main(["replay", "--policy", str(policy), "--trace", str(trace), *several, "csv"])
    header, *rows = capsys.readouterr().out.splitlines()
    main(["replay", "--policy", str(policy), "--trace", str(trace), *several, "table"])

    assert header.startswith("trace,startup_seconds,risk,slow,")
    assert [row.split(",")[1:3] for row in rows] == [
        ["30.0", "0.01"],
        ["30.0", "0.1"],
        ["120.0", "0.01"],
        ["120.0", "0.1"],
    ]
    assert "mean of 1" in capsys.readouterr().out


def test_decisions_are_of_one_replay(policy, trace, tmp_path, capsys):
    one_file = ["--decisions", str(tmp_path / "out.csv"), "--risk", "1%,10%"]

    assert main(["replay", "--policy", str(policy), "--trace", str(trace), *one_file]) == 2
    assert "one trace, one start-up and one risk" in capsys.readouterr().err


def test_a_replay_needs_a_load(policy, capsys):
    assert main(["replay", "--policy", str(policy)]) == 2
    assert "--trace, or --days" in capsys.readouterr().err
