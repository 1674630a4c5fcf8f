"""A minion's process outlives an upgrade, and each of its jobs begins with what that process had imported."""

import importlib.util
import shutil
import sys
from pathlib import Path

import pytest

STATES = Path(__file__).parents[3] / "salt/states"
PACKAGE = "haproxy_edge_minion"


def imported():
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == PACKAGE}


@pytest.fixture
def synced(tmp_path, monkeypatch):
    """The package as Salt has synced it, before all others on the path; what tests had imported comes back."""
    before = imported()
    for name in before:
        del sys.modules[name]
    shutil.copytree(STATES / "_utils" / PACKAGE, tmp_path / PACKAGE, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield tmp_path / PACKAGE
    for name in imported():
        del sys.modules[name]
    sys.modules.update(before)


def a_job():
    """Salt loads the execution module anew in each."""
    spec = importlib.util.spec_from_file_location("haproxy_edge_of_a_job", STATES / "_modules/haproxy_edge.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def upgrade(package):
    """Another word in one module, and the digest that says so."""
    for name, old, new in (
        ("edge.py", 'NOTHING_YET = "', 'NOTHING_YET = "upgraded: '),
        ("version_of_modules.py", 'MODULES = "', 'MODULES = "0'),
    ):
        path = package / name
        path.write_text(path.read_text().replace(old, new))


def test_a_job_after_an_upgrade_works_with_the_new_package(synced):
    a_job()
    upgrade(synced)
    assert a_job().NOTHING_YET.startswith("upgraded: ")


def test_without_an_upgrade_a_job_imports_nothing_again(synced):
    a_job()
    before = imported()
    a_job()
    assert {name: id(module) for name, module in imported().items()} == {
        name: id(module) for name, module in before.items()
    }
