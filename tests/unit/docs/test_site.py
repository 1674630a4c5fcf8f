"""The site can be built: every page is in the navigation, every link leads somewhere, every docstring can be read."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def built(source: Path, target: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sphinx", "-b", "html", "-q", "-W", "--keep-going", str(source), str(target)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)


def test_the_site_is_built_without_a_warning(tmp_path: Path):
    done = built(ROOT / "docs", tmp_path / "site")
    assert (done.returncode, done.stderr) == (0, "")
    pages = {path.stem for path in (ROOT / "docs").glob("*.md")}
    assert pages <= {path.stem for path in (tmp_path / "site").glob("*.html")}
    reference = (tmp_path / "site/reference.html").read_text()
    assert all(name in reference for name in ("haproxy_edge.options.Option", "haproxy_edge_minion.planner.plan"))
    assert not [path for path in (tmp_path / "site").glob("*.html") if '.md"' in path.read_text()]
