"""The main job before your eyes: edges come up, pods roll under load, and the edges follow.

Progress goes to standard error as it happens; standard output gets one line of JSON at the end.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from lab import image
from lab.figures import Figure, figure
from lab.follow import follow
from lab.image import say
from lab.pods import Pod
from lab.processes import RUN, LabError, wait_for
from lab.topology import Lab, down
from lab.traffic import Probe, Record, converged, fetch

__all__ = ["HOW_TO_PLAY", "follow", "show", "start"]

ROLLING_CHANGES = 10
# connections a second to each place; six places
RATE = 35.0
# how long a pod accepts after it was told to end, and the longest a change may take: seconds
TERMINATION = 4.0
PATIENCE = 20.0
# seconds: longer before the demo is more than looking whether all is installed
LOOKING = 10.0
HOW_TO_PLAY = """\
The lab is up. Play:
  lab/salt 'edge*' state.apply haproxy
  lab/salt-run haproxy_edge.status
  lab/salt-run haproxy_edge.doctor
  lab/kubectl get endpointslices -n kube-system
  lab/client curl -k --resolve app.lab:443:10.90.0.11 https://app.lab/
  lab/client curl -k --resolve app.lab:443:[fd90::11] https://app.lab/
Take it down: make clean-lab"""


@dataclass
class Story:
    """What the demo has seen."""

    lane: str
    milliseconds: list[float] = field(default_factory=list)
    others: dict[str, float] = field(default_factory=dict)
    address_preserved: bool = False
    failed: int = 0
    connections: int = 0

    def result(self, edges: int, seconds: float, *, before: float, built: bool) -> dict[str, Any]:
        """The JSON line; of the ``seconds`` installing took those ``before``, and ``built``: images were built, too."""
        ordered = sorted(self.milliseconds)
        p50 = round(statistics.median(ordered)) if ordered else None
        return {
            "edges": edges,
            "changes": len(ordered) + len(self.others),
            "converged": True,
            "client_address_preserved": self.address_preserved,
            "convergence_ms": {"p50": p50, "max": round(max(ordered)) if ordered else None, **self.others},
            "connections": self.connections,
            "failed_connections": self.failed,
            "seconds": round(seconds, 1),
            "figures": [asdict(one) for one in self._figures(p50, seconds, before, built)],
        }

    def _figures(self, p50: int | None, seconds: float, before: float, built: bool) -> list[Figure]:
        found = [
            figure(f"change to all edges, {self.lane} lane, p50", "<= 2", round((p50 or 99999) / 1000, 3), "s"),
            figure("failed connections in rolling changes", "<= 0", self.failed, "connections"),
        ]
        if built:
            found.append(figure("demo, first run, images built", "<= 360", round(seconds, 1), "s"))
        # a first run with another checkout's images is neither of the two
        elif before <= LOOKING:
            found.append(figure("demo, run with images at hand", "<= 90", round(seconds, 1), "s"))
        return found


def start(lab: Lab, *, attach: bool = False) -> list[Pod]:
    """Up, or attached to one that is up; three pods behind the service, and every edge serving them."""
    lab.attach() if attach else lab.up()
    assert lab.pods is not None
    first = [lab.pods.add(version=4), lab.pods.add(version=4), lab.pods.add(version=6)]
    say("pods " + ", ".join(f"{pod.name} ({pod.address})" for pod in first))
    lab.serve(first)
    say("the engine orders the first apply: package, configuration, service on every edge")
    places = [*lab.places(9000), *lab.places(443, tls=True)]
    waiting = {place.name: place for place in places}

    def all_serve() -> bool:
        for key, place in list(waiting.items()):
            if not fetch(place, lab.pods.authority if lab.pods else None).failed:
                del waiting[key]
        return not waiting

    wait_for(all_serve, 90, f"all edges to serve (see {RUN}/master/log)", every=0.3)
    return first


def show(*, keep: bool, lane: str = "hot", before: float = 0.0) -> int:
    """The whole demo, pods' changes by that lane; the exit status. ``before``: seconds that installing took."""
    began, images = time.monotonic() - before, _images()
    lab, story = Lab(engine={"lane": lane}), Story(lane)
    try:
        pods = start(lab)
        say(f"all {len(lab.edges)} edges serve, {time.monotonic() - began:.1f} s after the start")
        pods = _roll(lab, pods, story)
        _to_zero_and_back(lab, pods, story)
        _addresses(lab, story)
        result = story.result(len(lab.edges), time.monotonic() - began, before=before, built=_images() != images)
        print(json.dumps(result), flush=True)
    except BaseException:
        if not keep:
            say("taking the lab down")
            down()
        raise
    if keep:
        # the last line of standard output is the figures'
        print(HOW_TO_PLAY, file=sys.stderr)
    else:
        say("taking the lab down")
        down()
    return 0


def _roll(lab: Lab, pods: list[Pod], story: Story) -> list[Pod]:
    assert lab.pods is not None
    say(f"{ROLLING_CHANGES} pods roll one by one, with {RATE * 6:.0f} new connections a second")
    leaving: list[tuple[float, Pod]] = []
    with Probe(lab.places(9000), rate=RATE, seconds=300) as probe:
        time.sleep(0.5)
        for number in range(1, ROLLING_CHANGES + 1):
            # a pod's successor has an address of the same family, so a change is a change of one slice
            old = pods[0]
            pods = [*pods[1:], lab.pods.add(version=6 if ":" in old.address else 4)]
            changed = time.monotonic()
            lab.serve(pods, leaving=[old])
            took = _await(probe, changed, pods)
            story.milliseconds.append(took * 1000)
            say(f"  {number:2}: {old.name} leaves, {pods[-1].name} comes: all edges after {took * 1000:.0f} ms")
            leaving.append((changed + TERMINATION, old))
            leaving = _end_those_due(leaving)
        for due, pod in leaving:
            time.sleep(max(0.0, due - time.monotonic()))
            pod.stop()
        lab.serve(pods)
        time.sleep(1.0)
    records = probe.records()
    story.connections = len(records)
    story.failed = sum(record.failed for record in records)
    _say_failures(records)
    return pods


def _end_those_due(leaving: list[tuple[float, Pod]]) -> list[tuple[float, Pod]]:
    for due, pod in leaving:
        if due <= time.monotonic():
            pod.stop()
    return [(due, pod) for due, pod in leaving if due > time.monotonic()]


def _to_zero_and_back(lab: Lab, pods: list[Pod], story: Story) -> None:
    with Probe(lab.places(9000), rate=10, seconds=60) as probe:
        changed = time.monotonic()
        lab.serve([])
        story.others["to_zero"] = round(_await(probe, changed, []) * 1000)
        say(f"  scaled to 0: held for the grace of 2 s, empty on all edges after {story.others['to_zero']} ms")
        changed = time.monotonic()
        lab.serve(pods)
        story.others["back"] = round(_await(probe, changed, pods) * 1000)
        say(f"  and back: all edges after {story.others['back']} ms")


def _await(probe: Probe, changed: float, pods: list[Pod]) -> float:
    """Seconds from the change until every edge, over both families, routes only to these pods."""
    wanted = frozenset(pod.name for pod in pods)
    found: dict[str, float] = {}

    def done() -> bool:
        result = converged(probe.records(), changed, wanted)
        # a moment longer: an answer from the old set would take the verdict back
        if result and len(result) == 6 and time.monotonic() - changed > max(result.values()) + 0.4:
            found.update(result)
            return True
        if not probe.running:
            raise LabError("the probe ended early")
        return False

    wait_for(done, PATIENCE, f"all edges to route to {', '.join(sorted(wanted)) or 'nothing'}", every=0.05)
    return max(found.values())


def _addresses(lab: Lab, story: Story) -> None:
    """A client through every edge over both families, by TLS; nginx's own log must hold its address."""
    assert lab.pods is not None
    right = []
    for place in lab.places(443, tls=True):
        answer = fetch(place, lab.pods.authority)
        own = "fd90::3" if ":" in place.address else "10.90.0.3"
        pod = next((pod for pod in lab.pods.all if pod.name == answer.pod), None)
        logged = pod is not None and any(line.startswith(f"{own} ") for line in pod.access_log.read_text().splitlines())
        right.append(answer.client == own and logged)
        say(f"  TLS through {place.name}: {answer.pod or answer.error} was told the client is {answer.client}")
    story.address_preserved = all(right)
    if not story.address_preserved:
        raise LabError("a pod was not told the client's address")


def _say_failures(records: list[Record]) -> None:
    failures = [record for record in records if record.failed]
    say(f"  {len(records)} connections, {len(failures)} failed")
    for record in failures[:5]:
        say(f"    {record.place}: {record.error}")


def _images() -> set[str]:
    return {path.name for path in image.cache().glob("*")}
