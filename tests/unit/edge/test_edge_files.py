"""One holder of an edge's lock at a time, also when its directory is taken away under those who wait."""

import fcntl
import shutil

import pytest
from haproxy_edge_minion.files import locked


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def taken_away(state, monkeypatch):
    """Whoever holds the lock of ``state`` takes the directory away before it lets go, the first time."""
    flock, left = fcntl.flock, [1]

    def after_the_holder(file, operation):
        if left:
            left.pop()
            shutil.rmtree(state)
        return flock(file, operation)

    monkeypatch.setattr(fcntl, "flock", after_the_holder)


def is_held(state):
    with (state / "lock").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def test_a_lock_is_held_within_and_free_afterwards(state):
    with locked(state) as is_there:
        assert is_there
        assert is_held(state)
    assert not is_held(state)


@pytest.mark.usefixtures("taken_away")
def test_who_waited_while_the_directory_went_holds_the_lock_of_the_new_one(state):
    with locked(state):
        assert is_held(state)
    assert state.stat().st_mode & 0o777 == 0o700


@pytest.mark.usefixtures("taken_away")
def test_who_does_not_make_the_directory_is_told_that_it_went_and_leaves_none(state):
    state.mkdir()
    with locked(state, make=False) as is_there:
        assert not is_there
    assert not state.exists()
