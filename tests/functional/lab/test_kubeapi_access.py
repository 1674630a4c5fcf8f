"""Tokens and RBAC, with the very role the engine runs under; on the embedded API or on a real kube-apiserver."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

import pytest

from lab.cluster import KUBECTL
from lab.cluster_objects import Endpoint, endpoint_slice, endpoints
from lab.kubeapi.client import ApiFailure
from lab.kubeapi.under_test import api_under_test, eventually

ROLE = Path(__file__).resolve().parents[3] / "deploy" / "rbac.yaml"
SLICES = "/apis/discovery.k8s.io/v1/namespaces/kube-system/endpointslices"
SERVICE, ONE = "kube-system/traefik", Endpoint("traefik-1", "10.42.0.7")
ENDPOINTS = "/api/v1/namespaces/kube-system/endpoints"


@pytest.fixture(scope="module")
def api():
    with api_under_test() as started:
        yield started


@pytest.fixture(scope="module")
def engine(api):
    api.admin.apply_file(ROLE)
    client = api.client(api.admin.token("haproxy-edge", "kube-system"))
    eventually(lambda: client.allowed("list", "discovery.k8s.io", "endpointslices", "kube-system"), "the role")
    yield client
    client.close()


@pytest.fixture
def kubectl(api, tmp_path):
    config = api.kubeconfig(tmp_path / "kubeconfig")

    def run(*arguments, stdin=None):
        command = [KUBECTL, "--kubeconfig", str(config), "--cache-dir", str(tmp_path / "cache"), *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def code_of(call, *arguments):
    with pytest.raises(ApiFailure) as caught:
        call(*arguments)
    assert caught.value.status["kind"] == "Status"
    return caught.value.code


@pytest.mark.parametrize(
    ("path", "item"),
    [
        pytest.param(SLICES, endpoint_slice(SERVICE, [ONE], name="traefik-1"), id="slices"),
        pytest.param(ENDPOINTS, endpoints(SERVICE, [ONE]), id="endpoints"),
    ],
)
def test_the_engine_lists_and_watches_what_it_follows(api, engine, path, item):
    created = api.admin.create(path, item)["metadata"]

    assert created["uid"] in [listed["metadata"]["uid"] for listed in engine.items(path)]
    with contextlib.closing(engine.watch(path)) as events:
        assert next(events)["object"]["metadata"]["uid"] == created["uid"]


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/api/v1/namespaces/kube-system/secrets", id="secrets"),
        pytest.param("/api/v1/namespaces/default/endpoints", id="another namespace"),
        pytest.param("/apis/discovery.k8s.io/v1/endpointslices", id="all namespaces"),
        pytest.param("/api/v1/namespaces", id="namespaces"),
    ],
)
def test_the_engine_reads_nothing_else(engine, path):
    assert code_of(engine.get, path) == 403


def test_the_engine_writes_nothing(engine):
    assert code_of(engine.create, SLICES, {"metadata": {"name": "mine"}, "addressType": "IPv4"}) == 403
    assert code_of(engine.delete, f"{SLICES}/any") == 403


def test_a_refused_watch_is_refused_before_it_begins(engine):
    with pytest.raises(ApiFailure) as caught:
        next(engine.watch("/api/v1/namespaces/default/endpoints"))

    assert (caught.value.code, caught.value.reason) == (403, "Forbidden")


def test_a_wrong_token_is_unauthorized(api):
    assert code_of(api.client("no-such-token").get, SLICES) == 401


def test_an_anonymous_client_is_forbidden(api):
    assert code_of(api.client(None).get, SLICES) == 403


def test_everybody_may_ask_for_the_version(api, engine):
    assert engine.get("/version")["major"] == "1"
    assert engine.get("/apis/discovery.k8s.io/v1")["kind"] == "APIResourceList"


def test_an_access_review_tells_what_would_happen(engine):
    assert engine.allowed("watch", "", "endpoints", "kube-system")
    assert not engine.allowed("delete", "", "endpoints", "kube-system")


def test_a_token_of_less_than_ten_minutes_is_refused(api, engine):
    with pytest.raises(ApiFailure) as caught:
        api.admin.token("haproxy-edge", "kube-system", seconds=60)

    assert caught.value.code == 422


def test_kubectl_applies_reads_patches_and_deletes(kubectl):
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "by-kubectl", "namespace": "default"}}
    for value in ("one", "two"):
        kubectl("apply", "-f", "-", stdin=json.dumps({**config_map, "data": {"key": value}}))
    kubectl("patch", "configmap/by-kubectl", "-n", "default", "--type=merge", "-p", '{"data": {"more": "3"}}')

    found = json.loads(kubectl("get", "configmap/by-kubectl", "-n", "default", "-o", "json"))
    kubectl("delete", "configmap/by-kubectl", "-n", "default")

    assert found["data"] == {"key": "two", "more": "3"}
    assert "by-kubectl" not in kubectl("get", "configmaps", "-n", "default", "-o", "name")


def test_kubectl_makes_a_token_and_asks_what_it_may(kubectl, engine):
    token = kubectl("create", "token", "haproxy-edge", "-n", "kube-system").strip()

    assert token.count(".") == 2
    assert kubectl("auth", "can-i", "list", "secrets", "-n", "kube-system").strip() == "yes"
