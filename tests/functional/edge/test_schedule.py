"""The edge's schedule in the running minion and in its configuration: both have it, or the next run sees that not."""

import os

import pytest
from haproxy_edge_minion.schedule import FILE, NAME, drop_in

from tests.functional.edge.backend import of


class Minion:
    """Its scheduler, as Salt's functions show it; what is persisted is kept in a file with everything else."""

    def __init__(self):
        self.jobs = {"of-the-site": {}}
        self.takes = True
        self.persisted = False

    def list_(self, **_):
        return self.jobs

    def add(self, name, *, persist=True, **job):
        self.persisted |= persist
        if self.takes:
            self.jobs[name] = job
        return {"result": self.takes, "comment": "Failed to add job"}

    def delete(self, name, *, persist=True):
        self.persisted |= persist
        del self.jobs[name]


@pytest.fixture
def minion(rig, salt_module):
    found = Minion()
    salt_module.__salt__.update({f"schedule.{name.strip('_')}": getattr(found, name) for name in ("list_", "add")})
    salt_module.__salt__["schedule.delete"] = found.delete
    (rig.paths.config.parent / "minion.pid").write_text(str(os.getpid()))
    return found


@pytest.fixture
def file(rig):
    """The drop-in of the minion's configuration."""
    return rig.paths.config.parent / "minion.d" / FILE


def test_the_running_minion_and_the_next_one_have_the_schedule_and_a_second_time_nothing(salt_module, minion, file):
    assert salt_module.schedule(test=True) == {"changed": True, "problems": []}
    assert not file.exists() and NAME not in minion.jobs
    assert salt_module.schedule() == {"changed": True, "problems": []}
    assert (file.read_text(), minion.jobs[NAME]["seconds"]) == (drop_in(60), 60)
    assert salt_module.schedule() == {"changed": False, "problems": []}


def test_what_the_running_minion_did_not_take_is_a_problem_until_it_does(salt_module, minion, file):
    minion.takes = False
    failed = {"changed": False, "problems": ["schedule: Failed to add job"]}
    assert [salt_module.schedule(), salt_module.schedule()] == [failed, failed]
    assert not file.exists()
    minion.takes = True
    assert salt_module.schedule() == {"changed": True, "problems": []}


def test_a_file_that_cannot_be_written_is_a_problem(salt_module, minion):
    def full(*_, **__):
        raise OSError("No space left on device")

    salt_module.replace = full
    assert salt_module.schedule() == {"changed": False, "problems": ["schedule: No space left on device"]}
    assert NAME in minion.jobs


def test_the_interval_is_the_proven_records_where_the_other_is_damaged(rig, salt_module, minion, pods):
    rig.apply(of(pods[0]), haproxy={**rig.haproxy, "reconcile_interval": 25})
    rig.paths.applied.write_text("{torn")
    salt_module.schedule()
    assert minion.jobs[NAME]["seconds"] == 25


def test_who_leaves_takes_the_schedule_along_and_leaves_no_copy_of_the_sites_own(rig, salt_module, minion, file):
    salt_module.schedule()
    assert str(file) in salt_module.clean()["removed"]
    assert (list(minion.jobs), minion.persisted, file.exists()) == (["of-the-site"], False, False)


@pytest.mark.usefixtures("minion")
def test_what_cannot_be_given_back_is_a_problem(rig, salt_module):
    rig.paths.backup.write_text("frontend mine\n")
    rig.paths.config.mkdir()
    (problem,) = salt_module.clean()["problems"]
    assert str(rig.paths.config) in problem
