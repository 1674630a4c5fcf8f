"""Edge hosts: real systemd with the stock haproxy.service and a real salt-minion, each in a network namespace.

A host is a systemd-nspawn container on an overlay over the image, so it starts in about two seconds as a virgin and
forgets everything when it is stopped for good; a reboot keeps its disk.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lab import fabric, image
from lab.processes import NAME, RUN, LabError, end, recorded, run, spawn, wait_for

_CGROUPS = Path("/sys/fs/cgroup")
_DISK = "1g"
ADMIN_SOCKET = "/run/haproxy/admin.sock"
# seconds
_ANSWER_PATIENCE = 5.0


class EdgeHost:
    """One edge. ``name`` is host name and minion id; ``minion`` is merged into the minion's configuration."""

    def __init__(self, name: str, *, release: str = "bookworm", minion: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.release = release
        self._minion = dict(minion or {})
        self._disk = RUN / "hosts" / name
        self.root = self._disk / "root"

    @property
    def ipv4(self) -> str:
        return fabric.addresses(self.name)[0]

    @property
    def ipv6(self) -> str:
        return fabric.addresses(self.name)[1]

    def start(self) -> None:
        """A virgin host, booting; see `wait_ready`."""
        self._make_disk()
        self._boot()

    def wait_ready(self, timeout: float = 60) -> None:
        """Until its minion runs."""
        there = f"{self.name}: salt-minion (see {RUN}/{self.name}.log)"
        wait_for(lambda: self._minion_state() == "active", timeout, there, every=0.1)

    def stop_minion(self) -> None:
        """At once and for good; asked to end, it takes all the time that systemd gives it."""
        self.run(["systemctl", "stop", "--no-block", "salt-minion"])
        self.run(["systemctl", "kill", "--signal=KILL", "--kill-who=all", "salt-minion"], check=False)
        wait_for(
            lambda: self._minion_state() in ("inactive", "failed"), 60, f"{self.name}: salt-minion to end", every=0.05
        )

    def start_minion(self) -> None:
        """Returns when it runs, which is before it has met its master."""
        self.run(["systemctl", "start", "salt-minion"])

    @contextlib.contextmanager
    def asleep(self) -> Iterator[None]:
        """Without its minion; HAProxy serves on."""
        self.stop_minion()
        try:
            yield
        finally:
            self.start_minion()

    def take_port(self, port: int) -> None:
        """Another program listens there, over IPv4, until `leave_port`."""
        self.run(["systemd-run", "-q", f"--unit=squatter-{port}", "python3", "-m", "http.server", str(port)])
        wait_for(lambda: f":{port} " in self.run(["ss", "-Hltn"]).stdout, 60, f"{self.name}: port {port} to be taken")

    def leave_port(self, port: int) -> None:
        self.run(["systemctl", "stop", f"squatter-{port}"], check=False)

    @contextlib.contextmanager
    def port_taken(self, port: int) -> Iterator[None]:
        """`take_port` for a while."""
        self.take_port(port)
        try:
            yield
        finally:
            self.leave_port(port)

    def reboot(self) -> None:
        """With its disk as it is; returns when the old system is gone and the new one boots."""
        pid_file = RUN / f"{self.name}.pid"
        self.stop_minion()
        self.run(["systemctl", "reboot"], check=False)
        # nspawn with --keep-unit ends instead of looping
        wait_for(lambda: recorded(pid_file) is None, 60, f"{self.name} to go down")
        self._boot()

    def stop(self) -> None:
        """Pull the plug and throw the disk away."""
        end(RUN / f"{self.name}.pid", patience=5, first=signal.SIGKILL)
        # the host outlives nspawn: its own PID 1 has to end, too
        wait_for(lambda: not _kill_group(self.name), 60, f"{self.name}'s processes to end")
        for mounted in (self.root, self._disk):
            if mounted.is_mount():
                wait_for(lambda mounted=mounted: _unmounted(mounted), 60, f"{mounted} to be free")  # type: ignore[misc]
        shutil.rmtree(self._disk, ignore_errors=True)
        _remove_cgroups(self.name)

    def run(
        self, command: Sequence[str], *, check: bool = True, timeout: float = 60
    ) -> subprocess.CompletedProcess[str]:
        """A command inside the host."""
        leader = self._leader()
        if leader is None:
            raise LabError(f"{self.name} does not run")
        entered = ["nsenter", "-t", str(leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--"]
        return run([*entered, *command], check=check, timeout=timeout)

    def command(self, text: str, at: str = ADMIN_SOCKET) -> str | None:
        """A command on one of its HAProxy's sockets; None when nobody answers."""
        with contextlib.suppress(OSError, LabError), socket.socket(socket.AF_UNIX) as client:
            client.settimeout(_ANSWER_PATIENCE)
            client.connect(str(self.path(at)))
            client.sendall(f"{text}\n".encode())
            # HAProxy's master process would wait for more commands
            client.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: client.recv(65536), b"")).decode()
        return None

    def path(self, inside: str) -> Path:
        """Where a file of the host is seen from outside, /run included."""
        leader = self._leader()
        return (Path(f"/proc/{leader}/root") if leader else self.root) / inside.lstrip("/")

    def pids(self, program: str) -> set[int]:
        """Its processes with ``program`` in their command line, by their ids outside."""
        found, below = set(), [leader] if (leader := self._leader()) else []
        while below:
            pid = below.pop()
            with contextlib.suppress(OSError):
                if program in Path(f"/proc/{pid}/cmdline").read_text():
                    found.add(pid)
                below += children(pid)
        return found

    def _leader(self) -> int | None:
        """The host's PID 1 as seen from outside."""
        pid = recorded(RUN / f"{self.name}.pid")
        if pid is None:
            return None
        return next(iter(children(pid)), None)

    def _minion_state(self) -> str:
        """As systemd calls it; empty while the host itself is not there."""
        if self._leader() is None:
            return ""
        return self.run(["systemctl", "is-active", "salt-minion"], check=False).stdout.strip()

    def _make_disk(self) -> None:
        lower = image.ensure(self.release)
        self._disk.mkdir(parents=True, exist_ok=True)
        # a disk of its own, so that a full one is this host's affair
        run(["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=755", f"{NAME}-{self.name}", str(self._disk)])
        for directory in ("upper", "work", "root"):
            (self._disk / directory).mkdir()
        layers = f"lowerdir={lower},upperdir={self._disk}/upper,workdir={self._disk}/work"
        run(["mount", "-t", "overlay", f"{NAME}-{self.name}", "-o", layers, str(self.root)])
        (self.root / "etc/hostname").write_text(f"{self.name}\n")
        (self.root / "etc/hosts").write_text(f"127.0.0.1 localhost {self.name}\n::1 localhost\n")
        (self.root / "etc/salt/minion").write_text(yaml.safe_dump(self._minion_configuration()))
        # where `grains.append` writes, so that `grains.remove` takes it away: the minion's own file would win over it
        (self.root / "etc/salt/grains").write_text(yaml.safe_dump({"roles": ["haproxy-edge"]}))

    def _minion_configuration(self) -> dict[str, Any]:
        return {
            "id": self.name,
            "master": fabric.addresses("master")[0],
            "master_tries": -1,
            "random_startup_delay": 0,
            # look-ups of a resolver that is not there would take 40 s
            "enable_fqdns_grains": False,
            "acceptance_wait_time": 1,
            "recon_default": 200,
            "recon_max": 1000,
            "recon_randomize": False,
            **self._minion,
        }

    def _boot(self) -> None:
        nspawn = [
            "systemd-nspawn",
            "--quiet",
            "-b",
            *("-D", str(self.root)),
            *("-M", self.name),
            "--register=no",
            "--keep-unit",
            "--resolv-conf=off",
            "--timezone=off",
            "--link-journal=no",
            "--console=pipe",
            f"--network-namespace-path=/run/netns/{fabric.namespace(self.name)}",
        ]
        spawn(self.name, _in_own_cgroup(self.name, nspawn))


def children(pid: int) -> list[int]:
    """Of all its threads; none once it is gone."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def stop_all() -> None:
    """Every edge host of a former lab, too."""
    groups = {
        path.name.removeprefix(f"{NAME}-") for hierarchy in _hierarchies() for path in hierarchy.glob(f"{NAME}-*")
    }
    for name in sorted(groups | {disk.name for disk in (RUN / "hosts").glob("*")}):
        EdgeHost(name).stop()


def _in_own_cgroup(name: str, command: list[str]) -> list[str]:
    """A delegated scope where systemd is PID 1; else hand-made groups, entered by a shell that becomes nspawn."""
    if Path("/run/systemd/system").is_dir():
        return ["systemd-run", "--quiet", "--scope", "--property=Delegate=yes", f"--unit={NAME}-{name}", *command]
    groups = [hierarchy / f"{NAME}-{name}" for hierarchy in _hierarchies()]
    for group in groups:
        group.mkdir(exist_ok=True)
    enter = "; ".join(f"echo $$ > {group}/cgroup.procs" for group in groups)
    return ["sh", "-c", f'{enter}; exec "$@"', "sh", *command]


def _hierarchies() -> list[Path]:
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return [path for path in (_CGROUPS / "systemd", _CGROUPS / "unified") if path.is_dir()]


def _kill_group(name: str) -> bool:
    """Kill what is in the host's own cgroups; whether there was anything."""
    found = {
        int(pid)
        for hierarchy in _hierarchies()
        for members in (hierarchy / f"{NAME}-{name}").rglob("cgroup.procs")
        for pid in members.read_text().split()
    }
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return bool(found)


def _remove_cgroups(name: str) -> None:
    for hierarchy in _hierarchies():
        for directory, _, _ in os.walk(hierarchy / f"{NAME}-{name}", topdown=False):
            with contextlib.suppress(OSError):
                Path(directory).rmdir()


def _unmounted(path: Path) -> bool:
    return run(["umount", str(path)], check=False).returncode == 0 or not path.is_mount()
