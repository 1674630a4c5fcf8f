"""Many light minions in one process, which the master cannot tell from real ones: what it does for each is the same.

Each has its own key pair, signs in, subscribes, has its pillar compiled, tells that it has started, takes every publish
and returns as a real edge did (`bench.likeness`), after as long, signed with its own key of acknowledgements. For the
state lane it asks the master for what a minion whose cache is warm asks. Salt's own channels do all of it, over sockets
of one context: Salt's transport makes threads for each. It must never run anything; nothing behind it is a host.

``python -m bench.stand_in CONFIG.json``. A line on standard input is a number: so many shall run. The answer is a line
of JSON: that number, and what was received and sent since the last answer.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import json
import sys
import time
from collections.abc import Coroutine
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import salt.channel.client
import salt.config
import salt.crypt
import salt.payload
import zmq
import zmq.asyncio
from haproxy_edge_minion.payload import unpack
from salt.exceptions import SaltReqTimeoutError

from bench.likeness import Likeness
from bench.voice import Voice

# stand-ins that sign in at once: more only wait for the same master
AT_ONCE = 8
# what every edge of the lab has, by which the engine finds it
ROLE = {"roles": ["haproxy-edge"]}
# what `state.apply haproxy` of a real minion asks the hashes of, in this order, once it has the files: Salt 3008.3
FILES = (
    "haproxy.sls",
    "haproxy/init.sls",
    "_utils/haproxy_edge_minion/version_of_modules.py",
    *(f"haproxy/{name}.sls" for name in ("install", "config", "service", "schedule")),
    "haproxy/files/haproxy.cfg.jinja",
)


@dataclass
class Traffic:
    """Of all stand-ins together; bytes as they are on the wire, but for the transport's own."""

    publishes: int = 0
    published_bytes: int = 0
    requests: int = 0
    requested_bytes: int = 0
    answered_bytes: int = 0


class Requests:
    """Salt's transport of requests, over one socket of a context that others share."""

    ttype = "zeromq"

    def __init__(self, context: zmq.asyncio.Context, uri: str, traffic: Traffic) -> None:
        self._context, self._uri, self._traffic = context, uri, traffic
        self._socket: Any = None

    async def send(self, load: Any, timeout: float = 60) -> Any:
        """The answer. Raises ``SaltReqTimeoutError``."""
        message = salt.payload.dumps(load)
        socket = self._connected()
        await socket.send(message)
        if not await socket.poll(int(timeout * 1000)):
            self.close()
            raise SaltReqTimeoutError(f"no answer within {timeout} s")
        answer = await socket.recv()
        self._traffic.requests += 1
        self._traffic.requested_bytes += len(message)
        self._traffic.answered_bytes += len(answer)
        return salt.payload.loads(answer)

    def close(self) -> None:
        """A socket that waits for an answer can send nothing more: the next request has a new one."""
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None

    def _connected(self) -> Any:
        if self._socket is None:
            self._socket = self._context.socket(zmq.REQ)
            self._socket.connect(self._uri)
        return self._socket


class StandIn:
    """One minion. ``opts`` are those of a minion of that name."""

    def __init__(self, opts: dict[str, Any], like: Likeness, context: zmq.asyncio.Context, traffic: Traffic) -> None:
        self._opts, self._like, self._context, self._traffic = opts, like, context, traffic
        self._name = str(opts["id"])
        self._auth = salt.crypt.AsyncAuth(opts)
        self._channel = self._new_channel()
        self._subscribed: Any = None
        self._jobs: set[asyncio.Task[None]] = set()
        self._voice: Voice

    async def start(self) -> None:
        """Returns when it takes jobs and the master knows it."""
        await self._auth.authenticate()
        self._subscribed = self._context.socket(zmq.SUB)
        self._subscribed.setsockopt(zmq.SUBSCRIBE, b"")
        self._subscribed.connect(f"tcp://{self._opts['master_ip']}:{self._opts['publish_port']}")
        self._hear(await self._pillar(self._channel))
        self._spawn(self._listen())
        tag = f"salt/minion/{self._name}/start"
        await self._channel.send({"cmd": "_minion_event", "pretag": None, "data": f"{self._name} started", "tag": tag})

    def _new_channel(self) -> Any:
        requests = Requests(self._context, self._opts["master_uri"], self._traffic)
        return salt.channel.client.AsyncReqChannel(self._opts, requests, self._auth)

    async def _pillar(self, channel: Any, environment: str | None = None) -> dict[str, Any]:
        load = {
            "cmd": "_pillar",
            "id": self._name,
            "grains": self._opts["grains"],
            "saltenv": environment,
            "pillarenv": None,
            "pillar_override": {},
            "extra_minion_data": {},
            "ver": "2",
        }
        return dict(await channel.crypted_transfer_decode_dictentry(load, dictkey="pillar"))

    def _hear(self, pillar: dict[str, Any]) -> None:
        """What the pillar says it has to serve, and the key it signs with."""
        ours = pillar["haproxy_edge"]
        texts = [text for services in ours["snapshots"].values() for text in services.values()]
        _, snapshots = _unpacked(json.dumps({"order": "", "snapshots": [text for text in texts if text != "unknown"]}))
        sequence = self._voice.sequence if hasattr(self, "_voice") else 0
        self._voice = Voice(self._name, ours["ack_key"], dict(snapshots), sequence)

    async def _listen(self) -> None:
        while True:
            message = (await self._subscribed.recv_multipart())[-1]
            self._traffic.publishes += 1
            self._traffic.published_bytes += len(message)
            job = await self._read(salt.payload.loads(message))
            if self._is_meant(job):
                self._spawn(self._do(job))

    async def _read(self, message: dict[str, Any]) -> dict[str, Any]:
        try:
            return dict(self._auth.crypticle.loads(message["load"]))
        except salt.crypt.AuthenticationError:
            # the master has started anew since
            await self._auth.authenticate()
            return dict(self._auth.crypticle.loads(message["load"]))

    def _is_meant(self, job: dict[str, Any]) -> bool:
        target, kind = job.get("tgt"), job.get("tgt_type", "glob")
        if kind == "list":
            return self._name in (target.split(",") if isinstance(target, str) else target)
        return kind == "grain" and target == "roles:haproxy-edge"

    async def _do(self, job: dict[str, Any]) -> None:
        if job["fun"] == "haproxy_edge.sync":
            order, snapshots = _unpacked(_payload(job["arg"]))
            self._voice.serves.update({key: row for key, row in snapshots.items() if key in self._voice.serves})
            await asyncio.sleep(self._like.hot_seconds)
            await self._channel.send(self._voice.hot(self._like, job, order, now=time.time()))
        elif job["fun"] == "state.apply":
            await self._ask_for_states()
            await asyncio.sleep(self._like.state_seconds)
            await self._channel.send(self._voice.state(self._like, job, now=time.time()))

    async def _ask_for_states(self) -> None:
        """What a state run asks the master for, its file cache being warm; on channels of its own, as a job has."""
        files, pillar = self._new_channel(), self._new_channel()
        try:
            await files.send({"cmd": "_master_opts"})
            self._hear(await self._pillar(pillar, "base"))
            await files.send({"cmd": "_file_list", "saltenv": "base", "prefix": ""})
            for path in FILES:
                await files.send({"cmd": "_file_hash", "saltenv": "base", "path": path})
        finally:
            files.transport.close()
            pillar.transport.close()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)


@functools.lru_cache(maxsize=64)
def _unpacked(payload: str) -> tuple[str, dict[str, dict[str, Any]]]:
    """(order, what serving it amounts to), read once for all stand-ins; checked by the edge's own code."""
    order, snapshots = unpack(payload)
    return order, {
        f"{one.cluster} {one.service}": {"generation": one.generation, "digest": one.digest} for one in snapshots
    }


def _payload(arguments: list[Any]) -> str:
    """Of a publish of the reactor, or by hand."""
    first = arguments[0]
    return str(first["payload"] if isinstance(first, dict) else first)


class Crowd:
    """All of them. ``config``: ``master``, ``publish_port``, ``ret_port``, ``directory``, and the `Likeness`."""

    def __init__(self, config: dict[str, Any]) -> None:
        self._config = config
        self._like = Likeness(**{name: config[name] for name in ("grains", "hot", "state")})
        self._context = zmq.asyncio.Context()
        self._base = salt.config.DEFAULT_MINION_OPTS.copy()
        self._members: list[StandIn] = []
        self.traffic = Traffic()

    async def grow(self, number: int) -> None:
        """Until so many run."""
        gate = asyncio.Semaphore(AT_ONCE)

        async def started(member: StandIn) -> None:
            async with gate:
                await member.start()

        fresh = [self._member(count) for count in range(len(self._members) + 1, number + 1)]
        self._members += fresh
        await asyncio.gather(*map(started, fresh))

    def _member(self, count: int) -> StandIn:
        name = f"stand-in-{count:03}"
        own = Path(self._config["directory"]) / name
        own.mkdir(parents=True, exist_ok=True)
        opts = {
            **copy.deepcopy(self._base),
            "id": name,
            "master_ip": self._config["master"],
            "master_uri": f"tcp://{self._config['master']}:{self._config['ret_port']}",
            "publish_port": self._config["publish_port"],
            "pki_dir": str(own),
            "cachedir": str(own / "cache"),
            "sock_dir": str(own),
            "user": "root",
            "acceptance_wait_time": 1,
            "auth_timeout": 60,
            "__role": "minion",
        }
        opts["grains"] = {**self._like.grains_of(name), **ROLE}
        return StandIn(opts, self._like, self._context, self.traffic)


async def serve(crowd: Crowd) -> None:
    """For as long as lines come."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        await crowd.grow(int(line))
        before, crowd.traffic.__dict__ = asdict(crowd.traffic), asdict(Traffic())
        print(json.dumps({"running": int(line), **before}), flush=True)


if __name__ == "__main__":
    asyncio.run(serve(Crowd(json.loads(Path(sys.argv[1]).read_text()))))
