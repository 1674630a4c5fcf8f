"""After every step, and after a reload, file and process are one, and a pod cannot tell which its header came from."""

import socket

import pytest

from tests.functional.edge.backend import connect, name_answered, of, wait_for
from tests.unit.edge.material import snapshot

# of a PROXY v2 header: signature, version and command, family, length of what follows
FIXED, PROXIED, LOCAL, TCP4 = 16, 0x21, 0x20, 0x11


def in_file(rig):
    """{name: (place, weight)} of the server lines, without drained ones that are no longer listed."""
    lines = [line.split() for line in rig.paths.config.read_text().splitlines() if line.startswith("    server ")]
    return {words[1]: (words[2], int(words[words.index("weight") + 1])) for words in lines}


def taking_part(rig):
    """All that `show servers state` tells of them."""
    return {one for one in rig.api.running().servers if not one.admin_state}


def in_process(rig):
    """What stands in the file, too, as it runs."""
    return {one.name: (f"{one.address}:{one.port}", one.weight) for one in taking_part(rig)}


def header_of_a_client(rig, pod):
    """What that pod received of a connection, and what it should have: the client's own address and port."""
    seen = len(pod.headers)
    with connect(rig) as client:
        assert name_answered(client) == pod.name
        own, there = client.getsockname(), client.getpeername()
    (received,) = [header for header in pod.headers[seen:] if header[12] != LOCAL]
    addresses = socket.inet_aton(own[0]) + socket.inet_aton(there[0])
    return received, received[:12] + bytes([PROXIED, TCP4, 0, 12]) + addresses + pair(own[1], there[1])


def pair(source, destination):
    return source.to_bytes(2, "big") + destination.to_bytes(2, "big")


def assert_one(rig, pod):
    """File, process, and what arrives at the pod that takes new connections."""
    assert in_process(rig) == in_file(rig)
    assert rig.edge.verify() == []
    received, expected = header_of_a_client(rig, pod)
    assert received == expected


@pytest.mark.field_failure("what runs is not what the file says")
def test_after_every_step_and_every_reload_file_process_and_header_are_one(rig, pods):
    first, second, _ = pods
    steps = [
        ([first.as_server()], first),
        ([first.as_server(state="draining"), second.as_server()], second),
        ([second.as_server()], second),
        ([first.as_server()], first),
    ]
    actions = []
    for fall, (servers, pod) in enumerate(steps, start=4):
        actions.append(rig.apply(snapshot(*servers))[0].action)
        assert_one(rig, pod)
        before, worker = taking_part(rig), rig.worker()
        rig.haproxy["check"] = {"fall": fall}
        actions.append(rig.apply(snapshot(*servers))[0].action)
        assert (rig.worker() != worker, taking_part(rig)) == (True, before)
        assert_one(rig, pod)
    assert actions == ["start", "reload", *["adjust", "reload"] * 3]


@pytest.mark.field_failure("a PROXY header that does not fit")
def test_health_checks_say_local_from_the_file_and_from_run_time(rig, pods):
    rig.haproxy["check"] = {"inter": "50ms"}
    rig.apply(of(pods[0]))
    rig.apply(of(*pods[:2]))

    for pod in pods[:2]:
        wait_for(lambda pod=pod: pod.headers)
        assert {(header[12], len(header[:FIXED])) for header in pod.headers} == {(LOCAL, FIXED)}


def test_a_backend_that_the_sites_template_has_of_its_own_keeps_its_server(rig, pods):
    render = rig.render
    rig.render = lambda spec: f"{render(spec)}\nbackend local\n    server x 127.0.0.1:{pods[2].port}\n"
    rig.apply(of(pods[0]))
    rig.apply(of(pods[1]))
    assert rig.runs() == {"x": 1, pods[1].server_name: 100}
    assert (rig.edge.verify(), rig.edge.reconcile().step) == ([], None)
