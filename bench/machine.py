"""What a figure was measured on: hardware, kernel and the versions of everything that takes part.

It must never fail a measurement: what cannot be told is left out.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import subprocess
from pathlib import Path

# programs of this machine; the lab's edges have the same packages of the same distribution
PROGRAMS = {"HAProxy": ["haproxy", "-v"], "nginx": ["nginx", "-v"], "OpenSSH": ["ssh", "-V"], "wrk": ["wrk", "-v"]}
PACKAGES = {"Salt": "salt", "Ansible": "ansible-core", "kubernetes client": "kubernetes"}
_VERSION = re.compile(r"(?<![\w.])\d+\.\d+[\w.+~-]*|OpenSSH_\S+")


def facts() -> dict[str, str]:
    """In the order a reader wants them."""
    found = {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": platform.freedesktop_os_release().get("PRETTY_NAME", platform.system()),
        "kernel": number_of(platform.release()),
        "Python": platform.python_version(),
    }
    found |= {name: _installed(package) for name, package in PACKAGES.items()}
    found |= {name: _said(command) for name, command in PROGRAMS.items()}
    return {name: value for name, value in found.items() if value}


def number_of(release: str) -> str:
    """Of the kernel: what follows its number names a build that nobody else has."""
    return re.split(r"[^\d.]", release, maxsplit=1)[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _installed(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _said(command: list[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return version(done.stdout + done.stderr)


def version(said: str) -> str:
    """The first version number in what a program says of itself, or nothing."""
    found = _VERSION.search(said)
    return found[0].removeprefix("OpenSSH_") if found else ""
