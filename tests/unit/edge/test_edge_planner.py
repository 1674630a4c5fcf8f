"""The planner: what is not known is not changed, and only another skeleton reloads."""

import json
from ipaddress import ip_address

import pytest
from haproxy_edge_minion import parity
from haproxy_edge_minion.planner import Plan, Unusable, plan, target
from haproxy_edge_minion.renderer import weight
from haproxy_edge_minion.running import Running, RunningServer
from haproxy_edge_minion.snapshot import check
from haproxy_edge_minion.spec import resolve
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.edge.material import raw, server, snapshot

SPEC = resolve({"bind": "ipv6@:443"})
TWO = resolve({"bind": "ipv6@:443", "frontends": {"ssh": {"bind": ":22", "service": "gitea/ssh", "port": "ssh"}}})
KEY = ("default", "kube-system/traefik")


def servers(*raw_servers):
    return check(snapshot(*raw_servers)).ports.get("websecure", ())


def row(one, **changes):
    seen = RunningServer("websecure", one.name, one.address, one.port, weight(one), admin_state=0, checked=True)
    return seen._replace(**changes)


def running(*rows, digest="d"):
    return Running(1, digest, frozenset(rows))


def planned(wanted, runs, **more):
    return plan(SPEC, "d", {"websecure": wanted}, runs, **more)


def texts(commands):
    return [command.text for command in commands]


ONE, OTHER = servers(server("10.0.0.1"), server("10.0.0.2"))
FLAGS = "send-proxy-v2 check-send-proxy check inter 2s fall 3 rise 2"


def test_a_process_that_serves_this_needs_nothing():
    found = planned((ONE, OTHER), running(row(OTHER), row(ONE)))
    assert found.parity
    assert not found.collect


def test_a_new_server_is_added_with_every_flag_then_checked_then_ready():
    found = planned((ONE,), running())
    assert texts(found.changes) == [
        f"add server websecure/traefik-1:10.0.0.1:8443 10.0.0.1:8443 weight 100 {FLAGS}",
        "enable health websecure/traefik-1:10.0.0.1:8443",
        "set server websecure/traefik-1:10.0.0.1:8443 state ready",
    ]


def test_new_servers_take_traffic_before_old_ones_lose_it():
    orders = texts(planned((OTHER,), running(row(ONE))).changes)
    assert orders[0].startswith("add server")
    assert orders[-1] == "set server websecure/traefik-1:10.0.0.1:8443 state maint"


def test_a_draining_server_gets_the_absolute_weight_0_and_is_not_removed():
    (draining,) = servers(server("10.0.0.1", state="draining"))
    found = planned((draining,), running(row(ONE)))
    assert texts(found.changes) == ["set server websecure/traefik-1:10.0.0.1:8443 weight 0"]


def test_servers_of_a_backend_that_is_not_ours_are_left_alone_and_are_no_difference():
    runs = running(row(ONE), row(OTHER, backend="local", admin_state=1))
    assert planned((ONE,), runs) == Plan()
    assert parity.of_process("d", {"websecure": (ONE,)}, runs) == []


@pytest.mark.field_failure("a server deleted with live sessions, its name used again")
def test_a_removed_server_is_deleted_and_its_sessions_cut_only_when_overdue():
    runs, name = running(row(ONE, admin_state=1)), ("websecure", ONE.name)
    assert texts(planned((), runs).collect) == [f"del server websecure/{ONE.name}"]
    overdue = planned((), runs, overdue=frozenset([name]))
    assert texts(overdue.collect) == [
        f"shutdown sessions server websecure/{ONE.name}",
        f"del server websecure/{ONE.name}",
    ]
    assert overdue.parity
    assert overdue.leaving == {name}


@pytest.mark.parametrize(
    ("changes", "command"),
    [
        ({"admin_state": 1}, "set server websecure/{} state ready"),
        ({"admin_state": 8}, "set server websecure/{} state ready"),
        ({"checked": False}, "enable health websecure/{}"),
        ({"weight": 50}, "set server websecure/{} weight 100"),
    ],
    ids=["in maintenance", "drained by hand", "unchecked", "another weight"],
)
def test_what_differs_is_mended(changes, command):
    assert texts(planned((ONE,), running(row(ONE, **changes))).changes) == [command.format(ONE.name)]


@pytest.mark.parametrize(
    ("runs", "reason"),
    [
        (None, "does not answer"),
        (running(digest=None), "not ours"),
        (running(digest="e"), "frontends, settings or server flags changed"),
        (running(row(ONE, address="10.9.9.9")), "another address"),
    ],
    ids=["no answer", "not ours", "another skeleton", "another address"],
)
def test_every_reload_has_its_reason_and_no_command(runs, reason):
    found = planned((ONE,), runs)
    assert reason in found.reload_reason
    assert not found.changes + found.collect


addresses = st.integers(1, 12).map(lambda n: f"10.0.0.{n}" if n % 3 else f"fd00::{n}")
sets = st.dictionaries(addresses, st.sampled_from(["ready", "draining"]))


def built(chosen):
    order = sorted(map(ip_address, chosen), key=lambda address: (address.version, int(address)))
    return servers(*(server(str(address), state=chosen[str(address)]) for address in order))


def carried_out(orders, rows):
    """What a process serves after the orders."""
    now = {one.name: one for one in rows}
    for order in orders:
        words = order.text.split()
        name = words[2].split("/", 1)[1]
        if words[0] == "add":
            address, _, port = words[3].rpartition(":")
            now[name] = RunningServer("websecure", name, address.strip("[]"), int(port), int(words[5]), 4, False)
        elif words[0] == "enable":
            now[name] = now[name]._replace(checked=True)
        elif words[0] == "del":
            del now[name]
        elif words[3] == "weight":
            now[name] = now[name]._replace(weight=int(words[4]))
        else:
            now[name] = now[name]._replace(admin_state=words[4] == "maint")
    return running(*now.values())


@pytest.mark.field_failure(
    "what runs is not what the file says", "a server deleted with live sessions, its name used again"
)
@given(before=sets, after=sets, kill=st.integers(0, 60))
@settings(max_examples=200, deadline=None)
def test_from_any_set_to_any_other_even_killed_in_between_the_end_is_parity(before, after, kill):
    runs = running(*map(row, built(before)))
    wanted = built(after)
    runs = carried_out(planned(wanted, runs).changes[:kill], runs.servers)
    rest = planned(wanted, runs)
    runs = carried_out([*rest.changes, *rest.collect], runs.servers)
    assert planned(wanted, runs).parity
    assert {(one.name, one.weight) for one in runs.servers} == {(one.name, weight(one)) for one in wanted}


def test_an_unknown_service_keeps_its_servers_and_the_others_go_on():
    ssh = check(snapshot(server("10.0.0.9"), port="ssh", service="gitea/ssh"))
    found = target(TWO, {KEY: Unusable("unknown"), ("default", "gitea/ssh"): ssh}, {"websecure": (ONE,)})
    assert found.servers == {"websecure": (ONE,), "ssh": ssh.ports["ssh"]}
    (problem,) = found.problems
    assert problem == "haproxy.bind: service kube-system/traefik: unknown; its 1 servers stay as they are"


def test_a_port_name_that_is_not_there_keeps_its_servers_and_names_the_ports_there_are():
    moved = check(snapshot(server(), port="https"))
    found = target(SPEC, {KEY: moved}, {"websecure": (ONE,)})
    assert found.servers == {"websecure": (ONE,)}
    assert "'websecure'" in found.problems[0]
    assert "it has https" in found.problems[0]


@pytest.mark.parametrize("ports", [{}, {"websecure": []}, {"https": []}])
def test_a_service_without_any_server_empties_its_backend(ports):
    found = target(SPEC, {KEY: check(json.dumps(raw(ports)))}, {"websecure": (ONE,)})
    assert (found.servers, found.problems) == ({"websecure": ()}, ())
