"""How much a number is worth: absent, stale, partial, duplicated, foreign, warned."""

from dataclasses import replace
from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt, PodPhase, TargetRef
from support.load_series import NOW, TARGET, cpu, request_rate, workload
from support.prometheus_stub import failure, row, success

T = NOW.timestamp()
LINKERD = request_rate(source="linkerd")
POD = "checkout-7d4b9c5f6-bcdfg"
OURS = (POD, "checkout-7d4b9c5f6-hjklm")


def linkerd(load: object = 120, *, at: float = T - 10, name: str = "checkout", **more: object):
    """Return the rows of one workload behind linkerd, as Prometheus answers them."""
    who = {"namespace": "shop", "deployment": name}
    parts = {"load": load, "at": at, "series": 6, "emitters": 3, "before": 3, **more}
    rows = [
        row(value, autoscaler_part=f"0:{part}", **who)
        for part, value in parts.items()
        if value is not None
    ]
    return [*rows, row(1, autoscaler_part="0:jobs", job="linkerd-proxy")]


@pytest.fixture
def sample_of(stub, reader_of):
    """Return the sample that an answer amounts to."""

    def sample(rows, *, series=LINKERD, down=(), workloads=None, **envelope):
        stub.reply = lambda asked: success(down if "up == 0" in asked.promql else rows, **envelope)
        [found] = reader_of(stub.url).newest([series], now=NOW, workloads=workloads or {})
        return found

    return sample


def test_a_good_sample_has_value_age_and_the_number_of_series_behind_it(sample_of):
    sample = sample_of(linkerd())

    assert (sample.value, sample.n_series, sample.doubt) == (120.0, 6, None)
    assert NOW - sample.sampled_at == timedelta(seconds=10)
    assert sample.trusted


HISTOGRAM = [T, {"count": "3", "sum": "6", "buckets": [[0, "1", "2", "3"]]}]


def test_a_native_histogram_in_the_place_of_a_counter_is_its_own_workloads_trouble(stub, reader_of):
    labels = {"autoscaler_part": "0:load", "namespace": "bank", "deployment": "till"}
    rows = [{"metric": labels, "histogram": HISTOGRAM}, *linkerd()]
    stub.reply = lambda asked: success([] if "up == 0" in asked.promql else rows)
    till = request_rate(source="linkerd", target=TargetRef("bank", "till"))

    bad, good = reader_of(stub.url).newest([till, LINKERD], now=NOW, workloads={})

    assert (good.value, good.doubt) == (120.0, None)
    assert (bad.value, bad.doubt) == (None, Doubt.NOT_A_NUMBER)


@pytest.mark.parametrize(
    ("rows", "doubt", "detail"),
    [
        pytest.param([], Doubt.ABSENT, "no series", id="nothing"),
        pytest.param(linkerd(name="cart"), Doubt.ABSENT, "no series", id="somebody else's"),
        pytest.param(linkerd(None), Doubt.ABSENT, "one sample so far, a rate needs two", id="new"),
        pytest.param(linkerd("NaN"), Doubt.NOT_A_NUMBER, "value nan", id="NaN"),
        pytest.param(linkerd("+Inf"), Doubt.NOT_A_NUMBER, "value inf", id="Inf"),
        pytest.param(linkerd(at=None), Doubt.STALE, "the series has ended", id="ended"),
        pytest.param(
            linkerd(at=T - 121), Doubt.STALE, "newest sample is 121 s old", id="too old by a second"
        ),
        pytest.param(linkerd(at=T - 3600), Doubt.STALE, "newest sample is 3600 s old", id="1 h"),
        pytest.param(
            [*linkerd(), row(80, autoscaler_part="0:load", namespace="shop", deployment="checkout",
                             cluster="b")],
            Doubt.FOREIGN, "several clusters answer: give labels.cluster", id="two clusters",
        ),
    ],
)  # fmt: skip
def test_what_is_certainly_wrong_has_no_value(sample_of, rows, doubt, detail):
    sample = sample_of(rows)

    assert (sample.value, sample.doubt, sample.detail) == (None, doubt, detail)


@pytest.mark.parametrize(
    ("rows", "doubt"),
    [
        pytest.param(linkerd(), None, id="nothing against it"),
        pytest.param(linkerd(at=T - 45), None, id="old, but within one and a half scrapes"),
        pytest.param(linkerd(at=T - 46), Doubt.PARTIAL, id="a scrape was missed"),
        pytest.param(linkerd(at=T - 119), Doubt.PARTIAL, id="late, but not stale"),
        pytest.param(linkerd(0), None, id="a zero whose series is there"),
        pytest.param(linkerd(twice=2), Doubt.DUPLICATED, id="two scrape jobs"),
        pytest.param(linkerd(before=None), Doubt.PARTIAL, id="window not covered"),
        pytest.param(linkerd(reset=1), Doubt.PARTIAL, id="a counter began anew"),
        pytest.param(linkerd(at=T + 45), Doubt.CLOCK_SKEW, id="from the future"),
    ],
)
def test_what_may_be_too_little_keeps_its_value_and_may_not_lower(sample_of, rows, doubt):
    sample = sample_of(rows)

    assert sample.value is not None
    assert (sample.doubt, sample.trusted) == (doubt, doubt is None)


QUANTILE = "PromQL warning: quantile value should be between 0 and 1, got 5 (1:10)"
NAMED = 'PromQL info: metric might not be a counter, name does not end in _total: "x" (1:6)'
STORE = "store 3: timed out"


@pytest.mark.parametrize(
    ("warnings", "doubts"),
    [
        pytest.param([NAMED], [None, None], id="a remark on a name"),
        pytest.param([QUANTILE], [None, None], id="a warning of somebody's query"),
        pytest.param([NAMED] * 10 + ["3 more annotations omitted"], [None, None], id="many"),
        pytest.param([STORE], [Doubt.WARNED] * 2, id="a store that is away"),
        pytest.param([QUANTILE, STORE], [Doubt.WARNED] * 2, id="that among others"),
    ],
)
def test_what_promql_says_of_one_query_is_no_doubt_of_those_beside_it(
    stub, reader_of, warnings, doubts
):
    rows = [row(n, autoscaler_part=f"{n}:load") for n in range(2)]
    stub.reply = lambda asked: success([] if "up == 0" in asked.promql else rows, warnings=warnings)
    both = [request_rate(query=text) for text in ("vector(0)", "quantile(5, vector(1))")]

    samples = reader_of(stub.url).newest(both, now=NOW, workloads={})

    assert [sample.doubt for sample in samples] == doubts


@pytest.mark.parametrize(
    ("warning", "doubt"), [(NAMED, None), (QUANTILE, Doubt.WARNED), (STORE, Doubt.WARNED)]
)
def test_of_a_query_that_is_asked_alone_it_is(sample_of, warning, doubt):
    alone = request_rate(query="quantile(5, vector(1))")

    sample = sample_of([row(1, autoscaler_part="0:load")], series=alone, warnings=[warning])

    assert sample.doubt is doubt


def test_warnings_of_a_partial_response_are_passed_on(sample_of):
    sample = sample_of(linkerd(), warnings=["store 3: timed out"])

    assert (sample.value, sample.doubt, sample.detail) == (
        120.0,
        Doubt.WARNED,
        "store 3: timed out",
    )


@pytest.mark.parametrize("partial", [True, False])
def test_a_cluster_of_victoria_metrics_whose_nodes_are_away_is_no_whole_answer(sample_of, partial):
    sample = sample_of(linkerd(), isPartial=partial)

    assert (sample.value, sample.doubt) == (120.0, Doubt.WARNED if partial else None)


def waypoints(**more: object):
    """Return the rows of a workload of an ambient mesh, whose requests two waypoints count."""
    who = {"destination_workload_namespace": "shop", "destination_workload": "checkout"}
    parts = {"load": 120, "at": T - 10, "series": 4, "emitters": 2, "before": 4}
    rows = [row(n, autoscaler_part=f"0:{part}", **who) for part, n in parts.items()]
    more_rows = [row(T - 90, autoscaler_part=f"0:{p}", pod=n, **who) for p, n in more.items()]
    return [*rows, *more_rows, row(1, autoscaler_part="0:jobs", job="istio")]


WAYPOINT = request_rate(source="istio", labels={"reporter": "waypoint"})


@pytest.mark.parametrize(
    ("rows", "down", "doubt"),
    [
        pytest.param(waypoints(), [], None, id="both are heard"),
        pytest.param(waypoints(silent="waypoint-7d4b9c5f6-bcdfg"), [], Doubt.PARTIAL, id="silent"),
        pytest.param(
            waypoints(),
            [row(1, job="istio", instance="a:1", namespace="shop", pod="waypoint-7d4b9c5f6-bcdfg")],
            Doubt.PARTIAL, id="one is down",
        ),
    ],
)  # fmt: skip
def test_what_waypoints_count_is_no_pods_of_the_workload(sample_of, rows, down, doubt):
    sample = sample_of(rows, series=WAYPOINT, down=down, workloads=workload(*OURS, "checkout-x"))

    assert (sample.value, sample.doubt) == (120.0, doubt)


@pytest.mark.parametrize(
    ("cluster", "doubt"),
    [
        pytest.param({"cluster": "us"}, None, id="of another cluster"),
        pytest.param({"cluster": "eu"}, Doubt.PARTIAL, id="of ours"),
        pytest.param({}, Doubt.PARTIAL, id="of which cluster is not said"),
    ],
)
def test_who_chose_a_cluster_misses_no_gateway_of_another(sample_of, cluster, doubt):
    who = {"exported_namespace": "shop", "exported_service": "checkout", "cluster": "eu"}
    parts = {"load": 120, "at": T - 10, "series": 4, "emitters": 2, "before": 4}
    rows = [row(n, autoscaler_part=f"0:{part}", **who) for part, n in parts.items()]
    rows.append(row(1, autoscaler_part="0:jobs", job="ingress-nginx"))
    series = request_rate(source="ingress-nginx", labels={"cluster": "eu"})

    sample = sample_of(rows, series=series, down=[row(1, job="ingress-nginx", **cluster)])

    assert (sample.value, sample.doubt) == (120.0, doubt)


MESH = "linkerd-proxy"
ENDING = [{"phase": PodPhase.FAILED}, {"phase": PodPhase.SUCCEEDED}, {"deleted": True}]
DOWN = {"job": MESH, "instance": "10.0.0.7:4191", "namespace": "shop"}


@pytest.mark.parametrize(
    ("labels", "doubt"),
    [
        pytest.param({**DOWN, "pod": POD}, Doubt.PARTIAL, id="a pod of ours"),
        pytest.param({**DOWN, "pod": "cart-7d4b9c5f6-bcdfg"}, None, id="a pod of somebody else"),
        pytest.param({**DOWN, "pod": POD, "namespace": "bank"}, None, id="another namespace"),
        pytest.param({**DOWN, "pod": POD, "job": "app"}, None, id="another job"),
        pytest.param(DOWN, Doubt.PARTIAL, id="nobody knows whose pod"),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["pods are watched", "pods by name"])
def test_a_pod_that_cannot_be_scraped_makes_its_workload_partial(sample_of, labels, doubt, known):
    sample = sample_of(
        linkerd(), down=[row(1, **labels)], workloads=workload(POD) if known else None
    )

    assert sample.doubt == doubt


@pytest.mark.parametrize("ending", ENDING, ids=["evicted", "completed", "being deleted"])
def test_a_pod_that_has_ended_is_not_missed_while_its_target_is_still_there(sample_of, ending):
    facts = workload(*OURS)[TARGET]
    pods = (replace(facts.pods[0], **ending), facts.pods[1])
    known = {TARGET: replace(facts, pods=pods, ready_replicas=1)}

    sample = sample_of(linkerd(), down=[row(1, **DOWN, pod=POD)], workloads=known)

    assert (sample.value, sample.doubt) == (120.0, None)


GATEWAY = request_rate(source="traefik")


@pytest.mark.parametrize(
    ("series", "job", "down", "doubt"),
    [
        pytest.param(GATEWAY, "traefik", "traefik", Doubt.NOT_SCRAPED, id="its gateway"),
        pytest.param(GATEWAY, "traefik", "linkerd-proxy", Doubt.ABSENT, id="another job"),
        pytest.param(LINKERD, "linkerd-proxy", "linkerd-proxy", Doubt.ABSENT, id="pods it has not"),
    ],
)
def test_a_load_that_nobody_tells_is_not_absent_while_who_counts_it_is_down(
    sample_of, series, job, down, doubt
):
    rows = [row(1, autoscaler_part="0:jobs", job=job)]
    sample = sample_of(rows, series=series, down=[row(1, job=down, instance="10.0.0.7:9100")])

    assert (sample.value, sample.doubt) == (None, doubt)
    told = "1 scrape target is down, 10.0.0.7:9100"
    assert sample.detail == (told if doubt is Doubt.NOT_SCRAPED else "no series")


@pytest.mark.parametrize("beside", [[], [cpu()]], ids=["alone", "after another policy came"])
def test_a_job_that_is_down_as_a_whole_was_read_before(stub, reader_of, beside):
    reader, rows = reader_of(stub.url), [*linkerd(), row(1, autoscaler_part="0:jobs", job="edge")]
    stub.reply = lambda asked: success([] if "up == 0" in asked.promql else rows)
    reader.newest([LINKERD], now=NOW, workloads={})
    down = row(1, job="edge", instance="10.0.0.7:4191")
    stub.reply = lambda asked: success([down] if "up == 0" in asked.promql else linkerd())

    *_, sample = reader.newest([*beside, LINKERD], now=NOW, workloads={})

    assert (sample.value, sample.doubt) == (120.0, Doubt.PARTIAL)


@pytest.mark.parametrize(
    ("up", "doubt"),
    [
        pytest.param([MESH, MESH], None, id="both are scraped, one is idle"),
        pytest.param([MESH], Doubt.PARTIAL, id="one is not scraped"),
        pytest.param([MESH, "app"], Doubt.PARTIAL, id="one has no proxy that could be scraped"),
        pytest.param(["app", "app"], None, id="what the mesh says came by federation"),
        pytest.param([], None, id="nobody knows"),
    ],
)
def test_a_ready_pod_that_nobody_scrapes_is_missed_and_an_idle_one_is_not(
    stub, reader_of, up, doubt
):
    scraped = [row(1, job=job, pod=pod) for job, pod in zip(up, OURS, strict=False)]
    stub.reply = lambda asked: success(
        []
        if "up == 0" in asked.promql
        else scraped
        if "up{" in asked.promql
        else linkerd(emitters=1)
    )

    [sample] = reader_of(stub.url).newest([LINKERD], now=NOW, workloads=workload(*OURS))

    assert (sample.value, sample.doubt) == (120.0, doubt)
    assert (OURS[1] in sample.detail) == (doubt is not None)


def test_where_who_is_scraped_cannot_be_asked_a_silent_pod_may_not_lower(stub, reader_of):
    stub.reply = lambda asked: (
        failure(422, "execution", "no")
        if "up{" in asked.promql
        else success([] if "up == 0" in asked.promql else linkerd(emitters=1))
    )

    [sample] = reader_of(stub.url).newest([LINKERD], now=NOW, workloads=workload(*OURS))

    assert (sample.value, sample.doubt) == (120.0, Doubt.PARTIAL)
    assert "whether they are scraped is not known" in sample.detail


@pytest.mark.parametrize("rows", [[7], [{"metric": []}], [{}], [{"metric": {"pod": ["a"]}}]])
def test_a_malformed_answer_to_who_is_scraped_is_none(stub, reader_of, rows):
    stub.reply = lambda asked: success(
        rows if "up{" in asked.promql else [] if "up == 0" in asked.promql else linkerd(emitters=1)
    )

    [sample] = reader_of(stub.url).newest([LINKERD], now=NOW, workloads=workload(*OURS))

    assert (sample.value, sample.doubt) == (120.0, Doubt.PARTIAL)
    assert "whether they are scraped is not known" in sample.detail


@pytest.mark.parametrize("rows", [[7], [{"metric": []}], [{}], [{"metric": {"job": ["a"]}}]])
def test_a_malformed_answer_to_who_is_down_is_none(stub, reader_of, rows):
    loads = [*linkerd(), row(7, autoscaler_part="1:load")]
    stub.reply = lambda asked: success(rows if "up == 0" in asked.promql else loads)
    both = [LINKERD, request_rate(query="vector(7)")]

    named, own = reader_of(stub.url).newest(both, now=NOW, workloads={})

    assert (named.value, named.doubt) == (120.0, Doubt.PARTIAL)
    assert own.value == 7.0


def test_when_nobody_knows_who_is_down_nobody_may_lower(stub, reader_of):
    stub.reply = lambda asked: (
        failure(422, "execution", "no") if "up == 0" in asked.promql else success(linkerd())
    )

    [sample] = reader_of(stub.url).newest([LINKERD], now=NOW, workloads={})

    assert sample.doubt is Doubt.PARTIAL


def test_a_central_exporter_that_is_down_makes_everybody_partial(sample_of):
    who = {"namespace": "shop", "service": "checkout"}
    parts = {"load": 10, "at": T, "series": 1, "before": 1}
    rows = [row(value, autoscaler_part=f"1:{part}", **who) for part, value in parts.items()]
    rows.append(row(1, autoscaler_part="1:jobs", job="ingress"))
    down = [row(1, job="ingress", instance="10.0.0.9:10254", namespace="ingress", pod="nginx-x")]

    sample = sample_of(rows, series=request_rate(source="ingress-nginx"), down=down)

    assert (sample.value, sample.doubt) == (10.0, Doubt.PARTIAL)


def cores(**of_pod: float):
    """Return the rows of CPU by pod (underscores stand for dashes)."""
    rows = []
    for pod, value in of_pod.items():
        who = {"namespace": "shop", "pod": pod.replace("_", "-")}
        rows.append(row(value, autoscaler_part="0:load", container="app", **who))
        rows.append(row(0.9, autoscaler_part="0:load", container="linkerd-proxy", **who))
    parts = (("at", T), ("before", 1))
    return [*rows, *(row(n, autoscaler_part=f"0:{part}", namespace="shop") for part, n in parts)]


PODS = cores(checkout_7d4b9c5f6_bcdfg=0.4, checkout_7d4b9c5f6_hjklm=0.6, checkout_v2_bcdfg=5)


@pytest.mark.parametrize("known", [True, False], ids=["by owner", "by name"])
def test_cpu_is_that_of_the_named_container_of_our_own_pods(sample_of, known):
    series = cpu(target=TARGET)

    sample = sample_of(PODS[:4] + PODS[-2:], series=series,
                       workloads=workload(*OURS) if known else None)  # fmt: skip

    assert sample.value == 1.0
    assert sample.by_pod == {OURS[0]: 0.4, OURS[1]: 0.6}


def test_pods_of_another_owner_with_a_similar_name_are_not_ours(sample_of):
    sample = sample_of(PODS, series=cpu(), workloads=workload(*OURS))

    assert sample.value == 1.0


def test_a_ready_pod_without_a_sample_is_missed(sample_of):
    sample = sample_of(PODS, series=cpu(), workloads=workload(*OURS, "checkout-7d4b9c5f6-zzzzz"))

    assert (sample.value, sample.doubt) == (1.0, Doubt.PARTIAL)
    assert sample.detail == "1 ready pods are silent, first checkout-7d4b9c5f6-zzzzz"


def test_a_pod_that_serves_and_is_not_listed_is_missed(sample_of):
    [(target, facts)] = workload(*OURS).items()
    more = {target: replace(facts, ready_replicas=3)}

    assert sample_of(PODS, series=cpu(), workloads=workload(*OURS)).doubt is None
    sample = sample_of(PODS, series=cpu(), workloads=more)
    assert (sample.value, sample.doubt) == (1.0, Doubt.PARTIAL)
    assert sample.detail == "3 pods serve, not all of them are known by name"


@pytest.mark.parametrize(
    ("known", "doubts"),
    [
        pytest.param(True, [None, Doubt.PARTIAL], id="each of our pods is heard"),
        pytest.param(False, [Doubt.PARTIAL, Doubt.PARTIAL], id="our pods are not known"),
    ],
)
def test_a_kubelet_that_is_down_is_missed_by_the_pods_of_its_node(stub, reader_of, known, doubts):
    facts, reader = workload(*OURS) if known else {}, reader_of(stub.url)
    rows = [*PODS, row(2, autoscaler_part="0:jobs", job="kubelet")]
    down = row(1, job="kubelet", instance="10.0.0.9:10250")

    def read(minutes, *targets):
        now = NOW + timedelta(minutes=minutes)
        stub.reply = lambda asked: success(targets if "up == 0" in asked.promql else rows)
        [sample] = reader.newest([cpu()], now=now, workloads=facts)
        return sample.doubt

    while_down = [read(minutes / 2, down) for minutes in range(-13, 0)]

    assert [while_down[-1], read(0)] == doubts


LOST = [{"ready": False}, {"deleted": True}, {"phase": PodPhase.FAILED}]


@pytest.mark.parametrize("lost", LOST, ids=["its node is lost", "being deleted", "evicted"])
def test_a_pod_that_serves_no_more_makes_no_sum_old(sample_of, lost):
    late = row(T - 200, autoscaler_part="0:late", namespace="shop", pod=POD, container="app")
    facts = workload(*OURS)[TARGET]
    pods = (replace(facts.pods[0], **lost), facts.pods[1])
    known = {TARGET: replace(facts, pods=pods, ready_replicas=1)}

    sample = sample_of([*PODS, late], series=cpu(), workloads=known)

    assert (sample.value, sample.doubt) == (1.0, None)


def counted(**of_pod: float):
    """Return the rows of statsd sidecars by pod (underscores stand for dashes)."""
    who = {"namespace": "shop"}
    rows = [
        row(rate, autoscaler_part="0:load", pod=pod.replace("_", "-"), **who)
        for pod, rate in of_pod.items()
    ]
    return [
        *rows,
        *(row(n, autoscaler_part=f"0:{p}", **who) for p, n in {"at": T, "before": 1}.items()),
    ]


@pytest.mark.parametrize(
    ("other", "age", "doubt"),
    [
        pytest.param(1.0, timedelta(hours=1), Doubt.PARTIAL, id="of a hundred requests not one"),
        pytest.param(0.05, timedelta(hours=1), None, id="of six requests it may be none"),
        pytest.param(1.0, timedelta(minutes=2), None, id="it is new"),
    ],
)
def test_a_counter_that_stands_still_beside_busy_ones_has_lost_its_sender(
    sample_of, other, age, doubt
):
    rows = counted(checkout_7d4b9c5f6_bcdfg=0.0, checkout_7d4b9c5f6_hjklm=other)

    statsd = request_rate(source="statsd")
    sample = sample_of(rows, series=statsd, workloads=workload(*OURS, age=age))

    assert (sample.value, sample.doubt) == (other, doubt)
    assert sample.detail == (f"1 ready pods count nothing, first {POD}" if doubt else "")


@pytest.mark.parametrize("late", OURS)
def test_a_sum_is_as_old_as_its_oldest_part(sample_of, late):
    behind = row(T - 90, autoscaler_part="0:late", namespace="shop", pod=late, container="app")
    sample = sample_of([*PODS, behind], series=cpu(), workloads=workload(*OURS))

    assert NOW - sample.sampled_at == timedelta(seconds=90)


@pytest.mark.parametrize(
    ("pods", "doubt"),
    [
        pytest.param(OURS, Doubt.PARTIAL, id="a pod of ours"),
        pytest.param(OURS[1:], None, id="a pod that has ended"),
        pytest.param(None, Doubt.PARTIAL, id="pods are not watched"),
    ],
)
def test_a_sum_lacks_an_emitter_that_is_silent_for_two_scrapes_and_a_half(sample_of, pods, doubt):
    who = {"namespace": "shop", "deployment": "checkout", "pod": POD}
    silent = row(T - 90, autoscaler_part="0:silent", **who)

    sample = sample_of([*linkerd(), silent], workloads=workload(*pods) if pods else None)

    assert (sample.value, sample.doubt) == (120.0, doubt)
    assert sample.detail == (f"1 exporters are silent, first {POD}" if doubt else "")


def test_a_new_pod_without_a_sample_is_not_missed_yet(sample_of):
    young = workload(*OURS, "checkout-7d4b9c5f6-zzzzz", age=timedelta(minutes=2))

    assert sample_of(PODS, series=cpu(), workloads=young).doubt is None


def test_all_containers_are_summed_for_a_metric_of_the_whole_pod(sample_of):
    sample = sample_of(PODS, series=cpu(container=None), workloads=workload(*OURS))

    assert sample.value == pytest.approx(0.4 + 0.6 + 2 * 0.9)
