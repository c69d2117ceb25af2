from argparse import Namespace

from autoscaler.commands.leader_election import leader_election


def test_a_dry_run_competes_for_nothing_so_that_it_keeps_nobody_from_acting():
    arguments = Namespace(dry_run=True, leader_elect=True, shards=0)

    with leader_election(None, arguments) as mandate:
        assert mandate.held_back() == "dry run"
