"""Whatever a server, a proxy or a network does ends in an unknown sample with its reason."""

import gzip
import shutil
import socket
import threading
import time
from datetime import timedelta

import pytest
import requests

from autoscaler.decide.facts import Doubt, Sample
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.connection import Answer, Connection, Question
from autoscaler.metrics.sample_quality import Circumstances, with_doubt
from autoscaler.metrics.settings import PrometheusSettings
from autoscaler.metrics.transport import QueryTooHeavyError, _skew
from support.load_series import NOW, request_rate
from support.prometheus_stub import Reply, failure, success
from support.tls import TlsServer

SERIES = [request_rate(source="linkerd"), request_rate(query="sum(rate(hits_total[2m]))")]


def newest(reader):
    return reader.newest(SERIES, now=NOW, workloads={})


# Making sure of a certificate takes seconds where many others compute; who refuses one says so at
# once, and needs no time-out to end.
PATIENT = {"timeout": timedelta(minutes=1)}

HTML = Reply(body=b"<html><body>502 Bad Gateway</body></html>")


@pytest.mark.parametrize(
    ("reply", "doubt", "reason"),
    [
        pytest.param(failure(401, "unauthorized", "no token"), Doubt.REFUSED, "401", id="401"),
        pytest.param(Reply(403, b"Forbidden"), Doubt.REFUSED, "HTTP 403", id="403"),
        pytest.param(Reply(404, b"404 page not found"), Doubt.REFUSED, "HTTP 404", id="404"),
        pytest.param(
            failure(422, "execution", "too many samples"), Doubt.REFUSED, "too many", id="422"
        ),
        pytest.param(Reply(429, b"slow down"), Doubt.UNREACHABLE, "HTTP 429", id="429"),
        pytest.param(Reply(500, b""), Doubt.UNREACHABLE, "an empty body", id="500"),
        pytest.param(
            failure(503, "unavailable", "starting"), Doubt.UNREACHABLE, "starting", id="503"
        ),
        pytest.param(HTML, Doubt.UNREACHABLE, "Bad Gateway", id="HTML instead of JSON"),
        pytest.param(Reply(302, b"", {"Location": "/"}), Doubt.UNREACHABLE, "302", id="redirect"),
        pytest.param(
            Reply(body=b'{"status":"success","data":{"resul', content_length=900),
            Doubt.UNREACHABLE,
            "IncompleteRead",
            id="cut in the middle of the body",
        ),
        pytest.param(Reply(body=b"{}"), Doubt.UNREACHABLE, "not a Prometheus", id="other JSON"),
        pytest.param(Reply(body=b"[" * 50_000), Doubt.UNREACHABLE, "HTTP 200", id="nested JSON"),
        pytest.param(
            success([{"metric": 7}]), Doubt.UNREACHABLE, "malformed answer", id="malformed rows"
        ),
        pytest.param(
            success([{"metric": {"autoscaler_part": "9:load"}, "value": [0, "1"]}]),
            Doubt.UNREACHABLE,
            "was not asked for",
            id="rows of somebody else",
        ),
    ],
)
def test_a_failing_answer_makes_every_sample_unknown(stub, reader_of, reply, doubt, reason):
    stub.reply = lambda _: reply

    sample, _ = newest(reader_of(stub.url))

    assert (sample.value, sample.doubt) == (None, doubt)
    assert reason in sample.detail


def test_where_nobody_listens_the_source_is_unreachable(reader_of):
    samples = newest(reader_of("http://127.0.0.1:1"))

    assert {sample.doubt for sample in samples} == {Doubt.UNREACHABLE}
    assert samples[0].detail.endswith(": Connection refused")


@pytest.mark.parametrize("fault", ["accepts and is silent", "hangs", "drips"])
def test_a_slow_server_costs_the_timeout_and_no_thread(stub, reader_of, fault):
    let_go = threading.Event()
    drip = Reply(body=b" " * 1000, before_piece=lambda: let_go.wait(0.05))
    hang = Reply(body=b"{}", before_piece=let_go.wait)
    stub.reply = lambda _: drip if fault == "drips" else hang
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        url = silent_url if fault == "accepts and is silent" else stub.url
        reader = reader_of(url, timeout=timedelta(seconds=0.5))
        began = time.monotonic()
        samples = [newest(reader) for _ in range(3)]
        took = time.monotonic() - began
        let_go.set()

    assert {sample.doubt for pair in samples for sample in pair} == {Doubt.UNREACHABLE}
    assert "timed out" in samples[0][0].detail
    assert took < 3 * (0.5 + 1)  # and what a busy machine adds
    assert _threads_of_ours() <= 4


def _threads_of_ours() -> int:
    return sum(thread.name.startswith("prometheus") for thread in threading.enumerate())


def test_a_question_for_which_no_connection_was_free_says_that_it_was_not_asked(stub, reader_of):
    let_go = threading.Event()
    stub.reply = lambda _: Reply(body=b"{}", before_piece=let_go.wait)
    reader = reader_of(stub.url, timeout=timedelta(seconds=0.5), connections=1)

    samples = newest(reader)
    let_go.set()

    assert {sample.doubt for sample in samples} == {Doubt.UNREACHABLE}
    assert {sample.detail for sample in samples} == {"not asked within 0.5 s"}


def test_a_question_taken_up_when_its_time_is_over_was_not_asked_and_is_not_too_heavy(stub):
    connection = Connection(PrometheusSettings(stub.url))

    outcomes = connection.ask([Question("up", NOW)] * 8, deadline=time.monotonic())
    connection.close()

    assert {str(outcome) for outcome in outcomes} == {"not asked within 10 s"}
    assert not any(isinstance(outcome, QueryTooHeavyError) for outcome in outcomes)
    assert stub.asked == []


@pytest.mark.parametrize(
    "date",
    [
        *(None, "", " ", ",", "yesterday", "Thu, 99 Nov 2026 08:00:00 GMT"),
        *("27 Nov 99999 08:00:00 GMT", "27 Nov -2026 08:00:00 GMT", "0 Jan 0 00:00:00 GMT"),
        f"27 Nov {'9' * 30} 08:00:00 GMT",
        f"{'9' * 30} Nov 2026 08:00:00 GMT",
        f"27 Nov 2026 {'9' * 30}:00:00 GMT",
        f"27 Nov 2026 08:00:00 +{'9' * 30}",
        "27 Nov 2026 08:00:00 +9999",
        "27 Nov 2026 08:00:00 -0000",
    ],
)
def test_a_date_that_is_none_says_nothing_of_the_clock(date):
    response = requests.Response()
    response.headers = requests.structures.CaseInsensitiveDict({"Date": date} if date else {})

    assert _skew(response, between=(100.0, 101.0)) == 0.0


@pytest.mark.parametrize("year", ["0001", "1000", "9999"])
def test_a_clock_that_is_centuries_away_is_a_doubt(year):
    response = requests.Response()
    response.headers["Date"] = f"Fri, 27 Nov {year} 08:00:00 GMT"
    skew_seconds = _skew(response, between=(NOW.timestamp(), NOW.timestamp() + 1))
    fresh = Sample(120.0, NOW, 1)

    sample = with_doubt(fresh, Circumstances(NOW, {}).of(Answer([], (), skew_seconds), shared=True))

    assert sample.doubt is Doubt.CLOCK_SKEW


def test_it_recovers_at_the_next_cycle(stub, reader_of):
    let_go = threading.Event()
    stub.reply = lambda _: Reply(body=b"{}", before_piece=let_go.wait)
    reader = reader_of(stub.url, timeout=timedelta(seconds=0.5))
    newest(reader)
    let_go.set()
    stub.reply = lambda _: success([])

    assert [sample.doubt for sample in newest(reader)] == [Doubt.ABSENT, Doubt.ABSENT]


def test_a_passing_failure_is_asked_again_within_the_timeout(stub, reader_of):
    replies = iter([failure(503, "unavailable", "starting")] * 2)
    stub.reply = lambda _: next(replies, success([]))

    assert [sample.doubt for sample in newest(reader_of(stub.url))] == [Doubt.ABSENT] * 2


def test_a_refusal_is_not_asked_again(stub, reader_of):
    stub.reply = lambda _: Reply(403, b"Forbidden")

    reader_of(stub.url).newest(SERIES[:1], now=NOW, workloads={})

    assert len(stub.asked) == 2  # the source, and which targets are down


def test_an_answer_without_end_is_cut_off(stub, reader_of, monkeypatch):
    monkeypatch.setattr("autoscaler.metrics.transport.MOST_BYTES", 1 << 20)
    bomb = gzip.compress(b"[" + b"1," * 5_000_000 + b"1]")
    stub.reply = lambda _: Reply(body=bomb, headers={"Content-Encoding": "gzip"})

    sample, _ = newest(reader_of(stub.url, timeout=timedelta(seconds=5)))

    assert (sample.doubt, sample.detail) == (Doubt.UNREACHABLE, "answer over 1 MiB")


def test_token_and_headers_are_read_again_at_every_request(stub, reader_of, tmp_path):
    token, headers = tmp_path / "token", tmp_path / "headers"
    headers.write_text("# tenant\nX-Scope-OrgID: shop\n")
    reader = reader_of(stub.url, token_file=token, headers_file=headers)
    seen = []
    for secret in ("first", "second"):
        token.write_text(f"{secret}\n")
        newest(reader)
        seen.append(stub.asked[-1].headers)

    assert [s["Authorization"] for s in seen] == ["Bearer first", "Bearer second"]
    assert seen[0]["X-Scope-OrgID"] == "shop"


def test_a_token_of_several_words_is_refused_and_never_told(stub, reader_of, tmp_path):
    token = tmp_path / "token"
    token.write_text('{\n  "access_token": "5ecret"\n}')

    sample, _ = newest(reader_of(stub.url, token_file=token))

    assert (sample.detail, stub.asked) == (f"more than one word in {token}", [])


def test_a_missing_token_is_not_replaced_by_asking_without_one(stub, reader_of, tmp_path):
    sample, _ = newest(reader_of(stub.url, token_file=tmp_path / "gone"))

    assert (sample.doubt, stub.asked) == (Doubt.UNREACHABLE, [])
    assert "credentials" in sample.detail


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("Authorization Bearer x", id="no colon"),
        pytest.param("X Y: z", id="a space in the name"),
        pytest.param("", id="empty"),
    ],
)
def test_a_headers_file_that_holds_none_is_an_error(tmp_path, text):
    file = tmp_path / "headers"
    file.write_text(text)

    with pytest.raises(MetricUnavailableError, match="headers"):
        PrometheusSettings("http://p", headers_file=file).headers()


def test_the_query_travels_in_the_body_not_in_the_address(stub, reader_of):
    newest(reader_of(stub.url))

    assert all(asked.query_string == "" for asked in stub.asked)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_certificate_is_checked_against_the_given_ca(reader_of, tmp_path):
    with TlsServer(tmp_path) as server:
        trusting = newest(reader_of(server.url, ca_file=server.ca_file, **PATIENT))
        doubting = newest(reader_of(server.url, **PATIENT))

    assert [sample.doubt for sample in trusting] == [Doubt.ABSENT] * 2
    assert "certificate" in doubting[0].detail.lower()
    assert "(CA" not in doubting[0].detail


@pytest.mark.skipif(shutil.which("openssl") is None, reason="makes its certificate with openssl")
def test_a_ca_that_does_not_fit_is_named(reader_of, tmp_path):
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    with TlsServer(tmp_path / "one") as server, TlsServer(tmp_path / "other") as other:
        [sample, *_] = newest(reader_of(server.url, ca_file=other.ca_file, **PATIENT))

    assert "CERTIFICATE_VERIFY_FAILED" in sample.detail
    assert sample.detail.endswith(f"(CA {other.ca_file})")


def test_a_ca_that_cannot_be_read_is_named(stub, reader_of, tmp_path):
    missing, wrong = tmp_path / "ca.crt", tmp_path / "wrong.crt"
    wrong.write_text("not a certificate")

    for ca_file in (missing, wrong):
        [sample, *_] = newest(
            reader_of(stub.url.replace("http", "https"), ca_file=ca_file, **PATIENT)
        )

        assert str(ca_file) in sample.detail


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_failure_that_is_none_of_tls_says_nothing_of_the_ca(reader_of, tmp_path, scheme):
    ca_file = tmp_path / "ca.crt"
    shutil.copy(requests.certs.where(), ca_file)

    [sample, *_] = newest(reader_of(f"{scheme}://127.0.0.1:1", ca_file=ca_file, **PATIENT))

    assert "Connection refused" in sample.detail
    assert "(CA" not in sample.detail
