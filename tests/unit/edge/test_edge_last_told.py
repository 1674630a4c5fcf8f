"""The master is told what is news, once, and by a minion that has just started always."""

from pathlib import Path

import pytest
from haproxy_edge_minion.last_told import CONNECT_PATIENCE, LastTold, minion_process

from tests.unit.edge.material import Time

ACK = {"serves": {"default a/b": {"generation": 1, "digest": "x"}}, "problems": [], "state_needed": None, "sequence": 1}


@pytest.fixture
def told(tmp_path):
    return LastTold(tmp_path / "told", "7 100")


def test_the_same_again_is_no_news_whatever_else_the_run_did(told):
    assert told.is_news(ACK)
    told.remember(ACK)
    assert not told.is_news({**ACK, "sequence": 2, "ms": 5.0})


@pytest.mark.parametrize(
    "change", [{"serves": {}}, {"problems": ["x"]}, {"state_needed": "x"}], ids=["serves", "problems", "state_needed"]
)
def test_another_state_is_news(told, change):
    told.remember(ACK)
    assert told.is_news({**ACK, **change})


def test_another_minion_process_tells_again(told):
    told.remember(ACK)
    assert LastTold(told.path, "8 200").is_news(ACK)


def test_only_a_new_minion_waits_for_its_master_and_not_for_ever(tmp_path):
    time = Time()
    new = LastTold(tmp_path / "told", "7 100", clock=time.clock, sleep=time.sleep)
    assert not new.tell(ACK, connected=lambda: False, send=lambda: pytest.fail("sent to nobody"))
    assert time.now - Time.now >= CONNECT_PATIENCE
    began = time.now
    assert new.tell(ACK, connected=lambda: time.now > began + 3, send=lambda: True)
    assert not new.is_new_minion
    now = time.now
    assert not new.tell(ACK, connected=lambda: False, send=lambda: pytest.fail("sent to nobody"))
    assert time.now == now


def test_who_left_meanwhile_finds_nothing_made_again(tmp_path):
    gone = LastTold(tmp_path / "state/told", "7 100")
    assert gone.tell(ACK, connected=lambda: True, send=lambda: True)
    assert not gone.path.parent.exists()


def test_what_could_not_be_sent_stays_news(told):
    assert not told.tell(ACK, connected=lambda: True, send=lambda: False)
    assert told.is_news(ACK)


def test_a_minion_process_is_its_id_and_start(tmp_path):
    pidfile, proc = tmp_path / "pid", tmp_path / "proc"
    assert minion_process(pidfile, proc) == ""
    pidfile.write_text("7")
    assert minion_process(pidfile, proc) == ""
    (proc / "7").mkdir(parents=True)
    (proc / "7/stat").write_text(f"7 (salt ) minion) S {' '.join(map(str, range(4, 60)))}\n")
    assert minion_process(pidfile, proc) == "7 22"
    assert minion_process(Path("/proc/self/nothing")) == ""
