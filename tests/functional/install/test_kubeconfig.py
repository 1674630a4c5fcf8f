"""The minted kubeconfig: the engine's rights and no more, a token that ends, renewed under a running engine."""

from __future__ import annotations

import contextlib
import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from haproxy_edge import kube
from haproxy_edge.__main__ import main

from lab.cluster import KUBECTL
from lab.kubeapi.embedded import EmbeddedApi
from lab.kubeapi.under_test import api_under_test, eventually
from tests.functional.clock import Clock
from tests.functional.engine.following import SLICES, TIMEOUTS, Follower, slice_of

ROOT = Path(__file__).parents[3]
ROLE = ROOT / "deploy/rbac.yaml"
HOUR = 3600


@pytest.fixture(scope="module")
def api():
    with api_under_test() as started:
        started.admin.apply_file(ROLE)
        yield started


@pytest.fixture
def admin(api, tmp_path):
    return str(api.kubeconfig(tmp_path / "admin.kubeconfig"))


@pytest.fixture
def target(tmp_path):
    return tmp_path / "haproxy-edge.kubeconfig"


def mint(target, admin, *more):
    return main(["kubeconfig", str(target), "--admin", str(admin), *more])


def client_of(api, target):
    return api.client(json.loads(target.read_text())["users"][0]["user"]["token"])


@pytest.fixture
def minted(api, target, admin):
    eventually(lambda: mint(target, admin) == 0, "the role")
    return target


def test_it_reads_endpoints_and_nothing_else(api, minted):
    connected = kube.connect(kubeconfig=str(minted), context=None, timeouts=TIMEOUTS)
    assert connected.get(SLICES)["kind"] == "EndpointSliceList"
    with contextlib.closing(client_of(api, minted)) as client:
        rights = {
            (verb, group, kind)
            for verb in ("get", "list", "watch", "create", "update", "patch", "delete")
            for group, kind in (("discovery.k8s.io", "endpointslices"), ("", "endpoints"), ("", "secrets"))
            if client.allowed(verb, group, kind, "kube-system")
        }
        assert not client.allowed("list", "discovery.k8s.io", "endpointslices", "default")
    readable = [("discovery.k8s.io", "endpointslices"), ("", "endpoints")]
    assert rights == {(verb, *kind) for verb in ("get", "list", "watch") for kind in readable}


def test_it_is_the_owner_s_alone_and_nothing_is_left_beside_it(minted):
    assert stat.S_IMODE(minted.stat().st_mode) == 0o600
    assert {path.name for path in minted.parent.iterdir()} == {"admin.kubeconfig", minted.name}


@pytest.mark.root
def test_a_renewed_file_belongs_to_whom_it_belonged(minted, admin):
    os.chown(minted, 65534, 65534)
    assert mint(minted, admin) == 0
    assert (minted.stat().st_uid, minted.stat().st_gid) == (65534, 65534)
    assert mint(minted, admin, "--owner", "root:root") == 0
    assert (minted.stat().st_uid, minted.stat().st_gid) == (0, 0)


def test_kubectl_takes_it(minted):
    command = [KUBECTL, "--kubeconfig", str(minted), "config", "current-context"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout, done.stderr) == ("haproxy-edge\n", "")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        pytest.param(["--account", "kube-system/nobody"], "nobody", id="no such account"),
        pytest.param(["--follow", "default"], "cannot list the endpoints of default", id="no right in a namespace"),
        pytest.param(["--server", "https://127.0.0.1:1"], "https://127.0.0.1:1", id="no way to the server"),
        pytest.param(["--owner", "no-such-user"], "no-such-user", id="no such owner"),
    ],
)
def test_what_does_not_work_never_replaces_what_does(minted, admin, more, said, capsys):
    before = minted.read_bytes()
    assert mint(minted, admin, *more) == 1
    assert said in capsys.readouterr().err
    assert minted.read_bytes() == before
    assert len(list(minted.parent.iterdir())) == 2


def test_an_admin_s_kubeconfig_that_is_not_there_is_said_to_be_not_there(target, tmp_path, capsys):
    assert mint(target, tmp_path / "missing.yaml") == 1
    assert capsys.readouterr().err.endswith("missing.yaml: No such file or directory\n")


def test_a_server_that_is_not_checked_gets_no_token(api, target, admin, tmp_path, capsys):
    lax = yaml.safe_load(Path(admin).read_text())
    lax["clusters"][0]["cluster"] = {"server": api.url, "insecure-skip-tls-verify": True}
    (tmp_path / "lax").write_text(yaml.safe_dump(lax))
    assert mint(target, tmp_path / "lax") == 1
    assert "does not check its certificate" in capsys.readouterr().err
    assert not target.exists()


def test_with_the_role_for_it_the_account_renews_its_own_file_and_no_other_account_s(api, minted):
    assert mint(minted, minted) == 1
    api.admin.apply_file(ROOT / "deploy/rbac-renew.yaml")
    eventually(lambda: mint(minted, minted) == 0, "the role")
    other = {"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": "other", "namespace": "kube-system"}}
    api.admin.apply(other)
    assert mint(minted, minted, "--account", "kube-system/other") == 1


def test_it_is_a_command_of_its_own(api, target, admin):
    command = [sys.executable, "-m", "haproxy_edge", "kubeconfig", str(target), "--admin", admin, "--hours", "1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.startswith(f"{target}: kube-system/haproxy-edge, until 20"), done.stderr


@pytest.fixture
def aging():
    """An API whose clock the test moves, and its clock."""
    clock = Clock()
    with EmbeddedApi(clock=clock, bookmark_seconds=0.2) as started:
        started.client.apply_file(ROLE)
        started.client.create(SLICES, slice_of("10.42.0.7"))
        yield started, clock


@pytest.fixture
def follower(aging, target):
    api, _ = aging
    assert mint(target, api.admin_kubeconfig, "--hours", "1") == 0
    following = Follower(lambda: kube.connect(kubeconfig=str(target), context=None, timeouts=TIMEOUTS))
    following.until_addresses("10.42.0.7")
    yield following
    api.stop()
    following.stop()


def test_a_token_ends_and_a_renewed_one_is_used_before_with_no_trouble_between(aging, follower, target):
    api, clock = aging
    assert mint(target, api.admin_kubeconfig, "--hours", "24") == 0
    clock.ahead = 2 * HOUR
    api.end_watches()
    api.client.create(SLICES, slice_of("10.42.0.8", name="traefik-2"))
    follower.until_addresses("10.42.0.7", "10.42.0.8")
    assert follower.conditions == ["ok"]


def test_a_token_that_ended_freezes_the_view_until_it_is_renewed(aging, follower, target):
    api, clock = aging
    clock.ahead = 2 * HOUR
    api.end_watches()
    follower.until_condition("http-401")
    api.client.create(SLICES, slice_of("10.42.0.8", name="traefik-2"))
    assert mint(target, api.admin_kubeconfig) == 0
    follower.until_addresses("10.42.0.7", "10.42.0.8")
    assert min(follower.sizes) == 1


def test_a_kubeconfig_that_cannot_be_read_leaves_the_connection_there_is(aging, follower, target):
    api, _ = aging
    target.write_text("{")
    api.end_watches()
    api.client.create(SLICES, slice_of("10.42.0.8", name="traefik-2"))
    follower.until_addresses("10.42.0.7", "10.42.0.8")
    assert follower.conditions == ["ok"]
