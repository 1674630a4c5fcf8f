"""Faults of a single edge: its minion, its HAProxy, its disk, its files and its clock.

What one edge suffers must never cost another one a connection; what it misses meanwhile it has to catch up with.
"""

from __future__ import annotations

import fcntl
import shutil
import time

from chaos import clock
from chaos.fault import Fault, nothing
from chaos.stage import PILLAR, Stage, names
from lab.processes import LabError, run

EDGE = "edge1"
_STATE = "/var/lib/haproxy-edge"
_DROP_IN = "/etc/systemd/system/salt-minion.service.d/clock.conf"
# the minion keeps a file there for each job that runs
_JOBS = "/var/cache/salt/minion/proc"
_BUSY_PORT = 7777
_GARBAGE = b'{"skeleton": \xff\x00'
# seconds between a change and the kill of the minion that takes it
_INSTANTS = (0.1, 0.2)


def _sleep_through(stage: Stage) -> None:
    for _ in range(10):
        stage.roll()
        time.sleep(0.3)
    stage.wait(lambda: all(map(stage.edge_right, stage.others)), "the edges that are awake to follow")
    if stage.edge_right(stage.edge):
        raise LabError(f"{EDGE} has missed nothing in its sleep")


def _wake(stage: Stage) -> None:
    stage.edge.start_minion()


def _kill_minion_in_syncs(stage: Stage) -> None:
    """At some instants of a sync, the last time while it waits for the lock and has done nothing yet."""
    for instant in _INSTANTS:
        stage.roll()
        time.sleep(instant)
        stage.kill_minion(stage.edge)
        _revive(stage)
        stage.await_right()
    with stage.edge.path(f"{_STATE}/lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        stage.roll()
        stage.wait(lambda: any(stage.edge.path(_JOBS).iterdir()), "the sync to begin")
        stage.kill_minion(stage.edge)


def _revive(stage: Stage) -> None:
    """Too often killed, systemd would leave it dead."""
    stage.edge.run(["systemctl", "reset-failed", "salt-minion"], check=False)
    stage.edge.start_minion()


def _reboot_alone(stage: Stage) -> None:
    """The master is away, and the edge has to serve by what it has on its disk."""
    stage.lab.master.kill()
    stage.edge.reboot()
    before = names(stage.wanted)
    stage.wait(lambda: stage.in_process(stage.edge) == before, f"{EDGE} to serve by itself after its reboot")


def _haproxy(stage: Stage) -> tuple[int, list[int]]:
    """(master process, workers)."""
    master = int(stage.edge.run(["systemctl", "show", "-P", "MainPID", "haproxy"]).stdout)
    every = map(int, stage.edge.run(["pgrep", "-x", "haproxy"]).stdout.split())
    return master, [pid for pid in every if pid != master]


def _kill(stage: Stage, *, workers: bool) -> None:
    master, found = _haproxy(stage)
    for pid in found if workers else [master]:
        stage.edge.run(["kill", "-9", str(pid)])


def _take_port(stage: Stage) -> None:
    """A frontend more, on a port that is somebody else's."""
    stage.edge.take_port(_BUSY_PORT)
    frontends = dict(PILLAR["frontends"])
    frontends["busy"] = {**frontends["tcp"], "bind": f"ipv4@:{_BUSY_PORT}"}
    stage.pillar(stage.edge, {**PILLAR, "frontends": frontends})
    stage.kept["said"] = stage.failed_states(stage.edge)


def _leave_port(stage: Stage) -> None:
    stage.edge.leave_port(_BUSY_PORT)


def _port_served(stage: Stage) -> None:
    for part in (str(_BUSY_PORT), "haproxy"):
        assert part in stage.kept["said"], f"the state did not name {part}: {stage.kept['said']}"
    assert not stage.failed_states(stage.edge)
    assert stage.in_process(stage.edge, "busy") == names(stage.wanted)
    _after_pillar(stage)


def _after_pillar(stage: Stage) -> None:
    """The lab's pillar again, applied: the next fault finds the edge as this one did."""
    stage.pillar(stage.edge, PILLAR)
    assert not stage.failed_states(stage.edge)


def _fill_disk(stage: Stage) -> None:
    """The whole disk of the host, Salt's own directories included."""
    disk = stage.edge.root.parent
    used = run(["df", "--output=used", "-k", str(disk)]).stdout.split()[-1]
    run(["mount", "-o", f"remount,size={max(4, int(used))}k", str(disk)])
    if not stage.edge.run(["sh", "-c", f"head -c 65536 /dev/zero > {_STATE}/room"], check=False).returncode:
        raise LabError(f"the disk of {EDGE} is not full")
    stage.edge.path(f"{_STATE}/room").unlink(missing_ok=True)


def _free_disk(stage: Stage) -> None:
    run(["mount", "-o", "remount,size=1g", str(stage.edge.root.parent)])


def _edit_by_hand(stage: Stage) -> None:
    path = stage.edge.path("/etc/haproxy/haproxy.cfg")
    stage.kept["edited"] = path.read_text().replace("server ", "# server ") + "\nlisten oops\n"
    path.write_text(stage.kept["edited"])


def _edit_is_kept(stage: Stage) -> None:
    assert stage.edge.path(f"{_STATE}/edited-by-hand.last.cfg").read_text() == stage.kept["edited"]


def _move_by_hand(stage: Stage) -> None:
    """One server switched off and another one added, at run time only."""
    stage.kept["haproxy"] = _haproxy(stage)
    rows = stage.edge.command("show servers state tcp") or ""
    # the first line is the version of the format, the second names the columns
    server = rows.splitlines()[2].split()[3]
    stage.edge.command(f"set server tcp/{server} state maint")
    stage.edge.command("add server tcp/by-hand 10.244.0.250:9000 send-proxy-v2 check")
    if stage.edge_right(stage.edge):
        raise LabError("the hand had no effect")


def _same_process(stage: Stage) -> None:
    found = _haproxy(stage)
    assert found == stage.kept["haproxy"], f"{stage.kept['haproxy']} became {found}: it was reloaded"


def _corrupt(stage: Stage) -> None:
    stage.kept["files"] = sorted(stage.edge.path(_STATE).rglob("*.json"))
    for path in stage.kept["files"]:
        path.write_bytes(_GARBAGE)
    if not stage.kept["files"]:
        raise LabError(f"{_STATE} has no state file")


def _made_again(stage: Stage) -> None:
    left = [path.name for path in stage.kept["files"] if path.exists() and path.read_bytes() == _GARBAGE]
    assert not left, f"still damaged: {left}"


def _bad_pillar(stage: Stage) -> None:
    stage.pillar(stage.edge, {"frontends": {"tcp": {"bind": 443, "balance": "static-rr"}}})
    stage.kept["said"] = stage.failed_states(stage.edge)


def _named_what_is_wrong(stage: Stage) -> None:
    for key in ("haproxy.frontends.tcp.bind", "haproxy.frontends.tcp.balance"):
        assert key in stage.kept["said"], stage.kept["said"]


def _clock(hours: int) -> Fault:
    def begin(stage: Stage) -> None:
        shutil.copy(clock.library(), stage.edge.path(clock.ON_EDGE))
        settings = clock.off_by(hours, preload=clock.ON_EDGE).items()
        path = stage.edge.path(_DROP_IN)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(["[Service]", *(f"Environment={name}={value}" for name, value in settings), ""]))
        _reload_minion(stage)
        _assert_off(stage, hours)

    def end(stage: Stage) -> None:
        stage.edge.path(_DROP_IN).unlink(missing_ok=True)
        _reload_minion(stage)

    name = f"an edge's clock {abs(hours)} h {'ahead' if hours > 0 else 'back'}"
    promise = "no decision on an edge asks what time it is: it follows at once"
    return Fault(name, promise, begin=begin, change=Stage.follow, end=end)


def _assert_off(stage: Stage, hours: int) -> None:
    """Or the fault would be none."""
    told = stage.lab.master.salt(
        stage.edge.name, "cmd.run", "/opt/salt/bin/python -c 'import time; print(time.time())'"
    )
    if abs(float(told[stage.edge.name]) - time.time() - hours * 3600) > 60:
        raise LabError(f"the clock of {stage.edge.name}'s minion is not {hours} h off: {told}")


def _reload_minion(stage: Stage) -> None:
    stage.edge.run(["systemctl", "daemon-reload"])
    stage.edge.stop_minion()
    stage.edge.start_minion()
    stage.lab.await_minions()


FAULTS = (
    Fault(
        "a minion asleep through 10 changes",
        "the others follow at once; awake, it is brought to the last one",
        begin=lambda stage: stage.edge.stop_minion(),
        change=_sleep_through,
        end=_wake,
        holds=lambda stage: stage.lab.await_minions(),
        short=True,
    ),
    Fault(
        "a minion killed mid-sync",
        "rolls forward: each run compares what is with what should be",
        begin=_kill_minion_in_syncs,
        end=_revive,
        holds=lambda stage: stage.lab.await_minions(),
    ),
    Fault(
        "edge rebooted with the master away",
        "serves from its own disk, and catches up when the master is back",
        begin=_reboot_alone,
        end=Stage.start_master,
        holds=lambda stage: stage.lab.await_minions(),
        kills=(EDGE,),
    ),
    Fault(
        "HAProxy's workers kill -9",
        "systemd starts it again, with what the file says",
        begin=lambda stage: _kill(stage, workers=True),
        instant=True,
        kills=(EDGE,),
        short=True,
    ),
    Fault(
        "HAProxy's master process kill -9",
        "systemd starts it again, with what the file says",
        begin=lambda stage: _kill(stage, workers=False),
        instant=True,
        kills=(EDGE,),
    ),
    Fault(
        "port taken by another process",
        "the state fails and names it, the old worker serves on and follows pods",
        begin=_take_port,
        change=Stage.follow,
        end=_leave_port,
        holds=_port_served,
    ),
    Fault(
        "disk full on the edge",
        "what runs serves on; with room again it catches up",
        begin=_fill_disk,
        end=_free_disk,
        lasts=5,
    ),
    Fault(
        "haproxy.cfg edited by hand",
        "the edge finds it by itself, keeps the edit aside and writes its own again",
        begin=_edit_by_hand,
        change=nothing,
        holds=_edit_is_kept,
        instant=True,
        short=True,
    ),
    Fault(
        "runtime servers changed by hand",
        "the edge finds it by itself and gives the commands that undo it, no reload",
        begin=_move_by_hand,
        change=nothing,
        holds=_same_process,
        instant=True,
        short=True,
    ),
    Fault(
        "state files corrupted",
        "counted as absent and made again from what the master says",
        begin=_corrupt,
        holds=_made_again,
        instant=True,
    ),
    Fault(
        "one edge with bad pillar among many",
        "its state fails and names every key; pods' changes reach it and the others all the same",
        begin=_bad_pillar,
        change=Stage.follow,
        end=_after_pillar,
        holds=_named_what_is_wrong,
    ),
    _clock(+1),
    _clock(-1),
)
