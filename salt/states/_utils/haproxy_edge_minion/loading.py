"""Start or reload HAProxy and see that it took; if it did not, the last good configuration comes back.

Hitless: HAProxy's new worker takes over the listening sockets, the old one keeps its connections. Whatever fails, some
configuration that was proven before is in the file when it is over, and the record says which.
"""

from __future__ import annotations

import dataclasses

from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.config_file import ConfigFile
from haproxy_edge_minion.deeds import Deeds
from haproxy_edge_minion.diagnosis import explain
from haproxy_edge_minion.files import Paths, read, replace
from haproxy_edge_minion.process import EdgeError, Process


class Loading:
    """One host's HAProxy and its files."""

    def __init__(self, paths: Paths, process: Process, config: ConfigFile, deeds: Deeds) -> None:
        self._paths = paths
        self._process = process
        self._config = config
        self._deeds = deeds

    def start(self, applied: Applied) -> None:
        """Raises `EdgeError` with HAProxy's words when it does not come up."""
        failure = self._process.start(applied)
        self._deeds.watch.lap("start")
        if failure is not None:
            raise self._failed("start", "it does not run", failure, applied, "nothing served before")
        self._config.loaded()

    def reload(self, applied: Applied, reason: str) -> None:
        """Raises `EdgeError` with HAProxy's words when it did not take; what served before serves on."""
        self._deeds.reload = reason
        failure = self._process.reload(applied)
        self._deeds.watch.lap("reload")
        if failure is not None:
            raise self._failed("reload", reason, failure, applied, self._back_to_good(applied))
        self._config.loaded()

    def remember(self, applied: Applied) -> None:
        """It serves: from now on this is the last good one."""
        # of its own, so that what damages one of them spares the other
        if read(self._paths.good) != applied.to_json():
            replace(self._paths.good, applied.to_json(), mode=0o600, durable=False)

    def _failed(self, action: str, reason: str, failure: str, applied: Applied, kept: str) -> EdgeError:
        problems = explain(failure, applied.text, applied.spec)
        return EdgeError("\n".join([*problems, f"haproxy: the {action} did not take ({reason}); {kept}"]))

    def _back_to_good(self, applied: Applied) -> str:
        """The last good skeleton again, with the servers of now: a bad bind must not freeze the pods of the others."""
        good = Applied.load(self._paths.good)
        if good is None:
            return "the old worker keeps serving"
        good = _with_servers_of(good, applied)
        replace(self._paths.applied, good.to_json(), mode=0o600)
        self._config.put(good.text)
        # brings HAProxy's master process out of its wait mode, too; one that died is started
        again = self._process.reload if self._process.service.running() else self._process.start
        failure = again(good)
        if failure is not None:
            return f"the last good configuration is back in the file, the old worker keeps serving, but: {failure}"
        self.remember(good)
        return "the last good configuration is back and keeps serving"


def _with_servers_of(good: Applied, now: Applied) -> Applied:
    """``good``, each backend with the servers it has ``now`` as far as it is the same service and port."""
    ports = {frontend.name: (frontend.cluster, frontend.service, frontend.port) for frontend in now.spec.frontends}
    servers = {
        frontend.name: now.servers.get(frontend.name, ())
        for frontend in good.spec.frontends
        if ports.get(frontend.name) == (frontend.cluster, frontend.service, frontend.port)
    }
    return dataclasses.replace(good, servers={**good.servers, **servers})
