"""What the documentation tells people to type is typed here: every fence below a line ``<!-- lab -->``, in the lab.

Its ``salt``, ``salt-run`` and ``kubectl`` are those of the lab; example paths and addresses stand for its own.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from pathlib import Path

import pytest

from lab import fabric
from lab.processes import RUN, netns

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
FENCE = re.compile(r"^( *)<!-- lab -->\n\s*^ *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
MARK = "<!-- lab -->"


def blocks() -> list[object]:
    found = []
    for page in PAGES:
        for number, (_, text) in enumerate(FENCE.findall(page.read_text()), start=1):
            found.append(pytest.param(textwrap.dedent(text), id=f"{page.stem}-{number}"))
    return found


BLOCKS = blocks()


def typed(block: str, url: str) -> str:
    """The block with the lab's places for the examples'."""
    places = {
        "/srv/haproxy-edge/": f"{ROOT}/",
        "/etc/rancher/k3s/k3s.yaml": f"{RUN}/cluster/admin.kubeconfig",
        "/etc/salt/haproxy-edge.kubeconfig": f"{RUN}/engine.kubeconfig",
        "https://192.0.2.21:6443": url,
        "lab/": f"{ROOT}/lab/",
    }
    for example, here in places.items():
        block = re.sub(rf"(?<![\w./]){re.escape(example)}", here, block)
    return block


def test_no_marked_block_is_overlooked():
    assert len(BLOCKS) == sum(page.read_text().count(f"{MARK}\n") for page in PAGES)
    assert len(BLOCKS) > 5


@pytest.mark.parametrize("block", BLOCKS)
def test_what_a_page_says_can_be_typed(world_once, block, tmp_path):
    path = f"{ROOT}/lab:{ROOT}/.venv/bin:{os.environ['PATH']}"
    shell = ["env", f"PATH={path}", "PYTHONWARNINGS=ignore", "bash", "-euo", "pipefail", "-c"]
    command = netns(fabric.namespace("master"), [*shell, typed(block, world_once.lab.cluster.url)])
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for trouble in ("is not available", "Minion did not return", "No minions matched", "Traceback"):
        assert trouble not in done.stdout + done.stderr
