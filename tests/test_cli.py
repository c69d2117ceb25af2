import contextlib
import io
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

import pytest

from autoscaler.cli import main, parser
from autoscaler.commands import demo as demo_command
from autoscaler.commands.examples import EXAMPLES
from autoscaler.metrics.catalogue import source_table
from autoscaler.policy.files import checked_files
from autoscaler.review.attention import Attention

COMMANDS = (
    "convert",
    "demo",
    "doctor",
    "explain",
    "recommend",
    "replay",
    "run",
    "schema",
    "sources",
    "status",
    "validate",
)
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


def test_what_a_daemon_is_told_of_its_cycles_is_not_how_often_status_asks(monkeypatch):
    monkeypatch.setenv("AUTOSCALER_INTERVAL", "1h")

    assert parser().parse_args(["status", "--watch"]).watch_interval.total_seconds() == 5


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        pytest.param(["status", "--interval", "9s"], "unrecognized arguments", id="of a daemon"),
        pytest.param(["run", "--interval", "soon"], "'soon' is not a duration", id="duration"),
        pytest.param(["demo", "--days", "-1"], "'-1' is not a number above 0", id="days"),
        pytest.param(["demo", "--days", "1_0"], "'1_0' is not a number above 0", id="Python's 10"),
        pytest.param(["demo", "--days", "\uff11"], "is not a number above 0", id="wide digit"),
        pytest.param(["demo", "--days", "nan"], "'nan' is not a number above 0", id="not a number"),
        pytest.param(["demo", "--risk", "1_0%"], "'1_0%' is not a share", id="not 1.0%"),
        pytest.param(["demo", "--risk", "much"], "'much' is not a share", id="risk"),
        pytest.param(["run", "--metrics-port", "99999"], "not a port from 0", id="port"),
        pytest.param(["run", "--interval", "0s"], "'0s' is not above 0s", id="no interval"),
        pytest.param(["demo", "--seed", "-5"], "'-5' is not a number from 0", id="seed"),
        pytest.param(["demo", "--days", "1e9"], "'1e9' is more than 366 days", id="too long"),
        pytest.param(["demo", "--startup", "30d"], "'30d' is above 1h", id="slow start-up"),
        pytest.param(
            ["demo", "--risk", "0"], "'0' is not between 0.05% and 50%", id="a risk no policy has"
        ),
        pytest.param(
            ["run", "--log-format", "xml"], "'xml' is not one of json, text", id="unknown format"
        ),
        pytest.param(
            ["run", "--prometheus-url", "prometheus:9090"],
            "'prometheus:9090' begins with none of http://, https://, dns+srv://, consul://",
            id="no scheme",
        ),
        pytest.param(
            ["run", "--prometheus-url", "http://a:9090,http://b:99999"],
            "is no URL: Port out of range 0-65535",
            id="one of several servers",
        ),
        pytest.param(["status", "--url", "http://[::1"], "is no URL: Invalid IPv6", id="bracket"),
        pytest.param(["status", "--url", "file:///etc/passwd"], "begins with none of", id="file"),
        pytest.param(["run", "--prometheus-url", "dns+srv://"], "names no server", id="no name"),
        pytest.param(
            ["validate", "--shwo", "p"], "--shwo (see autoscaler validate --help)", id="no flag"
        ),
        pytest.param(["status", "--limit", "1e9"], "'1e9' is not a number from 1 to 500", id="all"),
        pytest.param(
            ["recommend", "--name", "a", "--source", "linkred"],
            "not one of consul-mesh",
            id="source",
        ),
        pytest.param(
            ["replay", "--policy", "p", "--workers", "many"], "'many' is neither", id="workers"
        ),
        pytest.param(
            ["sources", "--label", "a-b=c"], "'a-b=c' is not NAME=VALUE", id="no label name"
        ),
    ],
)
def test_a_wrong_flag_is_named_with_its_value(arguments, complaint, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(arguments)

    told = capsys.readouterr().err
    assert stopped.value.code == 2
    assert complaint in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        pytest.param("DRY_RUN", "maybe", "'maybe' is neither true nor false", id="a switch"),
        pytest.param("LOG_LEVEL", "loud", "'loud' is not one of debug, info", id="a word"),
        pytest.param("METRICS_PORT", "tcp://10.0.0.1:80", "is not a port", id="a Service's own"),
    ],
)
def test_a_wrong_variable_is_named_with_its_value(monkeypatch, variable, value, complaint, capsys):
    monkeypatch.setenv(f"AUTOSCALER_{variable}", value)

    with pytest.raises(SystemExit) as stopped:
        main(["run"])

    told = capsys.readouterr().err
    assert stopped.value.code == 2
    assert complaint in told
    assert told.split(" (see")[0].endswith(f", in AUTOSCALER_{variable}")


def test_another_command_s_wrong_variable_is_no_hindrance(monkeypatch, policy):
    monkeypatch.setenv("AUTOSCALER_DAYS", "x")

    assert main(["validate", str(policy)]) == 0


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        pytest.param(["--report", "no/such/r.html"], "no folder no/such", id="report"),
        pytest.param(["--picture", "no/such/p.svg"], "no folder no/such", id="picture"),
        pytest.param(["--decisions", "."], ".: cannot be written: it is a folder", id="folder"),
        pytest.param(["--days", "3"], "--trace and --days: give one of them", id="two loads"),
        pytest.param(["--decisions", "TRACE"], "would be overwritten", id="over the recording"),
        pytest.param(["--report", "POLICY"], "would be overwritten", id="over the policy"),
    ],
)
def test_what_a_replay_could_not_keep_is_told_before_it_is_played(
    policy, trace, flags, complaint, capsys
):
    names = {"TRACE": str(trace), "POLICY": str(policy)}
    flags = [names.get(flag, flag) for flag in flags]

    assert main(["replay", "--policy", str(policy), "--trace", str(trace), *flags]) == 2

    told = capsys.readouterr()
    assert complaint in told.err
    assert told.out == ""


def test_a_load_in_another_unit_is_told(policy, tmp_path, capsys):
    path = tmp_path / "bytes.csv"
    path.write_text("timestamp,value\n0,1e300\n60,1e300\n")

    assert main(["replay", "--policy", str(policy), "--trace", str(path)]) == 2
    assert "bytes.csv: its highest value 1e+300 is more than 1e+09 pods" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        pytest.param(
            ["--name", "Bad Name"], "scaleTargetRef.name: 'Bad Name' is no name", id="name"
        ),
        pytest.param(
            ["--name", "a", "--capacity", "1e-9"], "must be at most 100000", id="capacity"
        ),
        pytest.param(
            ["--name", "a", "--source", "linkerd", "--query", "up"], "give one of them", id="both"
        ),
    ],
)
def test_a_policy_that_could_not_be_pasted_is_not_proposed(trace, flags, complaint, capsys):
    assert main(["recommend", "--trace", str(trace), "--capacity", "100", *flags]) == 2

    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("command", ["", *COMMANDS])
@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_help_fits_the_terminal_and_breaks_no_variable(monkeypatch, capsys, command, columns):
    monkeypatch.setenv("COLUMNS", str(columns))

    with pytest.raises(SystemExit):
        parser().parse_args([*command.split(), "--help"])

    told = capsys.readouterr().out
    assert [line for line in told.splitlines() if len(line) > columns] == []
    assert re.findall(r"\[AUTOSCALER_[A-Z_]*$", told, re.MULTILINE) == []
    assert told.startswith(f"usage: autoscaler {command + ' ' if command else ''}[OPTION ...]")


@pytest.mark.parametrize("command", COMMANDS)
def test_what_a_command_does_stands_on_one_line_of_the_list_and_in_its_own_help(capsys, command):
    for asked in ([], [command]):
        with pytest.raises(SystemExit):
            parser().parse_args([*asked, "--help"])
    everything, own = capsys.readouterr().out.split(f"usage: autoscaler {command} ")

    (told,) = re.findall(rf"^    {command} +(.*)$", everything, re.MULTILINE)
    assert f"\n\n{told[0].upper()}{told[1:]}.\n\n" in own


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_the_help_says_what_the_exit_codes_mean(capsys, command):
    with pytest.raises(SystemExit):
        parser().parse_args([*command.split(), "--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert told.endswith("0 done, 1 failed and said why, 2 wrong input, 130 interrupted.")


def test_the_help_of_status_names_every_state(capsys):
    with pytest.raises(SystemExit):
        parser().parse_args(["status", "--help"])

    told = " ".join(capsys.readouterr().out.split())
    assert f"that are {', '.join(Attention)}".replace(", calm", " or calm") in told


def test_who_names_no_command_is_told_which_there_are(capsys):
    assert main([]) == 2

    told = capsys.readouterr()
    assert told.out == ""
    assert re.findall(r"^    (\w+) ", told.err, re.MULTILINE) == list(EXAMPLES)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_has_examples_that_it_understands(monkeypatch, capsys, command):
    monkeypatch.setenv("COLUMNS", "120")
    with pytest.raises(SystemExit):
        parser().parse_args([command, "--help"])
    shown = capsys.readouterr().out.partition("\nExamples:\n")[2].partition("\n\n")[0]

    typed = re.findall(rf"autoscaler ({command}\b[^>\n]*)", shown)
    assert len(typed) == len(EXAMPLES[command]) == len(shown.splitlines())
    for line in typed:
        assert parser().parse_args(shlex.split(line)).command == command


def test_a_taken_port_is_told_with_the_way_out(capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        assert main(["demo", "--days", "0.01", "--port", str(port)]) == 1

    told = capsys.readouterr().err
    assert f"port {port}: Address already in use; without --port the page takes a free one" in told


def test_validate_accepts_a_good_policy(policy, capsys):
    assert main(["validate", str(policy)]) == 0
    assert "Deployment checkout is valid" in capsys.readouterr().out


def test_validate_shows_the_defaults_in_force(policy, capsys):
    main(["validate", "--show", str(policy)])

    shown = capsys.readouterr().out
    assert "stabilizationWindowSeconds: 300" in shown
    assert "leadTime: auto" in shown
    assert "null" not in shown


def test_what_validate_shows_can_be_pasted(policy, tmp_path, capsys):
    main(["validate", "--show", str(policy)])
    (pasted := tmp_path / "pasted.yaml").write_text(capsys.readouterr().out)

    pasted_policies, policies = (checked_files([path]).policies for path in (pasted, policy))
    assert list(pasted_policies.values()) == list(policies.values())


def test_validate_warns_of_a_bound_that_cannot_hold_and_accepts_the_policy(tmp_path, capsys):
    path = tmp_path / "sale.yaml"
    sale = "{name: sale, start: '0 8 * * *', end: '0 20 * * *', minReplicas: 90}"
    path.write_text(f"{POLICY}schedule: [{sale}]\n")

    assert main(["validate", str(path)]) == 0

    told = capsys.readouterr()
    assert "Deployment checkout is valid" in told.out
    assert told.err == (
        f"warning: {path}: schedule[0].minReplicas: 90 is above maxReplicas 50, which caps it\n"
    )


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
    assert answer["elasticity"]["under_time"] == answer["ours"]["slow"]


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


def demo_shown(*flags):
    """Return how a short demo ended, what it logged, and what it showed beside."""
    command = ["demo", "--days", "0.02", "--seed", "3", "--log-format", "json", *flags]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(command)
    return code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def demo():
    return demo_shown("--port", "0")


def test_the_demo_ends_with_the_comparison(demo):
    code, _, shown = demo

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


def test_the_log_of_the_demo_is_json_alone_and_can_be_explained(tmp_path, demo):
    _, out, _ = demo
    logged = [json.loads(line) for line in out.splitlines()]
    lines = [line for line in logged if line["msg"] == "scale_decision"]
    (tmp_path / "demo.log").write_text(out)

    assert {line["msg"] for line in logged} == {"policies_changed", "scale_decision"}
    assert {line["target"]["name"] for line in lines} == {"checkout", "catalog", "tickets"}
    assert not all(line["rescaled"] for line in lines)
    assert {line["ts"][:10] for line in logged} == {"2026-11-20"}
    assert main(["explain", "shop/catalog", "--log", str(tmp_path / "demo.log")]) == 0


def test_a_demo_beside_another_takes_a_free_port_and_with_its_seed_repeats_it(monkeypatch, demo):
    with socket.create_server(("127.0.0.1", 0)) as server:
        taken = server.getsockname()[1]
        monkeypatch.setattr(demo_command, "USUAL_PORT", taken)

        code, out, err = demo_shown()

    told, page, *shown = err.splitlines()
    assert told == f"port {taken} is taken, perhaps by another demo"
    assert re.fullmatch(rf"the page: http://127.0.0.1:(?!{taken})\d+/", page)
    assert (code, out, shown) == (demo[0], demo[1], demo[2].splitlines()[1:])


def test_sources_lists_what_a_policy_may_name(capsys):
    assert main(["sources", "--output", "json"]) == 0

    names = {row["name"] for row in json.loads(capsys.readouterr().out)}
    assert {"linkerd", "linkerd1", "istio", "ingress-nginx", "cpu"} <= names


def test_the_table_of_sources_breaks_no_name_on_a_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    main(["sources"])

    table = capsys.readouterr().out
    told = [
        f"{name}={value} " for row in source_table() for name, value in row["parameters"].items()
    ]
    assert [each for each in told if each not in table] == []


def test_a_source_prints_its_promql_ready_to_paste(capsys):
    code = main(["sources", "show", "linkerd", "--namespace", "shop", "--name", "checkout"])

    told = capsys.readouterr()
    assert code == 0
    assert 'namespace="shop",deployment="checkout"' in told.out
    assert told.err.startswith("the load is the sum of these")


def test_a_source_that_does_not_exist_is_told_with_those_that_do(capsys):
    assert main(["sources", "show", "linkerd9"]) == 2

    error = capsys.readouterr().err
    assert "'linkerd9' is not known" in error
    assert "istio" in error


def test_the_doctor_fails_a_policy_whose_prometheus_does_not_answer(policy, capsys):
    address = ["--prometheus-url", "http://127.0.0.1:9", "--prometheus-timeout", "1s"]

    code = main(["doctor", str(policy), *address])

    shown = capsys.readouterr().out
    assert code == 1
    assert "FAIL newest sample" in shown
    assert "check Prometheus's address" in shown


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


def test_what_may_be_several_may_also_be_given_several_times(monkeypatch):
    monkeypatch.setenv("AUTOSCALER_TRACE", "default.csv")
    given = ["--trace", "a.csv", "b.csv", "--trace", "c.csv", "--risk", "1%", "--risk", "0.3%,3%"]

    read = parser().parse_args(["replay", "--policy", "p.yaml", *given, "--startup", "60s"])

    assert read.trace == ["a.csv", "b.csv", "c.csv"]
    assert list(read.risk) == pytest.approx([0.01, 0.003, 0.03])
    assert [each.total_seconds() for each in read.startup] == [60.0]


def test_decisions_are_of_one_replay(policy, trace, tmp_path, capsys):
    one_file = ["--decisions", str(tmp_path / "out.csv"), "--risk", "1%,10%"]

    assert main(["replay", "--policy", str(policy), "--trace", str(trace), *one_file]) == 2
    assert "one trace, one start-up and one risk" in capsys.readouterr().err


def test_a_replay_needs_a_load(policy, capsys):
    assert main(["replay", "--policy", str(policy)]) == 2
    assert "--trace, or --days" in capsys.readouterr().err


AUTOSCALER = Path(sys.executable).with_name("autoscaler")


def test_validate_reads_what_kubectl_prints_from_standard_input(policy):
    command = [AUTOSCALER, "validate", "-"]
    ran = subprocess.run(
        command, input=policy.read_text(), capture_output=True, text=True, check=False
    )

    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == "-: Deployment checkout is valid\n"


def test_a_replay_takes_its_workers_down(policy, trace, tmp_path):
    other = tmp_path / "other.csv"
    other.write_text(trace.read_text())
    command = [AUTOSCALER, "replay", "--policy", policy, "--trace", trace, other, "--workers", "2"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (ran.returncode, "leaked" in ran.stderr) == (0, False)


HPA = """\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: checkout}
spec: {scaleTargetRef: {kind: Deployment, name: checkout}, maxReplicas: 60}
"""


def test_what_convert_prints_is_a_config_map_that_validate_accepts(tmp_path):
    command = [AUTOSCALER, "convert", "-", "--namespace", "shop"]
    ran = subprocess.run(command, input=HPA, capture_output=True, text=True, check=False)
    (tmp_path / "policies.yaml").write_text(ran.stdout)

    assert (ran.returncode, ran.stderr) == (0, "")
    assert "\n  checkout.yaml: |\n    # From HorizontalPodAutoscaler shop/checkout.\n" in ran.stdout
    assert checked_files([tmp_path / "policies.yaml"]).problems == ()


def test_convert_prints_what_it_can_and_names_the_rest(tmp_path, capsys):
    path = tmp_path / "hpas.yaml"
    path.write_text(f"{HPA}---\n{HPA.replace('checkout', 'cart').replace('60', '0')}")

    assert main(["convert", str(path)]) == 2

    told = capsys.readouterr()
    assert "checkout.yaml: |" in told.out
    assert told.err == (
        "not converted: HorizontalPodAutoscaler default/cart: maxReplicas: 0 must be at least 1\n"
    )


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("kind: Service\n", "there is no HorizontalPodAutoscaler and no ScaledObject in it"),
        ("a: [\n", "FILE: line 2, column 1: did not find expected node content"),
        (None, "FILE: cannot be read: No such file or directory"),
    ],
)
def test_convert_says_why_it_printed_nothing(text, complaint, tmp_path, capsys):
    path = tmp_path / "hpas.yaml"
    if text is not None:
        path.write_text(text)

    assert main(["convert", str(path)]) == 2

    told = capsys.readouterr().err.replace(str(path), "FILE")
    assert told.startswith(f"autoscaler convert: {complaint}")


def test_a_thousand_hpas_in_one_text_are_converted(tmp_path, capsys):
    path = tmp_path / "hpas.yaml"
    path.write_text("---\n".join(HPA.replace("checkout", f"web-{i}") for i in range(1000)))

    assert main(["convert", str(path)]) == 0
    assert capsys.readouterr().out.count("# From HorizontalPodAutoscaler") == 1000


def test_a_demo_whose_reader_goes_away_ends_without_a_word():
    piped = f"{AUTOSCALER} demo --port 0 --days 0.2 --log-format json | head -1"
    ran = subprocess.run(["bash", "-c", piped], capture_output=True, text=True, check=False)

    assert json.loads(ran.stdout)["msg"] == "policies_changed"
    page, when = ran.stderr.splitlines()
    assert re.fullmatch(r"the page: http://\S+", page)
    assert when == "simulated time: 2026-11-20 07:15 to 2026-11-20 12:03 UTC"


def test_on_a_terminal_no_bar_stands_in_front_of_a_line_of_the_demo():
    ours, theirs = os.openpty()
    command = [AUTOSCALER, "demo", "--port", "0", "--days", "0.02"]
    with subprocess.Popen(command, stdout=theirs, stderr=theirs):
        os.close(theirs)
        told = read_to_the_end(ours)

    assert "-> 9" in told
    assert "living" not in told
    assert "HPA tuned to our cost" in told


@pytest.mark.parametrize("command", ["doctor {}", "replay --days 1 --policy {}"])
def test_on_a_terminal_who_waits_for_prometheus_is_told_so(policy, command):
    ours, theirs = os.openpty()
    asked = [*command.format(policy).split(), "--prometheus-url", "http://127.0.0.1:9"]
    with subprocess.Popen([AUTOSCALER, *asked], stdout=theirs, stderr=theirs):
        os.close(theirs)
        told = read_to_the_end(ours)

    assert "asking Prometheus" in told
    assert "Connection refused" in told.replace("\r\n", " ")


def test_a_page_that_is_kept_says_that_the_days_of_the_demo_are_over():
    command = [AUTOSCALER, "demo", "--port", "0", "--days", "0.02", "--keep"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as demo:
        told = next(line.decode() for line in demo.stderr if b"stays" in line)
        [page] = re.findall(r"http://[\d.:]+/", told)
        with urlopen(f"{page}api/policies") as answer:
            overview = json.load(answer)
        demo.terminate()

    assert overview["silence"] == "the demo's days are over"


def read_to_the_end(terminal):
    """Return what is written to a terminal until its other side is closed."""
    told = b""
    with open(terminal, "rb", buffering=0) as stream, contextlib.suppress(OSError):
        while piece := stream.read(65536):
            told += piece
    return told.decode()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["explain", "--log", "nowhere.log"], id="a log"),
        pytest.param(["run", "--once", "--kubeconfig", "nowhere.yaml"], id="a kubeconfig"),
        pytest.param(["validate", "nowhere.yaml"], id="a policy"),
        pytest.param(["replay", "--policy", "nowhere.yaml", "--days", "1"], id="to replay"),
    ],
)
def test_a_file_that_is_not_there_is_wrong_input(arguments, capsys):
    assert main(arguments) == 2
    assert re.search(r"nowhere\.\w+: .*[Nn]o such file", capsys.readouterr().err)


def test_what_schema_wants_to_be_told_is_said_by_its_word(capsys):
    with pytest.raises(SystemExit):
        main(["schema"])

    assert "the following arguments are required: {policy,decision}" in capsys.readouterr().err


def test_a_disk_without_room_is_told_on_one_line():
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [AUTOSCALER, "schema", "decision"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )

    assert ran.returncode == 1
    assert ran.stderr == "autoscaler schema: cannot write: No space left on device\n"
