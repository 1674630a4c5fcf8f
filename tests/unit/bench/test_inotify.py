"""What the kernel tells about files is told on, by place, name and kind."""

from __future__ import annotations

import pytest

from bench.inotify import CREATED, MOVED_IN, OPENED, REMOVED, Watches
from lab.processes import LabError, wait_for


def test_files_that_come_are_opened_and_go_are_seen_in_that_order(tmp_path):
    kinds = CREATED | MOVED_IN | OPENED | REMOVED
    here = tmp_path / "here"
    here.mkdir()
    with Watches(tmp_path / "seen", [("here", here, kinds)]) as watches:
        (here / "new").write_text("x")
        (here / "new").rename(here / "order")
        (here / "order").read_text()
        (here / "order").unlink()
        wait_for(lambda: any(one.what == REMOVED for one in watches.seen()), 10, "the removal to be told")
        told = [(one.place, one.name, one.what) for one in watches.seen()]
        watches.forget()
        assert watches.seen() == []
    assert told == [
        ("here", "new", CREATED),
        ("here", "new", OPENED),
        ("here", "order", MOVED_IN),
        ("here", "order", OPENED),
        ("here", "order", REMOVED),
    ]


def test_a_place_that_is_not_there_is_named(tmp_path):
    gone = Watches(tmp_path / "seen", [("x", tmp_path / "gone", OPENED)])
    with pytest.raises(LabError, match="gone: cannot be watched: No such file"), gone:
        pytest.fail("it is watched")
