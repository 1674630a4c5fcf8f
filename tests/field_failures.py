"""Fifteen failures that systems of this kind had in public, what is promised instead, and how they are looked up.

A test that keeps one of them away is marked ``@pytest.mark.field_failure("…")`` with the name below. The names and
the public issues are keywords, too: ``-k 2909`` runs what stands against that one. ``make generated``
writes the list of tests into ``docs/field-failures.md`` from the marks; a test compares them. Nothing is imported for
that: the end-to-end tests need a lab.
"""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs/field-failures.md"
BEGIN, END = "<!-- make generated: begin -->", "<!-- make generated: end -->"
MARK = "field_failure"


class Failure(NamedTuple):
    """``seen``: public issues as owner/repository#number; ``needs``: folders of ``tests/`` that must hold a proof."""

    name: str
    seen: tuple[str, ...]
    happened: str
    promise: str
    needs: tuple[str, ...]


class Proof(NamedTuple):
    """A marked test: its file below ``tests/``, its name and what it stands against."""

    path: str
    test: str
    failure: str


FAILURES: tuple[Failure, ...] = (
    Failure(
        "an API error read as no endpoints",
        ("F5Networks/k8s-bigip-ctlr#2909",),
        "etcd was ill, the list of endpoints failed, and the pool was emptied.",
        "Only a successful list takes a server away. Whatever else the API says, or does not say, is a warning, "
        "and every edge stays as it is.",
        ("unit/engine", "functional/engine", "e2e"),
    ),
    Failure(
        "a change lost between two publishes",
        ("F5Networks/k8s-bigip-ctlr#3967", "F5Networks/k8s-bigip-ctlr#3340"),
        "A pod left and came back while changes were being collected, and was never added again; a retry posted a "
        "set from before.",
        "Orders carry no content: what is published is read from the store at that moment. After any sequence of "
        "changes, errors and restarts the edges serve the last set that was listed, and an older one never "
        "replaces a newer.",
        ("unit/engine", "functional/edge", "e2e"),
    ),
    Failure(
        "a watch that ends in silence",
        ("kubernetes-client/python#2462", "kubernetes-client/python#1148", "kubernetes-client/python#1896"),
        "The connection was half-open, ended by itself after some minutes, or was told 410, and nobody noticed; "
        "what was deleted meanwhile stayed.",
        "A mute watch is torn down within `read_timeout`. One that ends goes on where it ended, and one that "
        "cannot is listed anew, with what was missed.",
        ("unit/engine", "functional/engine", "e2e"),
    ),
    Failure(
        "null where a list was expected",
        ("F5Networks/k8s-bigip-ctlr#2209",),
        "A service scaled to 0 has `subsets: null` or `endpoints: null`, and the watcher died of it.",
        "Null lists, names, ports and addresses are ordinary input. They are no servers, and no error.",
        ("unit/engine", "functional/engine", "e2e"),
    ),
    Failure(
        "only some of the slices, or some twice",
        ("haproxytech/kubernetes-ingress#206",),
        "The first subset and its first port counted, further slices did not, or an endpoint of two slices was two "
        "servers.",
        "All slices of a service are one set: any number, overlapping, of both families, with different numbers "
        "for one port name. Names are refused and said. An endpoint that moves from one slice to another is there "
        "all the time.",
        ("unit/engine", "functional/engine", "e2e"),
    ),
    Failure(
        "conditions misread",
        ("metallb/metallb#2337", "traefik/traefik#12419"),
        "An unset `ready` was taken for no, a pod was used because it was serving before it was ready, and with "
        "all pods terminating nobody was left.",
        "Unset means ready. What is listed and not ready drains. While nothing is ready, those that still serve do.",
        ("unit/engine", "functional/edge", "e2e"),
    ),
    Failure(
        "a reload for nothing new",
        ("haproxytech/kubernetes-ingress#514", "haproxytech/kubernetes-ingress#638", "jcmoraisjr/haproxy-ingress#745"),
        "Another order of the same endpoints, or an update without a change, reloaded HAProxy again and again.",
        "The same content in any order is the same file to the byte, served by the same process, and is not even "
        "published.",
        ("unit/engine", "functional/edge", "e2e"),
    ),
    Failure(
        "growth past a limit",
        ("haproxytech/kubernetes-ingress#206", "haproxytech/kubernetes-ingress#670"),
        "Backends had 10, or 42, places for servers, and the next pod got none.",
        "Servers are added and deleted one by one in the running process: from none to thousands and back, and again.",
        ("unit/engine", "functional/edge"),
    ),
    Failure(
        "what runs is not what the file says",
        ("jcmoraisjr/haproxy-ingress#1243", "haproxy/haproxy#2497"),
        "Changes made at run time were not in the file, or were in it otherwise, and the next reload showed it.",
        "File and command are made by one function. After every step, and after a reload, the process shows the "
        "file's servers on its socket and a pod receives the same header from both.",
        ("unit/edge", "functional/edge", "e2e"),
    ),
    Failure(
        "a server deleted with live sessions, its name used again",
        ("haproxy/haproxy#2323",),
        "A server with connections left could not be deleted, and the next one of its name or address met it.",
        "A server that is gone keeps its sessions and takes no new one; the same name or address again is served "
        "at once. However often that happens, nothing is left over.",
        ("unit/edge", "functional/edge"),
    ),
    Failure(
        "a reload believed to have worked",
        ("jcmoraisjr/haproxy-ingress#1265", "jcmoraisjr/haproxy-ingress#1348", "jcmoraisjr/haproxy-ingress#1175"),
        "The reload was refused, or HAProxy's master process died in the middle of it; it counted as done and was "
        "not tried again.",
        "A reload is done when a new worker shows the new configuration on its socket. Else the last good file is "
        "back, the old worker goes on, and the next run tries again.",
        ("unit/edge", "functional/edge", "e2e"),
    ),
    Failure(
        "connections cut, or old workers pile up",
        ("openshift/router#429", "jcmoraisjr/haproxy-ingress#899"),
        "Every change reloaded, so that long connections were cut or each kept an old process, with its memory, alive.",
        "Pods come and go without a reload. Through a hundred changes no connection fails, no stream is cut, the "
        "number of workers is bounded and memory stays.",
        ("functional/edge", "e2e"),
    ),
    Failure(
        "a PROXY header that does not fit",
        ("traefik/traefik#7146",),
        "The pod did not trust the edge, or the header was one it could not read, and every connection was lost or "
        "had the edge's own address.",
        "The header is version 2 whatever families client and pod are of; a health check says LOCAL. The doctor "
        "finds a pod that ignores the header, or takes it for data.",
        ("functional/edge", "e2e"),
    ),
    Failure(
        "one bad edge holds up all",
        ("projectcontour/gimbal",),
        "One peer that was down, or slow, delayed the others, or was dropped after some tries and never heard of "
        "again.",
        "Edges are published to at once and told apart by what they confirm. One that is asleep, stuck, full or "
        "badly configured delays nobody, and is brought right without another change.",
        ("unit/engine", "e2e"),
    ),
    Failure(
        "Salt loses or doubles",
        ("saltstack/salt#54045", "saltstack/salt#56307", "saltstack/salt#22814"),
        "The reactor dropped events of a burst, a restart lost what was queued, and two runs of a state met.",
        "A burst is a few publishes, the last state among them. What a master lost between event and job is "
        "ordered again. Runs at once wait for each other, and the newest content wins.",
        ("unit/engine", "functional/edge", "e2e"),
    ),
)


def keywords(name: str) -> list[str]:
    """By what else than its name a failure is found."""
    return [seen for failure in FAILURES if failure.name == name for seen in (failure.name, *failure.seen)]


@functools.cache
def proofs() -> list[Proof]:
    """Every mark there is, in the order of files."""
    return [proof for path in sorted(TESTS.rglob("test_*.py")) for proof in _marked(path)]


def _marked(path: Path) -> Iterator[Proof]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == f"pytest.mark.{MARK}":
                    for name in decorator.args:
                        yield Proof(str(path.relative_to(TESTS)), node.name, ast.literal_eval(name))


def listed() -> str:
    """What stands between the marks of the page."""
    return "\n".join([BEGIN, *(_section(number, failure) for number, failure in enumerate(FAILURES, start=1)), END])


def _section(number: int, failure: Failure) -> str:
    seen = ", ".join(_link(one) for one in failure.seen)
    rows = [f"| `{proof.path}` | `{proof.test}` |" for proof in proofs() if proof.failure == failure.name]
    title = failure.name[0].upper() + failure.name[1:]
    table = "\n".join(["| file | test |", "|---|---|", *rows])
    return f"\n## {number}. {title}\n\n{failure.happened} Seen in {seen}.\n\n{failure.promise}\n\n{table}\n"


def _link(seen: str) -> str:
    repository, _, number = seen.partition("#")
    return f"[{seen}](https://github.com/{repository}{f'/issues/{number}' if number else ''})"


def main() -> None:
    """Write the list into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + listed() + rest.partition(END)[2])


if __name__ == "__main__":
    main()
