"""The wheel alone, in an environment of its own, is a whole installation: modules, states, reactor, commands."""

from __future__ import annotations

import json
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
SALT_CALL = "from salt.scripts import salt_call; salt_call()"
MASTER_SIDE = """
import json, salt.config, salt.loader
own = {"cachedir": "%(cache)s", "sock_dir": "%(cache)s", "extension_modules": "%(cache)s/extmods"}
opts = salt.config.master_config(None) | own
minion = salt.config.minion_config(None) | own | {"grains": {}, "pillar": {}}
found = {
    "engines": "k8s_endpoints.start" in salt.loader.engines(opts, {}, {}, {}),
    "pillar": "haproxy_edge" in salt.loader.pillars(opts, {}),
    "modules": "haproxy_edge_outbox.take" in salt.loader.minion_mods(minion),
    "runners": "haproxy_edge.status" in salt.loader.runner(opts),
    "outputters": "haproxy_edge" in salt.loader.outputters(opts),
}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def home(wheel, tmp_path_factory):
    """A new environment with the wheel; Salt and other dependencies are those of the tests, the project is not."""
    folder = tmp_path_factory.mktemp("venv")
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, timeout=100)
    command = [folder / "bin/python", "-m", "pip", "install", "-q", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, timeout=100, capture_output=True)
    # a path in a .pth file brings packages in, but not that folder's own .pth files, nor this checkout by them
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
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
    """A masterless minion that has the printed configuration and nothing of ours from elsewhere."""
    printed = yaml.safe_load(run("haproxy-edge", "paths"))
    own = {name: str(tmp_path / name) for name in ("cachedir", "extension_modules", "pki_dir", "sock_dir")}
    (tmp_path / "minion").write_text(yaml.safe_dump({**printed, **own, "file_client": "local", "id": "edge1"}))

    def call(*command):
        from_salt = run("python", "-c", SALT_CALL, "-c", str(tmp_path), "--out=json", "--log-file=/dev/null", *command)
        return json.loads(from_salt)["local"]

    return call


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
