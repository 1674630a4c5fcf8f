"""The wheel alone, in an environment of its own, is a whole installation: modules, states, reactor, commands."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

import pytest
import yaml

from tests.functional.install.tried import MASTER_SIDE, environment, masterless

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def home(wheel, tmp_path_factory):
    """A new environment with the wheel."""
    folder = tmp_path_factory.mktemp("venv")
    environment(folder, "--no-index", str(wheel))
    return folder


@pytest.fixture
def run(home, tmp_path):
    def run(*command):
        plain = {"PATH": f"{home}/bin:/usr/bin:/bin:/usr/sbin:/sbin", "HOME": str(tmp_path), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            command, cwd=tmp_path, env=plain, capture_output=True, text=True, timeout=200, check=False
        )
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


@pytest.fixture
def minion(run, tmp_path):
    """A masterless one that has the printed configuration."""
    call = masterless(tmp_path, yaml.safe_load(run("haproxy-edge", "paths")))
    return lambda *command: json.loads(run("python", *call, *command))["local"]


def test_salt_finds_what_is_ours_by_the_entry_point(run, tmp_path):
    found = json.loads(run("python", "-c", MASTER_SIDE % {"cache": tmp_path}).splitlines()[-1])
    assert found == dict.fromkeys(found, True)


def test_nothing_comes_from_the_checkout(run, home):
    assert run("python", "-c", "import haproxy_edge; print(haproxy_edge.__file__)").startswith(str(home))


def test_the_printed_configuration_names_what_is_there(run, home):
    printed = yaml.safe_load(run("python", "-m", "haproxy_edge", "paths"))
    (states,) = printed["file_roots"]["base"][1:]
    reactors = [Path(file) for mapping in printed["reactor"] for files in mapping.values() for file in files]
    assert states.startswith(str(home))
    assert (Path(states) / "haproxy/init.sls").is_file()
    assert [path.is_file() for path in reactors] == [True, True]


def test_the_states_of_the_wheel_are_those_of_the_checkout(wheel):
    with zipfile.ZipFile(wheel) as packed:
        inside = {name: packed.read(name) for name in packed.namelist() if "/share/" in name}
    ours = [path for path in (ROOT / "salt").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert inside == {f"haproxy_edge/share/{path.relative_to(ROOT / 'salt')}": path.read_bytes() for path in ours}


def test_the_status_page_is_in_the_wheel(wheel):
    with zipfile.ZipFile(wheel) as packed:
        inside = {name: packed.read(name) for name in packed.namelist() if "/page/" in name}
    ours = (ROOT / "engine/haproxy_edge/page").iterdir()
    assert inside == {f"haproxy_edge/page/{path.name}": path.read_bytes() for path in ours}


def test_a_minion_renders_the_states_of_the_wheel_and_has_the_modules_then(minion, tmp_path):
    rendered = minion("state.show_sls", "haproxy")
    synced = {str(path.relative_to(tmp_path / "extension_modules")) for path in tmp_path.glob("extension_modules/*/*")}

    assert isinstance(rendered, dict), rendered
    assert {"haproxy_edge"} <= {module for state in rendered.values() for module in state}
    assert {"modules/haproxy_edge.py", "states/haproxy_edge.py", "utils/haproxy_edge_minion"} <= synced
    assert not [name for name in synced if "__pycache__" in name]
