"""From pillar and snapshots to what a real HAProxy serves."""

import contextlib
import json
import socket
import stat

import pytest
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.spec import BALANCES, PROXY_PROTOCOLS

from tests.functional.edge.backend import PATIENCE, connect, goes_on, name_answered, of, wait_for
from tests.unit.edge.material import free_port, raw, server, snapshot


def test_from_nothing_to_serving_and_a_second_time_nothing(rig, pods):
    step, problems = rig.apply(of(pods[0]))
    assert (step.action, problems) == ("start", ())
    assert rig.service.is_enabled
    with connect(rig) as client:
        assert name_answered(client) == pods[0].name
    text, worker = rig.paths.config.read_text(), rig.worker()
    assert rig.apply(of(pods[0])) == (None, ())
    assert (rig.paths.config.read_text(), rig.worker(), rig.service.reloads) == (text, worker, 0)


@pytest.mark.field_failure("connections cut, or old workers pile up")
def test_pods_come_and_go_without_a_reload(rig, pods):
    rig.apply(of(pods[0]))
    worker = rig.worker()
    for servers in (pods, pods[1:], [], pods[:2], pods):
        step, problems = rig.apply(of(*servers))
        assert (step.action, problems) == ("adjust", ())
        assert rig.runs() == {pod.server_name: 100 for pod in servers}
    assert (rig.worker(), rig.service.reloads, rig.leftovers()) == (worker, 0, set())


@pytest.mark.field_failure("what runs is not what the file says")
def test_a_server_added_at_run_time_gets_the_same_proxy_header_and_check_as_one_of_the_file(rig, pods):
    rig.apply(of())
    rig.apply(of(pods[0]))
    with connect(rig) as client:
        assert name_answered(client) == pods[0].name
    assert all(header.startswith(b"\r\n\r\n\x00\r\nQUIT\n") for header in pods[0].headers)
    (running,) = rig.api.running().servers
    assert running.checked


@pytest.mark.field_failure("conditions misread")
def test_a_draining_server_keeps_its_connections_and_gets_no_new_one(rig, pods):
    rig.apply(of(pods[0]))
    with connect(rig) as held:
        assert name_answered(held) == pods[0].name
        rig.apply(snapshot(pods[0].as_server(state="draining"), pods[1].as_server()))
        assert rig.runs() == {pods[0].server_name: 0, pods[1].server_name: 100}
        for _ in range(5):
            with connect(rig) as client:
                assert name_answered(client) == pods[1].name
        assert goes_on(held)
    rig.apply(of(*pods[:2]))
    assert rig.runs() == {pods[0].server_name: 100, pods[1].server_name: 100}


@pytest.mark.parametrize("balance", BALANCES)
@pytest.mark.parametrize("proxy_protocol", PROXY_PROTOCOLS)
def test_every_balance_and_proxy_protocol_takes_servers_at_run_time(rig, pods, balance, proxy_protocol):
    rig.long_form(balance=balance, proxy_protocol=proxy_protocol)
    rig.apply(of(pods[0]))
    step, _ = rig.apply(snapshot(pods[0].as_server(state="draining"), pods[1].as_server()))
    assert step.action == "adjust"
    with connect(rig) as client:
        client.sendall(b"hello")
        assert name_answered(client) == pods[1].name
    assert rig.service.reloads == 0


@pytest.mark.field_failure("a server deleted with live sessions, its name used again")
def test_a_removed_server_keeps_its_sessions_until_they_end(rig, pods):
    rig.apply(of(pods[0]))
    with connect(rig) as held:
        name_answered(held)
        rig.apply(of(pods[1]))
        assert rig.leftovers() == {pods[0].server_name}
        assert rig.apply(of(pods[1])) == (None, ())
        assert goes_on(held)
    wait_for(lambda: rig.apply(of(pods[1])) == (None, ()) and not rig.leftovers())


def test_the_last_sessions_are_cut_after_drain_timeout_and_not_before(rig, pods):
    rig.apply(of(pods[0]))
    with connect(rig) as held:
        name_answered(held)
        rig.apply(of(pods[1]))
        rig.uptime += 299
        rig.apply(of(pods[1]))
        assert goes_on(held)
        rig.uptime += 1
        rig.apply(of(pods[1]))
        assert held.recv(100) == b""
    wait_for(lambda: rig.apply(of(pods[1])) == (None, ()) and not rig.leftovers())


def test_a_kill_between_two_commands_is_mended_by_the_next_run(rig, pods):
    rig.apply(of(pods[0]))
    name = pods[1].server_name
    address = f"127.0.0.1:{pods[1].port}"
    rig.api._talk([f"add server websecure/{name} {address} weight 100 send-proxy-v2 check check-send-proxy inter 2s"])
    assert rig.leftovers() == {name}
    step, _ = rig.apply(of(*pods[:2]))
    assert step.action == "adjust"
    assert rig.runs() == {pod.server_name: 100 for pod in pods[:2]}
    assert all(running.checked for running in rig.api.running().servers)


def test_a_server_somebody_put_into_maintenance_by_hand_is_brought_back(rig, pods):
    rig.apply(of(pods[0]))
    rig.api._talk([f"set server websecure/{pods[0].server_name} state maint"])
    step, _ = rig.apply(of(pods[0]))
    assert (step.action, rig.runs()) == ("adjust", {pods[0].server_name: 100})


@pytest.mark.field_failure("a reload believed to have worked")
def test_a_port_in_use_fails_the_reload_and_everything_that_ran_goes_on_with_the_pods_of_now(rig, pods):
    rig.apply(of(pods[0]))
    with socket.create_server(("127.0.0.1", 0)) as taken, connect(rig) as held:
        name_answered(held)
        port = taken.getsockname()[1]
        wider = {**rig.haproxy, "frontends": {"more": {"bind": f"127.0.0.1:{port}", "port": "websecure"}}}
        with pytest.raises(EdgeError) as failure:
            rig.apply(of(pods[1]), haproxy=wider)
        assert f"haproxy.frontends.more: '127.0.0.1:{port}'" in str(failure.value)
        assert "Address already in use" in str(failure.value)
        assert "the last good configuration is back and serves" in str(failure.value)
        assert str(port) not in rig.paths.config.read_text()
        with connect(rig) as client:
            assert name_answered(client) == pods[1].name
        assert goes_on(held)
    step, problems = rig.apply(of(pods[1]), haproxy=wider)
    assert (step.action, problems) == ("reload", ())


def test_a_bind_haproxy_refuses_names_the_pillar_key_and_replaces_nothing(rig, pods):
    rig.apply(of(pods[0]))
    text = rig.paths.config.read_text()
    with pytest.raises(EdgeError, match=r"haproxy\.bind: 'ipv6@443': haproxy: .*missing"):
        rig.apply(of(pods[0]), haproxy={"bind": "ipv6@443"})
    assert rig.paths.config.read_text() == text
    assert not list(rig.paths.config.parent.glob(".haproxy*"))


def test_an_unknown_service_keeps_what_was_served(rig, pods):
    rig.apply(of(pods[0]))
    given = {"snapshots": {"default": {"kube-system/traefik": "unknown"}}}
    prepared = rig.edge.prepare(rig.haproxy, given, rig.render)
    assert not rig.edge.differs(prepared)
    assert rig.edge.serve() is None
    assert "kube-system/traefik" in prepared.problems[0]


def test_a_port_name_that_is_wrong_leaves_its_frontend_and_the_others_go_on(rig, pods):
    rig.haproxy["frontends"] = {"ssh": {"bind": f"127.0.0.1:{free_port()}", "service": "gitea/ssh", "port": "ssh"}}
    ssh = snapshot(pods[2].as_server(), port="ssh", service="gitea/ssh")
    rig.apply(of(pods[0]), ssh)
    renamed = snapshot(pods[2].as_server(), port="sshd", service="gitea/ssh")
    step, problems = rig.apply(of(pods[1]), renamed)
    assert step.action == "adjust"
    assert rig.runs() == {pods[1].server_name: 100, pods[2].server_name: 100}
    assert "it has sshd" in problems[0]


def test_a_process_that_is_not_ours_is_reloaded_with_the_reason(rig, pods):
    rig.paths.config.write_text(
        f"global\n stats socket {rig.paths.socket} level admin expose-fd listeners\n"
        f"defaults\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
        f"listen x\n bind 127.0.0.1:{rig.port}\n"
    )
    rig.paths.config.chmod(0o640)
    rig.service.start()
    wait_for(lambda: rig.edge._process.running() is not None)
    step, _ = rig.apply(of(pods[0]))
    assert (step.action, step.reason) == ("reload", "the running configuration is not ours")
    assert "listen x" in rig.paths.backup.read_text()
    assert stat.S_IMODE(rig.paths.backup.stat().st_mode) == 0o640


def test_an_older_haproxy_that_refuses_a_command_is_reloaded_with_its_words_as_reason(rig, pods, monkeypatch):
    rig.apply(of(pods[0]))
    monkeypatch.setattr("haproxy_edge_minion.commands._ADDED", "[6]: something else")
    step, _ = rig.apply(of(*pods[:2]))
    assert step.action == "reload"
    assert "New server registered" in step.reason
    assert rig.runs() == {pod.server_name: 100 for pod in pods[:2]}


@pytest.mark.field_failure("growth past a limit")
def test_growth_from_nothing_to_thousands_and_back(rig):
    many = [server(f"10.1.{n // 250}.{n % 250 + 1}") for n in range(3000)]
    rig.apply(of())
    worker = rig.worker()
    for servers in (many[:1], many, [], many[:300], []):
        rig.apply(snapshot(*servers))
        assert len(rig.runs()) == len(servers)
    assert (rig.worker(), rig.leftovers()) == (worker, set())


@pytest.mark.field_failure("a reload for nothing new")
def test_another_generation_with_the_same_content_changes_no_byte(rig, pods):
    listed = [pod.as_server() for pod in pods]
    rig.apply(json.dumps(raw({"websecure": listed}), sort_keys=True))
    text = rig.paths.config.read_bytes()
    rig.apply(json.dumps({**raw({"websecure": listed}), "generation": 1764000000001}, indent=1))
    assert rig.paths.config.read_bytes() == text
    assert text.endswith(b"\n")


@pytest.mark.parametrize(
    ("logged", "lines"), [({}, 0), ({"log_connections": "failed"}, 0), ({"log_connections": "all"}, 1)]
)
def test_a_connection_that_fails_is_always_logged_and_one_that_went_well_only_where_all_are(rig, pods, logged, lines):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as log:
        log.bind(("127.0.0.1", 0))
        log.settimeout(PATIENCE)
        rig.haproxy["global"]["log"] = f"127.0.0.1:{log.getsockname()[1]} local0"
        # of the last connection, which finds nobody: each of its retries waits for as long
        rig.haproxy["defaults"] = {**logged, "timeouts": {"connect": "100ms"}}
        rig.apply(of(pods[0]))
        with connect(rig) as client:
            # one that brings nothing is never logged
            client.sendall(b"something")
            assert name_answered(client) == pods[0].name
        pods[0].close()
        with connect(rig) as client, contextlib.suppress(ConnectionError):
            client.sendall(b"something")
            assert client.recv(100) == b""
        said = []
        while not any(" SC " in line for line in said):
            said.append(log.recv(2000).decode())
    well = [line for line in said if f"websecure/{pods[0].server_name}" in line and " -- " in line]
    assert len(well) == lines, said
