"""One query that is too much for Prometheus, among others that are asked in the same question."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.connection import Answer
from autoscaler.metrics.heavy_queries import APART_FOR, MOST_SUSPECTS
from autoscaler.metrics.own_queries import OwnQueries, dated
from autoscaler.metrics.own_query import examined
from autoscaler.metrics.transport import QueryTooHeavyError, QueryWrongError

NOW = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)
CYCLE = timedelta(seconds=15)
ANSWER = Answer([])
LATE = QueryTooHeavyError("timed out: no answer within 10 s")


class Asking:
    """A Prometheus that has no time for some queries, asked cycle by cycle."""

    def __init__(self, *names, heavy=(), error=LATE, alive=True):
        self.names = names
        self.heavy = set(heavy)
        self.error = error
        self.alive = alive
        self.queries = OwnQueries(dated)
        self.now = NOW
        self.asked = []
        """The names in each question of the last cycle."""

    def answers(self, texts):
        asked = [frozenset(re.findall("load_(\\w+)", text)) for text in texts]
        self.asked += asked
        return [self.answer(names) for names in asked]

    def answer(self, names):
        return self.error if names & self.heavy else ANSWER

    def cycle(self):
        """Return what is known of each name after one more cycle."""
        self.asked = []
        queries = {i: examined(f"load_{name}") for i, name in enumerate(self.names)}
        begun = self.queries.begun(queries, now=self.now)
        answers = self.answers(self.queries.questions(begun.batches))
        outcomes = self.queries.finished(
            begun, answers, ask=self.answers, now=self.now, alive=self.alive
        )
        self.now += CYCLE
        return {name: outcomes[i] for i, name in enumerate(self.names)}

    def unknown(self, outcomes):
        return {n for n, outcome in outcomes.items() if isinstance(outcome, MetricUnavailableError)}


def test_the_query_that_is_too_heavy_is_found_by_halves_while_the_others_are_read(caplog):
    asking = Asking(*"abcdefgh", heavy="d")

    unknown = [asking.unknown(asking.cycle()) for _ in range(5)]

    assert unknown == [set("abcdefgh"), set("abcd"), set("cd"), {"d"}, {"d"}]
    [told] = [r.fields for r in caplog.records if r.msg == "query_too_heavy"]
    assert told == {"query": "load_d", "error": "timed out: no answer within 10 s"}


def test_a_cycle_costs_two_questions_more_than_there_are_halves_that_were_answered():
    asking = Asking(*(f"q{i:03d}" for i in range(500)), heavy=["q123"])

    n_asked = []
    for _ in range(12):
        outcomes = asking.cycle()
        n_asked.append(len(asking.asked))

    assert asking.unknown(outcomes) == {"q123"}
    assert max(n_asked) <= 2 + 9


def test_what_waits_says_why():
    asking = Asking(*"abcd", heavy="b")
    asking.cycle()

    outcomes = asking.cycle()
    alone = asking.cycle()

    assert str(outcomes["a"]) == f"{LATE}"
    assert str(alone["b"]) == f"{LATE}"
    assert "asked alone, and again in 5 minutes" in str(asking.cycle()["b"])


def test_the_query_that_was_found_is_asked_alone_after_a_while_until_it_is_light_again():
    asking = Asking(*"abcd", heavy="b")
    for _ in range(4):
        asking.cycle()
    assert not any("b" in names for names in asking.asked)

    asking.now += APART_FOR
    assert asking.unknown(asking.cycle()) == {"b"}
    assert asking.asked == [frozenset("acd"), frozenset("b")]
    assert asking.unknown(asking.cycle()) == {"b"}
    assert asking.asked == [frozenset("acd")]
    asking.heavy, asking.now = set(), asking.now + APART_FOR
    assert asking.unknown(asking.cycle()) == set()
    asking.cycle()
    assert asking.asked == [frozenset("abcd")]


def test_a_clock_that_was_set_back_leaves_nobody_apart_for_longer():
    asking = Asking(*"abcd", heavy="b")
    for _ in range(4):
        asking.cycle()
    asking.heavy, asking.now = set(), asking.now - timedelta(hours=1)

    assert asking.unknown(asking.cycle()) == set()


@pytest.mark.parametrize("heavy", ["ah", "abcdefgh", "aceg", "dh"])
def test_several_are_found_with_two_suspects_in_a_cycle(heavy):
    asking = Asking(*"abcdefgh", heavy=heavy)

    for _ in range(16):
        outcomes = asking.cycle()
        assert sum(bool(names & asking.heavy) for names in asking.asked) <= MOST_SUSPECTS

    assert asking.unknown(outcomes) == set(heavy)


@pytest.mark.parametrize(
    ("n_batches", "n_cycles"),
    [
        pytest.param(40, 1, id="many are late at once: nobody is suspected"),
        pytest.param(3, 5, id="a few may be late for their own reasons: twice as many each time"),
    ],
)
def test_after_an_overload_everybody_is_read_again(n_batches, n_cycles):
    asking = Asking(*(f"q{i:03d}" for i in range(100 * n_batches)))
    asking.queries.together = 100
    asking.answer = lambda names: LATE
    for _ in range(6):
        asking.cycle()
    asking.answer = lambda names: ANSWER

    for _ in range(n_cycles):
        outcomes = asking.cycle()

    assert asking.unknown(outcomes) == set()


def test_queries_that_are_too_much_only_together_stay_apart_for_a_while():
    asking = Asking(*"abcd")
    asking.answer = lambda names: LATE if names >= set("bc") else ANSWER

    unknown = [asking.unknown(asking.cycle()) for _ in range(19)]

    assert unknown == [set("abcd"), *[set()] * 18]


@pytest.mark.parametrize(
    ("error", "alive"),
    [
        pytest.param(LATE, False, id="nobody else was answered: an outage"),
        pytest.param(MetricUnavailableError("HTTP 429"), True, id="fewer questions are wanted"),
        pytest.param(MetricUnavailableError("connection refused"), True, id="no connection"),
        pytest.param(MetricUnavailableError("not asked within 10 s"), True, id="never asked"),
    ],
)
def test_nobody_is_suspected_of_what_is_not_his_fault(error, alive):
    asking = Asking(*"abcd", heavy="b", error=error, alive=alive)

    for _ in range(4):
        assert asking.unknown(asking.cycle()) == set("abcd")
        assert asking.asked == [frozenset("abcd")]


def test_who_is_late_only_after_a_wrong_query_was_looked_for_is_not_suspected():
    """What is left of the patience by then is no measure."""
    asking = Asking(*"abcd")
    wrong = QueryWrongError("parse error")
    asking.answer = lambda names: wrong if len(names) > 2 else LATE

    asking.cycle()
    asking.answer = lambda names: ANSWER
    asking.cycle()

    assert asking.asked == [frozenset("abcd")]


def test_a_wrong_query_is_found_among_suspects_as_anywhere():
    asking = Asking(*"abcdefgh", heavy="b")
    asking.cycle()
    wrong = QueryWrongError("parse error")
    asking.answer = lambda names: LATE if "b" in names else wrong if "g" in names else ANSWER
    for _ in range(4):
        outcomes = asking.cycle()

    assert asking.unknown(outcomes) == set("bg")
    assert str(outcomes["g"]) == "parse error"


def test_the_same_query_of_two_policies_is_one_suspect():
    asking = Asking("a", "b", "b", heavy="b")

    for _ in range(3):
        outcomes = asking.cycle()

    assert asking.unknown(outcomes) == {"b"}


def test_a_suspect_that_left_with_its_policy_is_forgotten():
    asking = Asking(*"abcd", heavy="b")
    for _ in range(3):
        asking.cycle()
    asking.names = tuple("acd")
    asking.now += APART_FOR
    asking.cycle()

    assert asking.queries.heavy.turn({"load_b"}, now=asking.now).groups == ()
