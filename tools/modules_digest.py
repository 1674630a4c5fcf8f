"""Write the digest of the edge's modules into ``haproxy_edge_minion/version_of_modules.py``; ``--check`` only compares.

An edge tells by it whether its modules are those the master serves; a test fails when it was forgotten. It must
never depend on anything but those modules: the same ones have the same digest everywhere.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

STATES = Path(__file__).resolve().parent.parent / "salt/states"
VERSION = STATES / "_utils/haproxy_edge_minion/version_of_modules.py"
_LINE = re.compile(r'^MODULES = ".*"$', re.MULTILINE)


def digest() -> str:
    """Over name and content of every module that is synced, this line left out."""
    found = hashlib.sha256()
    for path in sorted(STATES.glob("_*/**/*.py")):
        found.update(f"{path.relative_to(STATES)}\n{_LINE.sub('', path.read_text())}\n".encode())
    return found.hexdigest()


def main() -> int:
    """With ``--check`` 1 when the digest is an old one; else it is written."""
    text = VERSION.read_text()
    wanted = _LINE.sub(f'MODULES = "{digest()}"', text)
    if "--check" in sys.argv:
        if text != wanted:
            print(f"{VERSION.name}: the edge's modules are others; run: make generated", file=sys.stderr)
        return int(text != wanted)
    VERSION.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
