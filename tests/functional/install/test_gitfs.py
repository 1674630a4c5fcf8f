"""The states straight out of a repository, with nothing of them on the master's disk: a gitfs remote."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.functional.install.tried import masterless

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs/install.md"
TAG = "v1"
WHO = ["-c", "user.name=a", "-c", "user.email=a@localhost"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """A bare one, of this checkout's states as they are now, with a tag of a release."""
    work, bare = tmp_path_factory.mktemp("work"), tmp_path_factory.mktemp("bare") / "haproxy-edge.git"
    shutil.copytree(ROOT / "salt", work / "salt", ignore=shutil.ignore_patterns("__pycache__"))
    for command in (
        ["init", "-q", "-b", "main", "."],
        ["add", "."],
        [*WHO, "commit", "-q", "-m", "all of it"],
        ["tag", TAG],
        ["clone", "-q", "--bare", ".", str(bare)],
    ):
        subprocess.run(["git", *command], cwd=work, check=True, timeout=60)
    return bare


def documented(remote):
    """The configuration of the page, its remote and its tag replaced."""
    fences = PAGE.read_text().split("```yaml\n")[1:]
    (found,) = [fence.partition("```")[0] for fence in fences if "gitfs_remotes" in fence]
    configuration = yaml.safe_load(found)
    (named,) = configuration["gitfs_remotes"]
    (options,) = named.values()
    configuration["gitfs_remotes"] = [{remote: [{"base": TAG} if "base" in one else one for one in options]}]
    return configuration


@pytest.fixture
def call(repository, tmp_path):
    minion = masterless(tmp_path, documented(f"file://{repository}"))

    def call(*command):
        line = [sys.executable, *minion, *command]
        quiet = {**os.environ, "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(line, capture_output=True, text=True, timeout=200, check=False, env=quiet)
        assert done.returncode == 0, done.stderr + done.stdout
        return json.loads(done.stdout)["local"]

    return call


def test_the_states_are_served_and_rendered_from_the_repository(call, tmp_path):
    rendered = call("state.show_sls", "haproxy")

    assert {"haproxy_edge"} <= {module for state in rendered.values() for module in state}
    assert (tmp_path / "extension_modules/utils/haproxy_edge_minion/planner.py").is_file()
