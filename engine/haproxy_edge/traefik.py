"""Which addresses Traefik has to trust, and the HelmChartConfig that says so.

Pure. It names single addresses, never a network: whoever is trusted can claim to be any client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from typing import Any

ENTRY_POINTS = ("websecure", "web")
_HEAD = """\
apiVersion: helm.cattle.io/v1
kind: HelmChartConfig
metadata:
  name: traefik
  namespace: kube-system
spec:
  valuesContent: |-
    ports:
"""


def trusted(sources: Mapping[str, Iterable[str]]) -> list[str]:
    """Of ``{edge: addresses its connections come from}``: each as a network of one, IPv4 first, in order."""
    found = {ip_address(address) for addresses in sources.values() for address in addresses}
    ordered = sorted(found, key=lambda address: (address.version, int(address)))
    return [f"{address}/{address.max_prefixlen}" for address in ordered]


def helm_chart_config(networks: Iterable[str], entry_points: Iterable[str] = ENTRY_POINTS) -> str:
    """YAML for ``kubectl apply -f -``."""
    quoted = ", ".join(f'"{network}"' for network in networks)
    blocks = [f"      {name}:\n        proxyProtocol:\n          trustedIPs: [{quoted}]\n" for name in entry_points]
    return _HEAD + "".join(blocks)


def sources_told(answers: Mapping[str, Mapping[str, Any]]) -> tuple[dict[str, list[str]], list[str]]:
    """(sources by edge, problems) of what edges answered to ``haproxy_edge.sources``."""
    sources: dict[str, list[str]] = {}
    problems = []
    for edge, answer in sorted(answers.items()):
        sources[edge] = sorted(answer["sources"])
        problems += [f"{edge}: {problem}" for problem in answer.get("problems") or ()]
        if not sources[edge]:
            problems.append(f"{edge}: no pod is known to it, or there is no route to any, so its address is not known")
    return sources, problems
