"""What the engine may read, and what an edge is told."""

from __future__ import annotations

import contextlib
import json

import pytest
import yaml
from haproxy_edge_minion.ack import signed

from lab import fabric
from lab.kubeapi.client import ApiClient, ApiFailure
from lab.master import CHECKOUT
from lab.processes import RUN, wait_for

SERVICE = "default kube-system/traefik"
# seconds in which what a forgery could set off would have happened: a publish takes a tenth of that
LONG_ENOUGH = 2.0
# far above what any edge has come to
EVIL_SEQUENCE = 1 << 52


def _status_for_engine(world, path: str) -> int:
    """HTTP status of a read with the engine's own token."""
    kubeconfig = yaml.safe_load((RUN / "engine.kubeconfig").read_text())
    cluster = world.lab.cluster
    engine = ApiClient(
        cluster.url,
        ca_file=cluster.folder.ca_file,
        token=kubeconfig["users"][0]["user"]["token"],
        namespace=fabric.namespace("master"),
    )
    with contextlib.closing(engine):
        try:
            engine.get(path)
        except ApiFailure as failure:
            return failure.code
    return 200


def test_the_engine_s_role_reads_endpoints_of_its_namespaces_and_nothing_else(world):
    assert _status_for_engine(world, "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices") == 200
    assert _status_for_engine(world, "/api/v1/namespaces/kube-system/endpoints/traefik") == 200
    for path in ("/api/v1/namespaces/kube-system/secrets", "/api/v1/namespaces/default/endpoints", "/api/v1/endpoints"):
        assert _status_for_engine(world, path) == 403, path


def test_a_minion_gets_its_own_services_and_its_own_key(world):
    pillars = {
        edge.name: world.lab.master.run("pillar.show_pillar", edge.name)["haproxy_edge"] for edge in world.lab.edges
    }
    for pillar in pillars.values():
        assert {cluster: set(by_service) for cluster, by_service in pillar["snapshots"].items()} == {
            "default": {"kube-system/traefik"}
        }
        assert json.loads(pillar["snapshots"]["default"]["kube-system/traefik"])["schema"] == 1
    assert len({pillar["ack_key"] for pillar in pillars.values()}) == len(pillars)


def _lie(world, edge, *acts):
    """What an accepted minion can do with its own key; run inside of that edge host."""
    edge.path("/root/rogue.py").write_text((CHECKOUT / "lab/rogue.py").read_text())
    edge.run(["/opt/salt/bin/python", "-W", "ignore", "/root/rogue.py", json.dumps(acts)])


def _own_key(edge):
    return edge.path("/var/lib/haproxy-edge/ack.key").read_text().strip()


def _ack(edge, *, generation=1, digest="sha256:evil", order="", lane="hot", sequence=EVIL_SEQUENCE):
    """What that edge would say of itself."""
    return {
        "edge": edge.name,
        "order": order,
        "lane": lane,
        "serves": {SERVICE: {"generation": generation, "digest": digest}},
        "done": "",
        "problems": [],
        "state_needed": None,
        "ms": 1.0,
        "sequence": sequence,
    }


def _record(world, edge):
    return world.store.edges("default")[edge.name]


def _figures(world):
    """What the engine believes of every edge, without the counts."""
    records = [_record(world, edge) for edge in world.lab.edges]
    believed = [(one.serves, one.behind_since, one.problems, (one.sequence or 0) < EVIL_SEQUENCE) for one in records]
    return believed, {name: row["applied"] for name, row in world.report()["edges"].items()}


def _forged(world, kind):
    return world.report()["counters"]["forged"].get(kind, 0)


def _await_forged(world, kind, number):
    wait_for(lambda: _forged(world, kind) >= number, 60, f"{number} forged of kind {kind} to be counted")


@pytest.fixture
def calm(world):
    """All edges have confirmed; nothing is under way. Afterwards nothing was published, and no figure has changed."""
    world.await_confirmed()
    world.quiet(1.0)
    before = _figures(world), world.publishes()
    yield world
    world.quiet(LONG_ENOUGH)
    assert (_figures(world), world.publishes()) == before


def _booked_to(victim, rogue, way):
    """Returns of both lanes, unsigned and signed with the rogue's own key."""
    told = _ack(victim)
    for forged in ({**told, "hmac": "0" * 64}, signed(told, _own_key(rogue))):
        yield {"kind": way, "victim": victim.name, "fun": "haproxy_edge.sync", "returned": forged}
        states = {"haproxy_edge_|-a_|-a_|-serving": {"result": True, "ack": forged}}
        yield {"kind": way, "victim": victim.name, "fun": "state.apply", "returned": states}


@pytest.mark.parametrize("way", ["syndic_return", "resource_return"])
def test_a_return_booked_to_another_minion_changes_no_figure(calm, way):
    rogue, victim = calm.lab.edges[:2]
    before = _forged(calm, "signature")
    _lie(calm, rogue, *_booked_to(victim, rogue, way))
    _await_forged(calm, "signature", before + 4)


def test_what_was_said_before_and_what_nobody_asked_for_changes_no_figure(calm):
    rogue, victim = calm.lab.edges[:2]
    old = signed(_ack(victim, lane="state", sequence=_record(calm, victim).sequence - 1), _own_key(victim))
    unasked = signed(_ack(rogue, order="000000000000001-0123456789ab"), _own_key(rogue))
    replays, orders = _forged(calm, "replay"), _forged(calm, "order")
    _lie(
        calm,
        rogue,
        {"kind": "syndic_return", "victim": victim.name, "fun": "haproxy_edge.sync", "returned": old},
        {"kind": "event", "tag": f"haproxy_edge/ack/{victim.name}", "data": {"ack": old}},
        {"kind": "event", "tag": f"haproxy_edge/ack/{rogue.name}", "data": {"ack": unasked}},
    )
    _await_forged(calm, "replay", replays + 2)
    _await_forged(calm, "order", orders + 1)


def test_hundreds_of_forged_events_in_every_form_publish_nothing_and_are_counted(calm):
    rogue, victim = calm.lab.edges[:2]
    order = {"tgt": "*", "lane": "state", "id": "1"}
    start = f"salt/minion/{victim.name}/start"
    posing = {"fun": "haproxy_edge.sync", "id": victim.name, "return": {**_ack(victim), "hmac": "0" * 64}}
    before = dict(calm.report()["counters"]["forged"])
    _lie(
        calm,
        rogue,
        {"kind": "event", "tag": "haproxy_edge/doorbell/state", "data": order, "repeat": 20},
        {"kind": "events", "tag": "haproxy_edge/doorbell/hot", "data": order, "times": 200},
        {"kind": "events", "tag": "doorbell/state", "data": order, "times": 50, "pretag": "haproxy_edge"},
        {"kind": "events", "tag": "haproxy_edge/doorbell/hot", "data": {"token": "0" * 32}, "times": 20},
        {"kind": "event", "tag": start, "data": {"id": victim.name}, "repeat": 5},
        {"kind": "events", "tag": start, "data": {"id": victim.name}, "times": 50},
        {"kind": "events", "tag": f"salt/job/20200101000000000000/ret/{victim.name}", "data": posing, "times": 50},
        {"kind": "event", "tag": f"salt/job/20200101000000000000/ret/{victim.name}", "data": posing, "repeat": 5},
        {"kind": "event", "tag": f"haproxy_edge/ack/{victim.name}", "data": {"ack": "me"}},
        {"kind": "event", "tag": "haproxy_edge/warning", "data": {"condition": "emptied"}},
    )
    wanted = {"doorbell": 290, "signature": 50, "return": 5, "shape": 1, "warning": 1}
    for kind, number in wanted.items():
        _await_forged(calm, kind, before.get(kind, 0) + number)
    assert "forged events ignored" in calm.lab.master.log()


def test_an_edge_s_own_word_is_believed_without_an_order(world):
    world.await_confirmed()
    edge = world.lab.edges[0]
    record = _record(world, edge)
    serves = {key: {"generation": one, "digest": two} for key, (one, two) in record.serves.items()}
    own = signed({**_ack(edge, lane="edge", sequence=record.sequence + 1), "serves": serves}, _own_key(edge))
    _lie(world, edge, {"kind": "event", "tag": f"haproxy_edge/ack/{edge.name}", "data": {"ack": own}})
    wait_for(lambda: _record(world, edge).lane == "edge", 60, "the edge's own word to be recorded")


def test_the_store_is_readable_by_the_master_s_user_alone(world):
    files = [path for path in (RUN / "master/cache/haproxy_edge").rglob("*") if path.is_file()]
    assert files
    assert {path.stat().st_mode & 0o077 for path in files} == {0}
