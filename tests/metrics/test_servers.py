"""Where Prometheus is: addresses, DNS over TCP, Consul's catalog; and what when one fails."""

import socket
import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from autoscaler.decide.facts import Doubt
from autoscaler.errors import MetricUnavailableError
from autoscaler.metrics.consul import ConsulWatch, consul_of
from autoscaler.metrics.servers import FailOver, FixedServers, servers_of
from autoscaler.metrics.srv import SrvRecords, host_and_port
from support.consul_stub import ConsulStub, DnsStub
from support.endurance import reachable_texts
from support.load_series import NOW, request_rate

SERIES = [request_rate(source="linkerd")]
A_MOMENT = timedelta(seconds=1)
TIMEOUT = timedelta(seconds=5)


@pytest.fixture
def consul() -> Iterator[ConsulStub]:
    consul = ConsulStub()
    yield consul
    consul.stop()


def watch_of(consul: ConsulStub) -> ConsulWatch:
    return ConsulWatch(consul_of(f"consul://{consul.address}/prometheus"), timeout=TIMEOUT)


def ports(watch: ConsulWatch) -> list[int]:
    return [instance.port for instance in watch.instances()]


def test_a_blocking_query_returns_when_the_service_changes(consul):
    consul.register(9090)
    watch = watch_of(consul)
    watch.step()
    thread = threading.Thread(target=consul.register, args=(9090, 9091))
    thread.start()
    watch.step()
    thread.join()
    watch.step(wait=A_MOMENT)

    assert ports(watch) == [9090, 9091]
    assert "index" not in consul.asked[0]
    assert consul.asked[1]["index"] == "8"


def test_an_index_that_went_backwards_begins_again(consul):
    consul.register(9090)
    watch = watch_of(consul)
    watch.step()
    consul.index = 3
    watch.step(wait=A_MOMENT)
    watch.step(wait=A_MOMENT)

    assert "index" not in consul.asked[2]


def test_an_index_of_zero_is_never_sent(consul):
    consul.index = -1
    consul.register(9090)
    watch = watch_of(consul)
    watch.step()
    watch.step(wait=A_MOMENT)

    assert consul.asked[1]["index"] == "1"


@pytest.mark.parametrize(
    ("headers", "status", "reason"),
    [
        pytest.param({"X-Consul-KnownLeader": "false"}, 200, "no leader", id="no leader"),
        pytest.param({"X-Consul-LastContact": "20000"}, 200, "behind its leader", id="too old"),
        pytest.param({}, 403, "HTTP 403", id="forbidden"),
        pytest.param({}, 500, "HTTP 500", id="no cluster leader"),
    ],
)
def test_a_doubtful_answer_keeps_what_was_known(consul, headers, status, reason):
    consul.register(9090)
    watch = watch_of(consul)
    watch.step()
    consul.headers, consul.status = headers, status
    consul.register()

    assert not watch.step(wait=A_MOMENT)
    assert ports(watch) == [9090]
    with pytest.raises(MetricUnavailableError, match=reason):
        watch.instances(within=timedelta(seconds=-1))


def test_an_answer_that_was_filtered_is_an_error_not_an_empty_list(consul, monkeypatch):
    consul.token = "secret"
    consul.register(9090)
    watch = watch_of(consul)

    assert not watch.step()
    with pytest.raises(MetricUnavailableError, match="ACLs hide the service from us"):
        watch.instances()

    monkeypatch.setenv("CONSUL_HTTP_TOKEN", "secret")
    assert watch.step()
    assert ports(watch) == [9090]


def test_the_token_is_read_from_its_file_and_none_is_asked_without_it(
    consul, monkeypatch, tmp_path
):
    consul.token = "secret"
    consul.register(9090)
    monkeypatch.setenv("CONSUL_HTTP_TOKEN_FILE", str(tmp_path / "token"))
    watch = watch_of(consul)

    assert not watch.step()
    with pytest.raises(MetricUnavailableError, match="No such file"):
        watch.instances()
    assert consul.asked == []
    (tmp_path / "token").write_text("secret\n")
    assert watch.step()
    assert ports(watch) == [9090]


@pytest.mark.parametrize("from_file", [True, False])
def test_a_token_of_several_words_is_refused_and_never_told(
    consul, monkeypatch, tmp_path, from_file
):
    shown = "AccessorID: 1\nSecretID: 5ecret\n"  # as Consul's own command prints it
    (tmp_path / "token").write_text(shown)
    where = str(tmp_path / "token") if from_file else "CONSUL_HTTP_TOKEN"
    monkeypatch.setenv("CONSUL_HTTP_TOKEN", shown)
    if from_file:
        monkeypatch.setenv("CONSUL_HTTP_TOKEN_FILE", where)
    watch = watch_of(consul)

    assert not watch.step()
    with pytest.raises(MetricUnavailableError, match=f"more than one word in {where}$"):
        watch.instances()
    assert consul.asked == []


def test_namespace_and_partition_are_those_of_the_environment(consul, monkeypatch):
    monkeypatch.setenv("CONSUL_NAMESPACE", "team-a")
    monkeypatch.setenv("CONSUL_PARTITION", "edge")
    watch_of(consul).step(wait=A_MOMENT)

    assert (consul.asked[0]["ns"], consul.asked[0]["ap"]) == ("team-a", "edge")


def test_a_service_of_which_no_instance_passes_is_unknown(consul):
    service = servers_of(f"consul://{consul.address}/prometheus", timeout=TIMEOUT)

    with pytest.raises(MetricUnavailableError, match="no instance passes"):
        service.urls()
    service.close()


def test_prometheus_is_found_through_consul(consul, stub, reader_of):
    host, _, port = stub.url.removeprefix("http://").partition(":")
    consul.register(int(port), node=host)

    [sample] = reader_of(f"consul://{consul.address}/prometheus?tag=primary").newest(
        SERIES, now=NOW, workloads={}
    )

    assert sample.doubt is Doubt.ABSENT
    assert consul.asked[0]["tag"] == "primary"


def test_an_instance_with_an_ipv6_address_has_it_in_brackets(consul):
    consul.register(9090, node="fd00::7")
    service = servers_of(f"consul://{consul.address}/prometheus", timeout=TIMEOUT)

    assert service.urls() == ["http://[fd00::7]:9090"]
    service.close()


def test_srv_records_are_asked_over_tcp_and_ordered_by_priority_and_weight():
    dns = DnsStub(
        "2 1 9090 c.node.consul.", "1 1 9090 b.node.consul.", "1 9 9091 a.node.consul.",
        addresses={"a.node.consul.": "10.0.0.1", "b.node.consul.": "fd00::7"},
    )  # fmt: skip
    found = SrvRecords("_http._tcp.prometheus.", nameserver=f"127.0.0.1:{dns.port}").urls()
    dns.stop()

    assert found == [
        "http://10.0.0.1:9091",
        "http://[fd00::7]:9090",
        "http://c.node.consul:9090",
    ]


@pytest.mark.parametrize("path", ["prometheus", "/prometheus/"])
def test_servers_that_are_found_may_answer_below_a_path(consul, path):
    consul.register(8080)
    dns = DnsStub("1 1 8080 a.", addresses={"a.": "10.0.0.1"})
    by_dns = servers_of(
        f"dns+srv://m.?nameserver=127.0.0.1:{dns.port}&path={path}", timeout=TIMEOUT
    )
    by_consul = servers_of(f"consul://{consul.address}/mimir?path={path}", timeout=TIMEOUT)

    assert by_dns.urls() == ["http://10.0.0.1:8080/prometheus"]
    assert [url.rpartition(":")[2] for url in by_consul.urls()] == ["8080/prometheus"]
    dns.stop()


def test_a_path_that_would_be_left_out_is_refused():
    with pytest.raises(MetricUnavailableError, match=r"give \?path=/prometheus"):
        servers_of("dns+srv://_http._tcp.mimir.svc/prometheus", timeout=TIMEOUT)


def test_a_name_without_servers_is_unknown():
    dns = DnsStub()
    records = SrvRecords("prometheus.", nameserver=f"127.0.0.1:{dns.port}", timeout=TIMEOUT)

    with pytest.raises(MetricUnavailableError, match="SRV prometheus"):
        records.urls()
    dns.stop()


@pytest.mark.parametrize(
    ("nameserver", "parts"),
    [
        ("10.0.0.1", ("10.0.0.1", 53)),
        ("10.0.0.1:8600", ("10.0.0.1", 8600)),
        ("fd00::10", ("fd00::10", 53)),
        ("[fd00::10]", ("fd00::10", 53)),
        ("[fd00::10]:8600", ("fd00::10", 8600)),
    ],
)
def test_a_nameserver_may_have_an_ipv6_address(nameserver, parts):
    assert host_and_port(nameserver) == parts


@pytest.mark.parametrize("nameserver", ["a.name", "127.0.0.1:dns"])
def test_a_nameserver_that_is_none_is_named(nameserver):
    with pytest.raises(MetricUnavailableError, match=f"nameserver '{nameserver}'"):
        SrvRecords("prometheus.", nameserver=nameserver).urls()


def test_the_last_known_servers_stay_while_dns_fails():
    now = [0.0]
    dns = DnsStub("1 1 9090 a.", addresses={"a.": "10.0.0.1"})
    records = SrvRecords(
        "prometheus.", nameserver=f"127.0.0.1:{dns.port}", timeout=TIMEOUT, clock=lambda: now[0]
    )
    before = records.urls()
    dns.stop()
    now[0] = 1000.0

    assert records.urls() == before == ["http://10.0.0.1:9090"]


def test_known_servers_are_asked_in_time_while_dns_hangs(stub, reader_of):
    port = int(stub.url.rpartition(":")[2])
    dns = DnsStub(f"1 1 {port} a.", addresses={"a.": "127.0.0.1"})
    reader = reader_of(f"dns+srv://prometheus.?nameserver=127.0.0.1:{dns.port}", timeout=TIMEOUT)
    before = reader.newest(SERIES, now=NOW, workloads={})
    dns.stop()
    with socket.create_server(("127.0.0.1", dns.port)):  # takes connections, says nothing
        reader._connection._fail_over._servers._until = 0.0  # what is known is to be asked anew
        after = reader.newest(SERIES, now=NOW, workloads={})

    assert [sample.doubt for sample in (*before, *after)] == [Doubt.ABSENT] * 2


def test_a_name_that_nobody_answers_for_is_unknown_not_empty(reader_of):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"dns+srv://_http._tcp.p.svc?nameserver=127.0.0.1:{silent.getsockname()[1]}"
        [sample] = reader_of(address, timeout=timedelta(seconds=1)).newest(
            SERIES, now=NOW, workloads={}
        )

    assert sample.doubt is Doubt.UNREACHABLE


def test_the_next_server_answers_when_the_first_one_is_gone(stub, reader_of):
    samples = reader_of(f"http://127.0.0.1:1, {stub.url}").newest(SERIES, now=NOW, workloads={})

    assert [sample.doubt for sample in samples] == [Doubt.ABSENT]


def test_the_first_server_is_tried_again_after_a_while():
    now = [0.0]
    servers = FailOver(FixedServers(["http://a", "http://b"]), clock=lambda: now[0])
    chosen = [servers.choice()[0]]
    servers.failed("http://a")
    chosen.append(servers.choice()[0])
    servers.failed("http://b")
    chosen.append(servers.choice()[0])
    now[0] = 31.0
    chosen.append(servers.choice()[0])

    assert chosen == ["http://a", "http://b", "http://a", "http://a"]


def test_servers_that_come_and_go_with_their_addresses_are_forgotten():
    now = [0.0]
    servers = FailOver(FixedServers(["http://a"]), clock=lambda: now[0])
    servers.failed("http://gone")
    now[0] = 31.0

    assert servers.choice() == ("http://a", 1)
    assert "http://gone" not in reachable_texts(servers)


@pytest.mark.parametrize("address", ["", "prometheus:9090", "ftp://x", "http://a,b"])
def test_an_address_of_no_known_form_is_refused(address):
    with pytest.raises(MetricUnavailableError, match="is no address of Prometheus"):
        servers_of(address, timeout=TIMEOUT)
