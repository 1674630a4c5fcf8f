"""The hot lane on a real HAProxy: no pillar, no template, no reload; the last generation wins in any order."""

import subprocess
import time

import pytest
from haproxy_edge_minion import sequence
from haproxy_edge_minion.outcome import StateNeeded
from haproxy_edge_minion.snapshot import check

from tests.functional.edge.rig import HAPROXY
from tests.unit.edge.material import server, snapshot

VERSION = subprocess.run([HAPROXY, "-v"], capture_output=True, text=True, check=True).stdout.split()[2]
OLD, NEW = server("10.42.0.7", pod="old"), server("10.42.0.8", pod="new")


def offered(*servers, generation):
    return [check(snapshot(*servers, generation=generation))]


@pytest.fixture
def serving(rig):
    text = snapshot(OLD, generation=10)
    rig.apply(text)
    return rig


def test_servers_come_and_go_by_commands_and_the_file_follows(serving):
    worker = serving.worker()
    assert serving.edge.sync(offered(NEW, generation=11)).summary == "1 added, 0 changed, 0 drained, 1 removed"
    assert serving.runs() == {"new:10.42.0.8:8443": 100}
    assert "server new:10.42.0.8:8443" in serving.paths.config.read_text()
    assert "server old" not in serving.paths.config.read_text()
    assert (serving.worker(), serving.service.reloads) == (worker, 0)


def test_the_account_of_a_sync_tells_what_was_done_and_how_long_each_step_took(serving):
    edge = serving.edge
    leaving_soon = server("10.42.0.9", pod="late", state="draining")
    edge.sync(offered({**OLD, "state": "draining"}, NEW, leaving_soon, generation=11))
    account = edge.account()
    assert account["servers"] == {"added": 2, "changed": 0, "drained": 1, "removed": 0}
    assert account["reload"] is None
    assert list(account["steps_ms"]) == ["save", "load", "look", "runtime", "prove", "judge", "file"]
    assert account["ms"] >= sum(account["steps_ms"].values()) * 0.99
    assert account["haproxy"] and VERSION.startswith(account["haproxy"])
    assert account["serves"]["default kube-system/traefik"]["generation"] == 11


def test_an_account_grows_its_number_even_with_a_clock_set_back_or_its_file_lost(serving):
    first = serving.edge.account()["sequence"]
    assert serving.edge.account()["sequence"] > first
    assert sequence.following(serving.paths.sequence, now=1.0) > first
    before = sequence.following(serving.paths.sequence, now=1.0)
    serving.paths.sequence.write_text("")
    assert sequence.following(serving.paths.sequence, now=time.time() + 1) > before
    serving.paths.sequence.unlink()
    assert sequence.following(serving.paths.sequence, now=time.time() + 1) > before


def test_a_reload_is_accounted_with_its_reason(serving):
    serving.haproxy["check"] = {"fall": 4}
    prepared = serving.prepare(snapshot(OLD, generation=10))
    edge = serving.edge
    edge.write(prepared)
    edge.serve()
    account = edge.account()
    assert account["reload"] == "frontends, settings or server flags changed"
    assert "reload" in account["steps_ms"]


@pytest.mark.field_failure("a reload for nothing new")
def test_the_same_again_does_nothing(serving):
    serving.edge.sync(offered(NEW, generation=11))
    before = serving.paths.config.stat()
    assert serving.edge.sync(offered(NEW, generation=11)).summary == ""
    assert serving.paths.config.stat() == before


@pytest.mark.field_failure("a change lost between two publishes", "Salt loses or doubles")
def test_an_older_generation_after_a_newer_one_changes_nothing(serving):
    serving.edge.sync(offered(NEW, generation=12))
    told = serving.edge.sync(offered(OLD, generation=11)).summary
    assert told == "refused as older than what is here: kube-system/traefik"
    assert serving.runs() == {"new:10.42.0.8:8443": 100}
    assert serving.edge.serves()["default kube-system/traefik"]["generation"] == 12


@pytest.mark.parametrize("generations", [(11, 12), (12, 11)])
def test_of_two_generations_in_one_order_the_newer_is_served_and_kept(serving, generations):
    servers = {11: OLD, 12: NEW}
    serving.edge.sync([one for number in generations for one in offered(servers[number], generation=number)])
    assert serving.runs() == {"new:10.42.0.8:8443": 100}
    assert serving.edge.serves()["default kube-system/traefik"]["generation"] == 12


@pytest.mark.field_failure("Salt loses or doubles")
def test_a_state_run_that_waited_with_an_older_snapshot_keeps_the_newer_one(serving):
    serving.edge.sync(offered(NEW, generation=12))
    serving.apply(snapshot(OLD, generation=11))
    assert serving.runs() == {"new:10.42.0.8:8443": 100}


def test_a_lost_or_older_store_with_what_runs_already_is_accepted(serving):
    serving.edge.sync(offered(NEW, generation=12))
    assert serving.edge.sync(offered(NEW, generation=3)).summary == ""
    assert serving.runs() == {"new:10.42.0.8:8443": 100}


def test_an_edge_without_a_configuration_asks_for_the_state_lane(rig):
    with pytest.raises(StateNeeded, match="no configuration of ours"):
        rig.edge.sync(offered(NEW, generation=11))


def test_an_haproxy_that_does_not_run_asks_for_the_state_lane_which_then_serves_the_newest(serving):
    serving.service.stop()
    with pytest.raises(StateNeeded, match="does not answer"):
        serving.edge.sync(offered(NEW, generation=11))
    serving.apply(snapshot(OLD, generation=10))
    assert serving.runs() == {"new:10.42.0.8:8443": 100}


def test_a_service_no_frontend_names_is_no_concern(serving):
    other = check(snapshot(NEW, generation=11, service="gitea/gitea-ssh"))
    assert serving.edge.sync([other]).summary == ""
    assert serving.runs() == {"old:10.42.0.7:8443": 100}


def test_a_damaged_record_of_a_snapshot_locks_nobody_out(serving):
    for path in serving.paths.snapshots.iterdir():
        path.write_text("{torn")
    serving.edge.sync(offered(NEW, generation=1))
    assert serving.runs() == {"new:10.42.0.8:8443": 100}
