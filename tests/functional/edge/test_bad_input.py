"""What could do harm is refused whole, by the name of its field; not a byte and not a server changes."""

import base64
import json
import zlib

import pytest

from tests.functional.edge.backend import of
from tests.functional.edge.conftest import execution_module
from tests.unit.edge.bad_snapshots import BAD_SNAPSHOTS, many, with_server
from tests.unit.edge.material import server, snapshot


def compressed(text):
    return "zlib:" + base64.b64encode(zlib.compress(text.encode())).decode()


def everything(rig):
    """Every file with content and time but the lock, and what runs."""
    paths = [path for path in rig.paths.state.rglob("*") if path.is_file() and path.name != "lock"]
    files = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in paths}
    return files, rig.paths.config.read_bytes(), rig.api.running(), rig.service.reloads


@pytest.fixture(scope="module")
def sync(shared_rig):
    """`haproxy_edge.sync` as Salt calls it, on the rig; it gives what would be signed."""
    module = execution_module(shared_rig)
    module._returned = lambda edge, lane, **told: told
    shared_rig.apply(snapshot(server("10.42.0.5")))
    return module.sync


@pytest.mark.parametrize("packed", [str, compressed])
@pytest.mark.parametrize(("bad", "field"), BAD_SNAPSHOTS)
def test_a_bad_snapshot_among_good_ones_refuses_the_order_and_changes_nothing(shared_rig, sync, bad, field, packed):
    before = everything(shared_rig)
    told = sync(packed(json.dumps({"order": "x", "snapshots": [snapshot(server("10.42.0.9")), json.dumps(bad)]})))
    (problem,) = told["problems"]
    assert problem.startswith(f"{field}: ")
    assert everything(shared_rig) == before


@pytest.mark.parametrize("packed", [str, compressed])
def test_without_the_bad_one_the_same_order_is_served(shared_rig, sync, packed):
    good = snapshot(server("10.42.0.9", pod=packed.__name__))
    assert not sync(packed(json.dumps({"order": "x", "snapshots": [good]})))["problems"]
    assert shared_rig.runs() == {f"{packed.__name__}:10.42.0.9:8443": 100}


@pytest.mark.field_failure("growth past a limit")
def test_ten_thousand_servers_are_served(rig):
    """The maximum is twice that, but HAProxy reserves an open file for each check, and a machine may have 20,000."""
    rig.haproxy["check"] = {"inter": "1h"}
    rig.apply(snapshot(*many(10_000)))
    assert len(rig.runs()) == 10_000
    assert rig.edge.verify() == []


def test_a_bad_snapshot_in_the_pillar_keeps_what_is_served_and_names_frontend_and_field(rig, pods):
    rig.apply(of(pods[0]))
    runs = rig.runs()
    given = {"snapshots": {"default": {"kube-system/traefik": json.dumps(with_server(port=0))}}}
    prepared = rig.edge.prepare(rig.haproxy, given, rig.render)
    assert not rig.edge.differs(prepared)
    (problem,) = prepared.problems
    assert problem.startswith("haproxy.bind: service kube-system/traefik: the master's snapshot is refused: ports.web")
    assert rig.runs() == runs


@pytest.mark.parametrize("given", [None, [], "x", {"snapshots": []}, {"snapshots": {"default": []}}, {"snapshots": {}}])
def test_a_pillar_of_another_shape_keeps_what_is_served(rig, pods, given):
    rig.apply(of(pods[0]))
    prepared = rig.edge.prepare(rig.haproxy, given, rig.render)
    assert not rig.edge.differs(prepared)
    assert prepared.problems
