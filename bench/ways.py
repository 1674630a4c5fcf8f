"""Who may be in charge of the edges, one at a time: our two lanes, and a template loop on every edge.

Each takes over from whoever was before and leaves nothing running, so that what it costs is its own: while another is
in charge there is no salt-master and no minion. `bench.ansible_way` has the playbooks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import yaml

from bench.comparison import POLL_SECONDS
from lab.hosts import EdgeHost
from lab.master import Master
from lab.processes import RUN, recorded, wait_for
from lab.topology import SERVICE, Lab

# seconds for everything of Salt to stand after a start
SALT_PATIENCE = 90.0
TEMPLATE = Path(__file__).with_name("ansible") / "haproxy.cfg.j2"
_POLLING = Path(__file__).with_name("polling.py")
_ON_EDGE = "/usr/local/lib/polling"
_UNIT = "polling"


class Way(Protocol):
    """One of them."""

    name: str

    def begin(self) -> None:
        """Take charge; that it has, shows in the traffic."""

    def settle(self) -> None:
        """Returns when nothing of taking over is under way any more."""

    def end(self) -> None:
        """Nothing of it runs any more; edges stay as they are."""

    def leader(self) -> int | None:
        """On the master: the process from which all of its processes come."""


class SaltLane:
    """Ours, by one lane; edges come right by themselves once master and minions are there again."""

    def __init__(self, name: str, lab: Lab, lane: str) -> None:
        self.name = name
        self._lab = lab
        self._lane = lane

    def begin(self) -> None:
        self._lab.configure_engine(lane=self._lane)
        self._lab.master.start()
        for edge in self._lab.edges:
            edge.start_minion()

    def settle(self) -> None:
        self._lab.await_minions()
        wait_for(lambda: _in_step(self._lab.master), SALT_PATIENCE, "every edge to have confirmed", every=0.5)

    def end(self) -> None:
        for edge in self._lab.edges:
            edge.stop_minion()
        self._lab.master.stop()

    def leader(self) -> int | None:
        return recorded(RUN / "master.pid")


def _in_step(master: Master) -> bool:
    answer = master.run("haproxy_edge.status")
    return isinstance(answer, dict) and answer.get("retcode") == 0


class Polling:
    """`bench/polling.py` as a service on every edge, each with a beat of its own."""

    def __init__(self, name: str, lab: Lab) -> None:
        self.name = name
        self._lab = lab

    def begin(self) -> None:
        api = Reader.of(self._lab)
        settings = {
            "url": api.url,
            "token": api.token,
            "authority": api.authority.read_text(),
            "head": head(),
            "port": "tcp",
            "seconds": POLL_SECONDS,
        }
        for edge in self._lab.edges:
            _install(edge, json.dumps(settings))
            command = ["systemd-run", "--quiet", "--collect", f"--unit={_UNIT}", "python3", f"{_ON_EDGE}/polling.py"]
            edge.run([*command, f"{_ON_EDGE}/settings.json"])

    def settle(self) -> None:
        """Each edge has written its file before its traffic could show it."""

    def end(self) -> None:
        for edge in self._lab.edges:
            edge.run(["systemctl", "stop", _UNIT])

    def leader(self) -> int | None:
        return None


def head() -> str:
    """The configuration up to the servers, as the playbook's template has it."""
    return TEMPLATE.read_text().partition("{%")[0]


def _install(edge: EdgeHost, settings: str) -> None:
    folder = edge.path(_ON_EDGE)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "polling.py").write_text(_POLLING.read_text())
    kept = folder / "settings.json"
    kept.touch(mode=0o600)
    kept.write_text(settings)


@dataclass(frozen=True)
class Reader:
    """Where the Endpoints of the service are, and who may read them: the engine's own account."""

    url: str
    token: str
    authority: Path

    @classmethod
    def of(cls, lab: Lab) -> Reader:
        """With the token of the engine's kubeconfig."""
        namespace, _, name = SERVICE.partition("/")
        given = yaml.safe_load((RUN / "engine.kubeconfig").read_text())
        return cls(
            f"{lab.cluster.url}/api/v1/namespaces/{namespace}/endpoints/{name}",
            given["users"][0]["user"]["token"],
            Path(lab.cluster.folder.ca_file),
        )
