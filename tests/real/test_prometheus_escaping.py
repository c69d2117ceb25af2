"""A value from a user, read back through the real Prometheus's parser, is that value."""

import json
import shutil
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.error import HTTPError

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autoscaler.metrics.own_queries import bare, dated
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.prometheus import PrometheusMetrics, PrometheusSettings
from autoscaler.metrics.promql import Matcher, any_of, escaped_regex, labelled, quoted, selector
from support.load_series import request_rate
from support.processes import Process, free_port, wait_until

VALUES = st.text(max_size=60) | st.text(alphabet="\"'`\\{}()[]|.*+?^$#,= \n\r\t\x00a1", max_size=60)
MANY = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def prometheus_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if shutil.which("prometheus") is None:
        pytest.skip("missing: prometheus")
    folder, port = tmp_path_factory.mktemp("escaping"), free_port()
    (folder / "prometheus.yml").write_text("scrape_configs: []\n")
    process = Process(
        ("prometheus", f"--config.file={folder / 'prometheus.yml'}", "--log.level=warn",
         f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address=127.0.0.1:{port}"),
        log=folder / "prometheus.log",
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    wait_until(lambda: answers(url), within=30, what="prometheus ready")
    yield url
    process.stop()


def answers(url: str) -> bool:
    try:
        return ask(url, "vector(1)") != []
    except OSError:
        return False


def ask(url: str, promql: str) -> list[dict]:
    body = urllib.parse.urlencode({"query": promql}).encode()
    with urllib.request.urlopen(f"{url}/api/v1/query", data=body, timeout=5) as response:
        return json.load(response)["data"]["result"]


@MANY
@given(value=VALUES)
def test_a_value_comes_back_as_it_was(prometheus_url, value):
    [found] = ask(prometheus_url, labelled("vector(1)", "v", value))

    assert found["metric"].get("v", "") == value.encode("utf-8", "replace").decode()


@MANY
@given(value=VALUES, other=VALUES)
def test_an_escaped_regex_matches_its_value_and_no_other(prometheus_url, value, other):
    source = labelled("vector(1)", "v", other)
    pattern = quoted(escaped_regex(value))

    [found] = ask(prometheus_url, f'label_replace({source}, "hit", "yes", "v", {pattern})')

    assert ("hit" in found["metric"]) == (value == other)


@MANY
@given(values=st.lists(VALUES, min_size=1, max_size=4))
def test_a_selector_with_any_values_is_parsed_and_finds_nothing_else(prometheus_url, values):
    matchers = [Matcher("a", "=", values[0]), Matcher("b", "=~", any_of(values))]

    assert (
        ask(prometheus_url, f"count({selector('up', matchers)}) or vector(7)")[0]["value"][1] == "7"
    )


# Closes the label_replace() around it, and says a row of the first query.
FORGED = (
    'vector(1) # {end}), "a", "b", "", "") or label_replace(label_replace(vector(10000), "a", "c", '
    '"", ""), "autoscaler_part", "0:load", "", "") or label_replace((vector(2)'
)


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n", "\x0b", "\x0c", "\x85", "\u2028"])
def test_nobody_speaks_for_another_policy_whatever_ends_a_comment(prometheus_url, end):
    reader = PrometheusMetrics(PrometheusSettings(prometheus_url))
    both = [request_rate(query=text) for text in ("vector(7)", FORGED.format(end=end))]

    [sample, _] = reader.newest(both, now=datetime.now(tz=UTC), workloads={})
    reader.close()

    assert sample.value == 7.0


@pytest.mark.parametrize("form", [dated, bare])
def test_a_query_of_many_series_is_answered_by_their_sum_alone(prometheus_url, form):
    two = "vector(1) or label_replace(vector(2), 'a', 'b', '', '')"

    [row] = ask(prometheus_url, "\nor ".join(form(examined(two), 0)))

    assert row["metric"] == {"autoscaler_part": "0:load"}
    assert row["value"][1] == "3"


PIECES = (
    "vector(1)",
    "up",
    ") or (",
    "(",
    ")",
    "{",
    "}",
    '"',
    "'",
    "`",
    "#",
    "\n",
    "\r",
    "\\",
    ",",
)
QUERIES = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9).map("".join)


@MANY
@given(text=QUERIES)
def test_a_query_that_is_whole_stays_within_its_parentheses(prometheus_url, text):
    if not examined(text).whole:
        return
    beside = f'label_replace(({text}\n), "v", "mine", "", "")'
    body = urllib.parse.urlencode({"query": beside}).encode()
    try:
        with urllib.request.urlopen(f"{prometheus_url}/api/v1/query", data=body, timeout=5) as said:
            rows = json.load(said)["data"]["result"]
    except HTTPError as refused:
        refused.close()
        return

    assert all(row["metric"].get("v") == "mine" for row in rows)
