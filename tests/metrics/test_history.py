"""How the past becomes an array: grid, gaps, pieces, what is kept."""

import json
import os
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from autoscaler.decide.facts import TargetRef
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.grid import Grid, chunks, grid_between, placed
from support.load_series import NOW, cpu, request_rate
from support.prometheus_stub import Reply, failure, success

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LINKERD = request_rate(source="linkerd")
OWN = request_rate(query="sum(rate(hits_total[2m]))")
WHO = {"namespace": "shop", "deployment": "checkout"}
TIMED_OUT = failure(503, "timeout", "query timed out in expression evaluation")


def matrix(*rows, **beside) -> Reply:
    result = [{"metric": labels, "values": values} for labels, values in rows]
    data = {"resultType": "matrix", "result": result}
    return Reply(body=json.dumps({"status": "success", "data": data, **beside}).encode())


def points(asked, load=lambda seconds: seconds / 60 % 1000):
    """Return a point per step of the range that was asked for."""
    start, end, step = (float(asked.parameters[name]) for name in ("start", "end", "step"))
    n_points = round((end - start) / step) + 1
    return [[start + k * step, str(load(start + k * step))] for k in range(n_points)]


@pytest.fixture
def read(stub, reader_of, tmp_path):
    """Read the hour before NOW of the given series, by the minute."""

    def read(*series, span=timedelta(hours=1), cache=False, end=NOW):
        reader = reader_of(stub.url, history_cache=tmp_path / "kept" if cache else None)
        reader._history._rest = lambda _: None
        return reader.history(series, start=end - span, end=end, step=MINUTE)

    return read


def test_columns_end_on_the_grid_and_the_last_one_at_the_end(stub, read):
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))

    history = read(LINKERD)

    assert history.load.shape == (1, 60)
    assert history.end_at == NOW
    assert history.load[0, -1] == NOW.timestamp() / 60 % 1000
    assert np.diff(history.load[0]).tolist() == [1.0] * 59


@pytest.mark.parametrize("series", [LINKERD, OWN], ids=["named", "own"])
@pytest.mark.parametrize(
    "rows",
    [
        [7],
        [{}],
        [{"metric": []}],
        [{"metric": {"autoscaler_part": "0:load"}}],
        [{"metric": {"autoscaler_part": "0:load"}, "values": 7}],
        [{"metric": {"autoscaler_part": "0:load"}, "values": [["x", "y"]]}],
    ],
)
def test_a_malformed_past_is_none_and_asked_for_again_later(stub, read, series, rows):
    data = {"resultType": "matrix", "result": rows}
    body = json.dumps({"status": "success", "data": data}).encode()
    stub.reply = lambda _: Reply(body=body)

    with pytest.raises(MetricUnavailableError, match="malformed answer"):
        read(series)


def test_native_histograms_in_the_place_of_a_counter_leave_a_gap(stub, read):
    def reply(asked):
        [at, _], *others = points(asked)
        labels = {"autoscaler_part": "0:load", **WHO}
        row = {"metric": labels, "values": others, "histograms": [[at, {"count": "1"}]]}
        neighbour = {"metric": labels | {"deployment": "cart"}, "histograms": [[at, {}]]}
        data = {"resultType": "matrix", "result": [row, neighbour]}
        return Reply(body=json.dumps({"status": "success", "data": data}).encode())

    stub.reply = reply
    [load] = read(LINKERD).load

    assert np.isnan(load[0])
    assert np.isfinite(load[1:]).all()


def test_a_span_shorter_than_a_step_has_no_past(stub, read):
    assert read(LINKERD, OWN, span=timedelta(seconds=30)).load.shape == (2, 0)
    assert stub.asked == []


def test_gaps_nan_and_inf_are_nan_never_zero(stub, read):
    def with_gaps(asked):
        values = points(asked)
        values[3][1], values[4][1] = "NaN", "+Inf"
        return matrix(({"autoscaler_part": "0:load", **WHO}, values[:10] + values[20:]))

    stub.reply = with_gaps
    history = read(LINKERD)

    unknown = np.flatnonzero(np.isnan(history.load[0])).tolist()
    assert unknown == [3, 4, *range(10, 20)]


def test_a_series_nobody_has_is_unknown_throughout(stub, read):
    stub.reply = lambda _: matrix()

    assert np.isnan(read(LINKERD, OWN).load).all()


def test_pods_of_the_past_are_added_up_under_their_owner(stub, read):
    def pods(asked):
        assert "label_replace" in asked.promql
        who = {"namespace": "shop", "autoscaler_owner": "checkout"}
        part = {"autoscaler_part": "0:Deployment"}
        return matrix(
            ({**who, **part, "container": "app"}, points(asked, lambda _: 2)),
            ({**who, **part, "container": "linkerd-proxy"}, points(asked, lambda _: 1)),
        )

    stub.reply = pods
    history = read(cpu(), cpu(container=None))

    assert history.load[:, 0].tolist() == [2.0, 3.0]


def test_users_own_queries_are_read_too_and_a_wrong_one_harms_no_other(stub, read):
    def own(asked):
        if "wrong" in asked.promql:
            return failure(400, "bad_data", "parse error")
        return matrix(({"autoscaler_part": "0:load"}, points(asked, lambda _: 5)))

    stub.reply = own
    history = read(OWN, request_rate(query="wrong"))

    assert history.load[0].tolist() == [5.0] * 60
    assert np.isnan(history.load[1]).all()


def test_a_source_whose_past_is_refused_harms_no_other(stub, read, caplog):
    def own(asked):
        if "request_total" in asked.promql:
            return failure(422, "execution", "vector contains metrics with the same labelset")
        return matrix(({"autoscaler_part": "1:load"}, points(asked, lambda _: 5)))

    stub.reply = own
    history = read(LINKERD, OWN)

    assert np.isnan(history.load[0]).all()
    assert history.load[1].tolist() == [5.0] * 60
    [told] = [r.fields for r in caplog.records if r.msg == "history_refused"]
    assert told["query"] == "linkerd"
    assert told["error"].startswith("vector contains metrics with the same labelset")


def test_a_source_that_is_asked_alone_and_refused_has_a_past_that_cannot_be_asked_for(stub, read):
    stub.reply = lambda _: failure(422, "execution", "vector contains metrics twice")

    with pytest.raises(MetricUnavailableError, match="vector contains metrics twice"):
        read(LINKERD)


@pytest.mark.parametrize(
    ("most_points", "known"),
    [
        pytest.param(0, [False, True, True], id="however short: it has none"),
        pytest.param(60, [True, True, True], id="at once: it is read in shorter ranges"),
    ],
)
def test_an_own_query_that_is_too_heavy_for_a_range_harms_no_other(
    stub, read, caplog, most_points, known
):
    def own(asked):
        if asked.promql == "vector(1)":
            return success([])
        if "heavy" in asked.promql and len(points(asked)) > most_points:
            return TIMED_OUT
        parts = [{"autoscaler_part": f"{i}:load"} for i in range(3)]
        return matrix(*((part, points(asked, lambda _: 5)) for part in parts))

    stub.reply = own
    history = read(request_rate(query="heavy"), OWN, request_rate(query="c"), span=2 * HOUR)

    assert [np.isfinite(row).all() for row in history.load] == known
    assert [np.isnan(row).all() for row in history.load] == [not each for each in known]
    told = [r.fields["query"] for r in caplog.records if r.msg == "history_refused"]
    assert told == ([] if all(known) else ["heavy"])
    assert len(stub.asked) <= 25


def test_an_own_query_that_is_asked_alone_and_too_heavy_has_a_past_that_cannot_be_asked_for(
    stub, read
):
    stub.reply = lambda asked: success([]) if asked.promql == "vector(1)" else TIMED_OUT

    with pytest.raises(MetricUnavailableError, match="query timed out"):
        read(request_rate(query="heavy"), span=timedelta(minutes=50))


def test_what_was_too_heavy_an_hour_ago_is_asked_again_and_held_against_nobody(stub, reader_of):
    def read():
        hour = {"start": NOW - timedelta(minutes=50), "end": NOW, "step": MINUTE}
        return reader.history([request_rate(query="heavy")], **hour)

    reader = reader_of(stub.url)
    reader._history._rest = lambda _: None
    stub.reply = lambda asked: success([]) if asked.promql == "vector(1)" else TIMED_OUT
    with pytest.raises(MetricUnavailableError, match="query timed out"):
        read()
    found_at, error = reader._history._hopeless["heavy"]
    reader._history._hopeless["heavy"] = found_at - HOUR, error
    stub.reply = lambda _: success([])

    assert np.isnan(read().load).all()


def test_in_an_outage_no_query_is_taken_for_too_heavy(stub, read):
    stub.reply = lambda _: failure(503, "timeout", "no")

    with pytest.raises(MetricUnavailableError, match="no \\(timeout"):
        read(OWN, request_rate(query="another"))

    assert {asked.promql for asked in stub.asked[3:]} == {"vector(1)"}


def test_own_queries_that_are_not_let_in_have_a_past_that_cannot_be_asked_for(stub, read):
    stub.reply = lambda _: failure(401, "unauthorized", "token is expired")

    with pytest.raises(MetricUnavailableError, match="token is expired"):
        read(OWN, request_rate(query="another"))

    assert len(stub.asked) == 1


def test_no_range_is_longer_than_prometheus_allows(stub, read):
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))

    history = read(LINKERD, span=timedelta(days=14))

    lengths = [len(points(asked)) for asked in stub.asked]
    assert sum(lengths) == history.load.shape[1] == 14 * 1440
    assert max(lengths) <= 11_000
    assert not np.isnan(history.load).any()


def test_a_piece_that_is_too_much_is_halved(stub, read):
    def picky(asked):
        if len(points(asked)) > 400:
            return failure(422, "execution", "query processing would load too many samples")
        return matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))

    stub.reply = picky

    assert not np.isnan(read(LINKERD, span=timedelta(days=1)).load).any()


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(Reply(403, b"Forbidden"), id="refused"),
        pytest.param(Reply(body=b"<html>"), id="HTML"),
        pytest.param(Reply(503), id="unavailable"),
        pytest.param(matrix(({"autoscaler_part": "x"}, [])), id="malformed"),
    ],
)
def test_a_past_that_cannot_be_read_is_an_error_not_a_gap(stub, read, reply):
    stub.reply = lambda _: reply

    with pytest.raises(MetricUnavailableError):
        read(LINKERD)


def test_what_was_read_survives_a_restart(stub, read):
    span, end = timedelta(days=14), NOW
    n_answered = 0

    def dies_after_one(asked):
        nonlocal n_answered
        n_answered += 1
        if n_answered > 1:
            return failure(422, "execution", "killed")
        return matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))

    stub.reply = dies_after_one
    with pytest.raises(MetricUnavailableError, match="killed"):
        read(LINKERD, span=span, end=end, cache=True)
    before = {asked.parameters["start"] for asked in stub.asked[:1]}
    stub.asked.clear()
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))

    history = read(LINKERD, span=span, end=end, cache=True)

    assert not np.isnan(history.load).any()
    assert before.isdisjoint(asked.parameters["start"] for asked in stub.asked)


@pytest.mark.parametrize("series", [LINKERD, OWN], ids=["named", "own query"])
def test_a_piece_that_was_cut_while_it_was_written_is_read_again(stub, read, tmp_path, series):
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))
    span = timedelta(days=14)
    before = read(series, span=span, cache=True)
    kept = sorted((tmp_path / "kept").glob("*.npy"))
    kept[0].write_bytes(kept[0].read_bytes()[:-100])
    kept[1].write_bytes(b"")
    stub.asked.clear()

    again = read(series, span=span, cache=True)

    assert np.array_equal(before.load.astype(np.float32), again.load.astype(np.float32))
    assert len(stub.asked) == 2


def test_a_cache_that_cannot_be_written_is_told_and_the_past_is_read(stub, read, tmp_path, caplog):
    (tmp_path / "kept").write_text("a file where the folder should be")
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))

    history = read(LINKERD, cache=True, end=NOW - HOUR)

    assert not np.isnan(history.load).any()
    assert [r.msg for r in caplog.records if r.levelname == "WARNING"] == ["history_not_kept"]


def test_a_later_range_finds_the_pieces_of_an_earlier_one(stub, read):
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))
    span, later = timedelta(days=14), NOW + 7 * MINUTE
    read(LINKERD, span=span, cache=True)
    stub.asked.clear()

    history = read(LINKERD, span=span, cache=True, end=later)

    assert len(stub.asked) == 1  # the last piece has grown
    assert history.load[0, 0] == (later - span + MINUTE).timestamp() / 60 % 1000
    assert not np.isnan(history.load).any()


def test_what_was_kept_of_the_same_workloads_in_another_order_is_not_mixed_up(stub, read):
    def answered(asked):
        names = {"a": 1.0, "b": 2.0}
        labels = {"autoscaler_part": "0:load", "namespace": "shop"}
        return matrix(
            *(
                ({**labels, "deployment": name}, points(asked, lambda _, load=load: load))
                for name, load in names.items()
            )
        )

    stub.reply = answered
    a, b = (request_rate(source="linkerd", target=TargetRef("shop", name)) for name in "ab")
    earlier = NOW - HOUR
    read(a, b, cache=True, end=earlier)

    history = read(b, a, cache=True, end=earlier)

    assert history.load[:, 0].tolist() == [2.0, 1.0]


def test_pieces_older_than_a_fortnight_are_removed(stub, read, tmp_path):
    stub.reply = lambda asked: matrix(({"autoscaler_part": "0:load", **WHO}, points(asked)))
    read(LINKERD, cache=True)
    [old] = (tmp_path / "kept").glob("*.npy")
    left = old.with_suffix(".part")
    left.write_bytes(b"cut by a kill")
    for file in (old, left):
        os.utime(file, (0, 0))

    read(request_rate(source="istio"), cache=True)

    assert not old.exists()
    assert not left.exists()


def test_prometheus_is_left_alone_for_as_long_as_it_worked(stub, reader_of):
    rests = []
    reader = reader_of(stub.url)
    reader._history._rest = rests.append
    stub.reply = lambda asked: matrix()

    reader.history([LINKERD, OWN], start=NOW - MINUTE, end=NOW, step=MINUTE)

    spent = reader._history._spent
    assert len(rests) == len(stub.asked) == spent.questions == 2
    assert sum(rests) == spent.resting_seconds == pytest.approx(spent.asking_seconds)


def test_a_store_of_several_clusters_is_asked_for_one(stub, reader_of):
    store = {"history_url": stub.url, "history_matchers": {"cluster": "a"}}
    reader = reader_of("http://127.0.0.1:1", **store)
    stub.reply = lambda _: matrix()

    reader.history([LINKERD], start=NOW - MINUTE, end=NOW, step=MINUTE)

    assert 'cluster="a"' in stub.asked[0].promql


def test_pieces_are_cut_alike_whenever_the_range_begins():
    grid = Grid(datetime(2026, 3, 1, tzinfo=UTC), MINUTE, 40_000)
    later = Grid(grid.first + 7 * MINUTE, MINUTE, 40_000)

    cuts = [{piece.first for _, piece in chunks(each, n_series=1)} for each in (grid, later)]

    assert cuts[0] & cuts[1] == cuts[0] - {grid.first}


@pytest.mark.parametrize(
    ("n_series", "most"),
    [
        pytest.param(1, 10_000, id="Prometheus answers no more points of one series"),
        pytest.param(500, 400, id="so many points of all together are one answer"),
        pytest.param(10**6, 1, id="but never less than a point"),
    ],
)
def test_a_piece_fits_one_answer(n_series, most):
    grid = Grid(datetime(2026, 3, 1, tzinfo=UTC), MINUTE, 3 * most)

    lengths = [piece.n_samples for _, piece in chunks(grid, n_series=n_series)]
    assert (sum(lengths), max(lengths)) == (3 * most, most)


def test_an_empty_range_is_an_empty_history():
    assert grid_between(NOW, NOW, MINUTE).empty(2).shape == (2, 0)
    assert list(chunks(grid_between(NOW, NOW, MINUTE), n_series=2)) == []


def test_points_off_the_range_are_left_out():
    grid = Grid(NOW, MINUTE, 2)
    t = NOW.timestamp()

    row = placed([[t - 60, "1"], [t, "2"], [t + 60.4, "3"], [t + 120, "4"]], grid)

    assert row.tolist() == [2.0, 3.0]


WARNED = {"warnings": ["No StoreAPIs matched for this query"]}
PARTIAL = {"isPartial": True}
NOT_OF_ALL = {"warnings": ['PromQL warning: metric "x" has mixed histograms']}


@pytest.mark.parametrize("series", [LINKERD, OWN], ids=["named", "own"])
@pytest.mark.parametrize(
    ("beside", "doubtful"),
    [(WARNED, {0, 1}), (PARTIAL, {0, 1}), (NOT_OF_ALL, set()), ({}, set())],
    ids=["a store is away", "VictoriaMetrics", "one of several queries", "whole"],
)
def test_a_past_with_a_warning_is_used_and_told_and_read_again(
    stub, read, caplog, series, beside, doubtful
):
    def answered(asked):
        rows = [({"autoscaler_part": f"{i}:load", **WHO}, points(asked)) for i in range(2)]
        return matrix(*rows, **beside)

    stub.reply = answered
    first, again = (read(series, series, cache=True, end=NOW - HOUR) for _ in range(2))

    assert np.isfinite(first.load[0]).all()
    assert first.doubtful == again.doubtful == doubtful
    assert len(stub.asked) == (2 if doubtful else 1)
    told = [r.fields["series"] for r in caplog.records if r.msg == "history_doubtful"]
    assert told == [2, 2] * bool(doubtful)
