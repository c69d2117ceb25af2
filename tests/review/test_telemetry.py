from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.decide.facts import Doubt, Sample, TargetRef, Trust
from autoscaler.decide.reason import Reason
from autoscaler.review.latest import LatestRecords
from autoscaler.review.telemetry import Telemetry
from review.records import UNROUTABLE, decided, missing, policy, record, signal, workload

WHO = {"namespace": "shop", "name": "checkout", "kind": "Deployment"}
SEARCH = TargetRef("shop", "search")


@pytest.fixture
def latest():
    return LatestRecords()


def exposition(telemetry):
    return b"".join(telemetry.registry.exposition()).decode()


def scraped(telemetry):
    """Return every sample of an exposition: name -> [(labels, value)]."""
    samples = {}
    for family in text_string_to_metric_families(exposition(telemetry)):
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


def test_replicas_are_told_as_kube_state_metrics_does(latest):
    latest.keep(record(10, 14, workload=workload(10, ready=9)))

    samples = scraped(Telemetry(latest))

    assert samples["autoscaler_status_current_replicas"] == [(WHO, 10)]
    assert samples["autoscaler_status_ready_replicas"] == [(WHO, 9)]
    assert samples["autoscaler_status_desired_replicas"] == [(WHO, 14)]
    assert samples["autoscaler_spec_min_replicas"] == [(WHO, 2)]
    assert samples["autoscaler_spec_max_replicas"] == [(WHO, 60)]


def test_each_signal_tells_load_band_capacity_and_lead_time(latest):
    latest.keep(record(10, 14))

    samples = scraped(Telemetry(latest))

    which = {**WHO, "metric": "requestRate linkerd"}
    assert samples["autoscaler_load"] == [(which, 1200)]
    assert samples["autoscaler_forecast_quantile"] == [(which, 1600)]
    assert samples["autoscaler_capacity"] == [(which, 120)]
    assert samples["autoscaler_lead_time_seconds"] == [(which, 120)]
    assert samples["autoscaler_sample_age_seconds"] == [(which, 30)]


def test_what_is_unknown_has_no_series_instead_of_a_zero(latest):
    latest.keep(decided(signal(sample=Sample(None), forecast=None, capacity=None)))

    samples = scraped(Telemetry(latest))

    for name in ("load", "forecast_quantile", "capacity", "recommended_replicas"):
        assert f"autoscaler_{name}" not in samples


def test_a_target_that_is_gone_has_no_number_of_replicas(latest):
    latest.keep(missing(SEARCH))
    latest.keep(record(0, 0))

    samples = scraped(Telemetry(latest))

    for name in ("current_replicas", "ready_replicas", "desired_replicas"):
        assert samples[f"autoscaler_status_{name}"] == [(WHO, 0)]


def test_a_metric_on_whose_word_nothing_is_lowered_says_why(latest):
    some = replace(signal().sample, doubt=Doubt.PARTIAL)
    latest.keep(decided(signal(sample=some)))
    latest.keep(decided(signal(), target=SEARCH))

    which = {**WHO, "metric": "requestRate linkerd"}
    doubts = scraped(Telemetry(latest))["autoscaler_metric_doubt"]
    assert doubts == [({**which, "reason": "MetricsPartialHold"}, 1)]


def test_pods_that_callers_do_not_find_are_told_and_left_out_while_consul_does_not_say(latest):
    silent = replace(UNROUTABLE, passing=None)
    latest.keep(record(workload=workload(10, routability=UNROUTABLE)))
    latest.keep(record(target=SEARCH, workload=workload(10, target=SEARCH, routability=silent)))
    latest.keep(record(target=TargetRef("shop", "not-in-consul")))

    samples = scraped(Telemetry(latest))

    search = {**WHO, "name": "search"}
    assert samples["autoscaler_consul_passing"] == [(WHO, 4)]
    assert samples["autoscaler_unroutable_seconds"] == [(WHO, 75)]
    assert samples["autoscaler_routing_delay_seconds"] == [(WHO, 75), (search, 75)]


def test_trust_and_reason_are_one_series_each_for_the_state_in_force(latest):
    latest.keep(record(trust=Trust.DEMOTED))

    samples = scraped(Telemetry(latest))

    assert samples["autoscaler_trust"] == [({**WHO, "trust": "Demoted"}, 1)]
    assert samples["autoscaler_reason"] == [({**WHO, "reason": "ForecastAboveTarget"}, 1)]


@pytest.mark.parametrize(
    ("held_back", "role"),
    [
        ("", "active"),
        ("standby: alpha leads", "standby"),
        ("waiting: replicas of another count act (4 shards)", "waiting"),
        ("dry run", "dry run"),
    ],
)
def test_what_this_replica_may_do_is_one_word(latest, held_back, role):
    latest.held_back = lambda: held_back

    assert scraped(Telemetry(latest))["autoscaler_role"] == [({"role": role}, 1)]


@pytest.mark.parametrize(
    ("made", "labels"),
    [
        pytest.param(record(10, 14), {"action": "scale_up", "error": "none"}, id="up"),
        pytest.param(record(14, 10), {"action": "scale_down", "error": "none"}, id="down"),
        pytest.param(record(10, 10), {"action": "none", "error": "none"}, id="nothing to do"),
        pytest.param(
            record(10, 14, rescaled=False, not_rescaled_because="403 Forbidden"),
            {"action": "none", "error": "internal"},
            id="refused",
        ),
        pytest.param(
            decided(spec=policy(mode="ForecastOnly")),
            {"action": "none", "error": "none"},
            id="forecast only is no error",
        ),
    ],
)
def test_every_decision_is_counted_by_action_and_error(latest, made, labels):
    telemetry = Telemetry(latest)

    telemetry.count(made)
    telemetry.count(made)
    telemetry.observe_cycle(timedelta(seconds=1))

    assert scraped(telemetry)["autoscaler_reconciliations_total"] == [(labels, 2)]


def test_a_cycle_counts_only_its_own_decisions(latest):
    telemetry = Telemetry(latest)
    for _ in range(2):
        telemetry.count(record(10, 14))
        telemetry.observe_cycle(timedelta(seconds=1))

    assert scraped(telemetry)["autoscaler_reconciliations_total"][0][1] == 2


def test_policies_that_fail_are_counted_from_none_on(latest):
    telemetry = Telemetry(latest)
    assert scraped(telemetry)["autoscaler_policy_failures_total"] == [({}, 0)]

    for broken in (2, 0, 1):
        telemetry.observe_cycle(timedelta(seconds=1), broken=broken)

    assert scraped(telemetry)["autoscaler_policy_failures_total"] == [({}, 3)]


def test_policies_that_are_refused_are_told_until_they_are_mended(latest):
    telemetry, told = Telemetry(latest), []
    for problems in ({"a: minReplicas: few", "b: no YAML"}, set()):
        latest.policy_problems = lambda problems=problems: frozenset(problems)
        told += scraped(telemetry)["autoscaler_policy_problems"]

    assert told == [({}, 2), ({}, 0)]


def test_pasts_that_were_answered_with_a_warning_are_counted(latest):
    telemetry = Telemetry(latest)
    latest.doubtful_pasts = lambda: 7

    assert scraped(telemetry)["autoscaler_doubtful_history_series"] == [({}, 7)]


def test_kinds_that_cannot_be_watched_are_counted(latest):
    telemetry = Telemetry(latest)
    latest.out_of_sight = lambda: 2

    assert scraped(telemetry)["autoscaler_kinds_out_of_sight"] == [({}, 2)]


def test_the_cycle_time_is_a_histogram(latest):
    telemetry = Telemetry(latest)

    telemetry.observe_cycle(timedelta(seconds=0.2))

    samples = scraped(telemetry)
    assert samples["autoscaler_reconciliation_duration_seconds_sum"] == [({}, 0.2)]
    assert ({"le": "0.25"}, 1) in samples["autoscaler_reconciliation_duration_seconds_bucket"]


def test_a_target_that_is_dropped_leaves_no_series(latest):
    latest.keep(record())
    latest.retain({TargetRef("shop", "other")})

    assert "autoscaler_trust" not in scraped(Telemetry(latest))


def test_a_contested_workload_is_seen_by_its_reason(latest):
    latest.keep(record(10, 10, (Reason.REPLICAS_CONTESTED, 14, 10)))

    assert scraped(Telemetry(latest))["autoscaler_reason"] == [
        ({**WHO, "reason": "ReplicasContested"}, 1)
    ]


def test_the_text_is_what_the_client_library_would_have_written(latest):
    latest.keep(decided())
    latest.keep(decided(target=TargetRef("api", "search")))
    telemetry = Telemetry(latest)

    theirs = text_string_to_metric_families(generate_latest(telemetry.registry).decode())

    assert list(theirs) == list(text_string_to_metric_families(exposition(telemetry)))


def test_whatever_a_name_contains_stays_one_label(latest):
    hostile = 'a"} 1\nautoscaler_load{x="\\'
    latest.keep(decided(signal(metric=hostile)))

    [(labels, _)] = scraped(Telemetry(latest))["autoscaler_load"]

    assert labels["metric"] == hostile


def test_before_the_first_record_every_family_is_known_by_name(latest):
    names = {family.name for family in Telemetry(latest).registry.collect()}

    assert {"autoscaler_load", "autoscaler_trust", "autoscaler_reconciliations"} <= names
