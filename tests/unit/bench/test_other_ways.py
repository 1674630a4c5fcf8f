"""The other ways get what ours gets: the same HAProxy settings and the same servers, from the same Endpoints."""

from __future__ import annotations

import json

import jinja2
import pytest
import yaml
from haproxy_edge_minion.renderer import server_flags
from haproxy_edge_minion.spec import resolve

from bench import polling, ways
from bench.ansible_way import SOURCES, inventory
from bench.side_by_side import PILLAR
from lab.cluster_objects import Endpoint, endpoints
from lab.hosts import EdgeHost
from tests.unit.edge.material import TEMPLATE

SERVICE = "kube-system/traefik"
PODS = [Endpoint("app-1", "10.244.0.11", "node-1"), Endpoint("app-2", "10.244.0.12", "node-2")]


def by_playbook(listed):
    # as Ansible's template module sets it
    template = jinja2.Environment(trim_blocks=True, keep_trailing_newline=True)
    return template.from_string(ways.TEMPLATE.read_text()).render(endpoints=listed)


def by_loop(listed):
    return ways.head() + polling.servers(listed, "tcp")


def settings(text):
    return [line.strip() for line in text.splitlines() if line.strip() and not line.strip().startswith("#")]


@pytest.mark.parametrize("pods", [PODS, PODS[:1], []], ids=["two", "one", "none: subsets are null"])
def test_playbook_and_template_loop_write_the_same(pods):
    listed = endpoints(SERVICE, pods)
    assert by_playbook(listed) == by_loop(listed)
    assert by_loop(listed).count("\n    server ") == len(pods)


def test_every_way_has_the_settings_of_our_own():
    spec = resolve(PILLAR["haproxy"])
    ours = settings(jinja2.Template(TEMPLATE.read_text()).render(spec=spec))
    # what only ours has: the mark by which a process shows what it serves
    assert settings(ways.head()) == [line for line in ours if not line.startswith("setenv ")]


def test_servers_carry_the_flags_of_ours():
    spec = resolve(PILLAR["haproxy"])
    flags = f"10.244.0.11:9000 weight 100 {server_flags(spec, spec.frontends[0])} # node node-1"
    assert f"    server app-1 {flags}" in by_loop(endpoints(SERVICE, PODS)).splitlines()


@pytest.mark.parametrize("variant", ["usual", "tuned"])
def test_each_playbook_does_all_of_it_and_nothing_else(variant):
    (play,) = yaml.safe_load((SOURCES / f"{variant}.yml").read_text())
    tasks = [*play["tasks"], *play.get("handlers", [])]
    modules = [name.rpartition(".")[2] for task in tasks for name in task if "." in name]
    usual, tuned = ["package", "k8s_info", "template", "systemd_service"], ["apt", "template", "systemd_service"]
    assert modules == (usual if variant == "usual" else tuned)
    assert (SOURCES / f"{variant}.cfg").exists()


def test_both_playbooks_ask_for_the_service_that_changes():
    (play,) = yaml.safe_load((SOURCES / "usual.yml").read_text())
    asked = next(task["kubernetes.core.k8s_info"] for task in play["tasks"] if "kubernetes.core.k8s_info" in task)
    assert f"{asked['namespace']}/{asked['name']}" == SERVICE


def test_the_inventory_knows_no_host_key_but_those_of_this_lab(tmp_path):
    edge = EdgeHost("edge1")
    group = inventory([edge], tmp_path)["edges"]
    assert group["hosts"] == {"edge1": {"ansible_host": edge.ipv4}}
    assert f"UserKnownHostsFile={tmp_path}/known_hosts" in json.dumps(group["vars"])
