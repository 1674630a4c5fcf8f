"""What an edge finds out about itself, by real sockets and, where one is meant, a real HAProxy."""

from __future__ import annotations

import contextlib
import socket
import threading

import pytest
from haproxy_edge_minion import listening, probing
from haproxy_edge_minion import snapshot as on_edge
from haproxy_edge_minion.binds import Place
from haproxy_edge_minion.examination import examine, sources_of, version
from haproxy_edge_minion.files import Paths

from tests.unit.edge.material import free_port, server, snapshot

# where HAProxy's connections to the pods come from, so that they are told from the client's
OUTGOING = "127.0.0.9"


@contextlib.contextmanager
def receiver(talk, host="127.0.0.1"):
    """A listener on a port of its own that gives each connection to ``talk``; its port."""
    with socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET) as listener:

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    threading.Thread(target=_talk, args=(talk, connection), daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1]
        # a thread in accept() keeps the port open for one connection more
        listener.shutdown(socket.SHUT_RDWR)


def _talk(talk, connection):
    # a health check's header holds no address
    with connection, contextlib.suppress(OSError, ValueError):
        talk(connection)


def header_of(connection):
    """The addresses of a PROXY v2 header."""
    header = connection.recv(16, socket.MSG_WAITALL)
    return connection.recv(int.from_bytes(header[14:16], "big"), socket.MSG_WAITALL)


def show(connection, client):
    """Answer a plain request with the client's address."""
    if connection.recv(4096).startswith(b"GET "):
        connection.sendall(f"HTTP/1.1 200 OK\r\n\r\nX-Forwarded-For: {client}\n".encode())
    else:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def understands(connection):
    """Takes a PROXY v2 header and shows the client in it, as an echo service behind Traefik does."""
    show(connection, socket.inet_ntop(socket.AF_INET, header_of(connection)[:4]))


def ignores(connection):
    """Takes the header and believes the connection's own address instead, as Traefik with other trustedIPs."""
    header_of(connection)
    show(connection, connection.getpeername()[0])


def knows_none(connection):
    """Takes whatever comes first for a request."""
    connection.recv(4096)
    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def hangs_up(connection):
    connection.recv(4096)


def greets(connection):
    """Speaks first once it has the header, as SSH does."""
    connection.recv(4096)
    connection.sendall(b"SSH-2.0-test\r\n")
    connection.recv(4096)


@pytest.mark.field_failure("a PROXY header that does not fit")
@pytest.mark.parametrize(
    ("talk", "verdict", "shown"),
    [
        (understands, "accepted", ("127.0.0.1",)),
        (ignores, "accepted", (OUTGOING,)),
        (knows_none, "refused", ()),
        (hangs_up, "refused", ()),
        (greets, "accepted", ()),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_probe_through_haproxy_tells_what_the_pod_makes_of_the_header(rig, talk, verdict, shown):
    rig.haproxy["defaults"] = {"extra": [f"source {OUTGOING}"]}
    with receiver(talk) as port:
        rig.apply(snapshot(server("127.0.0.1", port=port)))
        answer = probing.probe(("127.0.0.1", rig.port))
    assert (answer.verdict, answer.shown, answer.client) == (verdict, shown, "127.0.0.1")


def test_a_probe_of_a_place_where_nobody_listens_is_unreachable():
    assert probing.probe(("127.0.0.1", free_port())).verdict == "unreachable"


def test_a_host_that_could_inject_a_header_is_refused():
    with pytest.raises(ValueError, match="must be a host name"):
        probing.probe(("127.0.0.1", 1), "a\r\nEvil: 1")


def test_a_way_is_told_from_a_closed_port():
    with receiver(hangs_up) as port:
        assert probing.way_to(("127.0.0.1", port)) is None
    assert "refused" in probing.way_to(("127.0.0.1", free_port()))


def test_the_source_towards_an_address_is_the_one_the_kernel_would_use():
    assert probing.source_towards("127.0.0.9") == "127.0.0.1"


def test_a_taken_port_is_told_with_its_holder_and_a_free_one_is_free():
    with receiver(hangs_up) as port:
        error = listening.trouble(Place("ipv4", "127.0.0.1", port))
        assert listening.in_use(error)
        assert listening.holders({port})[port]
    free = free_port()
    assert listening.trouble(Place("ipv4", "127.0.0.1", free)) is None
    assert listening.holders({free}) == {free: []}


def test_an_address_that_is_not_of_this_host_is_a_trouble_of_another_kind():
    error = listening.trouble(Place("ipv4", "192.0.2.77", free_port()))
    assert error is not None and not listening.in_use(error)


def test_an_examination_gathers_all_of_it(rig):
    with receiver(understands) as port:
        ports = sorted([port, free_port()])
        text = snapshot(*(server("127.0.0.1", port=port) for port in ports))
        rig.apply(text)
        given = {"snapshots": {"default": {"kube-system/traefik": text}}}
        found = examine(rig.haproxy, given, paths=rig.paths)
    assert found["haproxy"].count(".") >= 1
    assert (found["process"]["pid"], found["process"]["ours"]) == (rig.worker(), True)
    assert (found["endpoints"]["tried"], found["endpoints"]["failed"]) == (2, 1)
    assert found["sources"] == {"127.0.0.1": 1}
    assert [(bind["key"], bind["held_by"], bind["problem"]) for bind in found["binds"]] == [
        ("haproxy.bind", ["haproxy"], None)
    ]
    assert {probe["frontend"] for probe in found["probes"]} == {"websecure"}


def test_an_edge_without_anything_is_examined_all_the_same(tmp_path):
    nothing = Paths(config=tmp_path / "a", state=tmp_path / "b", socket=tmp_path / "c", haproxy=tmp_path / "d")
    found = examine(None, None, paths=nothing)
    assert found["haproxy"] is None
    assert found["process"]["problem"]
    assert found["pillar"]["problems"]
    assert (found["frontends"], found["probes"], found["sources"]) == ([], [], {})
    assert version(nothing) is None


def test_a_bind_whose_port_is_none_is_left_to_haproxy_and_the_rest_is_told(rig):
    found = examine({"bind": "ipv6@:99999", "bind_insecure": f"ipv4@127.0.0.1:{rig.port}"}, None, paths=rig.paths)
    assert [bind["port"] for bind in found["binds"]] == [rig.port]


def test_a_snapshot_that_is_refused_is_named_and_the_rest_is_told():
    told = sources_of({"bind": "ipv4@:443"}, {"snapshots": {"default": {"kube-system/traefik": "{}"}}})
    assert told["sources"] == {}
    assert "haproxy.bind" in told["problems"][0]


def test_a_snapshot_of_another_service_is_refused_and_an_unknown_one_is_no_fault_of_the_pillar():
    frontends = {"ssh": {"bind": ":2222", "service": "gitea/ssh", "port": "ssh"}}
    given = {
        "snapshots": {"default": {"kube-system/traefik": snapshot(service="default/other"), "gitea/ssh": "unknown"}}
    }
    told = sources_of({"bind": "ipv4@:443", "frontends": frontends}, given)
    assert told["problems"] == ["haproxy.bind: the master gave a snapshot of default default/other"]


def test_a_snapshot_is_checked_once_however_many_frontends_it_has(monkeypatch):
    checked = []
    monkeypatch.setattr(on_edge, "check", lambda text, check=on_edge.check: checked.append(text) or check(text))
    text = snapshot(server("127.0.0.1"))
    sources_of({"bind": ":443", "bind_insecure": ":80"}, {"snapshots": {"default": {"kube-system/traefik": text}}})
    assert checked == [text]
