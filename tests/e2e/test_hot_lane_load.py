"""The hot lane under load: pods come and go faster than anybody rolls them, and no client notices."""

from __future__ import annotations

import contextlib
import itertools
import time

import pytest

from lab import fabric
from lab.processes import wait_for
from lab.rotation import Rotation
from lab.traffic import Probe

CHANGES = 200
# seconds between two; every change is one pod that comes and one that is told to end
EVERY = 0.25
# new connections a second to each edge; it has four places: TLS and plain, each over IPv4 and IPv6
LEAST_RATE = 200
PLAIN_RATE, TLS_RATE = 95, 15
# to each of an edge's two plain places
STREAMS = 3
# seconds: until a cluster no longer lists a pod that died, and until a kill has come to its end here
NOTICED_AFTER, DYING = 1.0, 0.5


@pytest.mark.field_failure(
    "connections cut, or old workers pile up", "a PROXY header that does not fit", "Salt loses or doubles"
)
# about a minute; more on a machine that has other things to do
@pytest.mark.timeout(600)
def test_two_hundred_changes_under_load_cost_no_connection_no_stream_and_no_reload(world):
    lab = world.lab
    workers = {edge.name: world.worker(edge) for edge in lab.edges}
    first = [lab.pods.add() for _ in range(3)]
    lab.serve(first)
    world.await_servers(first)
    rotation = Rotation(lab, first)
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(Probe(lab.places(9000), rate=PLAIN_RATE, seconds=240, streams=STREAMS))
        secure = stack.enter_context(
            Probe(lab.places(443, tls=True), rate=TLS_RATE, seconds=240, authority=lab.pods.authority, name="tls")
        )
        for _ in rotation.changes(CHANGES, every=EVERY):
            pass
        world.await_servers(list(rotation.ready))
    rotation.end()
    world.lab.serve(world.pods)
    records = [*plain.records(), *secure.records()]
    assert _failures(records) == {}
    assert _cut(plain.streams(), rotation) == []
    assert {edge.name: world.worker(edge) for edge in lab.edges} == workers
    _enough_was_asked(records, plain, lab)
    _clients_were_told_right(records, rotation)
    world.await_servers(world.pods)
    for pod in rotation.ready:
        pod.stop()


def test_a_pod_that_is_killed_without_warning_costs_its_own_streams_and_what_was_under_way(world):
    lab = world.lab
    pods = [lab.pods.add() for _ in range(3)]
    lab.serve(pods)
    world.await_servers(pods)
    workers = {edge.name: world.worker(edge) for edge in lab.edges}
    with Probe(lab.places(9000), rate=30, seconds=60, streams=STREAMS) as probe:
        _until_each_place_answered(probe, pods)
        victim, *others = pods
        victim.kill()
        time.sleep(NOTICED_AFTER)
        lab.serve(others)
        world.await_servers(others)
        _until_each_place_answered(probe, others)
    # one that began later finds another pod, after a while
    later = [record for record in probe.records() if record.start > victim.ended_at + DYING]
    assert _failures(later) == {}
    assert {each.pod for each in probe.streams() if each.failed} <= {victim.name}
    assert {edge.name: world.worker(edge) for edge in lab.edges} == workers
    lab.serve(world.pods)
    world.await_servers(world.pods)
    for pod in others:
        pod.stop()


def _until_each_place_answered(probe, pods):
    """From now on, by one of these pods."""
    since, names = time.monotonic(), {pod.name for pod in pods}

    def answered():
        return {record.place for record in probe.records() if record.start > since and record.pod in names}

    wait_for(lambda: len(answered()) == 6, 60, "every edge to answer over both families")


def _failures(records):
    """How many and the longest of them, by what went wrong."""
    found = {}
    for record in records:
        if record.failed:
            number, longest = found.get((record.place, record.error), (0, 0.0))
            found[record.place, record.error] = number + 1, max(longest, record.end - record.start)
    return found


def _cut(streams, rotation):
    """Streams that ended before the pod at their other end did."""
    ended = {pod.name: pod.ended_at for pod in rotation.seen}
    return [each for each in streams if each.failed and not (ended.get(each.pod) or float("inf")) <= each.end]


def _enough_was_asked(records, plain, lab):
    for edge in lab.edges:
        starts = [record.start for record in records if record.place.startswith(f"{edge.name}/")]
        assert len(starts) / (max(starts) - min(starts)) >= LEAST_RATE, edge.name
        held = [each for each in plain.streams() if each.place.startswith(f"stream {edge.name}/")]
        assert len({each.pod for each in held}) > 5, "streams were on few pods only: nothing was proven"
    assert len({record.pod for record in records}) > CHANGES / 4, "few pods were ever asked: nothing was proven"


def _clients_were_told_right(records, rotation):
    own = dict(zip(("ipv4", "ipv6"), fabric.addresses("client"), strict=True))
    assert [record for record in records if record.client != own[record.place.partition("/")[2]]] == []
    headers = itertools.chain.from_iterable(pod.backend_log.read_text().splitlines() for pod in rotation.seen)
    kinds = {
        line.split()[0]: line for line in headers if not line.startswith(tuple(f"v2 {one} " for one in own.values()))
    }
    assert kinds.keys() <= {"local"}, kinds
