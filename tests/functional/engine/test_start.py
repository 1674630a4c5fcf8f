"""The order of what an engine does at its start, in a process of its own as Salt gives it one."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import sys, threading
import salt.config
from haproxy_edge.engines import k8s_endpoints as engine

def refuse(thread):
    loaded = all(name in sys.modules for name in ("kubernetes.client", "kubernetes.config", "requests"))
    raise SystemExit(f"whole: {loaded}")

engine.__opts__ = {**salt.config.master_config(None), "cachedir": sys.argv[1], "sock_dir": sys.argv[1]}
threading.Thread.start = refuse
engine.start(services=["kube-system/traefik"])
"""


def test_the_client_of_the_cluster_is_whole_before_there_is_a_second_thread(tmp_path):
    done = subprocess.run([sys.executable, "-c", _PROGRAM, str(tmp_path)], capture_output=True, text=True, timeout=60)

    assert done.stderr.splitlines()[-1] == "whole: True"
