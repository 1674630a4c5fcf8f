"""The master inside the cluster: what kubectl builds is what the API's own schemas take, and a cluster has it then."""

from __future__ import annotations

import contextlib
import subprocess
import warnings
from pathlib import Path

import pytest
import yaml
from haproxy_edge.options import check
from haproxy_edge_minion.spec import resolve

from lab.cluster import KUBECTL
from lab.kubeapi.resources import object_path
from lab.kubeapi.under_test import api_under_test, eventually

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy/kustomize"
RELEASES = ("1.31", "1.36", "1.37")


@pytest.fixture(scope="module")
def built():
    done = subprocess.run([KUBECTL, "kustomize", str(FOLDER)], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return list(yaml.safe_load_all(done.stdout))


def of_kind(built, kind):
    return [item for item in built if item["kind"] == kind]


@pytest.fixture
def pod(built):
    (deployment,) = of_kind(built, "Deployment")
    return deployment["spec"]["template"]


@pytest.mark.parametrize("release", RELEASES)
def test_the_schemas_of_kubernetes_take_every_object(built, release):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import kubernetes_validate
    for item in built:
        kubernetes_validate.validate(item, release, strict=True)


def test_a_slip_would_be_found(built, pod):
    import kubernetes_validate

    (deployment,) = of_kind(built, "Deployment")
    slip = yaml.safe_load(yaml.safe_dump(deployment))
    slip["spec"]["template"]["spec"]["containers"][0]["readinesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(slip, RELEASES[-1], strict=True)


def test_a_cluster_takes_it_twice_and_the_pod_s_account_has_the_rights(built):
    with api_under_test() as api:
        api.admin.apply_file(ROOT / "deploy/rbac.yaml")
        for _ in range(2):
            for item in built:
                api.admin.apply(item)
        assert [api.admin.get(object_path(item))["metadata"]["name"] for item in built]
        with contextlib.closing(api.client(api.admin.token("haproxy-edge", "salt"))) as account:
            group = "discovery.k8s.io"
            eventually(lambda: account.allowed("watch", group, "endpointslices", "kube-system"), "the role")
            assert not account.allowed("list", group, "endpointslices", "salt")
            assert not account.allowed("get", "", "secrets", "kube-system")
        # an engine that runs outside already goes on
        with contextlib.closing(api.client(api.admin.token("haproxy-edge", "kube-system"))) as outside:
            eventually(lambda: outside.allowed("watch", group, "endpointslices", "kube-system"), "its own role")


def test_kubectl_applies_the_folder(tmp_path):
    with api_under_test() as api:
        config = api.kubeconfig(tmp_path / "kubeconfig")
        command = [KUBECTL, "--kubeconfig", str(config), "--cache-dir", str(tmp_path / "cache")]
        done = subprocess.run(
            [*command, "apply", "-k", str(FOLDER)], capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "deployment.apps/salt-master created" in done.stdout


def test_what_is_named_is_there(built, pod):
    spec = pod["spec"]
    (container,) = spec["containers"]
    names = {(item["kind"], item["metadata"]["name"]) for item in built if item["metadata"].get("namespace") == "salt"}
    for volume in spec["volumes"]:
        if "configMap" in volume:
            assert ("ConfigMap", volume["configMap"]["name"]) in names
        if "persistentVolumeClaim" in volume:
            assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in names
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in spec["volumes"]}
    assert ("ServiceAccount", spec["serviceAccountName"]) in names


def test_service_policy_and_probes_lead_to_the_ports_of_the_pod(built, pod):
    (container,) = pod["spec"]["containers"]
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    services, (policy,) = of_kind(built, "Service"), of_kind(built, "NetworkPolicy")
    assert ports == {"publish": 4505, "return": 4506, "metrics": 9105}
    assert {port["targetPort"]: port["port"] for service in services for port in service["spec"]["ports"]} == ports
    assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == set(ports)
    assert {
        container[probe]["tcpSocket"]["port"] for probe in ("startupProbe", "readinessProbe", "livenessProbe")
    } <= set(ports)
    labels = pod["metadata"]["labels"]
    assert all(service["spec"]["selector"] == labels for service in services)
    assert policy["spec"]["podSelector"]["matchLabels"] == labels


def test_metrics_are_for_the_cluster_alone_and_there_for_one_namespace(built):
    (outside,) = [item for item in of_kind(built, "Service") if item["spec"]["type"] == "LoadBalancer"]
    assert "metrics" not in {port["name"] for port in outside["spec"]["ports"]}
    (policy,) = of_kind(built, "NetworkPolicy")
    (rule,) = [rule for rule in policy["spec"]["ingress"] if {"port": "metrics", "protocol": "TCP"} in rule["ports"]]
    assert len(rule["from"]) == len(rule["ports"]) == 1


def test_the_rights_are_those_of_an_engine_outside(built):
    outside = yaml.safe_load_all((ROOT / "deploy/rbac.yaml").read_text())
    assert of_kind(built, "Role") == [item for item in outside if item["kind"] == "Role"]


def test_no_kubectl_is_too_old_for_it():
    """Debian 12's is 1.20, whose kustomize knows no ``patches``, ``replacements`` or ``components``."""
    written = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
    assert set(written) == {"apiVersion", "kind", "resources", "configMapGenerator", "images"}


def test_the_pod_keeps_what_the_restricted_standard_asks(pod):
    (container,), whole = pod["spec"]["containers"], pod["spec"]["securityContext"]
    assert whole["runAsNonRoot"]
    assert whole["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_engine_and_pillar_are_accepted(built):
    files = {name: text for item in of_kind(built, "ConfigMap") for name, text in item["data"].items()}
    master = yaml.safe_load(files["haproxy-edge.conf"])
    (options,) = [check(engine["k8s_endpoints"]) for engine in master["engines"]]
    assert (options.services, options.metrics) == (("kube-system/traefik",), "0.0.0.0:9105")
    assert resolve(yaml.safe_load(files["edges.sls"])["haproxy"]).frontends
    assert set(yaml.safe_load(files["top.sls"])["base"]) == {"edge*"}
