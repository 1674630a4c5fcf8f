"""A rig for each test, and pods behind it."""

import os
import shutil

import pytest

from tests.functional.edge.backend import Backend
from tests.functional.edge.rig import FOLDERS, HAPROXY, Rig


@pytest.fixture
def rig(tmp_path):
    if not HAPROXY.exists():
        pytest.skip(f"{HAPROXY} is not installed")
    root = FOLDERS / f"edge-{os.getpid()}-{tmp_path.name[-12:]}"  # a socket's path has 107 characters
    root.mkdir()
    rig = Rig(root)
    yield rig
    rig.service.stop()
    shutil.rmtree(root)


@pytest.fixture
def pods():
    made = sorted((Backend(name) for name in ("a", "b", "c")), key=lambda pod: pod.port)
    yield made
    for pod in made:
        pod.close()
