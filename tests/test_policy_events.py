"""What a tenant reads at their ConfigMap about a policy, and who tells it."""

import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.policy.book import PolicyBook
from autoscaler.policy_events import MOST_PER_CONFIG_MAP, PolicyEvents
from autoscaler.ports import HeldBack, Mandate, PolicyDocument
from support.demo_bench import CHECKOUT, POLICY, Bench, document

SHOP = TargetRef("shop", "policies", "ConfigMap", "v1")
GOOD = POLICY.format(least=1, most=50)
SALE = "schedule: [{name: a, start: '0 0 * * *', end: '59 23 * * *', minReplicas: 90}]\n"


def written(text, key="checkout", config_map="policies"):
    source = f"ConfigMap shop/{config_map} key {key}"
    return PolicyDocument(source, text, "shop", config_map=config_map)


class Told:
    """A cluster that keeps what it is told, and a book that is read again and again."""

    def __init__(self):
        self.events = []
        self.book = PolicyBook()
        self.complaints = PolicyEvents(self)

    def record_event(self, target, *, reason, message, warning=False):
        self.events.append((target, reason, message, warning))

    def read(self, *documents, may_write=True):
        """Return the reasons of the Events that reading these documents makes."""
        n_before = len(self.events)
        self.book = self.book.updated(documents)
        self.complaints.tell(self.book, may_write=lambda target: may_write)
        return [reason for _, reason, _, _ in self.events[n_before:]]


def test_a_refused_policy_is_a_warning_on_its_config_map_in_one_line():
    told = Told()
    told.read(written(GOOD))
    told.read(written("maxReplicas: many"))

    [(target, reason, message, warning)] = told.events
    assert (target, reason, warning) == (SHOP, "PolicyRefused", True)
    assert message.startswith("ConfigMap shop/policies key checkout")
    assert message.endswith("; the last good version stays in force")
    assert "\n" not in message


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        pytest.param(["{", "{"], [["PolicyRefused"], []], id="once"),
        pytest.param(["{", "{}"], [["PolicyRefused"]] * 2, id="another complaint"),
        pytest.param(["{", GOOD], [["PolicyRefused"], ["PolicyAccepted"]], id="mended"),
        pytest.param([GOOD, "{", GOOD], [[], ["PolicyRefused"], ["PolicyAccepted"]], id="reverted"),
        pytest.param([GOOD, GOOD], [[], []], id="never wrong"),
        pytest.param([GOOD + SALE, GOOD], [["PolicyWarning"], []], id="a warning that is gone"),
    ],
)
def test_what_is_told_of_one_document_version_by_version(texts, expected):
    told = Told()

    assert [told.read(written(text)) for text in texts] == expected


def test_a_second_policy_for_a_workload_is_told_at_its_own_config_map_alone():
    told = Told()
    told.read(written(GOOD, config_map="a"), written(GOOD, config_map="b"))

    assert [(target.name, reason) for target, reason, _, _ in told.events] == [
        ("b", "PolicyRefused")
    ]


def test_a_refused_document_that_is_taken_away_is_not_accepted():
    told = Told()

    assert [told.read(written("{")), told.read()] == [["PolicyRefused"], []]


def test_who_may_not_write_tells_nothing_and_all_of_it_once_it_may():
    told = Told()
    bad = written("{")

    assert [told.read(bad, may_write=may) for may in (False, True, True)] == [
        [],
        ["PolicyRefused"],
        [],
    ]


def test_of_a_thousand_mistakes_in_one_config_map_a_few_are_told_and_its_neighbour_too():
    told = Told()
    wrong = [written("{", key=f"{n:04}") for n in range(1000)]

    told.read(*wrong, written("{", config_map="neighbour"))

    targets = [target.name for target, _, _, _ in told.events]
    assert targets.count("policies") == MOST_PER_CONFIG_MAP
    assert targets.count("neighbour") == 1


def test_of_a_file_nothing_is_recorded():
    assert Told().read(document(least="few")) == []


@pytest.mark.parametrize(
    ("mandate", "n_told"),
    [
        pytest.param(Mandate(), 1, id="alone"),
        pytest.param(Mandate(held_back=lambda: HeldBack.DRY_RUN), 0, id="a dry run"),
        pytest.param(Mandate(held_back=lambda: HeldBack.STANDBY), 0, id="a standby"),
        pytest.param(Mandate(may_write=lambda target: target != SHOP), 0, id="another's shard"),
        pytest.param(Mandate(may_write=lambda target: target == SHOP), 1, id="the shard of it"),
    ],
)
def test_the_daemon_that_may_write_tells_it_and_no_other(mandate, n_told):
    bench = Bench(document(), written("{", key="broken"))
    bench.daemon._mandate = mandate
    bench.cycle(3)

    told = [target for _, target, reason, _ in bench.cluster.events if reason == "PolicyRefused"]
    assert told == [SHOP] * n_told
    assert bench.daemon.governs(CHECKOUT)
