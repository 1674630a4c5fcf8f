"""Beside the frontends: an HTTP answer about health, and HAProxy's own metrics."""

import socket
import urllib.error
import urllib.request

import pytest
from haproxy_edge_minion.outcome import EdgeError

from tests.functional.edge.backend import of, wait_for
from tests.unit.edge.material import free_port, snapshot


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, ""


@pytest.fixture
def watched(rig):
    rig.health, rig.metrics = free_port(), free_port()
    rig.haproxy |= {"health_bind": f"127.0.0.1:{rig.health}", "metrics_bind": [f"127.0.0.1:{rig.metrics}"]}
    rig.haproxy["check"] = {"inter": "50ms", "fall": 1, "rise": 1}
    rig.haproxy["frontends"] = {"ssh": {"bind": f"127.0.0.1:{free_port()}", "service": "gitea/ssh", "port": "ssh"}}
    return rig


def test_health_is_whether_every_frontend_has_a_live_server(watched, pods):
    ssh = snapshot(pods[2].as_server(), port="ssh", service="gitea/ssh")
    watched.apply(of(pods[0]), ssh)
    assert get(watched.health, "/health")[0] == 200
    pods[2].close()
    wait_for(lambda: get(watched.health, "/health")[0] == 503)
    watched.apply(of(pods[0]), snapshot(pods[1].as_server(), port="ssh", service="gitea/ssh"))
    wait_for(lambda: get(watched.health, "/health")[0] == 200)


def test_a_frontend_with_only_draining_servers_or_none_is_not_healthy(watched, pods):
    ssh = snapshot(pods[2].as_server(), port="ssh", service="gitea/ssh")
    watched.apply(of(), ssh)
    assert get(watched.health, "/health")[0] == 503
    watched.apply(of(pods[0]), ssh)
    wait_for(lambda: get(watched.health, "/health")[0] == 200)
    watched.apply(snapshot(pods[0].as_server(state="draining")), ssh)
    assert get(watched.health, "/health")[0] == 503


def test_metrics_are_haproxys_own_and_name_each_server(watched, pods):
    watched.apply(of(pods[0]), snapshot(pods[2].as_server(), port="ssh", service="gitea/ssh"))
    status, text = get(watched.metrics, "/metrics")
    assert status == 200
    assert f'haproxy_server_status{{proxy="websecure",server="{pods[0].server_name}"' in text
    assert get(watched.metrics, "/")[0] == get(watched.health, "/")[0] == 404


def test_a_bind_of_theirs_that_haproxy_refuses_names_its_pillar_key(rig, pods):
    with pytest.raises(EdgeError, match=r"haproxy\.health_bind: '127\.0\.0\.1': haproxy: "):
        rig.apply(of(pods[0]), haproxy={**rig.haproxy, "health_bind": "127.0.0.1"})


@pytest.mark.parametrize("key", ["health_bind", "metrics_bind"])
def test_a_new_one_on_a_taken_port_never_reaches_the_haproxy_that_serves(rig, pods, key):
    rig.apply(of(pods[0]))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        bind = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(EdgeError, match=rf"haproxy\.{key}: '{bind}': Address already in use: port .* is held by"):
            rig.apply(of(pods[0]), haproxy={**rig.haproxy, key: bind})
    assert bind not in rig.log_of_haproxy()


def test_checks_given_in_the_pillar_hold_for_servers_of_the_file_and_of_run_time_alike(rig, pods):
    """Whether a dead server is noticed within the interval tells what checks really run."""
    rig.haproxy["check"] = {"inter": "50ms", "fall": 1, "rise": 1}
    rig.apply(of(pods[0]))
    rig.apply(of(*pods[:2]))
    for pod in pods[:2]:
        pod.close()
    operational = 5
    wait_for(
        lambda: (
            [
                row.split()[operational]
                for row in rig.by_hand("show servers state websecure")[0].splitlines()
                if "websecure" in row
            ]
            == ["0", "0"]
        )
    )
