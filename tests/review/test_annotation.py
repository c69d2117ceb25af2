import json
from datetime import timedelta

import pytest

from autoscaler.decide.reason import Reason
from autoscaler.policy.schema import Mode
from autoscaler.review.annotation import LAST_DECISION, LONGEST, annotation_due, annotation_of
from review.records import NOW, decided, record, workload


def written(replicas=10, *, reason=Reason.FORECAST_ABOVE_TARGET, ago=timedelta(hours=1)):
    """Return a workload that already carries the annotation of an earlier decision."""
    text = annotation_of(record(10, replicas, reason=reason, at=NOW - ago))
    return workload(10, annotations={LAST_DECISION: text})


def test_the_last_decision_is_one_line_of_json_with_the_sentence():
    made = decided(current=10)

    assert json.loads(annotation_of(made)) == {
        "time": "2026-11-23T09:00:00Z",
        "replicas": made.decision.desired_replicas,
        "reason": str(made.decision.reason),
        "trust": "Trusted",
        "message": made.as_dict()["message"],
    }


@pytest.mark.parametrize(
    ("there", "desired", "due"),
    [
        pytest.param(workload(10), 10, True, id="never written"),
        pytest.param(written(10), 10, False, id="nothing new"),
        pytest.param(written(8), 10, True, id="another number"),
        pytest.param(written(8, ago=timedelta(seconds=14)), 10, False, id="a number too soon"),
        pytest.param(written(8, ago=timedelta(seconds=15)), 10, True, id="a number in time"),
        pytest.param(written(reason=Reason.PAUSED), 10, True, id="another reason"),
        pytest.param(
            written(reason=Reason.PAUSED, ago=timedelta(minutes=9)), 10, False, id="reason too soon"
        ),
        pytest.param(
            written(8, ago=timedelta(hours=-1)), 10, True, id="written by a clock ahead of ours"
        ),
    ],
)
def test_only_what_is_new_is_written_and_not_too_often(there, desired, due):
    assert (annotation_due(record(10, desired, workload=there)) is not None) == due


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[" * 1000, id="deeply nested"),
        pytest.param("7", id="a number"),
        pytest.param('{"time": "2026-11-23T08:00:00Z"}', id="half of it"),
        pytest.param('{"time": 5, "replicas": 10, "reason": "Paused"}', id="no time"),
        pytest.param('{"time": "2026-11-23T08:00:00Z", "replicas": 1e999}', id="infinite"),
        pytest.param("x" * 100_000, id="huge"),
    ],
)
def test_what_somebody_else_wrote_there_is_overwritten(text):
    there = workload(10, annotations={LAST_DECISION: text})

    assert annotation_due(record(10, 10, workload=there)) is not None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"mode": Mode.FORECAST_ONLY}, id="forecast only"),
        pytest.param({"workload": None}, id="no such workload"),
    ],
)
def test_nothing_is_written_where_nothing_is_scaled(changes):
    assert annotation_due(record(10, 12, **changes)) is None


@pytest.mark.parametrize("text", ["x" * 5000, "\u20ac" * 5000, "\U0001f40c" * 5000])
def test_it_is_bounded_whatever_the_sentence_says(text):
    made = record(10, 12, (Reason.TOO_MANY_REPLICAS, 14, 12, text), not_rescaled_because=text)

    assert len(annotation_of(made).encode()) <= LONGEST
    assert json.loads(annotation_of(made))["replicas"] == 12
