"""What tests and screenshots need on this machine beside the lab: what looks at it from outside and what pages name.

A list and no more: it is read before there is an environment. The lab itself, and the demo, do without all of them.
"""

from __future__ import annotations

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


def missing() -> list[str]:
    """Debian packages the host lacks."""
    return [package for path, package in PACKAGES if not Path(path).exists()]
