"""Through a hundred changes and some reloads no connection is lost, and HAProxy does not grow."""

import os
from pathlib import Path

import pytest
from haproxy_edge_minion.snapshot import check

from tests.functional.edge.backend import connect, goes_on, name_answered, of, wait_for

CHANGES, RELOAD_EVERY = 100, 20
# the master process, the worker that a stream was begun at, the one of now, and one that is about to end
MOST_PROCESSES = 4
# of resident memory, over the second half of the changes
MOST_GROWTH = 1.1


def processes(rig):
    """HAProxy's master and all its workers."""
    master = rig.service.process.pid
    return [master, *map(int, Path(f"/proc/{master}/task/{master}/children").read_text().split())]


def resident(pid):
    """Bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def changed(rig, pods, number):
    """The next change: another pod, and now and then a setting with it."""
    if number % RELOAD_EVERY:
        rig.edge.sync([check(of(pods[number % len(pods)]))])
    else:
        rig.haproxy["check"] = {"fall": 3 + number // RELOAD_EVERY % 2}
        rig.apply(of(pods[number % len(pods)]))


@pytest.mark.field_failure("connections cut, or old workers pile up")
def test_a_stream_and_new_connections_outlive_a_hundred_changes_with_few_workers_and_no_growth(rig, pods):
    rig.apply(of(pods[0]))
    most, sizes = 0, {}
    with connect(rig) as stream:
        name_answered(stream)
        for number in range(1, CHANGES + 1):
            changed(rig, pods, number)
            with connect(rig) as client:
                assert name_answered(client) == pods[number % len(pods)].name
            assert goes_on(stream)
            most = max(most, len(processes(rig)))
            sizes[number] = resident(rig.service.process.pid) + resident(rig.worker())
    wait_for(lambda: len(processes(rig)) == 2)

    assert most <= MOST_PROCESSES
    assert sizes[CHANGES] <= sizes[CHANGES // 2] * MOST_GROWTH
    assert rig.service.reloads == CHANGES // RELOAD_EVERY
