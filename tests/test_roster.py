from autoscaler.decide.facts import TargetRef
from autoscaler.policy.schema import WorkloadPolicy
from autoscaler.roster import Governed, compiled
from autoscaler.roster import _distinct as distinct

CHECKOUT = TargetRef("shop", "checkout")
SEARCH = TargetRef("shop", "search")


def policy(name, *, per_pod="120", sources=("linkerd",)):
    return WorkloadPolicy.model_validate(
        {
            "scaleTargetRef": {"name": name},
            "maxReplicas": 10,
            "metrics": [
                {
                    "type": "RequestRate",
                    "requestRate": {"source": source, "target": {"averageValue": per_pod}},
                }
                for source in sources
            ],
        }
    )


def test_each_policy_knows_where_its_series_begin():
    two, one = policy("checkout", sources=("linkerd", "istio")), policy("search")

    roster = compiled({CHECKOUT: ("a", two), SEARCH: ("b", one)})

    both, keys = ("RequestRate linkerd", "RequestRate istio"), roster.series_keys
    assert roster.governed == (
        Governed("a", CHECKOUT, two, slice(0, 2), both, keys[:2]),
        Governed("b", SEARCH, one, slice(2, 3), both[:1], keys[2:]),
    )
    assert [s.target for s in roster.series] == [CHECKOUT, CHECKOUT, SEARCH]
    assert roster.targets == (CHECKOUT, SEARCH)


def test_metrics_of_one_policy_that_are_called_alike_are_numbered():
    alike = policy("checkout", sources=("statsd", "linkerd", "statsd", "statsd"))

    [governed] = compiled({CHECKOUT: ("a", alike)}).governed

    first, *more = ("RequestRate statsd", "RequestRate statsd 2", "RequestRate statsd 3")
    assert governed.labels == (first, "RequestRate linkerd", *more)


def test_an_edited_target_value_keeps_the_series_and_so_its_history():
    before = compiled({CHECKOUT: ("a", policy("checkout", per_pod="120"))})
    after = compiled({CHECKOUT: ("a", policy("checkout", per_pod="90"))})

    assert before.series_keys == after.series_keys


def test_another_source_is_another_series():
    before = compiled({CHECKOUT: ("a", policy("checkout"))})
    after = compiled({CHECKOUT: ("a", policy("checkout", sources=("istio",)))})

    assert before.series_keys != after.series_keys


def test_the_same_metric_of_two_workloads_is_two_series():
    roster = compiled({CHECKOUT: ("a", policy("checkout")), SEARCH: ("b", policy("search"))})

    assert len(set(roster.series_keys)) == 2


def asked(query):
    [rate] = policy("checkout").model_dump(mode="json", by_alias=True)["metrics"]
    rate["requestRate"] |= {"source": None, "query": query}
    values = {"scaleTargetRef": {"name": "checkout"}, "maxReplicas": 10, "metrics": [rate]}
    return compiled({CHECKOUT: ("a", WorkloadPolicy.model_validate(values))}).series_keys[0]


def test_a_query_of_thousands_of_letters_is_told_from_others_by_a_short_key():
    long = "a" * 9_000

    assert asked(long) == asked(long) != asked(f"{long}b")
    assert len(asked(long)) < 256


def test_no_two_metrics_of_a_policy_are_called_alike_whatever_they_are_called():
    assert list(distinct(["a", "a", "a 2", "a"])) == ["a", "a 2", "a 2 2", "a 3"]
