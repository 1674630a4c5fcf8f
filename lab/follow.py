"""The demo on the user's own cluster: the lab's edges follow it, and nothing is written to it.

The lab has no way out, so one relay leads from the master's namespace to that one API server. The pods of the cluster
cannot be reached from the lab; what is shown is the servers each edge would send clients to.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from lab import fabric
from lab.image import say
from lab.processes import RUN, LabError, netns, spawn, wait_for
from lab.topology import Lab, down

_RELAY_PORT = 7443
SECONDS = 120.0
# what every Traefik has; the lab's own pods have more ports
_PILLAR = {"haproxy": {"bind": ["ipv4@:443", "ipv6@:443 v6only"]}}


def follow(kubeconfig: Path, *, keep: bool) -> int:
    """Show for two minutes how the edges follow; the exit status."""
    server, relayed = _relayed(kubeconfig)
    lab = Lab(pillar=_PILLAR)
    lab.relay = lambda: _start_relay(server, relayed)
    try:
        lab.up()
        seen = _show(lab)
        print(json.dumps({"edges": len(lab.edges), "read_only": True, "converged": seen}), flush=True)
    except BaseException:
        down()
        raise
    if not keep:
        down()
    return 0 if seen else 1


def _relayed(kubeconfig: Path) -> tuple[str, dict[str, Any]]:
    """(host:port of the API server, the kubeconfig of its current context with the relay in its place)."""
    try:
        whole = yaml.safe_load(kubeconfig.read_text())
        context = _named(whole["contexts"], whole["current-context"])["context"]
        cluster = dict(_named(whole["clusters"], context["cluster"])["cluster"])
        user = _named(whole["users"], context["user"])["user"]
    except (OSError, KeyError, TypeError, StopIteration, yaml.YAMLError) as error:
        raise LabError(f"KUBECONFIG={kubeconfig}: not a kubeconfig with a current context: {error!r}") from error
    url = urlsplit(cluster["server"])
    # the certificate is still checked against the server's own name
    cluster.update(server=f"https://127.0.0.1:{_RELAY_PORT}")
    cluster.setdefault("tls-server-name", url.hostname)
    named = {"apiVersion": "v1", "kind": "Config", "current-context": "lab"}
    named["clusters"] = [{"name": "lab", "cluster": cluster}]
    named["users"] = [{"name": "lab", "user": user}]
    named["contexts"] = [{"name": "lab", "context": {"cluster": "lab", "user": "lab"}}]
    return f"{url.hostname}:{url.port or 443}", named


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


def _start_relay(server: str, kubeconfig: dict[str, Any]) -> Path:
    door = RUN / "api.sock"
    spawn("relay-out", ["socat", f"UNIX-LISTEN:{door},fork", f"TCP:{server}"])
    inside = ["socat", f"TCP-LISTEN:{_RELAY_PORT},bind=127.0.0.1,fork,reuseaddr", f"UNIX-CONNECT:{door}"]
    spawn("relay-in", netns(fabric.namespace("master"), inside))
    wait_for(door.exists, 60, "the relay to the API server")
    path = RUN / "own.kubeconfig"
    path.touch(mode=0o600)
    path.write_text(yaml.safe_dump(kubeconfig))
    return path


def _show(lab: Lab) -> bool:
    say(f"following kube-system/traefik of your cluster for {SECONDS:.0f} s; it is only read")
    shown: dict[str, str] = {}
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for edge in lab.edges:
            config = edge.path("/etc/haproxy/haproxy.cfg")
            text = config.read_text() if config.exists() else ""
            servers = ", ".join(line.split()[1] for line in text.splitlines() if line.strip().startswith("server "))
            if servers != shown.get(edge.name, ""):
                shown[edge.name] = servers
                say(f"  {edge.name}: {servers or 'no servers'}")
        time.sleep(0.2)
    return any(shown.values())
