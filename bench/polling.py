"""A template loop on an edge: every few seconds read the Endpoints, render, and reload HAProxy when the text differs.

``python3 polling.py SETTINGS``, a JSON file with ``url``, ``token``, ``authority``, ``head``, ``port``, ``seconds``. It
runs by itself on an edge, so it must import nothing but the standard library. It never writes what HAProxy refuses.
"""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

CONFIG = Path("/etc/haproxy/haproxy.cfg")
_FLAGS = "weight 100 send-proxy-v2 check-send-proxy check inter 1s fall 3 rise 2"
# seconds for one answer of the API
_PATIENCE = 5.0


def servers(endpoints: dict[str, Any], port_name: str) -> str:
    """Server lines of an Endpoints object."""
    lines = [
        _line(address, port["port"])
        for subset in endpoints.get("subsets") or []
        for port in subset.get("ports") or []
        if port.get("name") == port_name
        for address in subset.get("addresses") or []
    ]
    return "".join(lines)


def _line(address: dict[str, Any], port: int) -> str:
    name, node = address["targetRef"]["name"], address["nodeName"]
    return f"    server {name} {address['ip']}:{port} {_FLAGS} # node {node}\n"


def read(settings: dict[str, Any]) -> dict[str, Any]:
    """The Endpoints object."""
    request = urllib.request.Request(settings["url"], headers={"Authorization": f"Bearer {settings['token']}"})
    context = ssl.create_default_context(cadata=settings["authority"])
    with urllib.request.urlopen(request, timeout=_PATIENCE, context=context) as answer:
        return dict(json.load(answer))


def apply(text: str) -> None:
    """Checked, replaced as a whole, reloaded. Raises ``CalledProcessError`` when HAProxy refuses it."""
    fresh = CONFIG.with_suffix(".polled")
    fresh.write_text(text)
    subprocess.run(["haproxy", "-q", "-c", "-f", str(fresh)], check=True)
    fresh.replace(CONFIG)
    subprocess.run(["systemctl", "reload-or-restart", "haproxy"], check=True)


def main(path: str) -> None:
    """For ever."""
    settings = json.loads(Path(path).read_text())
    due = time.monotonic()
    while True:
        try:
            text = settings["head"] + servers(read(settings), settings["port"])
            if text != CONFIG.read_text():
                apply(text)
        except (OSError, subprocess.CalledProcessError) as error:
            print(f"tried again in {settings['seconds']:g} s: {error}", file=sys.stderr, flush=True)
        due += settings["seconds"]
        time.sleep(max(0.0, due - time.monotonic()))


if __name__ == "__main__":
    main(sys.argv[1])
