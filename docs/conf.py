"""The site: ``make docs``. Every page is Markdown, the reference comes from the docstrings; a warning is an error.

Pages stay readable as files of the checkout: links out of ``docs/`` lead to files, which the site copies; README and
its like, which are kept beside it, are pages of the site, too.
"""

from __future__ import annotations

import gc
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "engine"), str(ROOT / "salt/states/_utils")]

from haproxy_edge import __version__  # noqa: E402

# a build makes nodes by the million and throws none away: looking for garbage among them took a third of its time
gc.disable()

project = "salt-haproxy-edge"
author = "the authors of salt-haproxy-edge"
project_copyright = "Apache-2.0"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]

myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
# what Salt or the cluster would be asked for is not needed to read a docstring
autodoc_mock_imports = ["salt", "kubernetes", "urllib3"]

html_theme = "furo"
html_title = f"salt-haproxy-edge {release}"
html_copy_source = False

# (in a page as it stands, in the site): README and its like are written for the root of the checkout
_MOVED = (
    (re.compile(r"\]\((?:\.\./)?(README|CONTRIBUTING|CHANGELOG)\.md"), lambda found: f"]({found[1].lower()}.md"),
    (re.compile(r"\]\(docs/decisions/\)"), lambda found: "](decisions/index.md)"),
    (re.compile(r"\]\(docs/"), lambda found: "]("),
    (re.compile(r"\]\((?=LICENSE|deploy/|pillar\.example/)"), lambda found: "](../"),
)


def _moved(text: str) -> str:
    for pattern, place in _MOVED:
        text = pattern.sub(place, text)
    return text


def _modules(found: re.Match[str]) -> str:
    """A section for each module of the package that the comment names; what the loader finds is thin and left out."""
    package = ROOT / found[1]
    files = [path for path in sorted(package.glob("*.py")) if not path.name.startswith("__")]
    listed = (
        f"### `{path.stem}`\n\n```{{eval-rst}}\n.. automodule:: {package.name}.{path.stem}\n```\n" for path in files
    )
    return "\n".join(listed)


def setup(app: Any) -> None:
    """Called by Sphinx."""

    def read(_app: Any, _name: Any, source: list[str]) -> None:
        source[0] = re.sub(r"<!-- modules of (\S+) -->", _modules, _moved(source[0]))

    app.connect("source-read", read)
    app.connect("include-read", lambda _app, _path, _parent, source: read(_app, _path, source))
