"""Root file systems of the edge hosts, one per Debian release, built once and rebuilt when the recipe changes.

Each holds systemd, a Python environment with salt-minion, and a local package repository with haproxy, so that
``pkg.installed`` really installs without a network. HAProxy itself is not installed: that is the state's work.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from lab.processes import LabError, run

RELEASES = ("bookworm", "trixie")
SALT = "salt>=3008,<3009"
# sshd and Python's apt are for what the benchmarks compare with: a playbook over SSH
PACKAGES = (
    "systemd,systemd-sysv,dbus,iproute2,ca-certificates,procps,curl,python3,python3-venv,openssh-server,python3-apt"
)
# the host's tools for building and running the lab: (command to look for, Debian package)
PREREQUISITES = (
    ("mmdebstrap", "mmdebstrap"),
    ("systemd-nspawn", "systemd-container"),
    ("ip", "iproute2"),
    ("dpkg-scanpackages", "dpkg-dev"),
    ("nginx", "nginx-light"),
    ("haproxy", "haproxy"),
    ("socat", "socat"),
)
_QUIET_UNITS = (
    # an edge of Salt's listens for nobody; the benchmarks unmask it
    "ssh.service",
    "ssh.socket",
    "systemd-networkd-wait-online.service",
    "console-getty.service",
    "apt-daily.timer",
    "apt-daily-upgrade.timer",
    "dpkg-db-backup.timer",
    "e2scrub_all.timer",
    "fstrim.timer",
)
_MINION_UNIT = """\
[Unit]
Description=Salt minion
After=network.target
[Service]
Type=notify
NotifyAccess=all
KillMode=process
TimeoutStopSec=5
ExecStart=/opt/salt/bin/salt-minion
Restart=on-failure
[Install]
WantedBy=multi-user.target
"""


def cache() -> Path:
    """Where images are kept; HAPROXY_EDGE_LAB_CACHE overrides."""
    return Path(os.environ.get("HAPROXY_EDGE_LAB_CACHE", "/var/cache/haproxy-edge-lab"))


def missing_prerequisites() -> list[str]:
    """Debian packages the host lacks."""
    path = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
    return [package for command, package in PREREQUISITES if shutil.which(command, path=path) is None]


def install_prerequisites() -> None:
    """Install what is missing; needs root."""
    missing = missing_prerequisites()
    if missing:
        say(f"installing {', '.join(missing)}")
        # or the packages' own services would start and take ports
        environment = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1"]
        run(["apt-get", "update", "-qq"], timeout=300)
        run([*environment, "apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing], timeout=600)


def ensure(release: str) -> Path:
    """The image of a release, built when it is missing or its recipe changed."""
    if release not in RELEASES:
        raise LabError(f"{release}: no such release; known are {', '.join(RELEASES)}")
    target = cache() / f"{release}-{_recipe()}"
    with _locked(release):
        if not target.exists():
            _drop_old(release)
            _build(release, target)
    return target


def say(message: str) -> None:
    """Progress, on standard error."""
    print(f"{time.strftime('%H:%M:%S')} {message}", file=sys.stderr, flush=True)


def _recipe() -> str:
    """A digest of the code that builds: comments and layout count, which is cheap and never wrong."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]


@contextlib.contextmanager
def _locked(release: str) -> Iterator[None]:
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"{release}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield


def _drop_old(release: str) -> None:
    for old in cache().glob(f"{release}-*"):
        shutil.rmtree(old, ignore_errors=True)


def _build(release: str, target: Path) -> None:
    started = time.monotonic()
    partial = target.with_name(f"{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    say(f"{release}: building the edge image (once, about two minutes)")
    try:
        _bootstrap(release, partial)
        say(f"{release}: collecting haproxy's packages")
        _collect_packages(partial)
        say(f"{release}: installing salt")
        _install_salt(partial)
        _configure(partial)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    partial.rename(target)
    say(f"{release}: image ready after {time.monotonic() - started:.0f} s")


def _sources(release: str) -> str:
    """The host's own package sources, for another release."""
    places = [Path("/etc/apt/sources.list.d/debian.sources"), Path("/etc/apt/sources.list")]
    for place in places:
        if place.exists() and re.search(r"^(URIs:|deb )", text := place.read_text(), re.M):
            return re.sub(r"\b(bookworm|trixie)\b(?=[-\s]|$)", release, text)
    raise LabError(f"no Debian package source in {' or '.join(map(str, places))}")


def _bootstrap(release: str, root: Path) -> None:
    sources = root.with_suffix(".sources")
    text = _sources(release)
    if not text.lstrip().startswith(("Types:", "#")):
        sources = root.with_suffix(".list")
    sources.write_text(text)
    try:
        # the keyring of the host holds the keys of both releases; Signed-By names it
        run(
            ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", release, str(root), str(sources)],
            timeout=900,
        )
    finally:
        sources.unlink(missing_ok=True)


def _in(root: Path, *command: str, timeout: float = 900) -> None:
    clean = ["env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "DEBIAN_FRONTEND=noninteractive"]
    passed = [
        f"{name}={value}" for name, value in os.environ.items() if name.startswith("PIP_") or "proxy" in name.lower()
    ]
    run(["chroot", str(root), *clean, *passed, *command], timeout=timeout)


def _collect_packages(root: Path) -> None:
    """haproxy and all it needs, as a repository of its own under /srv/debs."""
    shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
    archives, debs = root / "var/cache/apt/archives", root / "srv/debs"
    debs.mkdir(parents=True, exist_ok=True)
    _in(root, "apt-get", "update", "-qq")
    _in(root, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "--download-only", "haproxy")
    for archive in archives.glob("*.deb"):
        shutil.move(str(archive), debs / archive.name)
    index = run(["sh", "-c", f"cd {debs} && dpkg-scanpackages -m . /dev/null"])
    (debs / "Packages").write_text(index.stdout)


def _install_salt(root: Path) -> None:
    """A missing wheel (timelib) is built by the image's own Python, with a compiler only for that time."""
    with _build_environment(root) as builder:
        _in(builder, "apt-get", "install", "-y", "-qq", "--no-install-recommends", "gcc", "libc6-dev", "python3-dev")
        _in(builder, "python3", "-m", "venv", "/opt/build")
        _in(builder, "/opt/build/bin/pip", "wheel", "-q", "-w", "/wheels", SALT)
        shutil.copytree(builder / "wheels", root / "wheels")
    _in(root, "python3", "-m", "venv", "/opt/salt")
    _in(root, "/opt/salt/bin/pip", "install", "-q", "--no-index", "--find-links", "/wheels", SALT)
    shutil.rmtree(root / "wheels")


@contextlib.contextmanager
def _build_environment(root: Path) -> Iterator[Path]:
    """The image with the host's certificates and pip settings over it, all of it gone afterwards."""
    work = root.with_name(f"{root.name}.builder")
    shutil.rmtree(work, ignore_errors=True)
    for name in ("upper", "work", "root"):
        (work / name).mkdir(parents=True)
    layers = f"lowerdir={root},upperdir={work}/upper,workdir={work}/work"
    run(["mount", "-t", "overlay", "overlay", "-o", layers, str(work / "root")])
    try:
        builder = work / "root"
        shutil.copy("/etc/ssl/certs/ca-certificates.crt", builder / "etc/ssl/certs/ca-certificates.crt")
        for settings in (Path("/etc/pip.conf"),):
            if settings.exists():
                shutil.copy(settings, builder / "etc/pip.conf")
        yield builder
    finally:
        run(["umount", str(work / "root")])
        shutil.rmtree(work, ignore_errors=True)


def _configure(root: Path) -> None:
    shutil.rmtree(root / "var/lib/apt/lists", ignore_errors=True)
    shutil.rmtree(root / "etc/apt/sources.list.d", ignore_errors=True)
    (root / "etc/apt/sources.list.d").mkdir()
    (root / "etc/apt/sources.list").write_text("deb [trusted=yes] file:/srv/debs ./\n")
    (root / "etc/resolv.conf").write_text("")
    (root / "etc/salt").mkdir(parents=True, exist_ok=True)
    units = root / "etc/systemd/system"
    (units / "salt-minion.service").write_text(_MINION_UNIT)
    wants = units / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "salt-minion.service").symlink_to("../salt-minion.service")
    for unit in _QUIET_UNITS:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (root / "etc/machine-id").unlink(missing_ok=True)
    (root / "etc/machine-id").write_text("")
