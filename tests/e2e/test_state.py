"""``salt 'edge*' state.apply haproxy``: from nothing to serving, and no mistake costs what runs."""

from __future__ import annotations

import pytest

from lab.master import CHECKOUT
from lab.topology import PILLAR
from tests.e2e.obstacles import full_disk

CONFIGURED, SERVING = "haproxy_edge.configured", "haproxy_edge.serving"


@pytest.mark.field_failure("a reload for nothing new")
def test_a_second_run_changes_nothing(world):
    before = {edge.name: world.worker(edge) for edge in world.lab.edges}
    for states in world.apply().values():
        assert {name: (state["result"], state["changes"]) for name, state in states.items()} == {
            name: (True, {}) for name in states
        }
    assert {edge.name: world.worker(edge) for edge in world.lab.edges} == before


def test_a_virgin_minion_is_told_what_would_happen_and_then_serves(world):
    edge = world.lab.edges[0]
    world.lab.reinstall(edge)
    told = world.apply(edge.name, "test=True")[edge.name]
    assert told["pkg.installed"]["result"] is None
    assert told[CONFIGURED]["result"] is None
    assert "server " in told[CONFIGURED]["changes"]["diff"]
    assert not edge.path("/usr/sbin/haproxy").exists()
    assert not edge.path("/etc/haproxy").exists()
    assert not edge.path("/var/lib/haproxy-edge").exists()
    done = world.apply(edge.name)[edge.name]
    assert {name: state["result"] for name, state in done.items()} == dict.fromkeys(done, True)
    assert edge.run(["systemctl", "is-enabled", "haproxy"]).stdout.strip() == "enabled"


def test_the_example_pillar_applies_word_for_word(world):
    world.lab.copy_pillar(CHECKOUT / "pillar.example")
    applied = world.apply()
    for name, states in applied.items():
        assert all(state["result"] for state in states.values()), (name, states)
    assert "discouraged" in applied["edge3"][CONFIGURED]["comment"]
    assert "bind ipv4@:80" in world.config(world.lab.edges[2])


def test_a_hand_written_configuration_is_kept_and_clean_restores_it(world):
    edge = world.lab.edges[1]
    world.lab.master.salt(edge.name, "state.apply", "haproxy.clean")
    by_hand = edge.path("/etc/haproxy/haproxy.cfg").read_text()
    assert "haproxy-edge" not in by_hand
    told = world.apply(edge.name, "test=True")[edge.name]
    assert world.config(edge) == by_hand
    assert told[CONFIGURED]["changes"]["diff"]
    world.apply(edge.name)
    assert edge.path("/etc/haproxy/haproxy.cfg.before-haproxy-edge").read_text() == by_hand
    world.lab.master.salt(edge.name, "state.apply", "haproxy.clean")
    assert world.config(edge) == by_hand
    assert not edge.path("/var/lib/haproxy-edge").exists()
    assert not edge.path("/etc/salt/minion.d/haproxy-edge.conf").exists()
    assert "haproxy_edge" not in str(world.lab.master.salt(edge.name, "schedule.list"))


def test_a_bind_haproxy_refuses_names_host_key_and_value(world):
    edge = world.lab.edges[0]
    before, worker = world.config(edge), world.worker(edge)
    frontend = {**PILLAR["haproxy"]["frontends"]["tcp"], "bind": "ipv6@443"}
    world.pillar(edge, {"frontends": {"tcp": frontend}})
    failed = world.apply(edge.name)[edge.name]
    assert failed[CONFIGURED]["result"] is False
    for part in (edge.name, "haproxy.frontends.tcp", "ipv6@443", "haproxy: "):
        assert part in failed[CONFIGURED]["comment"]
    assert (world.config(edge), world.worker(edge)) == (before, worker)


def test_every_problem_of_a_pillar_is_listed_at_once(world):
    edge = world.lab.edges[0]
    before = world.config(edge)
    world.pillar(
        edge, {"bind": 443, "binde": "x", "frontends": {"a": {"bind": ":1", "port": "web", "balance": "static-rr"}}}
    )
    failed = world.apply(edge.name)[edge.name][CONFIGURED]
    assert failed["result"] is False
    for key in ("haproxy.bind: 443", "haproxy.binde", "haproxy.frontends.a.balance"):
        assert key in failed["comment"]
    assert world.config(edge) == before


def test_a_missing_pillar_keeps_what_runs(world):
    edge = world.lab.edges[0]
    before = world.config(edge)
    world.lab.set_pillar({edge.name: {} for edge in world.lab.edges})
    failed = world.apply(edge.name)[edge.name][CONFIGURED]
    assert failed["result"] is False
    assert "must say what to bind" in failed["comment"]
    assert world.config(edge) == before


def test_a_wrong_port_name_keeps_that_frontend_and_lets_the_others_go_on(world):
    edge = world.lab.edges[0]
    frontends = {name: dict(frontend) for name, frontend in PILLAR["haproxy"]["frontends"].items()}
    frontends["tcp"]["port"] = "tpc"
    world.pillar(edge, {**PILLAR["haproxy"], "frontends": frontends})
    failed = world.apply(edge.name)[edge.name][CONFIGURED]
    assert failed["result"] is False
    for part in (edge.name, "haproxy.frontends.tcp", "'tpc'", "tcp, web, websecure"):
        assert part in failed["comment"]
    assert world.servers(edge, "tcp") == world.servers(edge, "websecure") == {pod.name for pod in world.pods}


def test_a_service_nobody_has_seen_is_named_and_the_rest_serves_on(world):
    edge = world.lab.edges[0]
    unseen = {"bind": "ipv4@:2222", "service": "gitea/gitea-ssh", "port": "ssh"}
    frontends = {**PILLAR["haproxy"]["frontends"], "ssh": unseen}
    world.pillar(edge, {**PILLAR["haproxy"], "frontends": frontends})
    failed = world.apply(edge.name)[edge.name][CONFIGURED]
    assert failed["result"] is False
    assert "gitea/gitea-ssh" in failed["comment"]
    assert world.servers(edge) == {pod.name for pod in world.pods}


@pytest.mark.field_failure("a reload believed to have worked")
def test_a_port_that_is_taken_fails_with_the_reason_and_the_last_good_file_serves_on(world):
    edge = world.lab.edges[0]
    with edge.port_taken(8888):
        taken = {
            **PILLAR["haproxy"]["frontends"],
            "more": {"bind": "ipv4@:8888", "service": "kube-system/traefik", "port": "tcp"},
        }
        world.pillar(edge, {**PILLAR["haproxy"], "frontends": taken})
        failed = world.apply(edge.name)[edge.name][SERVING]
        assert failed["result"] is False
        for part in (edge.name, "haproxy.frontends.more", "ddress already in use"):
            assert part in failed["comment"]
        assert "ipv4@:8888" not in world.config(edge)
        assert world.worker(edge)


def test_a_full_disk_fails_the_state_and_tears_nothing(world):
    edge = world.lab.edges[0]
    before, worker = world.config(edge), world.worker(edge)
    with full_disk(edge):
        world.pillar(edge, {**PILLAR["haproxy"], "hard_stop_after": "20m"})
        failed = world.apply(edge.name)[edge.name][CONFIGURED]
        assert failed["result"] is False
        assert "No space left" in failed["comment"]
        assert (world.config(edge), world.worker(edge)) == (before, worker)


def test_a_package_that_cannot_be_had_is_an_error_with_its_reason(world):
    edge = world.lab.edges[2]
    world.lab.reinstall(edge)
    sources = edge.path("/etc/apt/sources.list")
    before = sources.read_text()
    sources.write_text("")
    try:
        failed = world.apply(edge.name)[edge.name]
    finally:
        sources.write_text(before)
    assert failed["pkg.installed"]["result"] is False
    assert "haproxy" in failed["pkg.installed"]["comment"]
