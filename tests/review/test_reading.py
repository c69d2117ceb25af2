import gzip
import io
import json

import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.errors import FlagError, LogError
from autoscaler.review.latest import LatestRecords
from autoscaler.review.reading import LONGEST_LINE, Reading, opened, read_decisions
from autoscaler.review.server import serve_page
from review.records import record

LINE = json.dumps({"level": "INFO", "msg": "scale_decision", **record(10, 14).as_dict()})
OTHER = json.dumps(record(target=TargetRef("api", "search")).as_dict())


def found(*lines, target=""):
    reading = Reading()
    names = [d["target"]["name"] for d in read_decisions(lines, target=target, reading=reading)]
    return names, reading.unreadable


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(LINE, (["checkout"], 0), id="ours"),
        pytest.param(f"[pod/autoscaler-7f] {LINE}", (["checkout"], 0), id="kubectl --prefix"),
        pytest.param(f"2026-11-23T09:00:00Z stdout F {LINE}\n", (["checkout"], 0), id="CRI"),
        pytest.param('{"msg": "starting"}', ([], 0), id="another event"),
        pytest.param("panic: {", ([], 0), id="not JSON"),
        pytest.param(LINE[:-40], ([], 1), id="cut short"),
        pytest.param(LINE.replace('"schema": 1', '"schema": "x"'), ([], 1), id="wrong type"),
        pytest.param(LINE.replace('"schema": 1', '"schema": 2'), ([], 1), id="another version"),
        pytest.param(LINE.replace("DesiredWithin", "X"), (["checkout"], 0), id="text may differ"),
        pytest.param(LINE.replace('"Trusted"', '"Sure"'), ([], 1), id="a word nobody knows"),
        pytest.param(
            LINE.replace('"age_seconds": 30.0', '"age_seconds": 1e15'), ([], 1), id="no age"
        ),
        pytest.param(LINE.replace("2026-11-23T", "2026-11-31T"), ([], 1), id="on no calendar"),
        pytest.param(
            LINE.replace("2026-11-23T09:00:00.000+00:00", "0001-01-01T00:00:00.000+14:00"),
            ([], 1),
            id="before all time",
        ),
        pytest.param('{"desired_replicas":' + "[" * 40_000, ([], 1), id="nested without end"),
        pytest.param(LINE + "x" * LONGEST_LINE, ([], 0), id="longer than any of ours"),
    ],
)
def test_decisions_are_found_among_other_lines_and_never_guessed(line, expected):
    assert found(line) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("", ["checkout", "search"]),
        ("shop/checkout", ["checkout"]),
        ("search", ["search"]),
        ("shop/search", []),
    ],
)
def test_one_target_is_picked_by_its_name_with_or_without_namespace(target, expected):
    assert found(LINE, OTHER, target=target)[0] == expected


def names_in(source, target=""):
    with opened(source, target=target) as lines:
        return [d["target"]["name"] for d in read_decisions(lines, target=target)]


def test_a_file_plain_or_gzipped(tmp_path):
    (tmp_path / "a.log").write_text(f"{LINE}\n{OTHER}\n")
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(f"{LINE}\n".encode()))

    assert names_in(str(tmp_path / "a.log")) == ["checkout", "search"]
    assert names_in(str(tmp_path / "a.log.gz")) == ["checkout"]


def test_a_line_without_end_is_passed_over(tmp_path):
    (tmp_path / "a.log").write_text("{" + "x" * 5 * LONGEST_LINE + f"\n{LINE}\n")

    assert names_in(str(tmp_path / "a.log")) == ["checkout"]


def test_a_log_is_read_from_standard_input(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.StringIO(LINE))

    assert names_in("-") == ["checkout"]


def test_a_log_is_read_from_the_daemon_itself():
    latest = LatestRecords()
    latest.keep(record(10, 14))
    latest.keep(record(target=TargetRef("api", "search")))
    server = serve_page(latest)
    url = f"http://127.0.0.1:{server.server_port}"

    assert names_in(url) == ["checkout", "search"]
    assert names_in(url + "/", "api/search") == ["search"]
    server.shutdown()
    server.server_close()


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_of_two_kinds_of_one_name_the_daemon_tells_of_the_one_that_is_named():
    latest = LatestRecords()
    for kind in ("Deployment", "StatefulSet"):
        latest.keep(record(target=TargetRef("shop", "checkout", kind)))
    server = serve_page(latest)
    named = "StatefulSet/shop/checkout"

    with opened(f"http://127.0.0.1:{server.server_port}", target=named) as lines:
        kinds = [line["target"]["kind"] for line in read_decisions(lines, target=named)]
    server.shutdown()
    server.server_close()

    assert kinds == ["StatefulSet"]


def test_nothing_piped_in_is_told_instead_of_waited_for(monkeypatch):
    monkeypatch.setattr("sys.stdin", Terminal())

    with pytest.raises(LogError, match="nothing is piped in"):
        names_in("-")


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ("/no/such/file", FlagError),
        ("/", FlagError),
        ("ftp://host/log", FlagError),
        ("http://127.0.0.1:1", LogError),
    ],
)
def test_what_cannot_be_read_is_named(source, error):
    with pytest.raises(error, match=source):
        names_in(source)


def test_a_daemon_that_does_not_answer_is_told_with_what_to_look_at():
    with pytest.raises(LogError, match="refused; does the daemon, or a port-forward, run"):
        names_in("http://127.0.0.1:1")


def test_a_log_without_an_answer_says_what_it_has_instead():
    reading = Reading()
    assert list(read_decisions([OTHER, LINE[:-40]], target="shop/checkout", reading=reading)) == []

    assert str(reading.nothing_found("shop/checkout")) == (
        "the log holds no decision about shop/checkout; it has api/search; "
        "1 decision line of another version, or not whole, passed over"
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        pytest.param([], "it is empty", id="nothing at all"),
        pytest.param(
            ["2026-11-23 09:00:00  shop/checkout  10 -> 12", ""],
            "lines read: 2, and none is a decision in JSON (as --log-format json writes it)",
            id="a log for people",
        ),
    ],
)
def test_a_log_that_is_none_of_ours_is_told_apart(lines, told):
    reading = Reading()
    list(read_decisions(lines, target="shop/checkout", reading=reading))

    assert str(reading.nothing_found("shop/checkout")) == (
        f"the log holds no decision about shop/checkout; {told}"
    )


def test_a_gzipped_log_is_known_by_what_it_holds(tmp_path):
    path = tmp_path / "daemon.log"
    path.write_bytes(gzip.compress(f"{LINE}\n".encode()))

    with opened(str(path)) as lines:
        assert found(*lines) == (["checkout"], 0)


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        pytest.param("http://127.0.0.1:x", "http://127.0.0.1:x: nonnumeric port: 'x'", id="port"),
        pytest.param("http://[::1", "http://[::1: Invalid IPv6 URL", id="no URL"),
        pytest.param("/no/such.log", "/no/such.log: No such file or directory", id="no file"),
    ],
)
def test_a_log_that_cannot_be_opened_is_named_with_the_reason(source, complaint):
    with pytest.raises((LogError, FlagError)) as refused, opened(source):
        pass

    assert str(refused.value) == complaint
