"""The lab's network: namespaces on two bridges, IPv4 and IPv6, with no way out.

The edges, the master, the client and the API stand on one net, the pods on another, as in front of a cluster; the
namespace ``hel-fab`` routes between them.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from lab.processes import NAME, LabError, run

PREFIX = NAME
_EDGE_NET = ("br-edge", "10.90.0", "fd90:")
_POD_NET = ("br-pod", "10.244.0", "fd42:")
# where every pod's address is
POD_NETWORKS = ("10.244.0.0/24", "fd42::/64")
MASTER, CLIENT, API, PODS = 2, 3, 4, 10
_NETNS_ETC = Path("/etc/netns")


def namespace(host: str) -> str:
    """The network namespace of a host of the lab."""
    return f"{PREFIX}-{host}"


def addresses(host: str) -> tuple[str, str]:
    """(IPv4, IPv6) of ``master``, ``client``, ``api``, ``pods`` or ``edgeN``."""
    net, number = _place(host)
    return f"{net[1]}.{number}", f"{net[2]}:{number}"


def pod_address(number: int, version: int = 4) -> str:
    """An address of the pod net: 10.244.0.N or fd42::N."""
    return f"{_POD_NET[1]}.{number}" if version == 4 else f"{_POD_NET[2]}:{number}"


def _place(host: str) -> tuple[tuple[str, str, str], int]:
    numbers = {"master": MASTER, "client": CLIENT, "api": API}
    if host == "pods":
        return _POD_NET, PODS
    if host.startswith("edge") and host[4:].isdigit():
        return _EDGE_NET, 10 + int(host[4:])
    if host not in numbers:
        raise LabError(f"{host}: no such host in the lab")
    return _EDGE_NET, numbers[host]


class Fabric:
    """All namespaces of a lab with that many edges."""

    def __init__(self, edges: int) -> None:
        self._hosts = ["master", "client", "api", "pods", *(f"edge{number}" for number in range(1, edges + 1))]

    def up(self) -> None:
        """Make them; `down` first if a former lab left any."""
        fab = namespace("fab")
        run(["ip", "netns", "add", fab])
        sysctl = ["net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1"]
        run(["ip", "netns", "exec", fab, "sysctl", "-qw", *sysctl])
        _batch(fab, ["link set lo up", *_bridge(*_EDGE_NET), *_bridge(*_POD_NET)])
        for host in self._hosts:
            self._add(host)

    def _add(self, host: str) -> None:
        name, (bridge, net4, net6), number = namespace(host), *_place(host)
        _name_service(name, host)
        run(["ip", "netns", "add", name])
        end = f"{PREFIX}-{host}"
        fab = namespace("fab")
        _batch(fab, [f"link add {end} type veth peer name eth0 netns {name}", f"link set {end} master {bridge} up"])
        _batch(
            name,
            [
                "link set lo up",
                f"addr add {net4}.{number}/24 dev eth0",
                # nodad: a tentative address fails bind() for a second or two
                f"addr add {net6}:{number}/64 dev eth0 nodad",
                "link set eth0 up",
                f"route add default via {net4}.1",
                f"route add ::/0 via {net6}:1",
            ],
        )


def down() -> None:
    """Remove every namespace of the lab, whoever made it."""
    listed = subprocess.run(["ip", "netns", "list"], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        name = line.split()[0] if line.split() else ""
        if name.startswith(f"{PREFIX}-"):
            run(["ip", "netns", "del", name], check=False)
    for etc in _NETNS_ETC.glob(f"{PREFIX}-*"):
        shutil.rmtree(etc, ignore_errors=True)


def _bridge(name: str, net4: str, net6: str) -> list[str]:
    return [
        f"link add {name} type bridge",
        f"addr add {net4}.1/24 dev {name}",
        f"addr add {net6}:1/64 dev {name} nodad",
        f"link set {name} up",
    ]


def _batch(name: str, commands: list[str]) -> None:
    command = ["ip", "-n", name, "-batch", "-"]
    done = subprocess.run(command, input="\n".join(commands), text=True, capture_output=True, check=False)
    if done.returncode:
        raise LabError(f"{name}: {done.stderr.strip()}")


def _name_service(name: str, host: str) -> None:
    """``ip netns exec`` binds these over /etc: without them, look-ups hang for a resolver that cannot be reached."""
    etc = _NETNS_ETC / name
    etc.mkdir(parents=True, exist_ok=True)
    (etc / "hosts").write_text(f"127.0.0.1 localhost {host}\n::1 localhost\n")
    (etc / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
