"""The way that is replaced: Ansible over SSH to the same edges, a playbook run for every change of the Endpoints.

Written in two variants: as one writes it, with Ansible as it comes; and tuned, with as few tasks as it takes and every
setting that makes Ansible faster. It must never leave a key or a connection behind.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path

from bench.trees import tree
from bench.ways import Reader
from lab import fabric
from lab.hosts import EdgeHost
from lab.master import CHECKOUT
from lab.processes import RUN, LabError, end, netns, recorded, run, spawn, title, wait_for
from lab.topology import SERVICE, Lab

SOURCES = Path(__file__).with_name("ansible")
# Ansible sits beside the Python that runs this
_PLAYBOOK = Path(sys.executable).parent / "ansible-playbook"
_WATCHER = "endpoints-watcher"
_SSH_PATIENCE = 30.0


class Playbook:
    """``variant`` names two files of `SOURCES`; ``haproxy``: what is done to it, ``restarted`` or ``reloaded``."""

    def __init__(self, name: str, lab: Lab, *, variant: str, haproxy: str) -> None:
        self.name = name
        self._lab = lab
        self._variant = variant
        self._haproxy = haproxy
        self._folder = RUN / "ansible"

    def begin(self) -> None:
        command = [sys.executable, "-m", "bench.endpoints_watcher", str(self._write_settings())]
        where = {"PYTHONPATH": str(CHECKOUT), "PYTHONWARNINGS": "ignore"}
        spawn(_WATCHER, netns(fabric.namespace("master"), command), environment=where)

    def settle(self) -> None:
        """Its first playbook has ended."""
        wait_for(lambda: not self._runs_playbook(), 60, "the playbook to end")

    def end(self) -> None:
        leader = self.leader()
        below = tree(leader) if leader else set()
        end(RUN / f"{_WATCHER}.pid")
        # connections to edges outlive their playbook by design
        for pid in below:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def leader(self) -> int | None:
        return recorded(RUN / f"{_WATCHER}.pid")

    def _runs_playbook(self) -> bool:
        leader = self.leader()
        if leader is None:
            raise LabError(f"the watcher has ended (see {RUN}/{_WATCHER}.log)")
        return any("ansible-playbook" in title(pid) for pid in tree(leader))

    def _write_settings(self) -> Path:
        api = Reader.of(self._lab)
        kubeconfig = str(RUN / "engine.kubeconfig")
        variables = {
            "kubeconfig": kubeconfig,
            "url": api.url,
            "token": api.token,
            "authority": str(api.authority),
            "haproxy": self._haproxy,
        }
        settings = {
            "kubeconfig": kubeconfig,
            "service": SERVICE,
            "command": [
                str(_PLAYBOOK),
                f"--inventory={self._folder}/inventory.json",
                f"--extra-vars=@{_secret(self._folder / 'variables.json', json.dumps(variables))}",
                str(SOURCES / f"{self._variant}.yml"),
            ],
            "environment": {
                "ANSIBLE_CONFIG": str(SOURCES / f"{self._variant}.cfg"),
                "ANSIBLE_HOME": str(self._folder / "home"),
                "ANSIBLE_LOCAL_TEMP": str(self._folder / "home/tmp"),
                "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self._folder / "cp"),
                # where the Kubernetes client keeps what it has learned of the API
                "TMPDIR": str(self._folder),
                "LC_ALL": "C.UTF-8",
            },
        }
        return _secret(self._folder / "settings.json", json.dumps(settings))


def open_to_ansible(lab: Lab) -> None:
    """SSH on every edge for a key that is thrown away with the lab, and an inventory that uses it."""
    missing = [program for program in (str(_PLAYBOOK), "ssh", "ssh-keygen") if shutil.which(program) is None]
    if missing:
        raise LabError(f"{', '.join(missing)}: not there; as root: lab/bootstrap bench")
    folder = RUN / "ansible"
    folder.mkdir()
    key = folder / "key"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", str(key)])
    for edge in lab.edges:
        _let_in(edge, key.with_suffix(".pub").read_text())
    (folder / "inventory.json").write_text(json.dumps(inventory(lab.edges, folder)))


def inventory(edges: list[EdgeHost], folder: Path) -> dict[str, object]:
    """Their host keys are new in every lab: nothing is known of them, and nothing about them is kept."""
    options = f"-o StrictHostKeyChecking=no -o UserKnownHostsFile={folder}/known_hosts"
    variables = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": f"{folder}/key",
        "ansible_ssh_common_args": options,
    }
    hosts = {edge.name: {"ansible_host": edge.ipv4} for edge in edges}
    return {"edges": {"hosts": hosts, "vars": variables}}


def _let_in(edge: EdgeHost, public_key: str) -> None:
    folder = edge.path("/root/.ssh")
    folder.mkdir(mode=0o700, exist_ok=True)
    (folder / "authorized_keys").write_text(public_key)
    edge.run(["ssh-keygen", "-A"])
    edge.run(["systemctl", "unmask", "ssh"])
    edge.run(["systemctl", "start", "ssh"])
    knock = ["bash", "-c", f"exec 3<>/dev/tcp/{edge.ipv4}/22"]
    inside = netns(fabric.namespace("master"), knock)
    wait_for(lambda: run(inside, check=False).returncode == 0, _SSH_PATIENCE, f"sshd of {edge.name}")


def _secret(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text)
    return path
