"""``docs/status-page.png``: the status page of a real engine in the lab, while one edge is away.

Nothing in the picture is made up: pods come and go, edges confirm, and one that sleeps is shown as behind.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from lab import fabric
from lab.browser import Browser
from lab.demo import start
from lab.image import say
from lab.master import CHECKOUT
from lab.pods import Pod
from lab.processes import LabError, run
from lab.prometheus import ENGINE
from lab.topology import Lab, down

PICTURE = CHECKOUT / "docs/status-page.png"
# bytes: what a page of documentation may weigh
HEAVIEST = 200_000


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(prog="python -m lab.screenshot", description=__doc__)
    parser.add_argument("--to", type=Path, default=PICTURE, help="where the picture goes")
    parser.add_argument("--also", type=Path, help="a folder for phone and desktop, light and dark, to look at")
    arguments = parser.parse_args()
    try:
        if os.geteuid() != 0:
            raise LabError("the lab needs root: network namespaces, mounts and containers")
        _take(arguments.to, arguments.also)
    except LabError as error:
        print(f"lab.screenshot: {error}", file=sys.stderr)
        return 1
    return 0


def _take(picture: Path, also: Path | None) -> None:
    lab = Lab()
    try:
        pods = start(lab)
        with Browser(fabric.namespace("master")) as browser:
            browser.look(width=1180, height=1180)
            browser.open(f"http://{ENGINE}/")
            _live(lab, pods, browser)
            browser.screenshot(picture, whole=False)
            if also:
                _look_around(browser, also)
    finally:
        down()
    run(["optipng", "-quiet", "-o4", "-strip", "all", str(picture)])
    weight = picture.stat().st_size
    say(f"{picture}: {weight / 1000:.0f} kB")
    if weight > HEAVIEST:
        raise LabError(f"{picture}: {weight} bytes where {HEAVIEST} are the most: show less of the page")


def _live(lab: Lab, pods: list[Pod], browser: Browser) -> None:
    """A rollout as a cluster does it, and then a change that one edge sleeps through."""
    say("pods come and go")
    edges = len(lab.edges)
    browser.wait_for(f"byId('verdict-word').textContent.startsWith('All {edges} edges')", 60)
    for number in range(2):
        more = [*pods, lab.pods.add()]
        _change(lab, more, browser)
        _change(lab, more[1:], browser, leaving=more[:1])
        _change(lab, more[1:], browser)
        pods = more[1:]
        say(f"rollout {number + 1} of 2")
    lab.edges[-1].stop_minion()
    _change(lab, [*pods, lab.pods.add()], browser, edges=edges - 1)
    browser.wait_for("byId('verdict').dataset.state === 'warn'", 60)


def _change(
    lab: Lab, pods: list[Pod], browser: Browser, *, leaving: list[Pod] | None = None, edges: int | None = None
) -> None:
    before = browser.evaluate("document.querySelector('.change').dataset.key")
    lab.serve(pods, leaving=leaving)
    newer = f"document.querySelector('.change').dataset.key !== {before!r}"
    confirmed = f"document.querySelector('.change').querySelectorAll('circle').length === {edges or len(lab.edges)}"
    browser.wait_for(f"{newer} && {confirmed}", 60)


def _look_around(browser: Browser, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, width, height in (("desktop", 1280, 900), ("phone", 390, 844)):
        for dark in (False, True):
            browser.look(width=width, height=height, dark=dark)
            browser.screenshot(folder / f"{name}-{'dark' if dark else 'light'}.png")


if __name__ == "__main__":
    sys.exit(main())
