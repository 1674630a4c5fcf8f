"""Which worker takes connections after a reload, and which is believed; that a reload waits is proven in unit tests."""

import pytest
from haproxy_edge_minion.cleaning import clean
from haproxy_edge_minion.listening import listens, replaced_workers
from haproxy_edge_minion.loading import NEVER_PROVEN
from haproxy_edge_minion.outcome import StateNeeded
from haproxy_edge_minion.snapshot import check

from lab.processes import wait_for
from tests.functional.edge.backend import connect, goes_on, name_answered, of

# of somebody else, on the same socket
BY_HAND = """\
global
    stats socket {socket} mode 600 level admin
defaults
    mode tcp
    timeout connect 1s
    timeout client 1s
    timeout server 1s
frontend by-hand
    bind 127.0.0.1:{port}
"""


def test_the_old_worker_that_let_go_is_told_from_the_new_one_and_keeps_its_connection(rig, pods):
    rig.apply(of(pods[0]))
    old = rig.worker()
    with connect(rig) as held:
        name_answered(held)
        rig.apply(of(pods[0]), haproxy={**rig.haproxy, "check": {"fall": 5}})
        assert rig.worker() != old
        assert (listens(old), listens(rig.worker())) == (False, True)
        assert goes_on(held)


@pytest.fixture
def left(rig, pods):
    """An edge whose own configuration was taken back and whose HAProxy was reloaded to what had been there before.

    HAProxy's master process still has our digest in its environment, and shows it.
    """
    rig.paths.config.write_text(BY_HAND.format(socket=rig.paths.socket, port=rig.port))
    rig.apply(of(pods[0]))
    ours = rig.worker()
    clean(rig.paths, restorecon=lambda path: None)
    rig.service.reload()
    wait_for(lambda: rig.api.running().pid != ours and not rig.runs(), 60, "what had been there before to run")
    assert rig.api.running().digest is not None
    return rig


def test_what_runs_is_not_ours_only_because_ours_ran_before(left, pods):
    step, _ = left.apply(of(pods[0]))
    assert (step.action, step.reason) == ("reload", NEVER_PROVEN)
    with connect(left) as client:
        assert name_answered(client) == pods[0].name


def test_pods_of_now_wait_for_the_state_where_nothing_was_ever_proven(left, pods):
    prepared = left.prepare(of(pods[0]))
    left.edge.write(prepared)
    with pytest.raises(StateNeeded, match=NEVER_PROVEN):
        left.edge.sync([check(of(pods[0]))])
    assert left.runs() == {}


@pytest.mark.parametrize(
    "loaded",
    [
        pytest.param(lambda rig, old: replaced_workers(old), id="under way"),
        pytest.param(lambda rig, old: rig.worker() != old, id="over"),
    ],
)
@pytest.mark.field_failure("what runs is not what the file says")
def test_somebody_s_reload_to_the_file_of_before_ends_in_what_was_synced_meanwhile(rig, pods, loaded):
    rig.apply(of(pods[0]))
    old, edge = rig.worker(), rig.edge
    judge = edge.config.check

    def reloaded_then_judged(text, spec):
        """The servers have moved by now, and the file has not been written yet."""
        rig.service.reload()
        wait_for(lambda: loaded(rig, old), 60, "the reload", every=0.001)
        judge(text, spec)

    edge.config.check = reloaded_then_judged
    edge.sync([check(of(pods[1]))])
    assert rig.worker() != old
    assert rig.runs() == {pods[1].server_name: 100}
    assert rig.edge.verify() == []


def test_what_a_change_did_soon_after_a_reload_is_told_though_it_is_looked_at_twice(rig, pods):
    rig.apply(of(pods[0]))
    rig.apply(of(pods[0]), haproxy={**rig.haproxy, "check": {"fall": 5}})
    edge = rig.edge
    edge.sync([check(of(pods[1]))])
    assert vars(edge.stats.servers) == {"added": 1, "changed": 0, "drained": 0, "removed": 1}
