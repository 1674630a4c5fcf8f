"""Every message that docs/errors.md explains is one that the code can say."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SOURCES = sorted([*ROOT.glob("engine/**/*.py"), *ROOT.glob("salt/states/**/*.py")])
# said by the operating system, and by the page for whole families
NOT_OURS = ("No space left on device", "http-…")


def messages() -> list[str]:
    """First cells of the tables that explain a message."""
    page = (ROOT / "docs/errors.md").read_text().partition("## Nothing happens")[0]
    cells = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines() if line.startswith("| `")]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


def strings() -> Iterator[str]:
    """Every text in the code, with … for each value put into it."""
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[a-z]", "…", node.value)


def can_be_said(message: str, texts: list[str]) -> bool:
    parts = [re.escape(part.strip()) for part in message.split("…") if part.strip()]
    pattern = re.compile(".*".join(parts), re.DOTALL)
    return any(pattern.search(text) for text in texts)


TEXTS = list(strings())


@pytest.mark.parametrize("message", [message for message in messages() if message not in NOT_OURS])
def test_a_message_on_the_page_is_a_message_of_the_code(message: str):
    assert can_be_said(re.sub(r"^http-\d.*", "http-…", message), TEXTS)
