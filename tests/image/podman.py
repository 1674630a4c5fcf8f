"""podman with a store and settings of its own, for machines where it finds hybrid cgroups and low limits.

Nothing of the machine's own podman is read or written. The store is kept beside the lab's images, so that the base and
what a former build has done already are there the next time.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from lab.image import cache, say

BASE = "localhost/haproxy-edge-base:bookworm"
IMAGE = "localhost/salt-haproxy-edge:test"
ROOT = Path(__file__).parents[2]
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
_PACKAGES = {"podman": "podman", "runc": "runc", "mmdebstrap": "mmdebstrap"}
# crun fails on hybrid cgroups; podman's own limits are above what such machines allow
_SETTINGS = """\
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
events_logger = "file"
"""


def install() -> None:
    """podman, as Debian has it; needs root."""
    missing = [name for command, name in _PACKAGES.items() if not _there(command)]
    if missing:
        say(f"installing {', '.join(missing)}")
        subprocess.run(["apt-get", "update", "-qq"], check=True, timeout=300)
        command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing]
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
        subprocess.run(command, check=True, timeout=600, env=quiet, capture_output=True)


def _there(command: str) -> bool:
    return any((Path(folder) / command).exists() for folder in ("/usr/bin", "/usr/sbin", "/bin", "/sbin"))


def podman(*arguments: str, timeout: float = 60, check: bool = True) -> subprocess.CompletedProcess[str]:
    """One command; a failure comes with what it said."""
    store = cache() / "podman"
    store.mkdir(parents=True, exist_ok=True)
    settings = store / "containers.conf"
    settings.write_text(_SETTINGS)
    command = ["podman", "--root", str(store / "root"), "--runroot", str(store / "run"), *arguments]
    environment = {**os.environ, "CONTAINERS_CONF": str(settings)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, env=environment)
    assert not check or done.returncode == 0, f"podman {arguments[0]}: {done.stderr[-3000:]}"
    return done


def ensure_base() -> None:
    """A plain Debian made here, so that no registry is asked."""
    if podman("image", "exists", BASE, check=False).returncode == 0:
        return
    say("making the base of the image (once, about a minute)")
    archive = cache() / "podman/base.tar"
    try:
        command = ["mmdebstrap", "--quiet", "--variant=minbase", "bookworm", str(archive)]
        subprocess.run(command, check=True, timeout=600)
        podman("import", "--quiet", str(archive), BASE, timeout=200)
    finally:
        archive.unlink(missing_ok=True)


def build() -> None:
    """The image of this checkout; with the machine's own certificates and index while pip runs, not in the result."""
    ensure_base()
    say("building the image (the first time some minutes)")
    given = [f"--build-arg={name}={os.environ[name]}" for name in ("PIP_INDEX_URL",) if os.environ.get(name)]
    if _CERTIFICATES.exists():
        given += [f"--volume={_CERTIFICATES}:/run/ca.crt:ro", "--build-arg=PIP_CERT=/run/ca.crt"]
    where = ["--network=host", f"--build-arg=BASE={BASE}", "--tag", IMAGE, "--file", str(ROOT / "Containerfile")]
    podman("build", "--quiet", "--layers", *where, *given, str(ROOT), timeout=900)
