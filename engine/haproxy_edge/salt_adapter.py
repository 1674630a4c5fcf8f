"""The one place, beside the loader modules, that touches Salt: its cache, its event bus, its configuration.

Everything above is plain Python behind small protocols. Nothing here may decide anything.
"""

from __future__ import annotations

import hashlib
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import salt.cache
import salt.config
import salt.utils.event
import salt.utils.minions

from haproxy_edge.event_filter import DOORBELL, WARNING
from haproxy_edge.said import Said
from haproxy_edge.store import Store, StoreError

log = logging.getLogger(__name__)

# seconds for the master to publish what a runner asks of minions
_PUBLISH = 8
# seconds until a broken subscription is made anew
_BUS_PAUSE = 2.0
# kinds of target that are matched against what the master's cache knows of a minion
_BY_CACHE = ("grain", "grain_pcre", "pillar", "compound", "nodegroup")
# bank and key of that; the last is of Salt before 3008
_KNOWN_OF_A_MINION = (("grains", "{}"), ("pillar", "{}"), ("minions/{}", "data"))


class SaltCache:
    """``salt.cache`` as the store's protocol; whatever driver the master's ``cache`` option names."""

    def __init__(self, opts: dict[str, Any]) -> None:
        self._cache = salt.cache.Cache(opts)

    def fetch(self, bank: str, key: str) -> Any:
        """None when nothing is there; Salt gives an empty mapping."""
        return self._call("fetch", bank, key) or None

    def store(self, bank: str, key: str, data: Any) -> None:
        """In place of what was there; every file and directory is for the master's user alone."""
        previous = os.umask(0o077)
        try:
            self._call("store", bank, key, data)
        finally:
            os.umask(previous)

    def flush(self, bank: str, key: str) -> bool:
        """True for the one caller that removed it."""
        try:
            return bool(self._call("flush", bank, key))
        except StoreError:
            if self._call("contains", bank, key):
                raise
            # gone between look and removal: somebody else took it
            return False

    def list(self, bank: str) -> list[str]:
        """The keys of a bank."""
        return list(self._call("list", bank))

    def _call(self, method: str, *arguments: Any) -> Any:
        try:
            return getattr(self._cache, method)(*arguments)
        except Exception as error:  # a damaged file raises what msgpack or the driver likes
            raise StoreError(f"store: {method} {'/'.join(map(str, arguments[:2]))}: {error!r}") from error


class Bus:
    """Fires events on the master's bus. A sender that failed is rebuilt at the next event."""

    def __init__(self, opts: dict[str, Any]) -> None:
        self._opts = opts
        self._store = Store(SaltCache(opts))
        self._sender: Any = None
        self._said = Said()

    def ring(self, lane: str) -> bool:
        """The doorbell: no order in it, because nobody should believe any."""
        return self._fire(self._marked(), f"{DOORBELL}{lane}")

    def warn(self, data: dict[str, Any]) -> bool:
        """A warning for people and their reactors."""
        return self._fire(data, WARNING)

    def close(self) -> None:
        """For who fires only once."""
        if self._sender is not None:
            self._sender.destroy()
            self._sender = None

    def _marked(self) -> dict[str, Any]:
        try:
            # not kept: it is another one after the store was lost
            return {"token": self._store.doorbell_token()}
        except StoreError as error:
            log.warning("%s; this doorbell will be counted as a forged one", error)
            return {}

    def _fire(self, data: dict[str, Any], tag: str) -> bool:
        try:
            if self._sender is None:
                # the default, listen=True, subscribes too and leaks what it never reads
                self._sender = salt.utils.event.get_master_event(self._opts, self._opts["sock_dir"], listen=False)
            if self._sender.fire_event(data, tag):
                self._said.over(tag)
                return True
            problem = "the event bus did not take it"
        except Exception as error:
            problem = repr(error)
        if self._said.is_new(tag, problem):
            log.warning("event %s was not fired: %s; a new sender is made", tag, problem)
        self._sender = None
        return False


def events(opts: dict[str, Any], prefixes: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """(tag, data) of what is fired under ``prefixes``, for ever. `event_filter` says what to believe of it."""
    said = Said()
    while True:
        try:
            with salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=True) as bus:
                for event in bus.iter_events(full=True, auto_reconnect=True):
                    said.over("bus")
                    if event["tag"].startswith(prefixes):
                        yield event["tag"], event["data"]
        except Exception as error:
            if said.is_new("bus", repr(error)):
                log.warning("the event bus cannot be read: %r; tried again every %s s", error, _BUS_PAUSE)
            time.sleep(_BUS_PAUSE)


class Fleet:
    """The edges there should be: accepted keys that the target matches, as far as the master's cache knows them."""

    def __init__(self, opts: dict[str, Any], target: str, target_type: str) -> None:
        self._minions = salt.utils.minions.CkMinions(opts)
        self._keys = Keys(opts)
        self._cache = SaltCache(opts)
        self._target, self._target_type = target, target_type
        self._said = Said()

    def __call__(self) -> list[str] | None:
        """None when it cannot be told, said once."""
        try:
            matched = self._matched()
            if not matched:
                self._look_at_all()
                # what failed just for a moment is over by now
                matched = self._matched()
            self._said.over(self._target)
            return matched
        except Exception as error:
            if self._said.is_new(self._target, repr(error)):
                log.warning("which minions %r matches cannot be told: %r", self._target, error)
            return None

    def _matched(self) -> list[str]:
        matched = self._minions.check_minions(self._target, self._target_type)["minions"]
        # Salt before 3008 counts every accepted key whose grains it does not know as a match
        known = {one for bank in ("grains", "minions") for one in self._cache.list(bank)}
        return [one for one in matched if one in known or self._target_type not in _BY_CACHE]

    def _look_at_all(self) -> None:
        """Raise what Salt only logs: one damaged row of one minion is an empty match of every target to it."""
        accepted = self._keys().get("accepted", [])
        for minion_id in accepted if self._target_type in _BY_CACHE else ():
            for bank, key in _KNOWN_OF_A_MINION:
                self._cache.fetch(bank.format(minion_id), key.format(minion_id))


def key_mark(opts: dict[str, Any], minion_id: str) -> str:
    """Tells the public keys a minion id was accepted with from one another; empty when it cannot be told."""
    try:
        driver = opts.get("keys.cache_driver")  # Salt before 3008 has files only
        if driver:
            public = (salt.cache.Cache(opts, driver=driver).fetch("keys", minion_id) or {}).get("pub") or ""
        else:
            public = (Path(opts["pki_dir"]) / "minions" / minion_id).read_text()
    except Exception as error:
        log.debug("%s: its key cannot be read: %r", minion_id, error)
        return ""
    return hashlib.sha256("".join(public.split()).encode()).hexdigest()[:16] if public else ""


def configuration_now(opts: dict[str, Any]) -> dict[str, Any]:
    """The master's configuration as its files have it now; empty when they cannot be read."""
    try:
        return dict(salt.config.master_config(opts["conf_file"], exit_on_config_errors=False))
    except Exception as error:
        log.debug("the master's configuration could not be read again: %r", error)
        return {}


class PublishError(Exception):
    """Nothing could be published, or the master could not be asked."""


class Minions:
    """Functions on minions, for the runner."""

    def __init__(self, opts: dict[str, Any]) -> None:
        # once: a master that is away is told sooner, and a slow one does not publish the same again
        self._opts = {**opts, "request_channel_tries": 1}

    def ask(
        self, names: Iterable[str], function: str, arguments: Mapping[str, Any], *, patience: float
    ) -> dict[str, Any]:
        """What returned within ``patience`` seconds, by minion id. Raises `PublishError`."""
        # Salt's own way of waiting asks the silent for as long again whether they still work
        import salt.client

        missing = set(names)
        found: dict[str, Any] = {}
        try:
            with salt.client.get_local_client(mopts=self._opts) as client:
                job = client.run_job(
                    sorted(missing), function, (), "list", timeout=_PUBLISH, listen=True, kwarg=arguments
                )
                deadline = time.monotonic() + patience
                for returned in client.get_returns_no_block(f"salt/job/{job['jid']}") if job else ():
                    data = (returned or {}).get("data") or {}
                    if data.get("id") in missing and "return" in data:
                        found[data["id"]] = data["return"]
                        missing.discard(data["id"])
                    if not missing or time.monotonic() > deadline:
                        break
        except Exception as error:
            raise PublishError(f"{function} could not be published: {error}; is salt-master running here?") from error
        return found


class Keys:
    """Minions' keys, by what the master made of them: ``accepted``, ``pending``, ``denied``, ``rejected``."""

    def __init__(self, opts: dict[str, Any]) -> None:
        self._opts = opts

    def __call__(self) -> dict[str, list[str]]:
        """Raises `PublishError`."""
        import salt.key

        names = {"minions": "accepted", "minions_pre": "pending", "minions_denied": "denied"}
        try:
            listed = salt.key.get_key(self._opts).list_keys()
        except Exception as error:
            raise PublishError(f"the keys of minions cannot be read: {error!r}") from error
        return {names.get(kind, "rejected"): sorted(minions) for kind, minions in listed.items()}


class MasterFiles:
    """Texts as the master has them: ``salt://`` from its file roots (any fileserver backend), other paths as such."""

    def __init__(self, opts: dict[str, Any]) -> None:
        self._opts = opts
        self._server: Any = None

    def __call__(self, path: str) -> str | None:
        """None when there is no such file, or it cannot be read."""
        import salt.fileserver

        if path.startswith("salt://"):
            self._server = self._server or salt.fileserver.Fileserver(self._opts)
            found = self._server.find_file(path.removeprefix("salt://"), "base")
            path = found.get("path") or ""
        try:
            with open(path, encoding="utf-8", errors="replace") as file:  # noqa: PTH123
                return file.read()
        except OSError:
            return None
