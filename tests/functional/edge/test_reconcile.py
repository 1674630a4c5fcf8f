"""An edge mends itself: whatever was done to file, process or records, it comes back to the saved snapshots."""

import contextlib
import json
import os
import signal
import socket

import pytest
from haproxy_edge_minion.config_file import EDITED
from haproxy_edge_minion.outcome import EdgeError, StateNeeded
from haproxy_edge_minion.snapshot import check

from tests.functional.edge.backend import connect, name_answered, occupy, of, wait_for
from tests.unit.edge.material import snapshot


@pytest.fixture
def serving(rig, pods):
    rig.apply(of(*pods[:2]))
    assert rig.edge.verify() == []
    return rig


def reconciled(rig):
    """What was done, as one word; parity holds afterwards."""
    done = rig.edge.reconcile()
    assert done.problems == ()
    assert rig.edge.verify() == []
    return done.step and done.step.action


def edit(rig, old, new):
    text = rig.paths.config.read_text()
    assert old in text
    rig.paths.config.write_text(text.replace(old, new))


def test_an_edge_in_order_is_left_alone(serving):
    worker, before = serving.worker(), serving.paths.config.stat()
    assert reconciled(serving) is None
    assert (serving.worker(), serving.paths.config.stat(), serving.service.reloads) == (worker, before, 0)


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("set server websecure/{} state maint", "is in maintenance"),
        ("set server websecure/{} state drain", "was taken out of service by hand"),
        ("set server websecure/{} weight 7", "runs with weight 7 instead of 100"),
        ("disable health websecure/{}", "its health checks stand still"),
    ],
    ids=["maintenance", "drain", "weight", "checks"],
)
def test_a_server_changed_by_hand_is_named_and_mended_by_commands(serving, pods, command, named):
    serving.by_hand(command.format(pods[0].server_name))
    assert serving.edge.verify() == [f"websecure/{pods[0].server_name}: {named}"]
    assert reconciled(serving) == "adjust"
    assert serving.service.reloads == 0


def test_a_server_added_or_deleted_by_hand_is_named_and_mended_by_commands(serving, pods):
    gone, strange = pods[0].server_name, pods[2].server_name
    serving.by_hand(f"set server websecure/{gone} state maint", f"del server websecure/{gone}")
    serving.by_hand(f"add server websecure/{strange} 127.0.0.1:{pods[2].port} weight 9")
    serving.by_hand(f"set server websecure/{strange} state ready")
    assert set(serving.edge.verify()) == {
        f"websecure/{gone}: does not run",
        f"websecure/{strange}: runs, and should not",
    }
    assert reconciled(serving) == "adjust"
    assert (serving.service.reloads, serving.leftovers()) == (0, set())


def test_a_server_whose_address_was_changed_by_hand_is_reloaded_to_its_own(serving, pods):
    serving.by_hand(f"set server websecure/{pods[0].server_name} addr 127.0.0.9 port 1")
    assert serving.edge.verify() == [f"websecure/{pods[0].server_name}: runs at 127.0.0.9 port 1"]
    assert reconciled(serving) == "reload"


def test_an_edited_file_is_named_set_aside_written_again_and_reloaded_over(serving):
    edit(serving, "retries 3", "retries 7")
    assert serving.edge.verify() == ["haproxy.cfg: not ours: 'retries 7'", "haproxy.cfg: missing: 'retries 3'"]
    worker = serving.worker()
    done = serving.edge.reconcile()
    assert (done.step.action, done.step.reason) == ("reload", EDITED)
    assert "haproxy.cfg: not ours: 'retries 7'" in done.found
    assert serving.worker() != worker
    assert "retries 7" in serving.paths.edited_last.read_text()
    assert serving.edge.verify() == []
    assert reconciled(serving) is None


def test_an_edited_file_that_was_loaded_is_found_in_the_process_too(serving):
    edit(serving, "send-proxy-v2 ", "")
    serving.service.reload()
    wait_for(lambda: serving.edge.verify())
    assert reconciled(serving) == "reload"
    assert "send-proxy-v2" in serving.paths.config.read_text()


def test_a_kill_between_setting_an_edited_file_aside_and_the_reload_is_made_good(serving):
    edit(serving, "retries 3", "retries 7")
    serving.edge.config.set_aside()
    serving.edge.config.put(serving.edge._record().text)
    assert serving.edge.verify() == [EDITED]
    assert reconciled(serving) == "reload"


@pytest.mark.parametrize("text", ["", None, "global\n    maxconn 5\n", "{torn"], ids=["empty", "gone", "other", "torn"])
def test_a_lost_or_foreign_file_is_written_again(serving, pods, text):
    serving.paths.config.unlink() if text is None else serving.paths.config.write_text(text)
    reconciled(serving)
    with connect(serving) as client:
        assert name_answered(client) in (pods[0].name, pods[1].name)


def test_the_hot_lane_moves_traffic_over_an_edited_file_and_asks_for_the_reload(serving, pods):
    edit(serving, "retries 3", "retries 7")
    with pytest.raises(StateNeeded, match="edited by hand"):
        serving.edge.sync([check(of(pods[2]))])
    assert serving.runs() == {pods[2].server_name: 100}
    assert reconciled(serving) == "reload"
    assert serving.runs() == {pods[2].server_name: 100}


def test_an_haproxy_that_should_run_is_started_and_one_that_was_disabled_is_left_alone(serving):
    serving.service.stop()
    assert reconciled(serving) == "start"
    serving.service.stop()
    serving.service.is_enabled = False
    done = serving.edge.reconcile()
    assert (done.step, done.problems) == (None, ("haproxy: stopped and disabled, so left alone",))
    assert not serving.service.running()


def test_a_snapshot_that_was_saved_and_not_applied_is_applied(serving, pods):
    """A sync that was killed right after it had saved, or that met no HAProxy."""
    serving.edge._saved.save(check(of(pods[2])))
    assert "in the snapshot, not in haproxy.cfg" in serving.edge.verify()[0]
    assert reconciled(serving) == "adjust"
    assert serving.runs() == {pods[2].server_name: 100}
    assert pods[2].server_name in serving.paths.config.read_text()


@pytest.mark.parametrize("damage", ["", "{torn", "[]", "null", '{"skeleton": 1}'])
def test_a_damaged_record_is_replaced_by_the_last_proven_one(serving, damage):
    serving.paths.applied.write_text(damage)
    assert reconciled(serving) is None
    assert json.loads(serving.paths.applied.read_text())["servers"]["websecure"]


def test_with_all_records_lost_nothing_is_touched_and_the_state_lane_is_asked_for(serving):
    before, runs = serving.paths.config.read_text(), serving.runs()
    for path in (serving.paths.applied, serving.paths.good):
        path.write_text("{torn")
    with pytest.raises(StateNeeded):
        serving.edge.reconcile()
    assert (serving.paths.config.read_text(), serving.runs()) == (before, runs)


def test_with_all_records_lost_an_unknown_service_is_not_emptied(serving):
    """The master knows nothing of the service, and the edge nothing of what it served."""
    for path in (serving.paths.applied, serving.paths.good, *serving.paths.snapshots.iterdir()):
        path.write_text("{torn")
    runs = serving.runs()
    prepared = serving.prepare()
    with pytest.raises(EdgeError, match="stays until all is known"):
        serving.edge.write(prepared)
    assert serving.runs() == runs


def test_drained_servers_are_collected_with_no_other_change(serving, pods):
    with connect(serving) as held:
        name = name_answered(held)
        left = next(pod for pod in pods[:2] if pod.name != name)
        serving.edge.sync([check(of(left))])
        assert reconciled(serving) is None
        assert len(serving.leftovers()) == 1
        serving.uptime += 300
        assert reconciled(serving) is None
        assert held.recv(100) == b""
    wait_for(lambda: reconciled(serving) is None and not serving.leftovers())


def test_a_reload_that_failed_is_not_tried_again_every_minute(serving, pods):
    good = serving.paths.config.read_text()
    with pytest.raises(EdgeError, match="the last good configuration is back"):
        serving.apply(of(*pods[:2]), haproxy={**serving.haproxy, "bind": f"127.0.0.1:{pods[0].port}"})
    reloads = serving.service.reloads
    assert reconciled(serving) is None
    assert serving.service.reloads == reloads
    assert serving.paths.config.read_text() == good
    serving.edge.sync([check(of(pods[2]))])
    assert serving.runs() == {pods[2].server_name: 100}


@pytest.fixture
def taken():
    """A port that somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


def written(rig, *pods, **more):
    """A configuration that is in the file and was never served: HAProxy went down before."""
    prepared = rig.prepare(of(*pods), haproxy={**rig.haproxy, **more})
    rig.edge.keep(prepared)
    rig.edge.write(prepared)
    rig.service.stop()


def test_a_start_that_fails_brings_the_last_good_configuration_back_with_the_pods_of_now(serving, pods, taken):
    frontends = {"more": {"bind": f"127.0.0.1:{taken}", "port": "websecure"}}
    written(serving, pods[2], frontends=frontends)
    with pytest.raises(EdgeError, match="the last good configuration is back and serves") as failure:
        serving.edge.reconcile()
    assert f"haproxy.frontends.more: '127.0.0.1:{taken}'" in str(failure.value)
    assert reconciled(serving) is None
    assert serving.runs() == {pods[2].server_name: 100}


def test_a_start_that_fails_with_what_served_before_says_so_and_is_tried_again(serving, pods):
    serving.service.stop()
    with (
        occupy(serving.port),
        pytest.raises(EdgeError, match="nothing serves, though this served before"),
    ):
        serving.edge.reconcile()
    assert reconciled(serving) == "start"


def test_a_first_start_that_fails_has_nothing_to_go_back_to(rig, pods, taken):
    with pytest.raises(EdgeError, match=r"the start did not take .*; nothing serves$"):
        rig.apply(of(pods[0]), haproxy={**rig.haproxy, "bind": f"127.0.0.1:{taken}"})


def test_where_neither_the_new_nor_the_last_good_one_starts_both_are_told(serving, pods, taken):
    written(serving, pods[0], bind=f"127.0.0.1:{taken}")
    with (
        occupy(serving.port),
        pytest.raises(EdgeError, match=r"nothing serves; the last good .* in the file, but did not take either: "),
    ):
        serving.edge.reconcile()
    assert reconciled(serving) == "start"


def test_a_run_that_went_back_acknowledges_what_serves_and_not_what_was_refused(serving, pods, taken):
    ssh = snapshot(pods[2].as_server(), port="ssh", service="gitea/ssh")
    frontends = {"ssh": {"bind": f"127.0.0.1:{taken}", "port": "ssh", "service": "gitea/ssh"}}
    prepared = serving.prepare(of(*pods[:2]), ssh, haproxy={**serving.haproxy, "frontends": frontends})
    edge = serving.edge
    edge.keep(prepared)
    edge.write(prepared)
    with pytest.raises(EdgeError, match="the last good configuration is back"):
        edge.serve()
    assert list(edge.serves()) == ["default kube-system/traefik"]


@pytest.mark.field_failure("a reload believed to have worked")
def test_haproxys_master_killed_in_the_middle_of_a_reload_ends_in_a_serving_edge(serving, pods):
    wider = {**serving.haproxy, "check": {"fall": 4}}
    reload = serving.service.reload

    def killed_at_once():
        master, worker = serving.service.process, serving.worker()
        reload()
        master.send_signal(signal.SIGKILL)
        master.wait()
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGKILL)

    serving.service.reload = killed_at_once
    with contextlib.suppress(EdgeError):
        serving.apply(of(pods[2]), haproxy=wider)
    serving.service.reload = reload
    reconciled(serving)
    assert serving.runs() == {pods[2].server_name: 100}


def test_a_worker_killed_outright_is_brought_back(serving):
    os.kill(serving.worker(), signal.SIGKILL)
    serving.service.process.wait(60)
    assert reconciled(serving) == "start"


def test_an_older_haproxy_is_reloaded_for_its_servers_with_that_as_reason(serving, pods, monkeypatch):
    monkeypatch.setattr("haproxy_edge_minion.planner.RUNTIME_SERVERS_SINCE", (9, 0))
    with pytest.raises(StateNeeded, match="takes no servers at run time"):
        serving.edge.sync([check(of(pods[2]))])
    step = serving.edge.serve()
    assert step.action == "reload"
    assert "takes no servers at run time" in step.reason
    assert serving.runs() == {pods[2].server_name: 100}
    assert serving.edge.serve() is None


@pytest.mark.field_failure("a reload believed to have worked")
def test_a_reload_that_haproxy_lost_is_sent_again(serving, pods, monkeypatch):
    """Its master loses one that comes while it starts itself anew."""
    monkeypatch.setattr("haproxy_edge_minion.process._LOST_RELOAD_TIMEOUT", 0.2)
    reload, asked = serving.service.reload, []

    def lost_once():
        asked.append(1)
        if len(asked) > 1:
            reload()

    serving.service.reload = lost_once
    step, _ = serving.apply(of(pods[2]), haproxy={**serving.haproxy, "check": {"fall": 4}})
    assert (step.action, len(asked), serving.service.reloads) == ("reload", 2, 1)
    assert serving.edge.verify() == []
