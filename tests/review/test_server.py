import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError

import pytest

from autoscaler.cli import parser
from autoscaler.commands.run import tls_files
from autoscaler.decide.facts import TargetRef
from autoscaler.errors import AutoscalerError
from autoscaler.review import server as module
from autoscaler.review.fields import DECISION
from autoscaler.review.latest import LatestRecords
from autoscaler.review.routes import Response
from autoscaler.review.server import health_routes, review_routes, serve_page, start_server
from autoscaler.review.telemetry import Telemetry
from autoscaler.review.tls import TlsFiles
from review.records import NOW, decided, record


@contextmanager
def serving(routes, **options):
    server = start_server(routes, port=0, host="127.0.0.1", **options)
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def status_of(url, method="GET", **headers):
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, method=method, headers=headers), timeout=10
        ) as answer:
            return answer.status
    except HTTPError as error:
        with error:
            return error.code


def body_of(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


@pytest.fixture
def latest():
    latest = LatestRecords()
    latest.keep(record(8, 10, at=NOW))
    latest.keep(decided(target=TargetRef("shop", "search")))
    return latest


@pytest.fixture
def url(latest):
    with serving(review_routes(Telemetry(latest).registry, latest)) as url:
        yield url


@pytest.mark.parametrize(
    ("alive", "ready", "path", "status"),
    [
        (True, False, "/healthz", 200),
        (False, False, "/healthz", 503),
        (True, True, "/readyz", 200),
        (True, False, "/readyz", 503),
        (True, True, "/nowhere", 404),
    ],
)
def test_probes_answer_by_status(alive, ready, path, status):
    with serving(health_routes(lambda: alive, lambda: ready)) as url:
        assert status_of(url + path) == status


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_but_reading_is_possible(url, method):
    assert status_of(url + "/api/policies", method) == 501


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/page.js", 200),
        ("/metrics", 200),
        ("/api/policies?sort=name", 200),
        ("/api/policies?sort=nonsense", 400),
        ("/api/policy?namespace=shop&name=checkout", 200),
        ("/api/policy?namespace=shop&name=gone", 404),
        ("/api/policy?name=checkout", 400),
        ("/api/policy?namespace=shop&name=checkout&after=x", 400),
        ("/../pyproject.toml", 404),
        ("/static/page.js", 404),
        ("/api/policies?" + "&".join(f"a{n}=1" for n in range(30)), 400),
        ("/?" + "a" * 70_000, 414),
        ("/api/policies?" + "q=%ff%00&offset=" + "9" * 16, 400),
    ],
)
def test_each_path_answers_and_nothing_else_does(url, path, status):
    assert status_of(url + path) == status


def test_an_answer_that_is_known_already_is_not_sent_again(url):
    with urllib.request.urlopen(url + "/page.css", timeout=10) as answer:
        tag = answer.headers["ETag"]

    assert status_of(url + "/page.css", **{"If-None-Match": tag}) == 304


def test_the_page_may_load_nothing_from_elsewhere(url):
    with urllib.request.urlopen(url + "/", timeout=10) as answer:
        headers = answer.headers

    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "'unsafe" not in headers["Content-Security-Policy"]
    assert (headers["X-Content-Type-Options"], headers["X-Frame-Options"]) == ("nosniff", "DENY")


def test_head_answers_without_a_body(url):
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
    connection.request("HEAD", "/metrics")
    answer = connection.getresponse()

    assert (answer.status, answer.read()) == (200, b"")
    connection.close()


def test_decision_lines_are_those_of_the_log_one_per_change(url, latest):
    lines = [DECISION.validate_json(line) for line in body_of(url + "/decisions").splitlines()]

    assert lines == [record.as_dict() for record in latest.all()]
    assert len(body_of(url + "/decisions?namespace=shop&name=search").splitlines()) == 1


def test_one_policy_is_its_newest_record_its_changes_and_its_numbers(url):
    told = json.loads(body_of(url + "/api/policy?namespace=shop&name=checkout"))

    assert told["newest"] == json.loads(json.dumps(record(8, 10).as_dict()))
    assert told["changes"] == [told["newest"]]
    assert told["rows"]["desired"] == [10]
    assert told["ways_out"] == []


def test_who_connects_too_often_is_turned_away_and_the_others_are_served(url, monkeypatch):
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 2)
    host, port = url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(2)]
    wait_until_refused(url)
    for connection in idle:
        connection.close()

    assert eventually_served(url)


def test_who_takes_every_connection_keeps_nobody_else_out(url, monkeypatch):
    """A kubelet whose probes are not answered restarts us."""
    monkeypatch.setattr(module, "MOST_CONNECTIONS", 4)
    host, port = url.removeprefix("http://").split(":")
    idle = [socket.create_connection((host, int(port)), timeout=10) for _ in range(4)]
    wait_until_refused(url)

    answered = [status_from("127.0.0.2", int(port)) for _ in range(3)]
    for connection in idle:
        connection.close()

    assert answered == [200, 200, 200]


def status_from(address, port):
    """Ask for the page as another host."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", port, timeout=10, source_address=(address, 0)
    )
    connection.request("GET", "/")
    status = connection.getresponse().status
    connection.close()
    return status


@pytest.mark.parametrize("target", ["http://[", "http://[/page.js?x=1"])
def test_an_address_that_is_none_is_a_bad_request_and_no_traceback(url, caplog, target):
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as raw:
        raw.sendall(f"GET {target} HTTP/1.1\r\n\r\n".encode())
        first = raw.makefile("rb").readline()

    assert b" 400 " in first
    assert caplog.records == []


def wait_until_refused(url):
    """Ask until the two idle connections have their threads; each question is a round trip."""
    for _ in range(200):
        try:
            status_of(url + "/")
        except (OSError, http.client.HTTPException):
            return
    raise AssertionError("never turned away")


def eventually_served(url):
    for _ in range(2000):
        try:
            return status_of(url + "/") == 200
        except (OSError, http.client.HTTPException):
            continue
    return False


def test_a_connection_is_cut_off_at_its_deadline_whatever_it_drips(monkeypatch):
    monkeypatch.setattr(module, "_DEADLINE_SECONDS", 0)
    with serving({}) as url:
        host, port = url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=10) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")

            assert slow.recv(1) == b""


def test_a_route_that_fails_closes_one_connection_and_no_more():
    def broken(_query):
        raise KeyError("oops")

    with serving({"/broken": broken, "/fine": lambda _: Response(b"fine")}) as url:
        with pytest.raises((OSError, http.client.HTTPException)):
            body_of(url + "/broken")

        assert body_of(url + "/fine") == b"fine"


def test_one_answer_is_made_at_a_time_however_many_ask():
    now, most = [], []

    def slow(_query):
        for _ in range(5):
            now.append(1)
            most.append(len(now))
            time.sleep(0.002)
            now.pop()
            yield b"piece\n"

    routes = {"/slow": lambda query: Response(slow(query))}
    with serving(routes) as url, ThreadPoolExecutor(8) as readers:
        bodies = set(readers.map(body_of, [f"{url}/slow"] * 8))

    assert bodies == {b"piece\n" * 5}
    assert max(most) == 1


def test_who_does_not_read_his_answer_keeps_nobody_from_theirs():
    routes = {"/long": lambda _: Response(b"x" * 2**16 for _ in range(2**10))}
    with serving(routes | {"/fine": lambda _: Response(b"fine")}) as url:
        host, port = url.removeprefix("http://").split(":")
        deaf = [socket.create_connection((host, int(port)), timeout=10) for _ in range(4)]
        for connection in deaf:
            connection.sendall(b"GET /long HTTP/1.1\r\n\r\n")
            connection.recv(1)

        assert body_of(f"{url}/fine") == b"fine"
        for connection in deaf:
            connection.close()


def test_the_page_alone_is_served_to_this_machine_only(latest):
    server = serve_page(latest)

    assert server.server_address[0] == "127.0.0.1"
    assert status_of(f"http://127.0.0.1:{server.server_port}/") == 200
    server.shutdown()
    server.server_close()


def certificate(folder, name):
    if shutil.which("openssl") is None and os.environ.get("REQUIRE_REAL") != "1":
        pytest.skip("openssl is missing: apt-get install openssl")
    files = TlsFiles(folder / "tls.crt", folder / "tls.key")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", files.key, "-out", files.certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return files


def shown_certificate(url):
    host, port = url.removeprefix("http://").split(":")
    return ssl.get_server_certificate((host, int(port)), timeout=10)


def test_tls_follows_its_files_and_survives_a_broken_renewal(tmp_path):
    files = certificate(tmp_path, "first")
    with serving({"/": lambda _: Response(b"hello")}, tls=files) as url:
        first = shown_certificate(url)
        certificate(tmp_path, "second")
        second = shown_certificate(url)
        files.key.write_text("half a k")
        third = shown_certificate(url)

        context = ssl.create_default_context(cadata=second)
        with urllib.request.urlopen(
            url.replace("http:", "https:"), context=context, timeout=10
        ) as answer:
            assert answer.read() == b"hello"
    assert first != second
    assert second == third


def test_a_certificate_that_is_not_there_is_named(tmp_path):
    files = TlsFiles(tmp_path / "no.crt", tmp_path / "no.key")

    with pytest.raises(AutoscalerError, match=r"no\.crt"):
        start_server({}, port=0, host="127.0.0.1", tls=files)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([], None),
        (["--tls-cert-file", "c", "--tls-key-file", "k"], TlsFiles(Path("c"), Path("k"))),
    ],
)
def test_the_flags_of_run_name_both_files(flags, expected):
    assert tls_files(parser().parse_args(["run", *flags])) == expected


def test_one_file_without_the_other_is_refused():
    with pytest.raises(AutoscalerError, match="go together"):
        tls_files(parser().parse_args(["run", "--tls-cert-file", "c"]))


def test_plain_text_on_a_tls_port_costs_nobody_anything(tmp_path):
    with serving({"/": lambda _: Response(b"hello")}, tls=certificate(tmp_path, "x")) as url:
        with pytest.raises((OSError, http.client.HTTPException)):
            body_of(url)

        assert shown_certificate(url)
