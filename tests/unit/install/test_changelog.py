"""The fragments are ones that can be gathered, and gathering loses nothing."""

from __future__ import annotations

import pytest

from tools.changelog import ROOT, VISIBLE, fragments, gathered, problem, untold

BEFORE = """\
# Changelog

## [Unreleased]

### Added

- One.

### Fixed

- Two.

## [0.1.0]

### Added

- Old.
"""


def test_every_fragment_can_be_gathered():
    assert [said for path in fragments(ROOT / "changelog.d") if (said := problem(path))] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [("runner.md", "A runner."), ("runner.new.md", "A runner."), ("a.added.md", ""), ("a.added.md", "- A runner.")],
)
def test_what_cannot_be_gathered_is_told(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert name in (problem(tmp_path / name) or "")


def test_each_goes_to_the_end_of_its_kind_under_unreleased():
    after = gathered(BEFORE, [("added", "Three,\nin two lines."), ("security", "Four.")])
    assert after.index("- One.\n- Three,\n  in two lines.\n") < after.index("### Fixed\n\n- Two.")
    assert after.index("### Security\n\n- Four.\n") < after.index("## [0.1.0]")
    assert after.endswith("## [0.1.0]\n\n### Added\n\n- Old.\n")


@pytest.mark.parametrize(
    ("changed", "messages", "missed"),
    [
        (["engine/haproxy_edge/page/page.css"], "A page", True),
        (["salt/states/haproxy/init.sls", "changelog.d/init.changed.md"], "A state", False),
        (["engine/haproxy_edge/store.py"], "A name\n\nChangelog: none", False),
        (["tests/conftest.py", "lab/pods.py"], "A test", False),
    ],
    ids=["untold", "told", "nothing to see", "the developers' own"],
)
def test_a_branch_that_changes_what_people_see_has_a_fragment(changed, messages, missed):
    said = untold(changed, messages)
    assert (said is not None) is missed
    assert said is None or (changed[0] in said and "changelog.d" in said)


def test_what_people_see_is_there():
    assert [path for path in VISIBLE if not (ROOT / path).exists()] == []
