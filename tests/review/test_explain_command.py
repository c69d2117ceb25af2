import json
from datetime import timedelta

import pytest

from autoscaler.cli import main
from autoscaler.decide.facts import Doubt, Sample, TargetRef, Trust
from autoscaler.decide.reason import Reason
from autoscaler.metrics.targets_down import DOWN_UNKNOWN, Down, told_down
from autoscaler.metrics.unscraped_pods import unscraped
from autoscaler.remedies import END_OF, REMEDY, remedy
from review.records import NOW, UNROUTABLE, decided, missing, policy, record, signal, workload

SEARCH = TargetRef("api", "search")


def at(minutes, *arguments, **changes):
    return record(*arguments, at=NOW + timedelta(minutes=minutes), **changes)


HELD = record(
    20,
    20,
    (Reason.SCALE_DOWN_STABILIZED, 14, 20),
    recommended=14,
    reason=Reason.ALL_BELOW_TARGET,
)
LOG = (
    at(0, 10, 10),
    at(10, 10, 14),
    at(11, 14, 14, (Reason.COOLDOWN_ACTIVE, 12, 14)),
    at(16, 14, 12),
    at(20, 12, 12),
    at(20, 5, 5, target=SEARCH, trust=Trust.DEMOTED),
)


@pytest.fixture
def explained(tmp_path, capsys):
    path = tmp_path / "log"
    path.write_text("\n".join(json.dumps(one.as_dict()) for one in LOG))

    def run(*arguments, records=None):
        if records is not None:
            path.write_text("\n".join(json.dumps(one.as_dict()) for one in records))
        code = main(["explain", "--log", str(path), *arguments])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def test_a_sentence_comes_first_and_then_the_chain_of_numbers(explained):
    code, out, _ = explained("shop/checkout", records=[HELD])

    assert code == 0
    assert out.splitlines() == [
        "At 2026-11-23 09:00:00 UTC shop/checkout kept 20 replicas: the scale-down "
        "stabilization window holds 20, more than is needed: requestRate linkerd, now 1200, may "
        "reach 1600 in 2m (risk 1%), which needs 14 at 120 per pod.",
        "  metric                 requestRate linkerd  3 series, 30s old",
        "  measured               1200                 asks for 10",
        "  forecast               1280 to 1600         in 2m, risk 1%, Trusted, asks for 14",
        "  per pod                120                  policy",
        "  recommendation         14                   AllBelowTarget",
        "  ScaleDownStabilized    14 -> 20",
        "  decision               20 -> 20             nothing to write, 20 ready",
    ]


DOWN = "1 scrape target is down, 10.0.0.7:9100"


def test_a_target_that_is_down_for_good_is_named_with_the_way_out(explained):
    some = signal(sample=Sample(480.0, NOW, 3, doubt=Doubt.PARTIAL, detail=DOWN), quantile=480.0)
    _, out, _ = explained("shop/checkout", records=[decided(some)])

    told, *rows = out.splitlines()
    assert told.endswith(
        "kept 10 replicas: more load may be there than is measured, so 10 stay, more than is "
        f"needed: requestRate linkerd, now 480 (partial: {DOWN}), may reach 480 in 2m (risk 1%), "
        "which needs 4 at 120 per pod."
    )
    assert (
        f"  metric                 requestRate linkerd  3 series, 0s old, partial, {DOWN}" in rows
    )
    assert f"  way out                {remedy(Doubt.PARTIAL, DOWN)}" in rows


@pytest.mark.parametrize(
    ("doubt", "told"), [(Doubt.ABSENT, False), (Doubt.UNREACHABLE, True)], ids=["asleep", "blind"]
)
def test_who_sleeps_needs_no_way_out_while_prometheus_answers(explained, doubt, told):
    silent = signal(sample=Sample(None, doubt=doubt), forecast=None)
    slept = decided(silent, current=0, spec=policy(minReplicas=0))
    _, out, _ = explained("shop/checkout", records=[slept])

    assert ("way out" in out) is told


def test_every_doubt_has_a_way_out():
    assert set(REMEDY) == set(Doubt)


@pytest.mark.parametrize(
    ("detail", "way"),
    [
        (DOWN, "bring back the scrape targets that are down"),
        (told_down([Down("ingress", "web:80", was=(NOW, NOW))]), "wait: it ends with the window"),
        (DOWN_UNKNOWN, "bring back the scrape targets that are down"),
        ("3 ready pods are silent, first web-1", "let Prometheus scrape every pod"),
        (unscraped(Sample(1.0), ["web-1"]).detail, "let Prometheus scrape every pod"),
        ("4 pods serve, not all of them are known by name", "let Prometheus scrape every pod"),
        ("a zero may be a sender that is gone: its series never expire", "measure it by a query"),
        ("newest sample is 70 s old", "it is scraped late"),
        ("2 exporters are silent, first 10.0.0.7:9090", "it is scraped late"),
        ("1 ready pods count nothing, first web-1", "look at what sends their counts"),
        ("scraped for less than the window of the rate", "wait: it ends with the window"),
        ("2 counters began anew within the window of the rate", "wait: it ends with the window"),
        ("hits_total is there for less than its window of 5m", "wait: it ends with the window"),
        ("no series any more: ready pods are many", "bring the series back"),
        ("negative: -2", "look at the query"),
        ("", "let Prometheus scrape what is missing"),
    ],
)
def test_the_way_out_of_a_partial_sample_is_that_of_its_cause(detail, way):
    assert remedy(Doubt.PARTIAL, detail).startswith(way)


def test_a_rule_that_somebody_has_to_end_is_told_with_the_way_out(explained):
    rival = record(10, 10, (Reason.REPLICAS_CONTESTED, 14, 10, "governed by ScaledObject x"))
    _, out, _ = explained("shop/checkout", records=[rival])

    assert f"  way out                {END_OF[Reason.REPLICAS_CONTESTED]}" in out.splitlines()


@pytest.mark.parametrize("paused", [Reason.PAUSED, Reason.SCALE_IN_PAUSED, Reason.SCALE_OUT_PAUSED])
def test_every_pause_is_told_with_the_way_out(explained, paused):
    _, out, _ = explained("shop/checkout", records=[record(10, 10, (paused, 8, 10, "policy"))])

    assert f"  way out                {END_OF[Reason.PAUSED]}" in out.splitlines()


def test_pods_that_are_not_ready_are_told_with_where_to_look(explained):
    _, out, _ = explained("shop/checkout", records=[record(14, 14, workload=workload(14, ready=9))])

    assert "  way out                5 of 14 pods are not ready: kubectl describe says why" in out


@pytest.mark.parametrize(("minutes", "told"), [(1, False), (3, True)], ids=["starting", "late"])
def test_pods_that_were_ordered_within_a_lead_time_need_no_way_out(explained, minutes, told):
    ordered = record(13, 14)
    after = NOW + timedelta(minutes=minutes)
    waits = record(14, 14, at=after, workload=workload(14, ready=13))

    _, out, _ = explained("shop/checkout", records=[ordered, waits])

    assert ("way out                1 of 14 pods is not ready" in out) is told


def test_of_a_target_that_is_not_there_the_way_out_is_told(explained):
    _, out, _ = explained("shop/checkout", records=[missing()])

    assert out.splitlines()[1] == (
        "  way out                create it, correct scaleTargetRef, or remove the policy"
    )


def test_a_workload_may_be_named_as_status_names_it(explained):
    assert explained("Deployment/shop/checkout")[0] == 0
    assert explained("StatefulSet/shop/checkout")[0] == 1


@pytest.mark.parametrize(
    ("question", "sentence"),
    [
        pytest.param(
            ["checkout"],
            "At 2026-11-23 09:20:00 UTC shop/checkout kept 12 replicas",
            id="why now, by name alone",
        ),
        pytest.param(
            ["shop/checkout", "--since", "09:05", "--until", "09:15"],
            "Between 2026-11-23 09:05:00 and 2026-11-23 09:15:00 UTC shop/checkout went from 10 to "
            "14 replicas in 1 rescale (1 out, 0 in), at most 14 and at least 10; limited by "
            "CooldownActive for 4m.",
            id="a window",
        ),
        pytest.param(
            ["shop/checkout", "--since", "2h"],
            "Between 2026-11-23 07:20:00 and 2026-11-23 09:20:00 UTC (the log begins at "
            "2026-11-23 09:00:00) shop/checkout went from 10 to 12 replicas in 2 rescales",
            id="longer than the log, and it says so",
        ),
        pytest.param(
            ["shop/checkout", "--without", "cooldown"],
            "Between 2026-11-23 09:00:00 and 2026-11-23 09:20:00 UTC the cooldown held "
            "shop/checkout for 5m; without it, it would have gone to 12 replicas at 2026-11-23 "
            "09:11:00 instead of staying at 14 (each cycle taken by itself).",
            id="without the cooldown",
        ),
        pytest.param(
            ["search", "--without", "cooldown", "--since", "1h"],
            "Between 2026-11-23 08:20:00 and 2026-11-23 09:20:00 UTC (the log begins at "
            "2026-11-23 09:20:00) the cooldown changed nothing for api/search.",
            id="no cooldown was there",
        ),
        pytest.param(
            ["--policies", "demoted"],
            "1 of 2 policies was demoted, 1 still at the end of the log; "
            "the longest was api/search, for 0s in 1 span.",
            id="which were demoted",
        ),
    ],
)
def test_questions_have_one_sentence_for_an_answer(explained, question, sentence):
    code, out, _ = explained(*question)

    assert code == 0
    assert out.startswith(sentence)


@pytest.mark.parametrize(
    ("question", "complaint"),
    [
        (["shop/nothing"], "the log holds no decision about shop/nothing"),
        ([], "which of 2? Name one: api/search, shop/checkout"),
        (["checkout", "--since", "10m", "--until", "2026-11-23T09:00"], "; the log holds 2026-"),
        (["chekout"], "; it has api/search, shop/checkout"),
        (["search", "--since", "08:00", "--until", "08:30"], "holds nothing about this workload"),
    ],
)
def test_a_question_that_has_no_answer_is_told_why(explained, question, complaint):
    code, out, err = explained(*question)

    assert (code, out) == (1, "")
    assert complaint in err


def test_what_a_span_begins_with_is_what_was_there_before_its_first_rescale(explained):
    _, out, _ = explained("checkout", "--since", "09:10", "--until", "09:20", records=LOG[1:5])

    assert " shop/checkout went from 10 to 12 replicas in 2 rescales (1 out, 1 in)" in out


def test_a_count_that_somebody_else_wrote_is_seen_although_it_did_not_stay(explained):
    begin = record(10, 10, at=NOW)
    undone = record(50, 40, at=NOW + timedelta(minutes=5))
    _, out, _ = explained("checkout", "--since", "09:00", records=[begin, undone])

    assert "went from 10 to 40 replicas in 1 rescale (0 out, 1 in), at most 50 and" in out


@pytest.mark.parametrize("since", ["25:00", "soon"])
def test_what_is_no_time_is_a_wrong_flag(explained, since):
    code, out, err = explained("checkout", "--since", since)

    assert (code, out) == (2, "")
    assert f"'{since}' is not a time such as 09:00" in err


def test_while_a_target_is_gone_its_replicas_are_unknown_and_not_zero(explained):
    gone = missing(at=NOW + timedelta(minutes=5))
    _, out, _ = explained("checkout", "--since", "09:00", records=[record(10, 10), gone])
    _, now, _ = explained("checkout", records=[gone])

    assert "went from 10 to unknown replicas in 0 rescales (0 out, 0 in), at most 10 and" in out
    assert "unknown -> unknown" in now


def test_yesterday_is_the_day_before_the_log_ends(explained):
    early = [at(-24 * 60, 10, 14), *LOG]

    _, out, _ = explained(
        "checkout", "--since", "yesterday 09:00", "--until", "yesterday 09:30", records=early
    )

    assert out.startswith("Between 2026-11-22 09:00:00 and 2026-11-22 09:30:00 UTC shop/check")


@pytest.mark.parametrize(
    ("since", "until", "between"),
    [
        pytest.param("22:00", "02:00", ("22 22:00:00", "23 02:00:00"), id="over midnight"),
        pytest.param("22:00", "22:30", ("22 22:00:00", "22 22:30:00"), id="the evening before"),
        pytest.param("09:00", "09:30", ("23 09:00:00", "23 09:30:00"), id="until after the end"),
    ],
)
def test_a_clock_time_is_the_last_one_before_the_log_ends(explained, since, until, between):
    early = [at(-24 * 60, 10, 14), *LOG]

    _, out, _ = explained("checkout", "--since", since, "--until", until, records=early)

    assert out.startswith("Between 2026-11-{} and 2026-11-{} UTC shop/checkout".format(*between))


def test_two_kinds_of_one_name_are_two_workloads(explained):
    rollout = TargetRef("shop", "checkout", "Rollout", "argoproj.io/v1alpha1")
    both = (*LOG[:5], at(30, 3, 3, target=rollout))

    asked = [
        explained(target, records=both)
        for target in ("shop/checkout", "Rollout/shop/checkout", "Deployment/shop/checkout")
    ]

    assert "which of 2? Name one: Deployment/shop/checkout, Rollout/shop/checkout" in asked[0][2]
    assert "UTC Rollout/shop/checkout kept 3 replicas" in asked[1][1]
    assert "UTC shop/checkout kept 12 replicas" in asked[2][1]
    assert "None of 2 policies was demoted." in explained("--policies", "demoted")[1]


def test_json_holds_the_sentence_and_the_decisions(explained):
    _, out, _ = explained("checkout", "--output", "json")

    told = json.loads(out)
    assert told["decision"] == json.loads(json.dumps(LOG[4].as_dict()))
    assert told["last_rescale"]["desired_replicas"] == 12


def test_decisions_of_another_schema_are_counted_and_said(explained, tmp_path):
    (tmp_path / "log").write_text(
        json.dumps(LOG[0].as_dict()) + '\n{"schema": 9, "desired_replicas": 1}\n'
    )

    code, _, err = explained("checkout")

    assert (code, err) == (0, "1 decision line of another version, or not whole, passed over\n")


def test_what_consul_says_against_ready_pods_is_in_the_answer(explained):
    unroutable = record(14, 14, workload=workload(14, routability=UNROUTABLE))

    _, out, _ = explained("shop/checkout", records=[unroutable])

    assert "not routable for 1m15s: 6 of 10 ready pods do not pass in Consul." in out
    assert "  passing in Consul      4                    +1m15s lead time, not routable for" in out
