"""Who leaves keeps its connections: how long, and what happens when it, or another, comes back meanwhile."""

import pytest
from haproxy_edge_minion.snapshot import check

from tests.functional.edge.backend import connect, goes_on, name_answered, of, wait_for
from tests.unit.edge.material import server, snapshot

# each leaves a server with a session behind, if anything does
CYCLES = 10


@pytest.fixture
def held(rig, pods):
    """A connection to the first pod, the only one there is."""
    rig.apply(of(pods[0]))
    with connect(rig) as held:
        assert name_answered(held) == pods[0].name
        yield held


def sessions(rig):
    """Of clients, as HAProxy lists them."""
    return [line for line in rig.by_hand("show sess")[0].splitlines() if " be=websecure " in line]


def draining(pod):
    return pod.as_server(state="draining")


def test_a_pod_that_is_listed_but_not_ready_keeps_its_connections_with_no_deadline(rig, pods, held):
    rig.edge.sync([check(snapshot(draining(pods[0]), pods[1].as_server()))])
    for _ in range(3):
        rig.uptime += 100_000
        assert rig.edge.reconcile().step is None
        assert goes_on(held)
    with connect(rig) as new:
        assert name_answered(new) == pods[1].name


def test_a_draining_pod_that_goes_has_its_time_from_then_on(rig, pods, held):
    rig.edge.sync([check(snapshot(draining(pods[0]), pods[1].as_server()))])
    rig.uptime += 100_000
    rig.edge.sync([check(of(pods[1]))])
    rig.uptime += 299
    rig.edge.reconcile()
    assert goes_on(held)
    rig.uptime += 1
    rig.edge.reconcile()
    assert held.recv(100) == b""
    wait_for(lambda: rig.edge.reconcile().step is None and not rig.leftovers())


def test_a_server_that_came_back_has_its_whole_time_again_when_it_goes_again(rig, pods, held):
    rig.edge.sync([check(of(pods[1]))])
    rig.uptime += 200
    rig.edge.sync([check(of(pods[0]))])
    rig.edge.sync([check(of(pods[1]))])
    rig.uptime += 200
    rig.edge.reconcile()
    assert goes_on(held)


def test_a_reload_forgets_who_was_leaving_so_that_nobody_is_cut_early_later(rig, pods, held):
    rig.edge.sync([check(of(pods[1]))])
    rig.apply(of(pods[0]), haproxy={**rig.haproxy, "check": {"fall": 5}})
    assert rig.service.reloads == 1
    rig.uptime += 400
    with connect(rig) as client:
        name_answered(client)
        rig.edge.sync([check(of(pods[1]))])
        assert goes_on(client)


@pytest.mark.field_failure("a server deleted with live sessions, its name used again")
def test_another_pod_at_the_address_of_one_that_drains_is_served_at_once(rig, pods, held):
    successor = server("127.0.0.1", pods[0].port, pod="successor")
    rig.edge.sync([check(of(pods[1]))])
    rig.edge.sync([check(snapshot(successor))])
    assert rig.runs() == {f"successor:127.0.0.1:{pods[0].port}": 100}
    with connect(rig) as new:
        assert name_answered(new) == pods[0].name
    assert goes_on(held)
    assert rig.service.reloads == 0


@pytest.mark.field_failure("a server deleted with live sessions, its name used again")
def test_a_server_removed_and_added_again_with_a_session_held_leaves_nothing_however_often(rig, pods):
    only, other = pods[:2]
    rig.apply(of(only))
    worker = rig.worker()
    for cycle in range(CYCLES):
        with connect(rig) as held:
            assert name_answered(held) == only.name
            rig.edge.sync([check(of(other))])
            assert rig.leftovers() == {only.server_name}
            assert len(sessions(rig)) == 1
            # the same name and address, or, every other time, another pod's name at that address
            pod = only.name if cycle % 2 else "successor"
            rig.edge.sync([check(snapshot(server("127.0.0.1", only.port, pod=pod)))])
            with connect(rig) as new:
                assert name_answered(new) == only.name
            assert goes_on(held)
        rig.edge.sync([check(of(only))])
    wait_for(lambda: rig.edge.reconcile().step is None and not rig.leftovers())
    wait_for(lambda: not sessions(rig))
    assert rig.runs() == {only.server_name: 100}
    assert (rig.worker(), rig.service.reloads) == (worker, 0)


def test_drain_timeout_of_0_cuts_with_the_next_look(rig, pods):
    rig.haproxy["drain_timeout"] = 0
    rig.apply(of(pods[0]))
    with connect(rig) as client:
        name_answered(client)
        rig.edge.sync([check(of(pods[1]))])
        rig.edge.reconcile()
        assert client.recv(100) == b""


@pytest.mark.field_failure("connections cut, or old workers pile up")
def test_no_connection_fails_and_none_is_cut_by_reloads(rig, pods, held):
    for fall in (4, 5, 6):
        before = rig.worker()
        clients = [connect(rig) for _ in range(5)]
        rig.apply(of(pods[0]), haproxy={**rig.haproxy, "check": {"fall": fall}})
        assert rig.worker() != before
        assert all(name_answered(client) == pods[0].name for client in clients)
        assert all(map(goes_on, clients))
        for client in clients:
            client.close()
    assert goes_on(held)
    assert rig.service.reloads == 3
