"""The watcher that ours is measured beside sees what the original sees: what is there at first, and each change."""

from __future__ import annotations

import pytest

from bench.endpoints_watcher import changes
from lab.cluster_objects import Endpoint, endpoints
from lab.kubeapi.embedded import EmbeddedApi
from lab.master import CHECKOUT

SERVICE = "kube-system/traefik"


@pytest.fixture
def api():
    with EmbeddedApi() as started:
        started.client.apply_file(CHECKOUT / "deploy/rbac.yaml")
        yield started


def listed(*addresses):
    return endpoints(SERVICE, [Endpoint(f"app-{address}", address) for address in addresses])


def seen(subsets):
    return [address.ip for subset in subsets or [] for address in subset.addresses]


def test_a_playbook_is_due_at_first_and_for_each_change_and_for_nothing_else(api):
    api.client.apply(listed("10.244.0.11"))
    found = changes(str(api.kubeconfig_for("haproxy-edge", "kube-system")), SERVICE)
    assert seen(next(found)) == ["10.244.0.11"]
    same = listed("10.244.0.11")
    same["metadata"]["annotations"] = {"touched": "yes"}
    api.client.apply(same)
    api.client.apply(listed())
    assert seen(next(found)) == []
    api.client.apply(listed("10.244.0.12"))
    assert seen(next(found)) == ["10.244.0.12"]
