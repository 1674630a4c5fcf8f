"""The salt-master of the lab: a real one, from this checkout's environment, configured as README says.

It must never write outside its folder: everything Salt would put into /var or /etc of this machine has its place there.
"""

from __future__ import annotations

import functools
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from haproxy_edge.store import Store

from lab import fabric
from lab.processes import RUN, LabError, end, netns, run, session, spawn, title, wait_for

CHECKOUT = Path(__file__).resolve().parent.parent
_BIN = Path(sys.executable).parent
# how Salt titles it; one that it has restarted has the name of its class and no other
_ENGINE = re.compile(r"k8s_endpoints|\bEngine$")
# Salt 3008 warns of its own objects, mostly at its very end, when no log level holds any more and Python prints it
_QUIET_AT_ITS_END = (
    "import logging, runpy, sys; logging.lastResort.setLevel('ERROR'); "
    "del sys.argv[0]; runpy.run_path(sys.argv[0], run_name='__main__')"
)


class Master:
    """``pillar`` is the directory of pillar files, ``extra`` goes over the configuration below."""

    def __init__(self, pillar: Path, extra: Mapping[str, Any] | None = None) -> None:
        self.directory = RUN / "master"
        self._pillar = pillar
        self._extra = dict(extra or {})

    def configuration(self) -> dict[str, Any]:
        """What stands in the master's file."""
        here = str(self.directory)
        return {
            "interface": "0.0.0.0",
            "user": "root",
            "auto_accept": True,
            "enable_fqdns_grains": False,
            "worker_threads": 3,
            "pki_dir": f"{here}/pki",
            "cachedir": f"{here}/cache",
            "sock_dir": f"{here}/sock",
            "sqlite_queue_dir": f"{here}/cache/queues",
            "extension_modules": f"{here}/cache/extmods",
            "key_logfile": f"{here}/key.log",
            "log_file": f"{here}/log",
            "log_level_logfile": "info",
            "log_fmt_logfile": "%(asctime)s,%(msecs)03d [%(name)-17s][%(levelname)-8s] %(message)s",
            "pidfile": f"{here}/pid",
            "file_roots": {"base": [str(CHECKOUT / "salt/states")]},
            "pillar_roots": {"base": [str(self._pillar)]},
            "ext_pillar": [{"haproxy_edge": {}}],
            "reactor": [
                {f"haproxy_edge/doorbell/{lane}": [str(CHECKOUT / f"salt/reactor/haproxy_{lane}.sls")]}
                for lane in ("hot", "state")
            ],
            **self._extra,
        }

    def configure(self, **extra: Any) -> None:
        """Write the configuration, with ``extra`` over it from now on; takes effect at the next start."""
        self._extra.update(extra)
        (self.directory / "etc").mkdir(parents=True, exist_ok=True)
        (self.directory / "etc/master").write_text(yaml.safe_dump(self.configuration()))

    def start(self) -> None:
        """Returns when it takes requests."""
        self.configure()
        health = self.directory / "sock/workers.ipc"
        health.unlink(missing_ok=True)
        command = [str(_BIN / "salt-master"), "-c", str(self.directory / "etc"), "-l", "warning"]
        spawn("master", netns(fabric.namespace("master"), command), environment={"PYTHONWARNINGS": "ignore"})
        wait_for(health.exists, 120, f"salt-master (see {RUN}/master.log)")

    def stop(self) -> None:
        """Ask it to end, and see to it."""
        end(RUN / "master.pid", patience=10)

    def kill(self) -> None:
        """SIGKILL to all of it at once."""
        end(RUN / "master.pid", patience=2, first=signal.SIGKILL)

    def log(self) -> str:
        """The master's log file."""
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    @functools.cached_property
    def store(self) -> Store:
        """The master's own, read as the runner does."""
        # not above: the lab's small commands would wait for half of Salt
        import salt.config
        from haproxy_edge.salt_adapter import SaltCache

        return Store(SaltCache(salt.config.master_config(str(self.directory / "etc/master"))))

    def published(self, function: str) -> set[str]:
        """Job ids it gave out for that function so far; its job cache would also hold what minions made up."""
        return set(re.findall(rf"Published command {re.escape(function)} with jid (\d+)", self.log()))

    def command(self, *arguments: str, program: str = "salt", launcher: Sequence[str] = ()) -> list[str]:
        """The command line of one of Salt's programs on this master, started by ``launcher``."""
        return netns(
            fabric.namespace("master"),
            [*launcher, str(_BIN / program), "-c", str(self.directory / "etc"), *arguments],
        )

    def salt(self, *arguments: str, timeout: float = 120) -> dict[str, Any]:
        """``salt 'edge*' …`` as {minion: return}; a failing state is a return like any other."""
        # not --static, which asks all minions whether they are there first
        done = run(self.command("--out=json", "-t", "60", *arguments), timeout=timeout, check=False)
        try:
            return {minion: returned for one in _objects(done.stdout) for minion, returned in one.items()}
        except ValueError as error:
            raise LabError(f"salt {' '.join(arguments)}: {(done.stderr + done.stdout)[-2000:]}") from error

    def forget(self, minion: str) -> None:
        """Delete its key: what comes back under that name is another host."""
        run(self.command("-y", "-d", minion, program="salt-key"))

    def run(self, *arguments: str, timeout: float = 60) -> Any:
        """``salt-run …``."""
        done = run(self.command("--out=json", *arguments, program="salt-run"), timeout=timeout, check=False)
        try:
            return json.loads(done.stdout)
        except ValueError as error:
            raise LabError(f"salt-run {' '.join(arguments)}: {(done.stderr + done.stdout)[-2000:]}") from error


def engines_of(leader: int) -> list[int]:
    """Process ids of the engines of the master whose first process that is."""
    return [pid for pid in session(leader) if _ENGINE.search(title(pid))]


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """JSON objects, one after the other."""
    rest = text.strip()
    while rest:
        found, end = json.JSONDecoder().raw_decode(rest)
        yield dict(found)
        rest = rest[end:].lstrip()


def exec_salt(arguments: list[str], program: str = "salt") -> None:
    """Become a Salt program of the lab's running master."""
    launcher = [sys.executable, "-c", _QUIET_AT_ITS_END]
    command = Master(RUN).command("--log-level=error", *arguments, program=program, launcher=launcher)
    os.execvp(command[0], command)
