"""What Salt calls on an edge, on a real HAProxy: what a return says, and what its acknowledgement tells the master."""

import pytest

from tests.functional.edge.backend import of
from tests.unit.edge.material import free_port

SLIP = "haproxy.frontends.ssh: port 'websecrue': "


@pytest.fixture
def sent(salt_module):
    """The acknowledgements that went as events, to a master that is there."""
    events = []
    salt_module._connected = lambda: True
    salt_module.__salt__["event.send"] = lambda tag, data: events.append(data["ack"]) or True
    return events


@pytest.fixture
def half_served(rig, pods):
    """One of two frontends names a port that its service has not."""
    rig.haproxy["frontends"] = {"ssh": {"bind": f"127.0.0.1:{free_port()}", "port": "websecrue"}}
    rig.apply(of(pods[0]))
    return rig


def test_a_problem_of_one_frontend_is_in_the_state_lanes_acknowledgement_and_no_second_time_in_its_comment(
    half_served, salt_module
):
    done = salt_module.serve()
    (problem,) = done["ack"]["problems"]
    assert problem.startswith(SLIP)
    assert done["problems"] == []


@pytest.mark.parametrize("lane", ["serve", "ack"])
def test_a_problem_that_stays_is_told_once_whichever_lane_told_it(half_served, salt_module, sent, lane):
    getattr(salt_module, lane)()
    assert salt_module.reconcile()["told"] is False
    assert sent == []


@pytest.mark.parametrize("function", ["reconcile", "verify"])
def test_on_a_host_that_has_nothing_of_ours_nothing_is_made(rig, salt_module, function):
    told = getattr(salt_module, function)()
    assert "there is no configuration of ours yet" in str(told)
    assert not rig.paths.state.exists()


def test_an_edge_that_is_asked_confesses_what_stands_in_its_way_and_what_differs(half_served, salt_module, pods):
    half_served.by_hand(f"set server websecure/{pods[0].server_name} weight 7")
    standing, differs = salt_module.ack()["problems"]
    assert standing.startswith(SLIP)
    assert "runs with weight 7" in differs
