"""Everything at once on one edge: the last generation wins, the file is never torn, file and process agree."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from haproxy_edge.snapshot import Snapshot

from lab.processes import wait_for
from tests.e2e.obstacles import Lock
from tests.e2e.world import from_outside, local

SNAPSHOT = "/var/lib/haproxy-edge/snapshots/default.kube-system.traefik.json"
# how long an edge may take to be right again by itself: its schedule looks once a minute
MENDED = 120


@pytest.fixture
def edge(world):
    """One of the edges; its file is looked at all the time, and has to be a whole configuration whenever it is."""
    edge = world.lab.edges[1]
    path, seen, over = edge.path("/etc/haproxy/haproxy.cfg"), set(), threading.Event()

    def look():
        while not over.wait(0.002):
            seen.add(path.read_text())

    thread = threading.Thread(target=look)
    thread.start()
    yield edge
    over.set()
    thread.join()
    for text in seen:
        edge.path("/tmp/seen.cfg").write_text(text)
        edge.run(["haproxy", "-c", "-q", "-f", "/tmp/seen.cfg"])
    _back(world)


def _back(world):
    """By two changes: what a test told the edge alone, the engine does not know to be different."""
    for pods in (world.pods[1:2], world.pods):
        world.lab.serve(pods)
        world.await_servers(pods, timeout=60)


def _waits_at_the_socket(edge):
    """Whether somebody has connected to HAProxy's socket and was not taken yet."""
    rows = [line.split() for line in edge.run(["ss", "-Hxl"]).stdout.splitlines() if "/haproxy/admin.sock" in line]
    return any(int(waiting) for _, _, waiting, *_ in rows)


def _sync(edge, snapshot):
    return local(edge, "sync", json.dumps({"order": "by-hand", "snapshots": [snapshot.to_json()]}))


def _newer(edge, by, pods):
    """The edge's snapshot ``by`` generations on, with the servers of these pods alone."""
    now = Snapshot.from_json(edge.path(SNAPSHOT).read_text())
    names = {pod.name for pod in pods}
    ports = {port: tuple(server for server in servers if server.pod in names) for port, servers in now.ports.items()}
    return replace(now, ports=ports, generation=now.generation + by)


def _await_parity(edge):
    wait_for(lambda: from_outside(edge).verify() == [], MENDED, f"{edge.name} to be right")


@pytest.mark.field_failure("Salt loses or doubles")
def test_of_two_syncs_at_once_the_newer_wins_whichever_comes_first(world, edge):
    old, new = _newer(edge, 1, world.pods[:2]), _newer(edge, 2, world.pods[:1])
    lock, worker = Lock(edge), world.worker(edge)
    with ThreadPoolExecutor(2) as pool:
        for number, order in enumerate([(old, new), (new, old)]):
            pair = [replace(one, generation=one.generation + 2 * number) for one in order]
            with lock.held():
                first = pool.submit(_sync, edge, pair[0])
                lock.await_waiting(1)
                second = pool.submit(_sync, edge, pair[1])
                lock.await_waiting(2)
            assert first.result()["serves"] and second.result()["serves"]
            assert world.servers(edge) == {world.pods[0].name}
    assert local(edge, "verify") == {"parity": True, "differences": []}
    assert world.worker(edge) == worker


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_sync_during_a_state_run_is_not_undone_by_it(world, edge):
    lock, worker = Lock(edge), world.worker(edge)
    with ThreadPoolExecutor(1) as pool:
        with lock.held():
            states = pool.submit(world.apply, edge.name)
            lock.await_waiting(1)
            world.lab.serve(world.pods[:2])
            lock.await_waiting(2)
        results = {name: state["result"] for name, state in states.result()[edge.name].items()}
    assert set(results.values()) == {True}, results
    world.await_servers(world.pods[:2])
    _await_parity(edge)
    assert world.worker(edge) == worker


@pytest.mark.field_failure("Salt loses or doubles")
def test_two_state_runs_at_once_end_well_one_after_the_other(world, edge):
    worker = world.worker(edge)
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(world.apply, edge.name) for _ in range(2)]
        ended = [run.result()[edge.name] for run in runs]
    for states in ended:
        assert {name: (state["result"], state["changes"]) for name, state in states.items()} == {
            name: (True, {}) for name in states
        }
    assert world.worker(edge) == worker


@pytest.mark.field_failure("what runs is not what the file says")
def test_a_sync_during_a_reload_ends_in_what_was_last(world, edge):
    with ThreadPoolExecutor(1) as pool:
        for pods in (world.pods[:2], world.pods, world.pods[1:]):
            reload = pool.submit(edge.run, ["systemctl", "reload", "haproxy"], check=False)
            world.lab.serve(pods)
            reload.result()
            world.await_servers(pods, timeout=60)
    _await_parity(edge)
    assert world.servers(edge) == {pod.name for pod in world.pods[1:]}


def test_an_haproxy_killed_in_the_middle_of_a_sync_comes_back_with_the_last_generation(world, edge):
    before, workers = edge.path(SNAPSHOT).read_text(), world.worker(edge)
    # it takes the connection and never answers: the sync is in the middle of its talk until the kill
    edge.run(["kill", "-STOP", *workers])
    world.lab.serve(world.pods[:2])
    wait_for(lambda: edge.path(SNAPSHOT).read_text() != before, 60, "the sync to have begun", every=0.01)
    wait_for(lambda: _waits_at_the_socket(edge), 60, "the sync to be at HAProxy's socket", every=0.01)
    # systemd may be faster with those that are left
    edge.run(["kill", "-KILL", *workers], check=False)
    world.await_servers(world.pods[:2], timeout=MENDED)
    _await_parity(edge)
    assert set(world.worker(edge)).isdisjoint(workers)
