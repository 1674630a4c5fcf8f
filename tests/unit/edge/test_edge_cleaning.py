"""Who leaves gets back what was there, and loses nothing that is theirs, however often they try."""

import shutil

import pytest
from haproxy_edge_minion.cleaning import clean, footprint
from haproxy_edge_minion.files import Paths
from haproxy_edge_minion.renderer import stamp

THEIRS, OURS = "frontend mine\n    bind :80\n", stamp("frontend websecure\n")


@pytest.fixture
def paths(tmp_path):
    """After a first apply over a file written by hand."""
    paths = Paths(config=tmp_path / "haproxy.cfg", state=tmp_path / "state")
    paths.state.mkdir()
    paths.applied.write_text("{}")
    paths.config.write_text(OURS)
    paths.backup.write_text(THEIRS)
    return paths


def cleaned(paths):
    """What was said to go and to return, and then went and returned."""
    told = footprint(paths)
    clean(paths, restorecon=lambda path: None)
    return told


def test_the_file_found_at_first_apply_is_back_and_ours_are_gone(paths):
    assert cleaned(paths) == ([paths.backup, paths.state], [paths.config])
    assert paths.config.read_text() == THEIRS
    assert not paths.backup.exists() and not paths.state.exists()


def test_where_there_was_none_none_is_left(paths):
    paths.backup.unlink()
    assert cleaned(paths) == ([paths.state, paths.config], [])
    assert not paths.config.exists()


def test_a_run_that_was_killed_half_way_is_finished_and_the_file_it_gave_back_stays(paths, monkeypatch):
    def killed(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(shutil, "rmtree", killed)
        clean(paths, restorecon=lambda path: None)
    assert cleaned(paths) == ([paths.state], [])
    assert paths.config.read_text() == THEIRS
    assert not paths.state.exists()


def test_a_file_of_somebody_else_stays_where_no_backup_says_what_was_before(paths):
    paths.backup.unlink()
    paths.config.write_text(THEIRS)
    cleaned(paths)
    assert paths.config.read_text() == THEIRS
