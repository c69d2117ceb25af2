import pytest

from autoscaler.decide.facts import TargetRef, Trust
from autoscaler.decide.reason import Reason
from autoscaler.review.latest import LatestRecords
from autoscaler.review.overview import MOST_PER_PAGE, Overview
from review.records import NOW, decided, policy, record, signal

TWO_METRICS = policy(metrics=policy().model_dump(by_alias=True)["metrics"] * 2)


def target(name, namespace="shop"):
    return TargetRef(namespace, name)


@pytest.fixture
def overview():
    latest = LatestRecords()
    latest.keep(record(10, 10, target=target("calm")))
    latest.keep(record(50, 50, target=target("big", "api")))
    latest.keep(decided(spec=policy(maxReplicas=12), target=target("capped")))
    latest.keep(record(trust=Trust.DEMOTED, target=target("doubted")))
    latest.keep(record(9, 9, (Reason.REPLICAS_CONTESTED, 14, 9), target=target("fought-over")))
    return Overview(latest)


def names(page):
    return [row["name"] for row in page["policies"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({}, ["fought-over", "capped", "doubted", "big", "calm"], id="attention first"),
        pytest.param(
            {"sort": "name"}, ["big", "calm", "capped", "doubted", "fought-over"], id="az"
        ),
        pytest.param({"sort": "replicas", "limit": "1"}, ["big"], id="the largest"),
        pytest.param({"sort": "change", "limit": "1"}, ["capped"], id="what moves most"),
        pytest.param({"q": "SHOP/ca"}, ["capped", "calm"], id="part of the name"),
        pytest.param({"attention": "forecast demoted"}, ["doubted"], id="one state"),
        pytest.param({"offset": "3", "limit": "1"}, ["big"], id="a page"),
        pytest.param({"offset": "99"}, [], id="beyond the end"),
        pytest.param({"limit": "0"}, [], id="counts alone"),
    ],
)
def test_sorted_filtered_and_cut(overview, query, expected):
    assert names(overview.page(query)) == expected


def test_what_moves_most_may_move_either_way():
    latest = LatestRecords()
    latest.keep(record(10, 12, target=target("out")))
    latest.keep(record(10, 3, target=target("in")))

    assert names(Overview(latest).page({"sort": "change"})) == ["in", "out"]


def test_the_counts_are_of_all_policies_whatever_the_filter(overview):
    page = overview.page({"q": "big"})

    assert (page["total"], page["matched"]) == (5, 1)
    assert page["counts"] == {"contested": 1, "capped": 1, "forecast demoted": 1, "calm": 2}


@pytest.mark.parametrize(
    ("query", "complaint"),
    [
        ({"sort": "age"}, "sort is one of attention, name, replicas, change"),
        ({"attention": "bored"}, "attention is one of refused, "),
        ({"trend": "day"}, "trend is hour, or left out"),
        ({"offset": "-1"}, "offset is not a whole number"),
        ({"limit": "9" * 99}, "limit is not a whole number"),
    ],
)
def test_a_wrong_question_is_told_what_is_allowed(overview, query, complaint):
    with pytest.raises(ValueError, match=complaint):
        overview.page(query)


def test_a_page_is_bounded_however_much_is_asked_for():
    latest = LatestRecords()
    for n in range(MOST_PER_PAGE + 10):
        latest.keep(record(target=target(f"w{n:04}")))

    assert len(Overview(latest).page({"limit": "100000"})["policies"]) == MOST_PER_PAGE


def test_a_row_has_the_outline_of_its_last_hour_where_that_is_asked_for():
    latest = LatestRecords()
    small = signal(60.0, quantile=90.0, metric="Resource cpu")
    latest.keep(decided(small, signal(1200.0), spec=TWO_METRICS, ready=9))
    overview = Overview(latest)

    (row,) = overview.page({"trend": "hour"})["policies"]
    (plain,) = overview.page({})["policies"]

    assert row["metric"] == "requestRate linkerd"
    assert row["trend"] == {"time": [int(NOW.timestamp())], "load": [1200.0], "carried": [1080.0]}
    assert "trend" not in plain


def test_nothing_decided_yet_is_an_empty_page():
    page = Overview(LatestRecords()).page({})

    assert (page["at"], page["total"], page["policies"]) == (None, 0, [])


def test_a_row_is_of_the_newest_cycle_and_who_left_since_the_index_was_made_has_none():
    latest = LatestRecords()
    for name in ("checkout", "gone"):
        latest.keep(record(target=target(name)))
    overview = Overview(latest)
    overview.page({})
    latest.keep(record(10, 17, trust=Trust.DEMOTED, target=target("checkout")))
    latest.retain([target("checkout")])

    (row,) = overview.page({})["policies"]

    assert (row["name"], row["desired_replicas"]) == ("checkout", 17)
    assert (row["attention"], row["trust"]) == ("forecast demoted", "Demoted")
