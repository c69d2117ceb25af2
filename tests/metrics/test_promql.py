"""How PromQL is built from what users wrote."""

import pytest

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.promql import Matcher, any_of, escaped_regex, labelled, quoted, selector


@pytest.mark.parametrize(
    ("value", "literal"),
    [
        pytest.param("checkout", '"checkout"', id="plain"),
        pytest.param('a"b', r'"a\"b"', id="quote"),
        pytest.param("a\\", r'"a\\"', id="backslash at the end"),
        pytest.param('"} or up{x="', r'"\"} or up{x=\""', id="an attempt to widen"),
        pytest.param("a\nb\tc\r", r'"a\nb\tc\r"', id="white space"),
        pytest.param("\x00\x7f\u2028", r'"\u0000\u007f\u2028"', id="control characters"),
        pytest.param("größe", '"größe"', id="letters of other languages"),
        pytest.param("\ud800", '"?"', id="half a character"),
    ],
)
def test_a_value_is_one_string_literal(value, literal):
    assert quoted(value) == literal


def test_a_regex_of_names_matches_these_names_only():
    assert any_of(["a.b", "a.b", "c|d"]) == r"a\.b|c\|d"
    assert escaped_regex("(x)$") == r"\(x\)\$"


@pytest.mark.parametrize(
    ("metric", "label"),
    [
        pytest.param('up{a="b"} or x', "pod", id="a metric that is a query"),
        pytest.param("", "pod", id="no metric"),
        pytest.param("up", 'a="b",c', id="a label that is a matcher"),
        pytest.param("up", "exported namespace", id="a label with a space"),
    ],
)
def test_what_is_no_name_is_refused(metric, label):
    with pytest.raises(MetricUnavailableError, match="is not a"):
        selector(metric, [Matcher(label, "=", "x")])


def test_a_dollar_in_a_replacement_is_no_group():
    assert labelled("up", "a", "$1") == 'label_replace(up, "a", "$$1", "", "")'
