"""What tests, screenshots and benchmarks need on this machine beside the lab: what looks at it, or is named by pages.

A list and no more: it is read before there is an environment. The lab itself, and the demo, do without all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

# (a file of the package, Debian package)
PACKAGES = (
    ("/usr/bin/chromium", "chromium"),
    ("/usr/bin/promtool", "prometheus"),
    ("/usr/bin/git", "git"),
    ("/usr/bin/curl", "curl"),
    ("/usr/bin/optipng", "optipng"),
    ("/usr/share/fonts/opentype/inter", "fonts-inter"),
)
# how a playbook comes to an edge, and who asks one for pages as fast as it can
BENCH = (
    ("/usr/bin/ssh", "openssh-client"),
    ("/usr/bin/ssh-keygen", "openssh-client"),
    ("/usr/bin/ab", "apache2-utils"),
    ("/usr/bin/wrk", "wrk"),
)


def missing(packages: Sequence[tuple[str, str]]) -> list[str]:
    """Of these, the Debian packages the host lacks."""
    return [package for path, package in packages if not Path(path).exists()]
