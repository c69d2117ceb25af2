import json
import re
from types import SimpleNamespace

import pytest

from autoscaler.cli import main
from autoscaler.commands import status
from autoscaler.commands.status import status_table
from autoscaler.decide.facts import TargetRef
from autoscaler.review.latest import LatestRecords
from autoscaler.review.overview import Overview
from autoscaler.review.routes import Response
from autoscaler.review.server import serve_page, start_server
from review.records import NOW, decided, missing, policy, record

COLUMNS = [
    "STATE", "MODE", "TRUST", "LOAD", "FORECAST", "MINPODS", "MAXPODS", "READY", "REPLICAS",
    "REASON",
]  # fmt: skip


@pytest.fixture
def latest():
    latest = LatestRecords()
    latest.keep(record(10, 10, target=TargetRef("shop", "calm")))
    latest.keep(decided(spec=policy(maxReplicas=12), ready=9))
    latest.keep(missing(TargetRef("shop", "gone")))
    return latest


@pytest.fixture
def url(latest):
    server = serve_page(latest)
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_it_is_a_table_as_kubectl_prints_them(url, capsys):
    assert main(["status", "--url", url]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split("   ")[0].strip() for line in lines] == [
        "REFERENCE",
        "Deployment/shop/gone",
        "Deployment/shop/checkout",
        "Deployment/shop/calm",
        "3 policies, decided 2026-11-23 09:00:00 UTC",
    ]
    assert re.split(" {3,}", lines[0])[1:] == COLUMNS
    assert re.split(" {3,}", lines[1])[4:10] == ["<unknown>"] * 6
    assert re.split(" {3,}", lines[2])[1:] == [
        "capped", "ForecastAndScale", "Trusted", "1200", "1600 in 2m", "2", "12", "9", "10 -> 12",
        "TooManyReplicas",
    ]  # fmt: skip
    assert lines[0].index("STATE") == lines[1].index("not found")


@pytest.mark.parametrize("part", ["calm", "shop/calm", "Deployment/shop/calm"])
def test_a_workload_is_found_by_its_reference_as_by_part_of_its_name(url, capsys, part):
    main(["status", "--url", url, part])

    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()[1:]] == [
        "Deployment/shop/calm",
        "1",
    ]


def test_wide_says_why(url, capsys):
    main(["status", "--url", url, "--output", "wide", "checkout"])

    assert "maxReplicas caps it at 12" in capsys.readouterr().out


def test_json_is_what_the_daemon_answered(url, capsys, latest):
    main(["status", "--url", url, "--output", "json", "--attention", "calm"])

    told = json.loads(capsys.readouterr().out)
    assert told == json.loads(json.dumps(Overview(latest).page({"attention": "calm"})))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["nobody"], "No policy matches."),
        (["--limit", "1"], "1 of 3 policies, decided 2026-11-23 09:00:00 UTC; --limit shows more"),
    ],
)
def test_what_is_not_shown_is_said(url, capsys, arguments, expected):
    main(["status", "--url", url, *arguments])

    assert capsys.readouterr().out.splitlines()[-1] == expected


def test_watch_asks_again_at_its_own_interval_until_interrupted(url, capsys, monkeypatch):
    paused = []

    def pause(seconds):
        paused.append(seconds)
        if len(paused) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(status, "time", SimpleNamespace(sleep=pause))
    code = main(["status", "--url", url, "--watch", "--watch-interval", "2s"])

    assert (code, paused) == (0, [2, 2, 2])
    assert capsys.readouterr().out.count("REFERENCE") == 3


def test_before_the_first_reconcile_it_says_so():
    assert status_table(Overview(LatestRecords()).page({})) == "No policy has been decided yet."


def test_a_cycle_without_policies_is_told_apart():
    latest = LatestRecords()
    latest.note_cycle(NOW)

    assert status_table(Overview(latest).page({})) == "No policy is in force."


@pytest.mark.parametrize(
    ("n_records", "told"),
    [
        (0, "No policy has been decided yet; not live: the demo's days are over."),
        (1, "1 policy, decided 2026-11-23 09:00:00 UTC; not live: the demo's days are over"),
    ],
)
def test_a_daemon_that_decides_no_more_is_told(n_records, told):
    latest = LatestRecords()
    for _ in range(n_records):
        latest.keep(record())
    latest.ended = "the demo's days are over"

    assert status_table(Overview(latest).page({})).splitlines()[-1] == told


@pytest.mark.parametrize("n_records", [0, 1])
def test_a_replica_that_writes_nothing_says_why(n_records):
    latest = LatestRecords()
    for _ in range(n_records):
        latest.keep(record())
    latest.held_back = lambda: "standby: alpha leads"

    lines = status_table(Overview(latest).page({})).splitlines()

    assert lines[-1] == "This replica writes nothing: standby: alpha leads."
    assert len(lines) == 2 + 2 * n_records


@pytest.mark.parametrize("n_records", [0, 1])
def test_a_policy_that_is_refused_is_told_below_those_in_force(n_records):
    latest = LatestRecords()
    for _ in range(n_records):
        latest.keep(record())
    latest.policy_problems = lambda: frozenset(
        {"shop/sale[cart]: minReplicas: 'few' is no whole number"}
    )

    lines = status_table(Overview(latest).page({})).splitlines()

    assert lines[1 + 2 * n_records :] == [
        "A policy is refused: shop/sale[cart]: minReplicas: 'few' is no whole number"
    ]


def test_of_very_many_that_are_refused_some_are_told():
    latest = LatestRecords()
    latest.policy_problems = lambda: frozenset(f"policy {n:02d}: no YAML" for n in range(23))

    told = Overview(latest).page({})["policy_problems"]

    assert len(told) == 21
    assert told[0] == "A policy is refused: policy 00: no YAML"
    assert told[-1] == "3 more are refused, see the log."


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--url", "http://127.0.0.1:1"], "http://127.0.0.1:1: "),
    ],
)
def test_a_daemon_that_does_not_answer_is_named(capsys, arguments, complaint):
    assert main(["status", *arguments]) == 1
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("body", [b"<html>", b"[]", b'{"status": "success"}', b"\xff"])
def test_somebody_else_who_answers_there_is_told_apart(capsys, body):
    server = start_server({"/api/policies": lambda _: Response(body)}, port=0, host="127.0.0.1")

    code = main(["status", "--url", f"http://127.0.0.1:{server.server_port}"])

    server.shutdown()
    server.server_close()
    assert code == 1
    assert "something else than the daemon answers there" in capsys.readouterr().err


def test_a_page_that_is_no_daemon_s_is_told_on_one_line(capsys):
    server = start_server({}, port=0, host="127.0.0.1")
    url = f"http://127.0.0.1:{server.server_port}"

    code = main(["status", "--url", url])

    server.shutdown()
    server.server_close()
    assert code == 1
    assert capsys.readouterr().err == (
        f"autoscaler status: {url}: HTTP 404 'not found': something else than the daemon "
        "answers there; its metrics port is 8080\n"
    )


def test_a_wrong_state_is_refused_with_the_ones_there_are(url, capsys):
    assert main(["status", "--url", url, "--attention", "bored"]) == 2
    assert "attention is one of refused, not found" in capsys.readouterr().err
