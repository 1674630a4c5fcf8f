"""Start or reload HAProxy and see that it took; if it did not, the last good configuration comes back.

Hitless: HAProxy's new worker takes over the listening sockets, the old one keeps its connections. Whatever fails, some
configuration that was proven before is in the file when it is over, and the record says which.
"""

from __future__ import annotations

import dataclasses

from haproxy_edge_minion.applied import Applied
from haproxy_edge_minion.binds import places
from haproxy_edge_minion.config_file import ConfigFile
from haproxy_edge_minion.diagnosis import explain
from haproxy_edge_minion.files import Paths, read, replace
from haproxy_edge_minion.listening import holders, in_use, trouble
from haproxy_edge_minion.outcome import EdgeError
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.run_stats import RunStats

NEVER_PROVEN = "nothing here tells that what runs was loaded from a configuration of ours"
# what serves while a reload or a start fails
_OLD_WORKER, _NOTHING = "the old worker keeps serving", "nothing serves"


class Loading:
    """One host's HAProxy and its files."""

    def __init__(self, paths: Paths, process: Process, config: ConfigFile, stats: RunStats) -> None:
        self._paths = paths
        self._process = process
        self._config = config
        self._stats = stats

    @property
    def has_proven(self) -> bool:
        """Whether anything was ever proven here. Without that the digest which the process shows proves nothing:
        HAProxy's master process keeps ``setenv`` of an older configuration over the reload to one that is not ours."""
        return self._paths.good.exists()

    def start(self, applied: Applied) -> None:
        """Raises `EdgeError` with HAProxy's words when it does not come up.

        A configuration that was never proven makes way for the last good one then, as at a reload: a host that died
        in the middle of one would begin with the bad one for ever.
        """
        failure = self._process.start(applied)
        self._stats.watch.lap("start")
        if failure is not None:
            good = Applied.load(self._paths.good)
            proven = good is not None and good.digest == applied.digest
            kept = f"{_NOTHING}, though this served before" if proven else self._back_to(good, applied, _NOTHING)
            raise self._failed("start", "it does not run", failure, applied, kept)
        self._config.loaded()

    def reload(self, applied: Applied, reason: str) -> None:
        """Raises `EdgeError` with HAProxy's words when it did not take; what served before serves on."""
        self._stats.reload = reason
        good = Applied.load(self._paths.good)
        held = _held_by_others(applied, good)
        if held:
            raise _failure("reload", reason, held, self._back_to(good, applied, _OLD_WORKER))
        failure = self._process.reload(applied)
        self._stats.watch.lap("reload")
        if failure is not None:
            raise self._failed("reload", reason, failure, applied, self._back_to(good, applied, _OLD_WORKER))
        self._config.loaded()

    def remember(self, applied: Applied) -> None:
        """It serves: from now on this is the last good one."""
        # of its own, so that what damages one of them spares the other
        if read(self._paths.good) != applied.as_json:
            replace(self._paths.good, applied.as_json, mode=0o600, durable=False)

    def _failed(self, action: str, reason: str, failure: str, applied: Applied, kept: str) -> EdgeError:
        return _failure(action, reason, explain(failure, applied.text, applied.spec), kept)

    def _back_to(self, good: Applied | None, applied: Applied, meanwhile: str) -> str:
        """The last good skeleton again, with the servers of now: a bad bind must not freeze the pods of the others."""
        if good is None:
            return meanwhile
        good = _with_servers_of(good, applied)
        replace(self._paths.applied, good.as_json, mode=0o600)
        self._config.put(good.text)
        # brings HAProxy's master process out of its wait mode, too; one that died is started
        again = self._process.reload if self._process.service.running() else self._process.start
        failure = again(good)
        if failure is not None:
            return f"{meanwhile}; the last good configuration is back in the file, but did not take either: {failure}"
        self.remember(good)
        return "the last good configuration is back and serves"


def _failure(action: str, reason: str, problems: list[str], kept: str) -> EdgeError:
    return EdgeError("\n".join([*problems, f"haproxy: the {action} did not take ({reason}); {kept}"]))


def _held_by_others(applied: Applied, good: Applied | None) -> list[str]:
    """New binds that another process has, one line each.

    HAProxy would find out, too, but only after it has told the old worker to stop listening, which refuses every new
    connection of every frontend for a second or two.
    """
    before = {bind for _, _, binds in good.spec.listeners for bind in binds} if good else set()
    new = [
        (key, bind, place)
        for _, key, binds in applied.spec.listeners
        for bind in binds
        if bind not in before
        for place in places(bind)
        if in_use(trouble(place))
    ]
    who = holders({place.port for _, _, place in new})
    # one of ours that moves from one frontend to another, or is spelled anew, is handed over by HAProxy itself
    foreign = [(key, bind, place.port, who[place.port]) for key, bind, place in new if "haproxy" not in who[place.port]]
    return [
        f"{key}: {bind!r}: Address already in use: port {port} is held by {', '.join(names) or 'another process'}"
        for key, bind, port, names in foreign
    ]


def _with_servers_of(good: Applied, now: Applied) -> Applied:
    """``good``, each backend with the servers it has ``now`` as far as it is the same service and port."""
    ports = {frontend.name: (frontend.cluster, frontend.service, frontend.port) for frontend in now.spec.frontends}
    servers = {
        frontend.name: now.servers.get(frontend.name, ())
        for frontend in good.spec.frontends
        if ports.get(frontend.name) == (frontend.cluster, frontend.service, frontend.port)
    }
    return dataclasses.replace(good, servers={**good.servers, **servers})
