"""What an edge's functions return, on a real HAProxy: the plan changes nothing, no foreseen failure is an exception."""

import pytest
from haproxy_edge_minion import returns
from haproxy_edge_minion.ack import signed
from haproxy_edge_minion.config_file import EDITED
from haproxy_edge_minion.outcome import NOT_ENABLED, EdgeError

from tests.functional.edge.backend import of


@pytest.fixture
def serving(rig, pods):
    rig.apply(of(pods[0]))
    return rig


def refused():
    raise EdgeError("haproxy.bind: missing port\nhaproxy.balance: static-rr")


def test_a_plan_tells_commands_and_diff_and_changes_nothing(serving, pods):
    file, runs = serving.paths.config.read_text(), serving.runs()
    told = returns.planned(serving.edge, lambda: serving.prepare(of(pods[1])))
    assert (told["changed"], told["action"], told["problems"]) == (True, "adjust", [])
    assert f"+    server {pods[1].server_name}" in told["diff"]
    assert any(f"add server websecure/{pods[1].server_name}" in command for command in told["commands"])
    assert (serving.paths.config.read_text(), serving.runs()) == (file, runs)


def test_a_plan_of_what_is_served_is_empty(serving, pods):
    told = returns.planned(serving.edge, lambda: serving.prepare(of(pods[0])))
    assert {"changed", "diff", "action", "commands", "problems"} <= told.keys()
    assert not any(told.values())


def test_a_plan_tells_the_reload_over_a_file_edited_by_hand_and_sets_nothing_aside(serving, pods):
    with serving.paths.config.open("a") as file:
        file.write("# by hand\n")
    told = returns.planned(serving.edge, lambda: serving.prepare(of(pods[0])))
    assert (told["action"], told["reason"]) == ("reload", EDITED)
    assert "# by hand" in serving.paths.config.read_text()
    assert not serving.paths.edited.exists()
    step, _ = serving.apply(of(pods[0]))
    assert (step.action, step.reason) == (told["action"], told["reason"])


def test_a_plan_tells_of_an_haproxy_that_would_not_start_with_the_host(serving, pods):
    serving.service.is_enabled = False
    told = returns.planned(serving.edge, lambda: serving.prepare(of(pods[0])))
    assert (told["action"], told["commands"]) == ("enable", [])
    assert serving.apply(of(pods[0]))[0] == NOT_ENABLED


def test_what_cannot_be_prepared_is_a_line_for_each_problem(serving):
    lines = ["haproxy.bind: missing port", "haproxy.balance: static-rr"]
    assert returns.planned(serving.edge, refused)["problems"] == lines
    assert returns.rendered(refused) == {"text": "", "problems": lines}


def test_what_is_rendered_is_what_is_then_written(serving, pods):
    told = returns.rendered(lambda: serving.prepare(of(pods[1])))
    serving.apply(of(pods[1]))
    assert told == {"text": serving.paths.config.read_text(), "problems": []}


@pytest.mark.parametrize(("kept", "given", "key"), [("old", "new", "old"), (None, "new", "new")], ids=["kept", "given"])
def test_an_acknowledgement_is_signed_with_the_key_kept_here_or_else_the_one_given(serving, kept, given, key):
    if kept:
        serving.paths.ack_key.write_text(kept)
    ack = returns.acknowledged(serving.edge, "edge1", "hot", key_given=given, order="o1", problems=("p",))
    assert (ack["edge"], ack["lane"], ack["order"], ack["problems"]) == ("edge1", "hot", "o1", ["p"])
    assert ack == signed({name: value for name, value in ack.items() if name != "hmac"}, key)


def test_without_a_key_nothing_is_acknowledged(serving):
    assert returns.acknowledged(serving.edge, "edge1", "hot", key_given=None) == {}
