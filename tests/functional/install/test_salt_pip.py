"""The wheel by ``salt-pip``, as Salt's packages have it: into the folder that an upgrade of the packages leaves alone.

Salt's packages are not in the index, so their Python is put together from its parts: Salt and its ``salt-pip``, the
runtime of relenv that changes what pip does with a target, and the ``.pth`` files that both bring. Not there: the
OpenSSL that relenv compiles.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.functional.install.tried import MASTER_SIDE, environment

SALT_PIP = "import sys; from salt.scripts import salt_pip; sys.argv[0] = 'salt-pip'; salt_pip()"
RELENV = "import sys, relenv.runtime as it; sys.RELENV = it.relenv_root(); sys.meta_path.insert(0, it.importer)"
EXTRAS = "extras-{}.{}".format(*sys.version_info)


@pytest.fixture(scope="module")
def onedir(tmp_path_factory):
    """Salt's own Python, with Salt and what it needs, and nothing of ours."""
    folder = tmp_path_factory.mktemp("onedir")
    # not one of the tests' own packages: it brings a package "tests", and takes the folder it lies in for its root
    packages = environment(folder, "relenv>=0.22")
    (packages / "relenv.pth").write_text(f"{RELENV}\n")
    (folder / EXTRAS).mkdir()
    # before the tests' own packages, as its name makes it
    (packages / "_salt_onedir_extras.pth").write_text(f"{folder / EXTRAS}\n")
    return folder


@pytest.fixture(scope="module")
def run(onedir):
    def run(*arguments):
        plain = {"PATH": "/usr/bin:/bin", "HOME": str(onedir), "SALT_CONFIG_DIR": str(onedir)}
        command = [str(onedir / "bin/python"), "-W", "ignore", *arguments]
        done = subprocess.run(command, env=plain, capture_output=True, text=True, timeout=200, check=False)
        assert done.returncode == 0, done.stderr + done.stdout
        return done.stdout

    return run


@pytest.fixture(scope="module")
def installed(run, wheel):
    """What salt-pip said; it has no index, so whatever it would bring beside the wheel fails it."""
    return run("-c", SALT_PIP, "install", "--no-index", str(wheel))


def test_it_goes_where_an_upgrade_of_salt_s_packages_leaves_it_and_brings_no_second_salt(installed, onedir):
    assert "Successfully installed salt-haproxy-edge" in installed
    assert {path.name.partition("-")[0] for path in (onedir / EXTRAS).iterdir()} - {"bin"} == {
        "haproxy_edge",
        "salt_haproxy_edge",
    }


def test_salt_finds_engine_runner_and_pillar_there(installed, run, onedir, tmp_path):
    found = json.loads(run("-c", MASTER_SIDE % {"cache": tmp_path}).splitlines()[-1])
    assert found == dict.fromkeys(found, True)
    where = run("-c", "import haproxy_edge; print(haproxy_edge.__file__)")
    assert where.startswith(str(onedir / EXTRAS))


def test_states_and_reactor_are_read_from_there(installed, run, onedir):
    printed = run("-m", "haproxy_edge", "paths")
    assert printed.count(f"{onedir / EXTRAS}/haproxy_edge/share/") == 3
