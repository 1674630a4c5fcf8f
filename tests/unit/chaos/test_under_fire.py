"""The lab's engine dies where it is told to, once, and is the real one otherwise."""

from __future__ import annotations

import multiprocessing
import signal

import pytest

from chaos.engines.k8s_endpoints_under_fire import AFTER_STORE, BEFORE_STORE, _guarded


def _write(order, target, point):
    if point:
        order.write_text(point)
    for _ in range(2):
        _guarded(order, lambda: target.open("a").write("x"), BEFORE_STORE, AFTER_STORE)()


@pytest.mark.parametrize(
    ("point", "status", "written"),
    [(BEFORE_STORE, -signal.SIGKILL, ""), (AFTER_STORE, -signal.SIGKILL, "x"), ("", 0, "xx"), ("elsewhere", 0, "xx")],
)
def test_it_dies_at_the_chosen_point_and_nowhere_else(tmp_path, point, status, written):
    order, target = tmp_path / "kill-at", tmp_path / "store"
    target.touch()
    process = multiprocessing.get_context("fork").Process(target=_write, args=(order, target, point))
    process.start()
    process.join(10)
    assert process.exitcode == status
    assert target.read_text() == written
    # or the engine that comes after would die, too
    assert order.exists() == (point == "elsewhere")
