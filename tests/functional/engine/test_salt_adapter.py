"""Salt's own cache, keys and matching, at the border: what failed there is never told as nothing."""

from __future__ import annotations

import contextlib
import logging
from pathlib import Path

import pytest
import salt.config
import salt.utils.event
from haproxy_edge.event_filter import EventFilter
from haproxy_edge.forgeries import Forgeries
from haproxy_edge.outbox import Outbox
from haproxy_edge.records import Frozen
from haproxy_edge.salt_adapter import Bus, Fleet, SaltCache, events
from haproxy_edge.store import Store, StoreError

from tests.unit.engine.material import SERVICE

TARGET = "roles:haproxy-edge"


@pytest.fixture
def opts(tmp_path):
    """Of a master with two edges and another minion, all accepted and known."""
    here = {name: str(tmp_path / name) for name in ("cachedir", "pki_dir", "sock_dir")}
    made = {**salt.config.master_config(None), **here, "key_cache": ""}
    accepted = tmp_path / "pki_dir/minions"
    accepted.mkdir(parents=True)
    for name, roles in {"edge1": ["haproxy-edge"], "edge2": ["haproxy-edge"], "web1": ["web"]}.items():
        (accepted / name).write_text("-----BEGIN PUBLIC KEY-----\n")
        SaltCache(made).store("grains", name, {"id": name, "roles": roles})
    return made


@pytest.fixture
def cache(opts):
    return SaltCache(opts)


@contextlib.contextmanager
def unremovable():
    """No file can be removed, as on a disk that has become read-only."""

    def refuse(path):
        raise OSError(30, "Read-only file system", path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.remove", refuse)
        yield


def row(opts, bank, key):
    """The file of a row."""
    return Path(opts["cachedir"], bank, f"{key}.p")


def fleet(opts, target=TARGET, target_type="grain"):
    return Fleet(opts, target, target_type)


def test_the_fleet_is_who_the_target_matches(opts):
    assert sorted(fleet(opts)()) == ["edge1", "edge2"]


def test_a_target_that_matches_nobody_is_an_empty_fleet(opts):
    assert fleet(opts, "roles:nobody")() == []


@pytest.mark.parametrize("damaged", ["edge1", "web1"])
@pytest.mark.parametrize(
    ("target", "kind"), [(TARGET, "grain"), (f"G@{TARGET}", "compound")], ids=["grain", "compound"]
)
def test_one_damaged_row_of_one_minion_does_not_make_the_fleet_an_empty_one(opts, damaged, target, kind):
    row(opts, "grains", damaged).write_bytes(b"\xc1 not msgpack")

    assert fleet(opts, target, kind)() is None


def test_a_match_that_failed_for_a_moment_is_made_again(opts, monkeypatch):
    one = fleet(opts)
    answers = [{"minions": []}, {"minions": ["edge1"]}]
    monkeypatch.setattr(one._minions, "check_minions", lambda *_: answers.pop(0))

    assert one() == ["edge1"]


def test_a_fleet_that_cannot_be_told_names_the_row_and_says_so_once(opts, caplog):
    one = fleet(opts)
    row(opts, "grains", "web1").write_bytes(b"\xc1 not msgpack")
    for _ in range(3):
        one()
    said = [line for line in caplog.messages if "cannot be told" in line]

    assert len(said) == 1
    assert "grains/web1" in said[0]


def test_a_row_that_can_not_be_removed_is_an_error_and_not_somebody_elses(cache):
    cache.store("bank", "key", {"a": 1})
    with unremovable(), pytest.raises(StoreError, match="bank/key"):
        cache.flush("bank", "key")

    assert cache.flush("bank", "key") is True
    assert cache.flush("bank", "key") is False


def test_a_row_that_somebody_else_removed_first_is_not_ours(cache, opts, monkeypatch):
    cache.store("bank", "key", {"a": 1})

    def lost_the_race(bank, key):
        row(opts, bank, key).unlink()
        raise OSError("no such file")

    monkeypatch.setattr(cache._cache, "flush", lost_the_race)

    assert cache.flush("bank", "key") is False


def test_a_freeze_that_cannot_be_removed_is_not_called_thawed(cache):
    store = Store(cache)
    store.freeze("default", SERVICE, Frozen(1.0, "me"))
    with unremovable(), pytest.raises(StoreError):
        store.thaw("default", SERVICE)

    assert set(store.frozen("default")) == {SERVICE}


def test_an_order_that_cannot_be_removed_is_not_taken_and_that_is_said(cache, caplog):
    outbox = Outbox(cache)
    order = outbox.put("state", tgt=TARGET, tgt_type="grain", services=(SERVICE,), cluster="default", now=1.0)
    with unremovable():
        assert outbox.take("state", now=2.0) == []

    assert f"order {order.id} is passed over" in caplog.text
    assert [one["id"] for one in outbox.take("state", now=2.0)] == [order.id]


class Fired:
    """The sender of Salt's bus; ``works`` or not."""

    works = True

    def __init__(self):
        self.fired = []

    def fire_event(self, data, tag):
        self.fired.append((tag, data))
        return self.works


@pytest.fixture
def sender(monkeypatch):
    sender = Fired()
    monkeypatch.setattr(salt.utils.event, "get_master_event", lambda *_, **__: sender)
    return sender


def test_the_engines_own_doorbells_are_no_forgeries_after_the_store_was_lost(opts, cache, sender):
    store, bus, forgeries = Store(cache), Bus(opts), Forgeries(lambda: 0.0)
    judge = EventFilter(store.known_ack_key, store.doorbell_token, forgeries)
    for _ in range(2):
        bus.ring("hot")
        judge.ack_in(*sender.fired[-1])
        cache.flush("haproxy_edge/doorbell", "token")
        assert store.doorbell_token()

    assert dict(forgeries.kinds) == {}


def test_a_bus_that_takes_no_doorbell_is_told_when_it_begins_and_again_the_next_time(opts, sender, caplog):
    bus = Bus(opts)
    for works in (False, False, True, False, False):
        sender.works = works
        bus.ring("hot")

    assert len([line for line in caplog.messages if "doorbell/hot was not fired" in line]) == 2


class Ended(BaseException):
    """Enough was tried."""


def test_a_dead_bus_is_told_once_and_not_at_every_try(opts, monkeypatch, caplog):
    pauses = []

    def pause(seconds):
        pauses.append(seconds)
        if len(pauses) == 5:
            raise Ended

    def dead(*_, **__):
        raise OSError("no such socket")

    monkeypatch.setattr(salt.utils.event, "get_master_event", dead)
    monkeypatch.setattr("time.sleep", pause)
    with caplog.at_level(logging.WARNING), pytest.raises(Ended):
        next(events(opts, ("salt/job/",)))

    assert len([line for line in caplog.messages if "the event bus cannot be read" in line]) == 1
