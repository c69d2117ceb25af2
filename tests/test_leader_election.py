"""May this replica write, and from when on does it compete for that."""

import threading
from argparse import Namespace

import pytest

from autoscaler.cluster.api import Connection
from autoscaler.cluster.lease import LEASE_NAME
from autoscaler.commands.leader_election import leader_election
from support.lease_server import LeaseServer
from support.processes import wait_until


@pytest.fixture
def server():
    with LeaseServer() as server:
        yield server


def competing(server, *, shards=0):
    arguments = Namespace(dry_run=False, leader_elect=True, shards=shards, own_namespace="system")
    return leader_election(Connection(server.client(), None), arguments)


def test_a_dry_run_competes_for_nothing_so_that_it_keeps_nobody_from_acting():
    arguments = Namespace(dry_run=True, leader_elect=True, shards=0)

    with leader_election(None, arguments) as mandate:
        assert mandate.held_back() == "dry run"


@pytest.mark.parametrize("shards", [0, 4], ids=["leader", "shards"])
def test_nothing_is_competed_for_until_we_can_act_and_then_it_is_ours_by_the_first_cycle(
    server, caplog, shards
):
    caplog.set_level("INFO", logger="autoscaler")
    with competing(server, shards=shards) as mandate:
        wait_until(lambda: server.asked.total() > 0, within=10, what="a look at the Leases")
        assert (server.leases, mandate.held_back() != "") == ({}, True)

        mandate.compete(threading.Event())
        assert (mandate.held_back(), list(mandate.held_shards())) == ("", list(range(shards or 1)))

    assert "competing" in [record.msg for record in caplog.records]


def test_a_first_cycle_does_not_wait_for_a_lease_that_another_holds(server):
    at = "2026-11-20T08:00:00.000000Z"
    times = {"leaseDurationSeconds": 15, "acquireTime": at, "renewTime": at}
    server.put(LEASE_NAME, holderIdentity="another", **times)
    with competing(server) as mandate:
        mandate.compete(threading.Event())

        assert mandate.held_back() == "standby: another leads"


def test_who_is_told_to_stop_waits_for_no_lease(server):
    server.before = lambda method, name: stopped.wait(10)
    stopped = threading.Event()
    with competing(server) as mandate:
        told = threading.Event()
        told.set()
        mandate.compete(told)

        assert mandate.held_back() == "standby: nobody leads"
        stopped.set()


@pytest.mark.parametrize("shards", [0, 4], ids=["leader", "shards"])
def test_who_ends_before_it_can_act_leaves_nothing_behind(server, shards):
    with competing(server, shards=shards):
        pass

    assert server.leases == {}
