"""A Prometheus beside the lab's master, configured by what ``deploy/prometheus`` gives a site, asked about the lab.

It scrapes each second, so that rates are there within a few; nothing else differs from the example.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lab import fabric
from lab.master import CHECKOUT
from lab.processes import RUN, LabError, end, netns, spawn, wait_for

EXAMPLE = CHECKOUT / "deploy/prometheus/scrape.example.yml"
ENGINE, EDGES = "127.0.0.1:9105", 9101
_PORT = 9090
# asks for all in one process, because only a process can stand in another network namespace
_ASK = """
import json, sys, urllib.error, urllib.request
def ask(url):
    try:
        return json.load(urllib.request.urlopen(url, timeout=10))
    except (OSError, ValueError) as error:
        return {"error": str(error)}
print(json.dumps([ask(url) for url in json.load(sys.stdin)]))
"""


class Prometheus:
    """``edges`` are the addresses of hosts whose HAProxy has an exporter."""

    def __init__(self, edges: Sequence[str] = ()) -> None:
        self._directory = RUN / "prometheus"
        self._edges = edges

    def start(self) -> None:
        """Returns when it has scraped everything at least twice."""
        shutil.rmtree(self._directory, ignore_errors=True)
        self._directory.mkdir(parents=True)
        (self._directory / "prometheus.yml").write_text(yaml.safe_dump(self._configuration()))
        arguments = (
            f"--config.file={self._directory}/prometheus.yml",
            f"--storage.tsdb.path={self._directory}/data",
            f"--web.listen-address=127.0.0.1:{_PORT}",
        )
        spawn("prometheus", netns(fabric.namespace("master"), ["prometheus", *arguments]))
        scraped = f"min(count_over_time(up[1m])) >= 2 and count(up == 1) == {1 + len(self._edges)}"
        wait_for(lambda: self.values(scraped), 60, f"Prometheus to scrape all (see {RUN}/prometheus.log)", every=0.3)

    def stop(self) -> None:
        """End it."""
        end(RUN / "prometheus.pid")

    def values(self, expression: str) -> list[float]:
        """What a query gives now."""
        return self.ask([expression])[0]

    def ask(self, expressions: Sequence[str]) -> list[list[float]]:
        """The values of each; empty where a query gives nothing. Raises `LabError` on one Prometheus refuses."""
        from urllib.parse import quote

        urls = [f"http://127.0.0.1:{_PORT}/api/v1/query?query={quote(expression)}" for expression in expressions]
        command = netns(fabric.namespace("master"), [sys.executable, "-c", _ASK])
        done = subprocess.run(command, input=json.dumps(urls), capture_output=True, text=True, timeout=60, check=True)
        pairs = zip(expressions, json.loads(done.stdout), strict=True)
        return [_values(expression, answer) for expression, answer in pairs]

    def _configuration(self) -> dict[str, Any]:
        example = yaml.safe_load(EXAMPLE.read_text())
        targets = {"haproxy-edge-engine": [ENGINE], "haproxy-edge": [f"{edge}:{EDGES}" for edge in self._edges]}
        for job in example["scrape_configs"]:
            job["scrape_interval"] = "1s"
            job["static_configs"] = [{"targets": targets[job["job_name"]]}]
        example["rule_files"] = [str(EXAMPLE.parent / name) for name in example["rule_files"]]
        return dict(example)


def dashboard_queries(dashboard: Path) -> dict[str, str]:
    """Every query of a Grafana dashboard by "panel: legend", as Grafana would send it over a short range."""
    panels = json.loads(dashboard.read_text())["panels"]
    found = {
        f"{panel['title']}: {target['refId']}": target["expr"]
        for panel in panels
        for target in panel.get("targets", [])
    }
    put = {"$cluster": ".*", "$__rate_interval": "1m", "$__range": "1m"}
    for name, expression in found.items():
        for variable, value in put.items():
            expression = expression.replace(variable, value)
        found[name] = expression
    return found


def _values(expression: str, answer: dict[str, Any]) -> list[float]:
    if answer.get("status") != "success":
        # not yet listening is no answer; a refused query is 400
        if "400" in str(answer.get("error")):
            raise LabError(f"{expression}: {answer}")
        return []
    return [float(row["value"][1]) for row in answer["data"]["result"]]
