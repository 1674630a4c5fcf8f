"""The way that is replaced: watch a service's Endpoints, and run a playbook to its end for each change.

``python -m bench.endpoints_watcher SETTINGS``, a JSON file (see `bench.ansible_way`), in the master's namespace. It
does what its original does, a watch of the kubernetes client and a process for each event, and no more: what it would
need to be reliable would make it slower.
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes

_PR_SET_CHILD_SUBREAPER = 36


def changes(kubeconfig: str, service: str) -> Iterator[Any]:
    """What is behind the service, at first and after each change."""
    namespace, _, name = service.partition("/")
    kubernetes.config.load_kube_config(kubeconfig)
    listing = kubernetes.client.CoreV1Api().list_namespaced_endpoints
    before: Any = ()
    for event in kubernetes.watch.Watch().stream(listing, namespace, field_selector=f"metadata.name={name}"):
        subsets = event["object"].subsets
        if subsets != before:
            before = subsets
            yield subsets


def keep_orphans() -> None:
    """SSH connections that outlive their playbook stay children of this process, so that their costs are its own."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def main(path: str) -> None:
    """For ever."""
    settings = json.loads(Path(path).read_text())
    keep_orphans()
    for _ in changes(settings["kubeconfig"], settings["service"]):
        subprocess.run(settings["command"], env={**os.environ, **settings["environment"]}, check=False)


if __name__ == "__main__":
    main(sys.argv[1])
