"""Which policies are in force after good edits, bad edits and contested ones."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from autoscaler.policy.book import PolicyBook, PolicyKey
from autoscaler.policy.document import PolicyDocument
from autoscaler.policy.warnings import FARTHEST_FORECAST
from models.horizon import MOST_LEAD_SECONDS

KEY = PolicyKey("shop", "checkout", "Deployment", "apps/v1")


def document(
    *, name: str = "checkout", most: object = 60, source: str = "shop/a", day: int | None = None
) -> PolicyDocument:
    text = (
        f"scaleTargetRef: {{name: {name}}}\nmaxReplicas: {most}\n"
        "metrics: [{type: RequestRate, requestRate: {source: linkerd}}]\n"
    )
    created_at = None if day is None else datetime(2026, 11, day, tzinfo=UTC)
    return PolicyDocument(source, text, "shop", created_at)


def book(*documents: PolicyDocument) -> PolicyBook:
    return PolicyBook(own_namespace="autoscaler").updated(documents)


def in_force(found: PolicyBook) -> dict[str, tuple[str, int]]:
    return {
        key.name: (source, policy.max_replicas) for key, (source, policy) in found.policies.items()
    }


def test_a_policy_is_keyed_by_the_workload_it_governs():
    assert list(book(document()).policies) == [KEY]


def test_nothing_changed_is_the_same_book():
    first = book(document())

    assert first.updated([document()]) is first


def test_a_good_edit_takes_effect():
    assert in_force(book(document()).updated([document(most=70)])) == {"checkout": ("shop/a", 70)}


def test_a_broken_edit_keeps_the_last_good_version_and_says_so():
    after = book(document()).updated([document(most="many")])

    assert in_force(after) == {"checkout": ("shop/a", 60)}
    assert after.problems == {
        "shop/a: maxReplicas: 'many' is not a whole number\nthe last good version stays in force"
    }


def test_a_broken_newcomer_leaves_its_neighbours_untouched():
    after = book(document(), document(name="cart", most="many", source="shop/b"))

    assert in_force(after) == {"checkout": ("shop/a", 60)}


def test_a_repaired_edit_clears_the_problem():
    after = book(document()).updated([document(most="many")]).updated([document(most=70)])

    assert (in_force(after), after.problems) == ({"checkout": ("shop/a", 70)}, frozenset())


def test_a_removed_document_takes_its_policy_with_it():
    assert in_force(book(document()).updated([])) == {}


CONTESTED = (
    "shop/{0}: scaleTargetRef: Deployment shop/checkout is governed by shop/{1} already; "
    "shop/{0} is refused"
)


def test_the_owner_stays_when_a_second_policy_claims_its_workload():
    after = book(document(source="shop/b")).updated(
        [document(source="shop/a", most=5), document(source="shop/b")]
    )

    assert in_force(after) == {"checkout": ("shop/b", 60)}
    assert after.problems == {CONTESTED.format("a", "b")}


def test_of_two_newcomers_as_after_a_restart_the_older_config_map_governs_whatever_its_name():
    older, newer = document(source="shop/b", day=3), document(source="shop/a", day=4)

    both = [book(older, newer), book(newer, older)]

    assert [in_force(each) for each in both] == [{"checkout": ("shop/b", 60)}] * 2
    assert both[0].problems == {CONTESTED.format("a", "b")}


def test_an_older_config_map_takes_no_workload_that_is_governed():
    newer = document(source="shop/b", day=4)

    after = book(newer).updated([document(source="shop/a", day=3), newer])

    assert in_force(after) == {"checkout": ("shop/b", 60)}


def test_the_daemons_own_namespace_and_a_tenant_are_told_apart_by_age_alone():
    plain = document(source="own/z", day=3)
    text = plain.text.replace("{name:", "{namespace: shop, name:")
    own = replace(plain, text=text, namespace="autoscaler")

    assert in_force(book(document(day=4), own)) == {"checkout": ("own/z", 60)}
    assert in_force(book(document(day=2), own)) == {"checkout": ("shop/a", 60)}


def test_of_two_newcomers_of_one_age_the_first_by_source_governs_whatever_their_order():
    pair = [document(source="shop/b"), document(source="shop/a")]

    assert in_force(book(*pair)) == in_force(book(*pair[::-1])) == {"checkout": ("shop/a", 60)}


def test_the_refused_one_takes_over_when_the_owner_goes():
    contested = book(document(source="shop/a"), document(source="shop/b", most=5))

    after = contested.updated([document(source="shop/b", most=5)])

    assert (in_force(after), after.problems) == ({"checkout": ("shop/b", 5)}, frozenset())


def test_a_policy_that_moves_to_a_taken_workload_goes_on_governing_its_old_one():
    before = book(document(), document(name="cart", source="shop/b"))

    after = before.updated([document(), document(name="checkout", source="shop/b")])

    assert in_force(after) == {"checkout": ("shop/a", 60), "cart": ("shop/b", 60)}
    assert after.problems == {CONTESTED.format("b", "a")}


def test_another_version_of_its_api_is_the_same_workload():
    kinds = [f"kind: Rollout, apiVersion: argoproj.io/{version}" for version in ("v1", "v1alpha1")]
    texts = [document().text.replace("{name:", f"{{{kind}, name:") for kind in kinds]
    both = book(*(PolicyDocument(f"shop/{i}", text, "shop") for i, text in enumerate(texts)))

    assert [source for source, _ in both.policies.values()] == ["shop/0"]
    assert len(both.problems) == 1


def test_who_stays_comes_before_who_moves_whatever_their_names():
    before = book(document(name="cart"), document(source="shop/b"))

    after = before.updated([document(name="checkout"), document(source="shop/b")])

    assert in_force(after) == {"cart": ("shop/a", 60), "checkout": ("shop/b", 60)}
    assert after.problems == {CONTESTED.format("a", "b")}


def test_two_policies_may_swap_their_workloads():
    before = book(document(), document(name="cart", source="shop/b"))

    after = before.updated([document(name="cart"), document(source="shop/b")])

    assert in_force(after) == {"cart": ("shop/a", 60), "checkout": ("shop/b", 60)}
    assert not after.problems


def test_a_broken_edit_of_the_owner_still_keeps_the_second_policy_out():
    both = [document(most="many"), document(source="shop/b")]

    assert in_force(book(document()).updated(both)) == {"checkout": ("shop/a", 60)}


def many() -> list[PolicyDocument]:
    return [document(name=f"app-{i}", source=f"shop/{i}") for i in range(50)]


@pytest.mark.parametrize("fresh_text", [False, True], ids=["same objects", "equal texts"])
def test_of_many_documents_only_the_one_that_changed_is_parsed_again(fresh_text):
    kept = many()
    full = PolicyBook().updated(kept)
    again = many() if fresh_text else list(kept)
    again[7] = document(name="app-7", source="shop/7", most=61)

    after = full.updated(again)

    before = {key: policy for key, (_, policy) in full.policies.items()}
    parsed = {key.name: p for key, (_, p) in after.policies.items() if p is not before[key]}
    assert {name: policy.max_replicas for name, policy in parsed.items()} == {"app-7": 61}


@pytest.mark.parametrize("fresh_text", [False, True], ids=["same objects", "equal texts"])
def test_unchanged_documents_leave_the_same_book(fresh_text):
    kept = many()
    full = PolicyBook().updated(kept)

    assert full.updated(many() if fresh_text else kept) is full


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a: " + "x" * (1 << 20), id="one scalar"),
        pytest.param("- [" * (1 << 18), id="a megabyte of nesting"),
        pytest.param("{}\n---\n" * (1 << 17), id="a megabyte of documents"),
    ],
)
def test_a_key_of_a_megabyte_is_refused_unread_and_its_neighbours_stay(text):
    found = book(document(), PolicyDocument("shop/huge", text, "shop"))

    assert in_force(found) == {"checkout": ("shop/a", 60)}
    assert len(found.problems) == 1
    assert "at most 262144 are read" in next(iter(found.problems))


def with_schedule(entry: str, *, most: int = 60) -> PolicyDocument:
    plain = document(most=most)
    times = "name: sale, start: '0 8 * * *', end: '0 20 * * *'"
    text = f"{plain.text}minReplicas: 2\nschedule: [{{{times}, {entry}}}]\n"
    return PolicyDocument(plain.source, text, plain.namespace)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("minReplicas: 60", set(), id="a floor at max holds"),
        pytest.param("maxReplicas: 2", set(), id="a ceiling at min holds"),
        pytest.param(
            "minReplicas: 90",
            {"shop/a: schedule[0].minReplicas: 90 is above maxReplicas 60, which caps it"},
            id="a floor above max",
        ),
        pytest.param(
            "maxReplicas: 1",
            {"shop/a: schedule[0].maxReplicas: 1 is below minReplicas 2, which wins"},
            id="a ceiling below min",
        ),
    ],
)
def test_a_bound_that_cannot_hold_is_a_warning_and_the_policy_stays_in_force(entry, expected):
    after = book(with_schedule(entry))

    assert (after.warnings, after.problems) == (expected, frozenset())
    assert in_force(after) == {"checkout": ("shop/a", 60)}


def test_a_mended_schedule_clears_the_warning():
    after = book(with_schedule("minReplicas: 90")).updated([with_schedule("minReplicas: 9")])

    assert after.warnings == frozenset()


@pytest.mark.parametrize(
    ("lead_time", "expected"),
    [
        pytest.param("30m", set(), id="as far as the forecast was measured"),
        pytest.param(
            "2d",
            {
                "shop/a: forecast.leadTime: 2d is above 30m, farther ahead than the forecast was "
                "ever measured"
            },
            id="farther",
        ),
    ],
)
def test_a_lead_time_beyond_the_forecast_is_a_warning(lead_time, expected):
    plain = document()
    text = f"{plain.text}forecast: {{leadTime: {lead_time}}}\n"

    assert book(PolicyDocument(plain.source, text, plain.namespace)).warnings == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(
            "{type: Resource, resource: {name: cpu, target: {averageUtilization: 70}}}",
            {
                "shop/a: minReplicas: 0 with metrics of pods alone, which measure nothing where "
                "there are none: only a forecast would start the first one"
            },
            id="cpu alone",
        ),
        pytest.param(
            "{type: External, external: {metric: {name: jobs}, target: {value: 70}}}",
            set(),
            id="a queue",
        ),
    ],
)
def test_a_workload_at_zero_that_no_metric_would_start_is_a_warning(metric, expected):
    whole = "scaleTargetRef: {name: checkout}\nminReplicas: 0\nmaxReplicas: 5\n"

    after = book(PolicyDocument("shop/a", f"{whole}metrics: [{metric}]\n", "shop"))

    assert (after.warnings, after.problems) == (expected, frozenset())


def test_the_warning_begins_where_the_forecaster_was_never_shown_more():
    assert FARTHEST_FORECAST.total_seconds() == MOST_LEAD_SECONDS
