"""What the documentation tells people to type is typed here, in the lab: fences and commands in a line.

A fence of a shell stands below ``<!-- lab -->``, or below ``<!-- not in the lab: why -->``. Of the commands in a line
all are typed but those of `ELSEWHERE`. ``salt``, ``salt-run`` and ``kubectl`` are those of the lab; example paths and
addresses stand for its own.
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
FENCE = re.compile(r"^( *)([^\n]*)\n *```sh\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
MARK, NOT_HERE = "<!-- lab -->", re.compile(r"<!-- not in the lab: .+ -->")
IN_A_LINE = re.compile(r"`((?:salt|salt-run|salt-call|salt-key|kubectl) [^`]*[^`.…])`")
# beginnings of commands, and why they are not typed here
ELSEWHERE = {
    "salt-run haproxy_edge": "test_runner calls each function",
    "salt-key -": "the lab's minions keep their keys",
    "salt-run cache.flush": "the lab would lose what it flushes",
    "salt-run state.event": "it never ends",
    "salt 'edge*' pkg.upgrade": "the edges have no mirror of packages",
    "salt 'edge*' state.apply haproxy.clean": "test_state does it",
    "salt edge1 state.apply haproxy.clean": "test_state does it",
    "salt 'edge*' grains.remove": "with the grain the fences go on",
    "salt edge1 grains.remove": "with the grain the fences go on",
    "salt <edge> cmd.run 'echo": "socat is not on every edge",
    "kubectl -n salt": "no kubelet starts the pod",
    "kubectl -n kube-system rollout": "the lab's pods belong to no deployment",
    "kubectl auth can-i --list": "the lab's own API does not impersonate",
    "kubectl apply -f": "the fences do it",
    "kubectl delete -f": "the lab needs its account",
    "kubectl scale": "whatever stood there before",
}
# of a stranger, in the file that the page on moving over has one look into
KEY = "AAAAC3NzaC1lZDI1NTE5AAAAIBw0bm9uZSBvZiB5b3VycywgdGFrZSBpdCBhd2F5IQ"


def fences() -> list[tuple[str, str, str]]:
    """(page, the line above, text)"""
    found = [(page.stem, *groups[1:]) for page in PAGES for groups in FENCE.findall(page.read_text())]
    return [(page, above.strip(), textwrap.dedent(text)) for page, above, text in found]


def blocks() -> list[object]:
    marked = [(page, text) for page, above, text in fences() if above == MARK]
    return [pytest.param(text, id=f"{page}-{number}") for number, (page, text) in enumerate(marked, start=1)]


def in_a_line() -> list[str]:
    """Each once, and none that stands in a fence that is typed."""
    found = {" ".join(command.split()) for page in PAGES for command in IN_A_LINE.findall(page.read_text())}
    in_fences = {line.strip() for _, above, text in fences() if above == MARK for line in text.splitlines()}
    here = {command.replace("<edge>", "edge1") for command in found if not command.startswith(tuple(ELSEWHERE))}
    return sorted(here - in_fences)


def typed(block: str, url: str, here: Path) -> str:
    """The block with the lab's places for the examples'."""
    places = {
        "/srv/haproxy-edge/": f"{ROOT}/",
        "/opt/saltstack/salt/bin/python3": f"{ROOT}/.venv/bin/python",
        "/etc/rancher/k3s/k3s.yaml": f"{RUN}/cluster/admin.kubeconfig",
        "k3s.yaml": f"{RUN}/cluster/admin.kubeconfig",
        "/etc/salt/haproxy-edge.kubeconfig": f"{RUN}/engine.kubeconfig",
        "/etc/salt/master.d/": f"{here}/",
        "--owner salt": "--owner root",
        "https://192.0.2.21:6443": url,
        "lab/": f"{ROOT}/lab/",
        "salt-call": f"{ROOT}/.venv/bin/python -m lab run edge1 /opt/salt/bin/salt-call",
        "<edge>": "edge1",
        "<minion>": "edge1",
        "AAAAC3Nza…": KEY,
    }
    for example, of_the_lab in places.items():
        block = re.sub(rf"(?<![\w./]){re.escape(example)}", lambda _, place=of_the_lab: place, block)
    return block


@pytest.fixture(scope="module")
def shell(world_once, tmp_path_factory):
    """Types a text where the master is, and gives what was said."""
    for edge in world_once.lab.edges:
        file = edge.path("/root/.ssh/authorized_keys")
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.write_text(f"ssh-ed25519 {KEY} old-watcher\n")
    here = tmp_path_factory.mktemp("typed")
    path = f"{ROOT}/lab:{ROOT}/.venv/bin:{os.environ['PATH']}"
    prefix = ["env", f"PATH={path}", f"PYTHONPATH={ROOT}", "PYTHONWARNINGS=ignore", "bash", "-euo", "pipefail", "-c"]

    def shell(text):
        command = netns(fabric.namespace("master"), [*prefix, typed(text, world_once.lab.cluster.url, here)])
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        for trouble in ("is not available", "Minion did not return", "No minions matched", "Traceback"):
            assert trouble not in done.stdout + done.stderr

    return shell


def test_every_fence_of_a_shell_is_typed_or_says_why_not():
    unmarked = [(page, text) for page, above, text in fences() if above != MARK and not NOT_HERE.fullmatch(above)]
    assert unmarked == []
    assert len(fences()) == sum(page.read_text().count("```sh\n") for page in PAGES)
    assert len(blocks()) > 5 and len(in_a_line()) > 5


def test_what_is_not_typed_is_still_on_a_page():
    text = "".join(page.read_text() for page in PAGES)
    assert [beginning for beginning in ELSEWHERE if f"`{beginning}" not in text] == []


@pytest.mark.parametrize("block", blocks())
def test_what_a_page_says_can_be_typed(shell, block):
    shell(block)


@pytest.mark.parametrize("command", in_a_line())
def test_a_command_in_a_line_can_be_typed(shell, command):
    shell(command)
