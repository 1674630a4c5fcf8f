"""HAProxy of both Debian releases the edges run on, as programs this machine can start.

`haproxy` unpacks the package out of the release's edge image (`lab.image.ensure`, built once, as root). A binary of
another release needs that release's C library, so it is started through the image's own dynamic linker. HAProxy starts
itself anew on each reload, by the name it was called with: ``--argv0`` makes that name the small script written here.
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import tempfile
from pathlib import Path

from lab import image

RELEASES = image.RELEASES
_SCRIPT = """\
#!/bin/sh
exec {loader} --library-path {libraries} --argv0 "$0" {program} "$@"
"""


@functools.cache
def haproxy(release: str) -> Path:
    """A program to call like ``/usr/sbin/haproxy`` of that release."""
    root = image.ensure(release)
    unpacked = image.cache() / f"{root.name}.haproxy"
    if not unpacked.exists():
        # two test runs may do this at once: whoever is first wins, with a whole folder
        with tempfile.TemporaryDirectory(dir=image.cache()) as made, contextlib.suppress(OSError):
            _unpack(root, Path(made), unpacked)
            Path(made).rename(unpacked)
            Path(made).mkdir()
    return unpacked / "haproxy"


def version(program: Path) -> str:
    """For example ``3.0.11``."""
    said = subprocess.run([program, "-v"], capture_output=True, text=True, check=True).stdout
    return said.split()[2].partition("-")[0]


def _unpack(root: Path, target: Path, destined: Path) -> None:
    target.chmod(0o755)
    for package in sorted(root.glob("srv/debs/*.deb")):
        if package.name.startswith(("haproxy_", "lib")):
            subprocess.run(["dpkg-deb", "-x", package, target], check=True)
    (loader,) = root.glob("usr/lib*/ld-linux-*.so.*")
    folders = [destined / path.relative_to(target) for path in target.glob("usr/lib/*-linux-gnu")]
    libraries = ":".join(map(str, [*folders, *root.glob("usr/lib/*-linux-gnu")]))
    script = target / "haproxy"
    script.write_text(_SCRIPT.format(loader=loader, libraries=libraries, program=destined / "usr/sbin/haproxy"))
    script.chmod(0o755)
