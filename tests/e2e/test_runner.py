"""``salt-run haproxy_edge.…`` on a real fleet: what it shows is what is, and what it orders happens."""

from __future__ import annotations

import contextlib

import yaml

from lab.processes import run, wait_for
from lab.topology import PILLAR, SERVICE


def _ask(world, function, *arguments):
    return world.lab.master.run(f"haproxy_edge.{function}", *arguments)


def test_status_shows_every_edge_in_step_and_ends_with_zero(world):
    world.await_confirmed()
    rows = _ask(world, "status")
    assert rows["retcode"] == 0
    assert [row["service"] for row in rows["services"]] == [SERVICE]
    assert rows["services"][0]["served_by"] == len(world.lab.edges)
    generation = rows["services"][0]["generation"]
    assert {row["edge"]: row["applied"] for row in rows["edges"]} == {
        edge.name: {SERVICE: generation} for edge in world.lab.edges
    }
    shown = run(world.lab.master.command("haproxy_edge.status", program="salt-run"))
    assert shown.returncode == 0
    assert all(edge.name in shown.stdout for edge in world.lab.edges)


def test_an_edge_that_sleeps_is_shown_behind_and_first_with_exit_status_one(world):
    world.await_confirmed()
    *awake, sleeper = world.lab.edges
    shown = [(sleeper.name, "behind"), *((edge.name, "ok") for edge in awake)]
    with contextlib.ExitStack() as stack:
        with sleeper.asleep():
            pods = stack.enter_context(world.one_more())
            wait_for(
                lambda: [(row["edge"], row["state"]) for row in _ask(world, "status")["edges"]] == shown,
                60,
                "it to be shown first, and the others in step",
                every=0.3,
            )
            done = run(world.lab.master.command("haproxy_edge.status", program="salt-run"), check=False)
            assert done.returncode == 1
        world.lab.await_minions()
        _ask(world, "resync", sleeper.name)
        world.await_servers(pods)


def test_history_tells_the_last_change_with_the_time_to_the_first_and_last_edge(world):
    world.await_confirmed()
    with world.one_more() as pods:
        world.await_servers(pods)
        name = f"{pods[-1].name}:"
        wait_for(lambda: _is_told(world.store.history("default"), name), 60, "all to have confirmed the new pod")
    changes = _ask(world, "history", SERVICE)["changes"]
    # the service's other slice is written as well, and may be a change of its own
    (change,) = (one for one in changes if any(added.startswith(name) for added in one["added"]))
    assert (change["waiting"], change["edges"]) == ([], len(world.lab.edges))
    assert 0 < change["first"] <= change["last"]


def _is_told(rows, name):
    """Whether the change that added that pod is there, and waits for nobody."""
    return any(not row.waiting and any(added.startswith(name) for added in row.added) for row in rows)


def test_plan_shows_what_the_next_apply_then_does_and_changes_nothing(world):
    edge = world.lab.edges[0]
    before, worker = world.config(edge), world.worker(edge)
    assert _ask(world, "plan", edge.name)["edges"][edge.name] == {
        "changed": False,
        "diff": "",
        "action": None,
        "reason": None,
        "commands": [],
        "discouraged": [],
        "problems": [],
    }
    world.pillar(edge, {**PILLAR["haproxy"], "hard_stop_after": "20m"})
    told = _ask(world, "plan")["edges"]
    rendered = _ask(world, "render", edge.name)
    assert {name for name, plan in told.items() if plan["changed"]} == {edge.name}
    assert "+    hard-stop-after 20m" in told[edge.name]["diff"]
    assert told[edge.name]["action"] == "reload"
    assert (world.config(edge), world.worker(edge)) == (before, worker)
    world.apply(edge.name)
    assert world.config(edge) == rendered["text"]


def test_plan_shows_the_runtime_commands_that_would_be_given(world):
    edge, (pod, *_) = world.lab.edges[0], world.pods
    name = f"tcp/{pod.name}:{pod.address}:9000"
    _weigh(edge, name, 7)
    plan = _ask(world, "plan", edge.name)["edges"][edge.name]
    _weigh(edge, name, 100)
    assert (plan["action"], plan["changed"]) == ("adjust", False)
    assert any(name in command for command in plan["commands"])


def _weigh(edge, server, weight):
    """By hand, at HAProxy's socket."""
    assert edge.command(f"set server {server} weight {weight}").strip() == ""


def test_a_bad_pillar_is_told_by_plan_with_retcode_one(world):
    edge = world.lab.edges[0]
    world.pillar(edge, {"binde": ":443"})
    told = _ask(world, "plan", edge.name)
    assert told["retcode"] == 1
    assert "haproxy.binde" in told["edges"][edge.name]["problems"][0]


def test_a_resync_orders_the_state_for_that_edge(world):
    master, edge = world.lab.master, world.lab.edges[1]
    before = master.published("state.apply")
    assert _ask(world, "resync", edge.name)["said"] == [f"ordered for {edge.name}"]
    wait_for(lambda: master.published("state.apply") - before, 60, "the state")
    new = master.published("state.apply") - before
    targets = [master.run("jobs.list_job", job)["Target"] for job in new]
    assert all(edge.name in target for target in targets)


def test_the_values_for_traefik_are_the_addresses_that_pods_see(world):
    told = _ask(world, "traefik_values")
    assert told["retcode"] == 0
    trusted = {address for edge in world.lab.edges for address in (f"{edge.ipv4}/32", f"{edge.ipv6}/128")}
    assert set(told["trusted_ips"]) == trusted
    values = yaml.safe_load(yaml.safe_load(told["values"])["spec"]["valuesContent"])
    assert set(values["ports"]["websecure"]["proxyProtocol"]["trustedIPs"]) == trusted


def test_a_name_nobody_has_is_answered_in_words(world):
    for function in ("plan", "render", "resync", "status"):
        told = _ask(world, function, "edge99")
        assert told["retcode"] == 1
        assert "edge99" in told["problems"][0]
