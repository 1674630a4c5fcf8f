"""One edge in a folder of its own with a real HAProxy, in master-worker mode as its unit runs it."""

import json
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import jinja2
from haproxy_edge_minion.edge import Edge
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.runtime import RuntimeApi

from tests.unit.edge.material import TEMPLATE, free_port

HAPROXY = Path("/usr/sbin/haproxy")
# in memory where there is such a place: what is forced to the disk takes no time there
FOLDERS = next(path for path in (Path("/dev/shm"), Path("/tmp")) if path.is_dir())
_SKELETON = jinja2.Template(TEMPLATE.read_text())


@dataclass
class HaproxyService:
    """What systemd does for haproxy.service: a master process, its log, SIGUSR2 after a check."""

    config: Path
    log: Path
    haproxy: Path = HAPROXY
    process: subprocess.Popen | None = None
    is_enabled: bool = False
    reloads: int = 0

    def running(self):
        return self.process is not None and self.process.poll() is None

    def enabled(self):
        return self.is_enabled

    def enable(self):
        self.is_enabled = True

    def start(self):
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [self.haproxy, "-Ws", "-f", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def reload(self):
        self.reloads += 1
        if subprocess.run([self.haproxy, "-c", "-q", "-f", self.config], capture_output=True, check=False).returncode:
            raise EdgeError("service haproxy: reload was refused")
        self.seen = self.log.stat().st_size
        self.process.send_signal(signal.SIGUSR2)

    def journal(self, since):
        return self.log.read_text()[getattr(self, "seen", 0) :]

    def stop(self):
        if self.running():
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


class Rig:
    """An edge, its service, and the two pillars it is given."""

    def __init__(self, root, haproxy=HAPROXY):
        self.paths = Paths(
            config=root / "haproxy.cfg", state=root / "state", socket=root / "admin.sock", haproxy=haproxy
        )
        self.service = HaproxyService(self.paths.config, root / "log", haproxy)
        self.api = RuntimeApi(self.paths.socket)
        self.uptime = 1000.0
        self.port = free_port()
        self.haproxy = {"bind": f"127.0.0.1:{self.port}", "global": {"maxconn": 200, "nbthread": 1}}

    def long_form(self, **keys):
        """From now on the pillar has its frontend in the long form, with these keys of it."""
        self.haproxy["frontends"] = {"any": {"bind": self.haproxy.pop("bind"), "port": "websecure", **keys}}

    @property
    def edge(self):
        """One run's: nothing is remembered from the one before."""
        process = Process(self.service, self.api)
        return Edge(self.paths, process, restorecon=lambda path: None, uptime=lambda: self.uptime)

    def render(self, spec):
        text = _SKELETON.render(spec=spec)
        text = text.replace("/run/haproxy/admin.sock", str(self.paths.socket))
        return text.replace("    chroot /var/lib/haproxy\n    user haproxy\n    group haproxy\n", "")

    def apply(self, *snapshots, haproxy=None):
        """What both states do; the step that was needed and the problems."""
        prepared = self.prepare(*snapshots, haproxy=haproxy)
        self.edge.keep(prepared)
        if self.edge.differs(prepared):
            self.edge.write(prepared)
        return self.edge.serve(), prepared.problems

    def prepare(self, *snapshots, haproxy=None):
        """The pillars of now, resolved."""
        given = {"snapshots": {"default": {json.loads(text)["service"]: text for text in snapshots}}}
        return self.edge.prepare(haproxy or self.haproxy, given, self.render)

    def worker(self):
        return self.api.running().pid

    def runs(self):
        """{name: weight} of what takes part, without what drains away."""
        return {server.name: server.weight for server in self.api.running().servers if not server.admin_state}

    def log_of_haproxy(self):
        """The last of it, for the report of a failure."""
        return self.service.log.read_text()[-3000:]

    def by_hand(self, *commands):
        """What an administrator types at the socket."""
        return self.api._talk(commands)

    def leftovers(self):
        return {server.name for server in self.api.running().servers if server.admin_state}
