"""An edge without its master: what it serves survives, and it mends itself by its own schedule."""

from __future__ import annotations

import dataclasses

import pytest
from haproxy_edge_minion.applied import Applied

from lab.processes import wait_for
from tests.e2e.world import local

# a digest that no configuration has
OTHER = "0" * 64


def test_the_schedule_is_set_by_the_state_and_asks_nothing_of_the_master(world):
    edge = world.lab.edges[0]
    (job,) = world.lab.master.salt(edge.name, "schedule.list", "return_yaml=False")[edge.name].values()
    assert (job["function"], job["seconds"], job["return_job"]) == ("haproxy_edge.reconcile", 60, False)
    assert "scheduler_before_connect: True" in edge.path("/etc/salt/minion.d/haproxy-edge.conf").read_text()


@pytest.mark.field_failure("what runs is not what the file says")
def test_verify_finds_parity_and_names_what_somebody_did_by_hand_which_reconcile_mends_without_a_master(world):
    edge = world.lab.edges[0]
    assert local(edge, "verify") == {"parity": True, "differences": []}
    pod = next(line.split()[1] for line in world.config(edge).splitlines() if line.startswith("    server "))
    edge.command(f"set server tcp/{pod} state maint; disable health tcp/{pod}")
    config = edge.path("/etc/haproxy/haproxy.cfg")
    config.write_text(config.read_text().replace("retries 3", "retries 7"))
    told = "\n".join(local(edge, "verify")["differences"])
    for part in ("not ours: 'retries 7'", "missing: 'retries 3'", f"tcp/{pod}: is in maintenance"):
        assert part in told
    done = local(edge, "reconcile")
    assert (done["action"], done["reason"]) == ("reload", "haproxy.cfg was edited by hand, and may have been loaded so")
    assert local(edge, "verify")["parity"]
    assert "retries 7" in edge.path("/var/lib/haproxy-edge/edited-by-hand.last.cfg").read_text()


def test_a_rebooted_edge_serves_and_mends_itself_with_the_master_away(world):
    edge = world.lab.edges[1]
    config = edge.path("/etc/haproxy/haproxy.cfg")
    world.lab.master.stop()
    try:
        config.write_text(config.read_text() + "# by hand\n")
        edge.reboot()
        edge.wait_ready()
        wait_for(lambda: edge.run(["pgrep", "-x", "haproxy"], check=False).stdout, 60, "HAProxy to run")
        wait_for(lambda: "# by hand" not in world.config(edge), 60, "the edge to mend its file")
        wait_for(lambda: local(edge, "verify")["parity"], 60, "parity")
    finally:
        world.lab.master.start()
        world.lab.await_minions()


def test_an_edge_that_begins_with_what_cannot_start_goes_back_to_what_served_before(world):
    """HAProxy went down in the middle of a reload to it, as with its host."""
    edge, port = world.lab.edges[0], 8999
    record = edge.path("/var/lib/haproxy-edge/applied.json")
    good = Applied.load(record)
    skeleton = f"{good.skeleton.replace(good.digest, OTHER)}\nfrontend taken\n    bind 127.0.0.1:{port}\n"
    bad = dataclasses.replace(good, digest=OTHER, skeleton=skeleton)
    with edge.port_taken(port):
        edge.run(["systemctl", "stop", "haproxy"])
        record.write_text(bad.as_json)
        edge.path("/etc/haproxy/haproxy.cfg").write_text(bad.text)
        problems = "\n".join(local(edge, "reconcile")["problems"])
        assert f"taken: '127.0.0.1:{port}': haproxy: cannot bind" in problems
        assert "the last good configuration is back and serves" in problems
        assert local(edge, "verify")["parity"]
    assert world.config(edge) == good.text
