"""What is known about a user's query without asking, and how many are asked together."""

import json
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.decide.facts import Doubt, PodPhase
from autoscaler.metrics.own_query import FoundSelector, examined
from autoscaler.metrics.own_samples import Behind
from support.endurance import reachable_texts
from support.load_series import NOW, TARGET, request_rate, workload
from support.prometheus_stub import Reply, failure, row, success


@pytest.mark.parametrize(
    ("text", "selectors"),
    [
        pytest.param("up", [("up", None)], id="a bare name"),
        pytest.param('sum(rate(a{b="c"}[2m]))', [('a{b="c"}', "2m")], id="a rate"),
        pytest.param("sum by (pod) (a) / on (x) group_left (y) b", [("a", None), ("b", None)],
                     id="label lists are no selectors"),
        pytest.param("sum(a) by (pod)", [("a", None)], id="label list at the end"),
        pytest.param('{__name__="a"} offset 5m', [('{__name__="a"}', None)], id="name as a label"),
        pytest.param("rt:service:requests[1m30s]", [("rt:service:requests", "1m30s")],
                     id="colons, compound duration"),
        pytest.param("max_over_time(a[1h:5m])", [("a", None)], id="a subquery"),
        pytest.param('a{b="}{"} # c{', [('a{b="}{"}', None)], id="braces in strings, comments"),
        pytest.param("hour() + 1e3 > bool 0x1F", [], id="no selector"),
        pytest.param("a and a unless b", [("a", None), ("b", None)], id="set operators, once each"),
        pytest.param("sum without (x) (topk(3, a))", [("a", None)], id="aggregations"),
        pytest.param("a @ end() or vector(0)", [("a", None)], id="or vector(0)"),
        pytest.param("a # of\r\n+ b # all\r\n", [("a", None), ("b", None)], id="lines of Windows"),
    ],
)  # fmt: skip
def test_the_selectors_of_a_query_are_found(text, selectors):
    found = examined(text)

    assert found.whole
    assert found.selectors == tuple(FoundSelector(*each) for each in selectors)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a)", id="closes too much"),
        pytest.param("sum(a", id="closes too little"),
        pytest.param("a{b]", id="crossed brackets"),
        pytest.param('a{b="c}', id="an open string"),
        pytest.param('a)), "x", "", "", "") or label_replace(vector(0), "p", "2:load", "", "")',
                     id="tries to speak for another policy"),
        pytest.param("a # \r) or (b", id="a comment that ends within its line"),
        pytest.param("a # \r", id="a comment that ends before the line does"),
        pytest.param("", id="empty"),
        pytest.param("# nothing", id="only a comment"),
    ],
)  # fmt: skip
def test_a_query_that_is_not_whole_never_stands_beside_others(text):
    assert not examined(text).whole


@pytest.mark.parametrize("piece", ['"\\', "'\\", "#"])
def test_a_query_in_which_nothing_ends_is_told_at_once(piece):
    began = time.perf_counter()
    for _ in range(20):
        examined(f"{piece * 5_000}\r")

    assert time.perf_counter() - began < 2.0  # not 0.6 s each


def series(*queries: str):
    return [request_rate(query=query) for query in queries]


def test_hundreds_of_queries_are_one_question(stub, reader_of):
    many = series(*(f"sum(rate(hits_total{{app='{i}'}}[2m]))" for i in range(400)))

    reader_of(stub.url).newest(many, now=NOW, workloads={})

    assert len(stub.asked) == 2  # the queries, and which targets are down


def rows_of(text: str):
    """Answer every query in a question with its load, age and count; refuse the word `wrong`."""
    if "wrong" in text:
        return failure(400, "bad_data", "parse error")
    found = []
    for index in range(10):
        for part, value in (("load", index), ("at0", NOW.timestamp()), ("series0", 2)):
            if f'"{index}:{part}"' in text:
                found.append(row(value, autoscaler_part=f"{index}:{part}"))
    return success(found)


def test_one_wrong_query_is_refused_alone_and_not_asked_again(stub, reader_of):
    stub.reply = lambda asked: rows_of(asked.promql)
    batch = series("a", "b", "wrong", "d", "e")
    reader = reader_of(stub.url)

    samples = reader.newest(batch, now=NOW, workloads={})
    asked_first = len(stub.asked)
    reader.newest(batch, now=NOW, workloads={})

    assert [sample.value for sample in samples] == [0.0, 1.0, None, 3.0, 4.0]
    assert samples[2].doubt is Doubt.REFUSED
    assert len(stub.asked) - asked_first == 2  # the four good ones together, and targets down


def test_where_a_store_is_away_no_query_is_to_blame_and_all_are_asked_again(stub, reader_of):
    batch, reader = series(*"abcdefgh"), reader_of(stub.url)
    away = "expanding series: proxy Series(): rpc error: code = Unavailable"
    stub.reply = lambda asked: failure(422, "execution", away)

    refused = reader.newest(batch, now=NOW, workloads={})
    asked_first = len(stub.asked)
    stub.reply = lambda asked: success([]) if "up" in asked.promql else rows_of(asked.promql)
    samples = reader.newest(batch, now=NOW + timedelta(seconds=15), workloads={})

    assert {sample.detail for sample in refused} == {refused[0].detail}
    assert refused[0].detail.startswith(away)
    assert asked_first == 2  # the queries, and which targets are down
    assert [sample.value for sample in samples] == [float(n) for n in range(8)]


def test_a_query_that_was_refused_is_asked_again_after_a_clock_was_set_back(stub, reader_of):
    stub.reply = lambda asked: rows_of(asked.promql)
    reader = reader_of(stub.url)
    reader.newest(series("wrong"), now=NOW, workloads={})
    stub.reply = lambda asked: rows_of(asked.promql.replace("wrong", "right"))

    [sample] = reader.newest(series("wrong"), now=NOW - timedelta(hours=1), workloads={})

    assert sample.doubt is not Doubt.REFUSED


def test_what_prometheus_says_of_a_wrong_query_comes_first(stub, reader_of):
    said = 'invalid parameter "query": 1:5: parse error: unknown function with name "wrong"'
    stub.reply = lambda asked: (
        failure(400, "bad_data", said) if "wrong" in asked.promql else rows_of(asked.promql)
    )

    good, wrong = reader_of(stub.url).newest(series("a", "wrong(b)"), now=NOW, workloads={})

    assert (good.value, good.doubt) == (0.0, None)
    assert wrong.detail.startswith('1:5: parse error: unknown function with name "wrong" (bad_data')


def test_an_error_without_end_is_cut(stub, reader_of):
    stub.reply = lambda _: failure(422, "execution", "duplicate series " * 10_000)

    [sample] = reader_of(stub.url).newest(series("a"), now=NOW, workloads={})

    assert len(sample.detail) < 600


@pytest.mark.parametrize(
    ("kind", "result", "detail"),
    [
        pytest.param(
            "matrix", [{"metric": {}, "values": [[0, "1"]]}], "a range vector", id="range"
        ),
        pytest.param("matrix", [], "a range vector", id="range of nothing"),
        pytest.param("string", [0, "text"], "a text, not a number", id="text"),
    ],
)
def test_a_query_that_answers_no_load_is_refused_alone(stub, reader_of, kind, result, detail):
    def as_prometheus_does(asked):
        if "wrong" not in asked.promql:
            return rows_of(asked.promql)
        if asked.promql != "wrong[5m]":
            return failure(400, "bad_data", "expected type instant vector")
        data = {"resultType": kind, "result": result}
        return Reply(body=json.dumps({"status": "success", "data": data}).encode())

    stub.reply = as_prometheus_does
    reader = reader_of(stub.url)
    good, wrong = reader.newest(series("a", "wrong[5m]"), now=NOW, workloads={})
    asked_first = len(stub.asked)
    reader.newest(series("a", "wrong[5m]"), now=NOW, workloads={})

    assert (good.value, wrong.value, wrong.doubt) == (0.0, None, Doubt.REFUSED)
    assert wrong.detail.startswith(f"the query answers {detail}")
    assert len(stub.asked) - asked_first == 2  # the good one, and targets down


def test_what_is_wrong_is_asked_of_a_day_before_all_samples(stub, reader_of):
    """A range of every series there is would be sent whole, to be refused by its kind."""
    stub.reply = lambda asked: (
        failure(400, "bad_data", "no") if "every" in asked.promql else rows_of(asked.promql)
    )

    reader_of(stub.url).newest(series("a", "every[1d]"), now=NOW, workloads={})

    times = {asked.promql: float(asked.parameters["time"]) for asked in stub.asked}
    assert times.pop("every[1d]") == datetime(2000, 1, 1, tzinfo=UTC).timestamp()
    assert set(times.values()) == {NOW.timestamp()}


def test_who_is_not_let_in_is_refused_whole_and_asks_again_at_once(stub, reader_of):
    stub.reply = lambda _: failure(401, "unauthorized", "token is expired")
    batch, reader = series("a", "b", "c", "d"), reader_of(stub.url)

    during = reader.newest(batch, now=NOW, workloads={})
    n_asked = len(stub.asked)
    stub.reply = lambda asked: rows_of(asked.promql)
    after = reader.newest(batch, now=NOW, workloads={})

    assert n_asked == 2  # all together, and targets down
    assert {(sample.value, sample.doubt) for sample in during} == {(None, Doubt.REFUSED)}
    assert during[0].detail.startswith("token is expired (unauthorized, HTTP 401 of ")
    assert [sample.value for sample in after] == [0.0, 1.0, 2.0, 3.0]


def test_a_batch_that_is_too_heavy_is_asked_by_halves_in_the_next_cycle(stub, reader_of):
    stub.reply = lambda asked: (
        failure(503, "timeout", "query timed out in expression evaluation")
        if "heavy" in asked.promql
        else rows_of(asked.promql)
    )
    reader, batch = reader_of(stub.url, timeout=timedelta(seconds=1)), series("a", "b", "heavy")

    first, second = (
        reader.newest(batch, now=NOW + n * timedelta(seconds=15), workloads={}) for n in range(2)
    )

    assert {(sample.value, sample.doubt) for sample in first} == {(None, Doubt.UNREACHABLE)}
    assert [sample.value for sample in second] == [0.0, None, None]
    assert "query timed out in expression evaluation" in second[2].detail


def test_a_source_that_hangs_keeps_no_own_query_waiting(stub, reader_of):
    hangs = threading.Event()

    def hang_for_linkerd(asked):
        if "request_total" in asked.promql:
            hangs.wait(5)
        return rows_of(asked.promql)

    stub.reply = hang_for_linkerd
    reader = reader_of(stub.url, timeout=timedelta(seconds=1))

    slow, own = reader.newest([request_rate(source="linkerd"), *series("b")], now=NOW, workloads={})
    hangs.set()

    assert (slow.value, slow.doubt) == (None, Doubt.UNREACHABLE)
    assert (own.value, own.doubt) == (1.0, None)


def test_a_number_without_a_series_behind_it_is_not_believed(stub, reader_of):
    stub.reply = lambda asked: success(
        [row(0, autoscaler_part="0:load")] if '"0:load"' in asked.promql else []
    )

    [sample] = reader_of(stub.url).newest(
        series("sum(rate(gone_total[2m])) or vector(0)"), now=NOW, workloads={}
    )

    assert (sample.value, sample.doubt) == (None, Doubt.ABSENT)


def test_a_query_that_reads_no_series_stands_for_itself(stub, reader_of):
    stub.reply = lambda asked: success(
        [row(7, autoscaler_part="0:load")] if '"0:load"' in asked.promql else []
    )

    [sample] = reader_of(stub.url).newest(series("vector(hour())"), now=NOW, workloads={})

    assert (sample.value, sample.sampled_at, sample.doubt) == (7.0, NOW, None)


def test_a_rate_over_a_window_that_is_not_covered_may_not_lower(stub, reader_of):
    stub.reply = lambda asked: rows_of(asked.promql)

    [sample] = reader_of(stub.url).newest(series("sum(rate(a[2m]))"), now=NOW, workloads={})

    assert (sample.value, sample.doubt) == (0.0, Doubt.PARTIAL)
    assert sample.detail == "a is there for less than its window of 2m"


def beside_down(down):
    """Answer a query that reads a gateway's job and the pods' own, while some targets are down."""
    rows = [row(9, autoscaler_part="0:load"), row(NOW.timestamp(), autoscaler_part="0:at0")]
    read = ({"job": "gateway", "namespace": "edge"}, {"job": "pods", "namespace": "shop"},
            {"job": "honoured", "namespace": "shop"})  # fmt: skip
    rows += [row(2, autoscaler_part="0:series0", **where) for where in read]
    scraped = (*read[:2], {"job": "pods", "namespace": "bank"},
               {"job": "honoured", "namespace": "ingress"})  # fmt: skip
    targets = [row(3, **where) for where in scraped]

    def reply(asked):
        is_down = "up == 0" in asked.promql
        return success([row(1, **down)] if is_down else targets if "(up{" in asked.promql else rows)

    return reply


POD, OTHER = "checkout-5d8f7c9b6d-x2z9q", "search-5d8f7c9b6d-x2z9q"


@pytest.mark.parametrize(
    ("job", "namespace", "pod", "doubt"),
    [
        pytest.param("gateway", "edge", "edge-0", Doubt.PARTIAL, id="a gateway"),
        pytest.param("pods", "shop", POD, Doubt.PARTIAL, id="a pod of the workload"),
        pytest.param("pods", "shop", None, Doubt.PARTIAL, id="whose pod is not said"),
        pytest.param("pods", "shop", OTHER, None, id="a pod of another workload"),
        pytest.param("pods", "bank", "checkout-0", None, id="of another namespace"),
        pytest.param("node", "shop", POD, None, id="of a job that the query does not read"),
        pytest.param("honoured", "ingress", "nginx-0", Doubt.PARTIAL,
                     id="a gateway whose series have the namespaces of its workloads"),
    ],
)  # fmt: skip
def test_what_a_query_reads_of_targets_that_are_down_may_not_lower(
    stub, reader_of, job, namespace, pod, doubt
):
    down = {"job": job, "namespace": namespace, "instance": "10.0.0.1:80"}
    stub.reply = beside_down(down | ({"pod": pod} if pod else {}))

    [sample] = reader_of(stub.url).newest(series("sum(hits)"), now=NOW, workloads={})

    assert (sample.value, sample.n_series, sample.doubt) == (9.0, 6, doubt)
    assert sample.detail == ("1 scrape target is down, 10.0.0.1:80" if doubt else "")


def test_a_query_does_not_miss_a_pod_that_has_ended(stub, reader_of):
    stub.reply = beside_down({"job": "pods", "namespace": "shop", "instance": "a:80", "pod": POD})
    facts = workload(POD)[TARGET]
    ended = replace(facts, pods=(replace(facts.pods[0], phase=PodPhase.FAILED),))

    [sample] = reader_of(stub.url).newest(series("sum(hits)"), now=NOW, workloads={TARGET: ended})

    assert (sample.value, sample.doubt) == (9.0, None)


def test_a_job_that_is_down_as_a_whole_was_read_before(stub, reader_of):
    reader = reader_of(stub.url)
    stub.reply = beside_down({"job": "node"})
    reader.newest(whole := series("sum(hits)"), now=NOW, workloads={})
    left = [row(4, autoscaler_part="0:load"), row(NOW.timestamp(), autoscaler_part="0:at0")]
    left.append(row(2, autoscaler_part="0:series0", job="pods", namespace="shop"))
    gateway = row(1, job="gateway", namespace="edge", instance="a:80")
    stub.reply = lambda asked: success([gateway] if "up == 0" in asked.promql else left)

    [sample] = reader.newest(whole, now=NOW, workloads={})

    assert (sample.value, sample.doubt) == (4.0, Doubt.PARTIAL)


def test_where_it_is_not_known_what_is_down_a_query_may_not_lower(stub, reader_of):
    read = beside_down({"job": "node"})
    stub.reply = lambda asked: (
        failure(422, "execution", "no") if "up == 0" in asked.promql else read(asked)
    )

    [sample] = reader_of(stub.url).newest(series("sum(hits)"), now=NOW, workloads={})

    assert (sample.value, sample.doubt) == (9.0, Doubt.PARTIAL)


def test_a_selector_that_lost_its_series_is_missed_for_an_hour(stub, reader_of):
    reader = reader_of(stub.url)
    batch = series("(a or vector(0)) + (b or vector(0)) + (never or vector(0))")

    def read(hours, *selectors, asked=batch):
        now = NOW + timedelta(hours=hours)
        parts = {"load": 3} | {f"at{n}": now.timestamp() for n in selectors}
        parts |= {f"series{n}": 1 for n in selectors}
        answer = success(row(v, autoscaler_part=f"0:{part}") for part, v in parts.items())
        stub.reply = lambda q: success([]) if "up == 0" in q.promql else answer
        sample = reader.newest(asked, now=now, workloads={})[0]
        return sample.value, sample.doubt, sample.detail

    both, one = read(0, 0, 1), read(0.5, 0)
    beside_another = read(0.6, 0, asked=[*batch, *series("vector(1)")])
    later = read(1, 0)

    assert both == later == (3.0, None, "")
    assert one == beside_another == (3.0, Doubt.PARTIAL, "no series any more: b")


def test_a_selector_that_lost_its_series_is_missed_also_where_the_clock_was_set_back():
    behind, query, earlier = Behind(), examined("a + b"), NOW - timedelta(minutes=30)
    behind.note([(part, {"metric": {}}) for part in ("series0", "series1")], query, now=NOW)
    behind.note([("series0", {"metric": {}})], query, now=earlier)

    assert behind.lost(now=earlier) == "no series any more: b"


@pytest.mark.parametrize(
    ("job", "doubt"),
    [("gateway", Doubt.NOT_SCRAPED), ("another", Doubt.ABSENT)],
)
def test_a_query_without_series_is_not_absent_while_what_it_read_is_down(
    stub, reader_of, job, doubt
):
    reader, asked = reader_of(stub.url), series("sum(hits)")
    rows = [
        row(3, autoscaler_part="0:load"),
        row(NOW.timestamp(), autoscaler_part="0:at0"),
        row(1, autoscaler_part="0:series0", job="gateway", namespace="edge"),
    ]
    stub.reply = lambda q: success([] if "up == 0" in q.promql else rows)
    reader.newest(asked, now=NOW, workloads={})
    down = [row(1, job=job, instance="10.0.0.7:9100", namespace="edge")]
    stub.reply = lambda q: success(down if "up == 0" in q.promql else [])
    [sample] = reader.newest(asked, now=NOW, workloads={})

    assert (sample.value, sample.doubt) == (None, doubt)


def test_a_target_down_for_good_makes_a_query_partial_until_it_leaves_its_job(stub, reader_of):
    reader, asked = reader_of(stub.url), series("sum(hits)")
    down = row(1, job="app", instance="10.0.0.7:9100", namespace="edge")

    def read(days, *targets):
        now = NOW + timedelta(days=days)
        rows = [
            row(3, autoscaler_part="0:load"),
            row(now.timestamp(), autoscaler_part="0:at0"),
            row(1, autoscaler_part="0:series0", job="app", namespace="edge"),
        ]
        stub.reply = lambda q: success(targets if "up == 0" in q.promql else rows)
        [sample] = reader.newest(asked, now=now, workloads={})
        return sample.doubt, sample.detail

    told = (Doubt.PARTIAL, "1 scrape target is down, 10.0.0.7:9100")
    assert [read(0, down), read(30, down)] == [told, told]
    assert read(31) == (None, "")


def scalars_alone(asked):
    """Refuse what is not put into `vector()`, as Prometheus does with a scalar beside others."""
    wrapped = "vector(25 + 25" in asked.promql
    return success([]) if wrapped else failure(400, "bad_data", "parse error")


@pytest.mark.parametrize("past", [False, True], ids=["now", "past"])
def test_a_query_that_nobody_asks_any_more_leaves_nothing_behind(stub, reader_of, past):
    def read(*queries):
        if past:
            hour = {"start": NOW - timedelta(hours=1), "end": NOW, "step": timedelta(minutes=1)}
            reader.history(series(*queries), **hour)
        else:
            reader.newest(series(*queries), now=NOW, workloads={})

    stub.reply = scalars_alone
    reader = reader_of(stub.url)
    reader._history._rest = lambda _: None
    read("25 + 25")
    assert "25 + 25" in reachable_texts(reader)

    stub.reply = lambda asked: success([])
    read("a")

    assert "25 + 25" not in reachable_texts(reader)
