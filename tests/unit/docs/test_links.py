"""Whatever a page points to is there: files, headings, and the paths it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.unit.docs.pages import anchors, prose

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("lab/**/*.md"), *ROOT.glob("bench/**/*.md")])
LINK = re.compile(r"\[[^\]]+\]\(([^)\s]+)\)")
OUTSIDE = ("http://", "https://", "mailto:")
# paths in backticks that stand for files of the checkout
NAMED = re.compile(r"`((?:engine|salt|lab|bench|tests|deploy|docs|pillar\.example|\.ci)/[A-Za-z0-9_./-]*)`")


def problem(page: Path, link: str) -> str | None:
    path, _, fragment = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: no such file"
    if fragment and fragment not in anchors(target):
        return f"{link}: no such heading; there are {', '.join(sorted(anchors(target)))}"
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_points_to_something(page: Path):
    links = [link for link in LINK.findall(prose(page)) if not link.startswith(OUTSIDE)]
    assert [found for link in links if (found := problem(page, link))] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_a_page_names_exists(page: Path):
    assert [path for path in NAMED.findall(page.read_text()) if not (ROOT / path).exists()] == []
