import math

import pytest

from autoscaler.cluster.containers import limits, requests

WHOLE, OF_APP = ("", "cpu"), ("app", "cpu")


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param({"requests": {"cpu": "250m"}}, {("app", "cpu"): 0.25}, id="request"),
        pytest.param({"limits": {"cpu": "2"}}, {("app", "cpu"): 2.0}, id="limit alone"),
        pytest.param(
            {"limits": {"cpu": "2"}, "requests": {"cpu": "1"}}, {("app", "cpu"): 1.0}, id="both"
        ),
        pytest.param(
            {"requests": {"memory": "64Mi", "gpu": "1"}}, {("app", "memory"): 2.0**26}, id="memory"
        ),
        pytest.param({"requests": {"cpu": "9" * 30}}, {}, id="unreadable is not declared"),
        pytest.param({"requests": {"cpu": "-1"}}, {}, id="nor is less than nothing"),
        pytest.param({}, {}, id="nothing"),
    ],
)
def test_a_request_defaults_to_its_limit_as_in_kubernetes(
    resources: dict[str, object], expected: dict[tuple[str, str], float]
) -> None:
    spec = {"containers": [{"name": "app", "resources": resources}]}

    assert requests(spec) == expected


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        pytest.param({"limits": {"cpu": "500m"}, "requests": {"cpu": "1"}}, 0.5, id="limit"),
        pytest.param({"requests": {"cpu": "1"}}, math.inf, id="a request limits nothing"),
        pytest.param({"limits": {"cpu": "9" * 30}}, math.inf, id="unreadable limits nothing"),
        pytest.param(None, math.inf, id="nothing"),
    ],
)
def test_a_container_without_a_limit_is_unlimited(
    resources: dict[str, object] | None, cores: float
) -> None:
    spec = {"containers": [{"name": "app", "resources": resources}]}

    assert limits(spec) == {("app", "cpu"): cores, ("app", "memory"): math.inf}


def test_a_container_without_a_name_limits_nothing_and_breaks_nothing() -> None:
    assert limits({"containers": [{}]})["?", "cpu"] == math.inf


def test_an_init_container_that_stays_counts_one_that_ends_does_not() -> None:
    cpu = {"requests": {"cpu": "1"}}
    stays = {"name": "proxy", "restartPolicy": "Always", "resources": cpu}
    ends = {"name": "migrate", "resources": cpu}

    assert requests({"initContainers": [stays, ends]}) == {("proxy", "cpu"): 1.0}


@pytest.mark.parametrize(
    ("resources", "cores"),
    [
        pytest.param({"requests": {"cpu": "1"}}, 1.0, id="raised, not given yet or never"),
        pytest.param({"requests": {"cpu": "8"}}, 4.0, id="lowered, not taken yet"),
        pytest.param({"requests": {"cpu": "4"}}, 4.0, id="given"),
        pytest.param({"requests": {"memory": "1Gi"}}, 4.0, id="another resource"),
        pytest.param({"limits": {"cpu": "1"}}, 4.0, id="a limit"),
        pytest.param({"requests": {"cpu": "one"}}, 4.0, id="unreadable"),
        pytest.param(None, 4.0, id="a kubelet that does not say"),
    ],
)
@pytest.mark.parametrize("where", ["containers", "initContainers"])
def test_a_pod_that_is_resized_in_place_requests_no_more_than_it_was_given(
    where: str, resources: dict[str, object] | None, cores: float
) -> None:
    """With four cores asked for and one given, a quarter of the pods would look like enough."""
    app = {"name": "app", "restartPolicy": "Always", "resources": {"requests": {"cpu": "4"}}}
    given = [{"name": "app", "resources": resources}, {"name": "another"}]
    statuses = "containerStatuses" if where == "containers" else "initContainerStatuses"

    assert requests({where: [app]}, {statuses: given}) == {("app", "cpu"): cores}


APP = {"name": "app", "resources": {"requests": {"cpu": "1"}, "limits": {"cpu": "2"}}}


@pytest.mark.parametrize(
    ("containers", "whole", "expected"),
    [
        pytest.param([{"name": "app"}], {"requests": {"cpu": "3"}}, {WHOLE: 3.0}, id="alone"),
        pytest.param([{"name": "app"}], {"limits": {"cpu": "3"}}, {WHOLE: 3.0}, id="limit alone"),
        pytest.param([APP], {"requests": {"cpu": "3"}}, {WHOLE: 3.0, OF_APP: 1.0}, id="beside"),
        pytest.param([APP], {"limits": {"cpu": "3"}}, {OF_APP: 1.0}, id="containers come first"),
        pytest.param([APP], {"requests": {"memory": "-1"}}, {OF_APP: 1.0}, id="unreadable"),
    ],
)
def test_a_pod_may_have_a_request_of_its_own(
    containers: list[object], whole: dict[str, object], expected: dict[tuple[str, str], float]
) -> None:
    assert requests({"containers": containers, "resources": whole}) == expected


def test_a_pod_is_given_its_own_request_too() -> None:
    spec = {"containers": [{"name": "app"}], "resources": {"requests": {"cpu": "4"}}}

    assert requests(spec, {"resources": {"requests": {"cpu": "1"}}}) == {WHOLE: 1.0}


def test_a_pod_may_have_a_limit_of_its_own() -> None:
    spec = {"containers": [{"name": "app"}], "resources": {"limits": {"cpu": "3"}}}

    assert limits(spec)[WHOLE] == 3.0
    assert limits(spec)[OF_APP] == math.inf
    assert WHOLE not in limits({"containers": [{"name": "app"}]})
