"""A rig for each test, and pods behind it."""

import contextlib
import os
import shutil

import pytest

from tests.functional.edge.backend import Backend
from tests.functional.edge.rig import FOLDERS, HAPROXY, Rig


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
