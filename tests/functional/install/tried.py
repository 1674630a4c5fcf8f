"""How an installation is tried: environments that have it alone, and what Salt finds in one.

An environment has Salt and the other dependencies of the tests, and of the project only what is installed into it.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import yaml

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


def environment(folder: Path, *packages: str) -> Path:
    """Makes one with these packages; where they are."""
    # with a pip of its own it would take five seconds
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True, timeout=100)
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "bin/python")]
    subprocess.run([*pip, "install", "-q", "--no-deps", *packages], check=True, timeout=200, capture_output=True)
    # a path in a .pth file brings packages in, but not that folder's own .pth files, nor this checkout by them
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return site


def masterless(folder: Path, served: dict[str, object]) -> list[str]:
    """Makes a minion of that configuration; the arguments by which a Python has it do what follows them."""
    own = {name: str(folder / name) for name in ("cachedir", "extension_modules", "pki_dir", "sock_dir")}
    (folder / "minion").write_text(yaml.safe_dump({**served, **own, "file_client": "local", "id": "edge1"}))
    return ["-c", SALT_CALL, "-c", str(folder), "--out=json", "--log-file=/dev/null"]
