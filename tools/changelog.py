"""Fragments of the changelog: one file for each visible change, so that two changes never meet in one line.

``changelog.d/<name>.<kind>.md`` holds what would stand in CHANGELOG.md behind the dash. ``check`` says what is wrong
with them, and whether this branch changes what people see without any. ``gather`` moves them into the section
Unreleased: at a release, or when somebody wants to read them there.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
KINDS = ("added", "changed", "fixed", "removed", "security")
# what people install and configure; tests, lab and benches are the developers' own
VISIBLE = ("engine/", "salt/", "deploy/", "pillar.example/", "Containerfile")
TRUNK, NOTHING_TO_SEE = "main", "Changelog: none"
_NAME = re.compile(r"[a-z0-9-]+\.(?P<kind>[a-z]+)\.md")


def fragments(folder: Path) -> list[Path]:
    """In the order of their names."""
    return sorted(path for path in folder.glob("*") if path.name != "README.md")


def problem(path: Path) -> str | None:
    """What is wrong with one, or None."""
    named = _NAME.fullmatch(path.name)
    if not named or named["kind"] not in KINDS:
        return f"{path.name}: a fragment is called <name>.<kind>.md, its kind one of {', '.join(KINDS)}"
    text = path.read_text().strip()
    if not text or text.startswith(("-", "#")):
        return f"{path.name}: plain sentences, as they would stand behind the dash in CHANGELOG.md"
    return None


def untold(changed: list[str], messages: str) -> str | None:
    """What is wrong with a branch that changes these files, with these commit messages; or None."""
    seen = [path for path in changed if path.startswith(VISIBLE)]
    if not seen or NOTHING_TO_SEE in messages or any(path.startswith("changelog.d/") for path in changed):
        return None
    return (
        f"{', '.join(seen[:3])}{' …' * (len(seen) > 3)}: changed since {TRUNK} with no fragment in changelog.d. Nobody "
        f"notices the change? Then say '{NOTHING_TO_SEE}' in a commit's message"
    )


def of_this_branch() -> str | None:
    """`untold` of what this branch has beyond the trunk; on the trunk, or without git, there is nothing to compare."""
    base = _git("merge-base", TRUNK, "HEAD").strip()
    if not base:
        return None
    return untold(_git("diff", "--name-only", base).splitlines(), _git("log", "--format=%B", f"{base}..HEAD"))


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout if done.returncode == 0 else ""


def gathered(changelog: str, found: list[tuple[str, str]]) -> str:
    """The changelog with (kind, text) of each fragment at the end of its kind's list, under Unreleased."""
    before, heading, after = changelog.partition("## [Unreleased]\n")
    section, next_heading, rest = after.partition("\n## ")
    for kind, text in found:
        section = _with(section, f"### {kind.capitalize()}\n", "- " + "\n  ".join(text.strip().splitlines()))
    return before + heading + section.rstrip("\n") + "\n" + next_heading + rest


def _with(section: str, heading: str, entry: str) -> str:
    if heading not in section:
        return f"{section.rstrip()}\n\n{heading}\n{entry}\n"
    before, _, after = section.partition(heading)
    entries, next_heading, rest = after.partition("\n### ")
    return f"{before}{heading}{entries.rstrip()}\n{entry}\n{next_heading}{rest}"


def main(arguments: list[str]) -> int:
    """The exit status."""
    found = fragments(ROOT / "changelog.d")
    problems = [said for path in found if (said := problem(path))]
    if arguments == ["check"]:
        problems += filter(None, [of_this_branch()])
    if problems or arguments not in (["check"], ["gather"]):
        print("\n".join(problems) or "usage: changelog.py check|gather", file=sys.stderr)
        return 1
    if arguments == ["gather"]:
        changelog = ROOT / "CHANGELOG.md"
        changelog.write_text(gathered(changelog.read_text(), [(p.name.split(".")[1], p.read_text()) for p in found]))
        for path in found:
            path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
