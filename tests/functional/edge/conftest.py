"""A rig for each test, and pods behind it."""

import contextlib
import importlib.util
import os
import shutil
from pathlib import Path

import pytest

from tests.functional.edge.backend import Backend
from tests.functional.edge.rig import FOLDERS, HAPROXY, Rig

MODULE = Path(__file__).parents[3] / "salt/states/_modules/haproxy_edge.py"


@contextlib.contextmanager
def a_rig(name):
    """In a folder of that name; a socket's path has 107 characters."""
    if not HAPROXY.exists():
        pytest.skip(f"{HAPROXY} is not installed")
    root = FOLDERS / f"edge-{os.getpid()}-{name[-12:]}"
    root.mkdir()
    rig = Rig(root)
    try:
        yield rig
    finally:
        rig.service.stop()
        shutil.rmtree(root)


@pytest.fixture
def rig(tmp_path):
    with a_rig(tmp_path.name) as rig:
        yield rig


@pytest.fixture(scope="module")
def shared_rig():
    """For tests after which it serves what it served before."""
    with a_rig("shared") as rig:
        yield rig


@pytest.fixture
def pods():
    made = sorted((Backend(name) for name in ("a", "b", "c")), key=lambda pod: pod.port)
    yield made
    for pod in made:
        pod.close()


def execution_module(rig):
    """The execution module as Salt loads it, on this rig, with nothing of Salt's in it but what a test puts there."""
    spec = importlib.util.spec_from_file_location("haproxy_edge_of_a_test", MODULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    root = rig.paths.config.parent
    module.__dict__.update(
        __opts__={"conf_file": str(root / "minion"), "pidfile": str(root / "minion.pid")},
        __grains__={"id": "edge1"},
        __pillar__={"haproxy_edge": {"ack_key": "k"}},
        __context__={},
        __salt__={},
    )
    module._edge = lambda: rig.edge
    module.Paths = lambda: rig.paths
    return module


@pytest.fixture
def salt_module(rig):
    return execution_module(rig)
