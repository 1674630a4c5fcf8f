"""Anything in any order, on a real HAProxy: after every step file, process and snapshots are one, and nothing leaks.

Hypothesis chooses the steps: snapshots by each lane, sessions held open, reloads, kills of worker and master, syncs
that die half-way, hands at the socket and in the file, records damaged, time passing. Whatever a step breaks, the next
run of any lane has to mend; so each such step ends with one.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import ClassVar

from haproxy_edge_minion.edge import Edge
from haproxy_edge_minion.files import replace
from haproxy_edge_minion.process import Process
from haproxy_edge_minion.runtime import RuntimeApi
from haproxy_edge_minion.snapshot import check
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import StopTest
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.functional.edge.backend import Backend, connect, name_answered
from tests.functional.edge.rig import FOLDERS, Rig
from tests.unit.edge.material import snapshot

# places pods come and go at; each may be taken by either of two pods, so that an address is used again
PLACES = 5
OWNERS = ("blue", "green")
MOST_SESSIONS = 6
# one step in so many begins a new HAProxy process
RARE = 10
# seconds: for HAProxy to see what a client did, or a killed process to be gone
PATIENCE = 60.0
SETTINGS = settings(
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
    stateful_step_count=50,
)

sets = st.dictionaries(
    st.integers(0, PLACES - 1), st.tuples(st.sampled_from(OWNERS), st.sampled_from(["ready", "ready", "draining"]))
)
any_pod = st.integers(0, 2 * PLACES - 1)
by_hand = st.sampled_from(
    [
        "set server websecure/{} state maint",
        "set server websecure/{} state drain",
        "set server websecure/{} weight 7",
        "disable health websecure/{}",
        "set server websecure/{} addr 127.0.0.9 port 9",
    ]
)


# a new HAProxy process costs as much as ten other steps
rarely = precondition(lambda self: self.rare * RARE <= self.own)


class Killed(BaseException):
    """The process is gone: nothing catches it, nothing after it runs."""


class MortalApi(RuntimeApi):
    """Dies after so many commands."""

    def __init__(self, path, lives):
        super().__init__(path)
        self.lives = lives

    def send(self, commands):
        allowed = commands[: self.lives]
        answers = super().send(allowed)
        self.lives -= len(allowed)
        if len(allowed) < len(commands):
            raise Killed
        return answers


class MortalEdge(Edge):
    """Dies between record and file."""

    def _put(self, applied):
        replace(self.paths.applied, applied.as_json, mode=0o600)
        raise Killed


class EdgeMachine(RuleBasedStateMachine):
    """``haproxy`` is the program; ``steps`` and ``breaches`` are of all machines of the class."""

    haproxy: Path
    steps = 0
    breaches: ClassVar[list[str]] = []

    def __init__(self):
        super().__init__()
        root = FOLDERS / f"edge-machine-{os.getpid()}"
        shutil.rmtree(root, ignore_errors=True)
        root.mkdir()
        self.root = root
        self.rig = Rig(root, self.haproxy)
        self.pods = [Backend(str(number)) for number in range(PLACES)]
        self.generation = 1764000000000
        self.older = None
        self.own = self.rare = 0
        self.wanted = {}
        self.sessions = []
        self.fall = 3
        self.apply({0: ("blue", "ready")})

    def teardown(self):
        # hypothesis repeats a failed run, and tells of a race only that the second run went well
        error = sys.exc_info()[1]
        if isinstance(error, Exception) and not isinstance(error, StopTest):
            type(self).breaches.append("".join(traceback.format_exception(error)[-3:]))
        for session, _ in self.sessions:
            session.close()
        self.rig.service.stop()
        for pod in self.pods:
            pod.close()
        shutil.rmtree(self.root)

    # what is wanted

    def content(self, chosen):
        """The next snapshot, and from now on what is to be served."""
        self.generation += 1
        ports = {self.pods[place].port: (owner, state) for place, (owner, state) in chosen.items()}
        names = {f"{owner}:127.0.0.1:{port}": 100 if state == "ready" else 0 for port, (owner, state) in ports.items()}
        servers = [self.server(port, owner, state) for port, (owner, state) in sorted(ports.items())]
        self.wanted = names
        return snapshot(*servers, generation=self.generation)

    @staticmethod
    def server(port, owner, state):
        return {"pod": owner, "address": "127.0.0.1", "port": port, "state": state, "node": "", "zone": ""}

    def apply(self, chosen):
        self.rig.apply(self.content(chosen))

    def mend(self):
        """What the edge does by itself."""
        done = self.rig.edge.reconcile()
        assert done.problems == (), done
        if done.step and done.step.action == "start":
            self.forget_sessions()

    def forget_sessions(self):
        for session, _ in self.sessions:
            session.close()
        self.sessions = []

    # steps

    @rule(chosen=sets)
    def a_snapshot_by_the_hot_lane(self, chosen):
        text = self.content(chosen)
        self.rig.edge.sync([check(text)])
        self.older = self.older or text

    @rule(chosen=sets)
    def a_snapshot_by_the_state_lane(self, chosen):
        self.apply(chosen)

    @rule(chosen=sets)
    def a_snapshot_that_was_only_saved(self, chosen):
        self.rig.edge._saved.save(check(self.content(chosen)))
        self.mend()

    @rule()
    @precondition(lambda self: self.older)
    def an_older_snapshot_comes_late(self):
        self.rig.edge.sync([check(self.older)])

    @rule(chosen=sets, lives=st.integers(0, 12), again=st.booleans())
    def a_sync_dies_between_two_commands(self, chosen, lives, again):
        offered = check(self.content(chosen))
        process = Process(self.rig.service, MortalApi(self.rig.paths.socket, lives))
        with contextlib.suppress(Killed):
            self.edge_of(Edge, process).sync([offered])
        self.rig.edge.sync([offered]) if again else self.mend()

    @rule(chosen=sets, again=st.booleans())
    def a_sync_dies_between_record_and_file(self, chosen, again):
        offered = check(self.content(chosen))
        process = Process(self.rig.service, self.rig.api)
        with contextlib.suppress(Killed):
            self.edge_of(MortalEdge, process).sync([offered])
        self.rig.edge.sync([offered]) if again else self.mend()

    def edge_of(self, kind, process):
        return kind(self.rig.paths, process, restorecon=lambda path: None, uptime=lambda: self.rig.uptime)

    @rule()
    @precondition(lambda self: any(self.wanted.values()) and len(self.sessions) < MOST_SESSIONS)
    def a_client_comes(self):
        client = connect(self.rig)
        place = name_answered(client)
        serving = {name for name, weight in self.wanted.items() if weight}
        served_by = {name for name in serving if name.endswith(f":{self.pods[int(place)].port}")}
        assert served_by, (place, serving)
        self.sessions.append((client, served_by.pop()))

    @rule(which=st.integers(0, MOST_SESSIONS - 1))
    @precondition(lambda self: self.sessions)
    def a_client_leaves(self, which):
        session, _ = self.sessions.pop(which % len(self.sessions))
        session.close()

    @rule()
    @rarely
    def a_setting_changes(self):
        self.rare += 1
        self.fall = self.fall % 5 + 1
        self.rig.haproxy["check"] = {"fall": self.fall}
        worker = self.rig.worker()
        prepared = self.rig.prepare()
        self.rig.edge.write(prepared)
        assert self.rig.edge.serve().action == "reload"
        assert self.rig.worker() != worker

    @rule(command=by_hand, which=any_pod)
    @precondition(lambda self: self.wanted)
    def a_hand_at_the_socket(self, command, which):
        name = sorted(self.wanted)[which % len(self.wanted)]
        self.rig.by_hand(command.format(name))
        self.mend()

    @rule()
    def a_strange_server_by_hand(self):
        self.rig.by_hand("add server websecure/strange 127.0.0.9:9 weight 1", "enable server websecure/strange")
        self.mend()

    @rule(line=st.sampled_from(["# by hand\n", "\n", "backend by-hand\n"]))
    @rarely
    def a_hand_in_the_file(self, line):
        self.rare += 1
        with self.rig.paths.config.open("a") as file:
            file.write(line)
        self.mend()

    @rule(
        path=st.sampled_from(["applied", "good", "leaving", "config", "sequence"]), text=st.sampled_from(["", "{torn"])
    )
    def a_file_is_damaged(self, path, text):
        getattr(self.rig.paths, path).write_text(text)
        self.mend()

    @rule()
    @rarely
    def the_worker_is_killed(self):
        self.rare += 1
        os.kill(self.rig.worker(), signal.SIGKILL)
        self.rig.service.process.wait(PATIENCE)
        self.mend()

    @rule()
    @rarely
    def the_master_is_killed(self):
        """Its unit then kills what is left of it."""
        self.rare += 1
        worker = self.rig.worker()
        self.rig.service.process.kill()
        os.kill(worker, signal.SIGKILL)
        self.rig.service.process.wait(PATIENCE)
        self.mend()

    @rule(seconds=st.sampled_from([10, 299, 300, 1000]))
    def time_passes(self, seconds):
        self.rig.uptime += seconds
        self.mend()
        # those that were leaving may have been cut, and what an older worker holds on to is nobody's concern
        gone = [session for session, name in self.sessions if name not in self.wanted]
        for session in gone:
            session.close()
        self.sessions = [(session, name) for session, name in self.sessions if name in self.wanted]

    # what always holds

    @invariant()
    def file_process_and_snapshots_are_one(self):
        type(self).steps += 1
        self.own += 1
        assert self.rig.edge.verify() == []
        assert self.rig.runs() == self.wanted

    @invariant()
    def a_session_to_a_pod_that_exists_goes_on(self):
        for session, name in self.sessions:
            if name in self.wanted:
                assert not (trouble := self.trouble(session)), (name, trouble, self.rig.log_of_haproxy())

    @invariant()
    def no_server_leaks(self):
        held = {name for _, name in self.sessions}
        if self.rig.leftovers() - held:
            self.wait_for(lambda: self.mend() or not self.rig.leftovers() - held, self.what_is_left)

    def what_is_left(self):
        """Why drained servers are not deleted, for the report."""
        return self.rig.by_hand("show servers conn websecure", "show sess", "show servers state")

    @staticmethod
    def trouble(session):
        """What is wrong with a connection; empty when it goes on."""
        try:
            session.sendall(b"?")
            answer = session.recv(100)
        except OSError as error:
            return repr(error)
        return "" if answer == b"?" else f"answered {answer!r}"

    @staticmethod
    def wait_for(condition, what):
        until = time.monotonic() + PATIENCE
        while not condition():
            assert time.monotonic() < until, what()
            time.sleep(0.005)
