"""An answer that is read row by row says what it would say whole, and is as much doubted."""

import json

import pytest

from autoscaler.metrics.row_by_row import parsed

ROWS = [{"metric": {"a": '"result":[{'}, "value": [1.5, "2"]}, {"metric": {}, "value": [2, "NaN"]}]


def answer(result, **more):
    return {"status": "success", "data": {"resultType": "vector", "result": result}, **more}


@pytest.mark.parametrize(
    "whole",
    [
        pytest.param(answer(ROWS), id="rows"),
        pytest.param(answer(ROWS, warnings=["a store is away"]), id="what follows the rows"),
        pytest.param(answer([]), id="none"),
        pytest.param({"status": "error", "error": "no"}, id="an error"),
        pytest.param({"status": "success", "data": {"result": {}}}, id="no list"),
        pytest.param([7], id="something else"),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_it_is_what_json_says(whole, indent):
    assert parsed(json.dumps(whole, indent=indent), list) == whole


def test_each_row_is_let_go_before_the_next():
    seen = []

    def read(rows):
        seen.extend(row["value"][1] for row in rows)
        return len(seen)

    assert parsed(json.dumps(answer(ROWS)), read)["data"]["result"] == 2
    assert seen == ["2", "NaN"]


def test_a_scalar_is_one_row_without_labels():
    scalar = {"status": "success", "data": {"resultType": "scalar", "result": [7, "1"]}}

    read = parsed(json.dumps(scalar), list)

    assert read["data"]["result"] == [{"metric": {}, "value": [7, "1"]}]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"data":{"result":[{"a":1}', id="cut after a row"),
        pytest.param('{"data":{"result":[{"a":1},', id="cut before a row"),
        pytest.param('{"data":{"result":[{"a":1} {"a":2}]}}', id="no comma"),
        pytest.param('{"data":{"result":[{"a":1}]', id="cut behind the rows"),
        pytest.param('{"data":{"result":[{"a":1}]}} x', id="more behind the end"),
        pytest.param('{"data":{"result":[{"a":1}],"result":[{"a":2}]}}', id="two results"),
        pytest.param('{"result":[{"a":1}],"data":{}}', id="in another place"),
        pytest.param('{"result":[{"a":1}]', id="no answer around"),
        pytest.param("<html>", id="no JSON"),
    ],
)
@pytest.mark.parametrize("read", [list, lambda rows: next(iter(rows))])
def test_what_is_wrong_anywhere_is_refused(text, read):
    with pytest.raises(ValueError, match=r"."):
        parsed(text, read)
