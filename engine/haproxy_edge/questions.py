"""Ask edges something and tell answers from silence and from failure, in words a person can act on.

Pure but for the asking, which is injected. It must never show a traceback: of a minion's failure the last line is what
matters, the rest stands in that minion's log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

# seconds an edge may take; compiling a pillar and checking a configuration take about one
PATIENCE = 15.0


class Minions(Protocol):
    """Publishes a function to minions and gathers what returns within ``patience`` seconds, by minion id."""

    def ask(
        self, names: Iterable[str], function: str, arguments: Mapping[str, Any], *, patience: float
    ) -> dict[str, Any]: ...


@dataclass(frozen=True)
class Answers:
    """``given`` by edge, and one line for each edge that gave none."""

    given: dict[str, dict[str, Any]]
    problems: list[str]


def ask(minions: Minions, names: Iterable[str], function: str, **arguments: Any) -> Answers:
    """Of every edge in ``names``."""
    wanted = sorted(set(names))
    returned = minions.ask(wanted, function, arguments, patience=PATIENCE) if wanted else {}
    given = {name: answer for name, answer in returned.items() if isinstance(answer, dict)}
    return Answers(given, [failure(name, returned.get(name), function) for name in wanted if name not in given])


def failure(name: str, answer: Any, function: str) -> str:
    """Why there is no usable answer, and the way out."""
    if answer is None:
        return f"{name}: did not answer within {PATIENCE:g} s: is salt-minion running there? salt {name} test.ping"
    if lacks(answer):
        return (
            f"{name}: {function} is not there: its modules are missing or older than the master's: "
            f"salt {name} state.apply haproxy brings them"
        )
    return f"{name}: {function} failed: {last_line(answer)}; the whole of it is in that minion's log"


def lacks(answer: Any) -> bool:
    """Whether the minion does not know the function."""
    return isinstance(answer, str) and "is not available" in answer


def last_line(answer: Any) -> str:
    """The last line of a text that has any."""
    lines = [line.strip() for line in str(answer).splitlines() if line.strip()]
    return lines[-1] if lines else repr(answer)
