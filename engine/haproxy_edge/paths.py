"""Where this installation keeps its states and its reactor, as configuration that a master takes as it stands.

They are in the wheel, beside the package; in a checkout they are its folder ``salt``. It must never read anything but
its own place, nor write a master's configuration.
"""

from __future__ import annotations

from pathlib import Path

_HERE = Path(__file__).resolve().parent

MASTER = """\
# /etc/salt/master.d/haproxy-edge.conf
file_roots:
  base:
    - /srv/salt                        # your own first: a file of yours overrides one of ours
    - {share}/states
# what pip compiled beside the states is nobody's module
file_ignore_regex:
  - '(^|/)__pycache__($|/)'
ext_pillar:                            # keep haproxy_edge the last of the list
  - haproxy_edge: {{}}
reactor:
  - haproxy_edge/doorbell/hot:
      - {share}/reactor/haproxy_hot.sls
  - haproxy_edge/doorbell/state:
      - {share}/reactor/haproxy_state.sls
engines:
  - k8s_endpoints:
      services: [kube-system/traefik]
"""
KUBECONFIG_LINE = """\
      kubeconfig: /etc/salt/haproxy-edge.kubeconfig
"""


def share() -> Path:
    """The folder with ``states`` and ``reactor``."""
    installed = _HERE / "share"
    return installed if installed.is_dir() else _HERE.parents[1] / "salt"


def master_configuration(*, in_cluster: bool) -> str:
    """YAML, ready for ``/etc/salt/master.d``; a master in the cluster is its pod's account and has no kubeconfig."""
    return MASTER.format(share=share()) + ("" if in_cluster else KUBECONFIG_LINE)
