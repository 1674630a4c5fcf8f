"""``haproxy-edge``, or ``python -m haproxy_edge``: what an installation needs once, outside of Salt.

A command of its own because Salt is not there yet, or has no rights in the cluster. It must never replace a file that
works by one that was not tried.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from haproxy_edge import __version__, kube, kubeconfig, paths

_ACCOUNT = "kube-system/haproxy-edge"


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status."""
    asked = _parser().parse_args(arguments)
    try:
        print(asked.call(asked), end="")
    except (kubeconfig.Refused, kube.ApiError) as error:
        print(f"haproxy-edge: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="haproxy-edge", description="What an installation needs once.")
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    text = "print the master's configuration with the paths of this installation's states and reactor"
    shown = commands.add_parser("paths", help=text, description=text)
    shown.add_argument("--in-cluster", action="store_true", help="for a master in a pod: without a kubeconfig")
    shown.set_defaults(call=lambda asked: paths.master_configuration(in_cluster=asked.in_cluster))

    text = "write, or renew, the kubeconfig of a master outside of the cluster"
    _kubeconfig_options(commands.add_parser("kubeconfig", help=text, description=text))
    return parser


def _kubeconfig_options(minted: argparse.ArgumentParser) -> None:
    minted.set_defaults(call=_kubeconfig)
    minted.add_argument("file", type=Path, help="the kubeconfig to write; replaced only by one that works")
    minted.add_argument("--admin", metavar="FILE", help="a kubeconfig that may make the token (the default one)")
    minted.add_argument("--context", help="context in that kubeconfig (its current one)")
    minted.add_argument("--account", type=_account, default=_ACCOUNT, metavar="NAMESPACE/NAME", help=f"({_ACCOUNT})")
    minted.add_argument("--hours", type=_hours, default=168, help="life of the token; the API may shorten it (168)")
    minted.add_argument("--server", metavar="URL", help="the API as the master reaches it (as the admin does)")
    minted.add_argument("--follow", action="append", default=[], metavar="NAMESPACE", help="to try; repeatable")
    minted.add_argument("--owner", metavar="USER[:GROUP]", help="of the file (as before)")


def _kubeconfig(asked: argparse.Namespace) -> str:
    wish = kubeconfig.Wish(asked.account, asked.hours * 3600, tuple(asked.follow), asked.server, asked.owner)
    admin = kube.connect(kubeconfig=asked.admin, context=asked.context, timeouts=kubeconfig.TIMEOUTS)
    return f"{asked.file}: {asked.account}, until {kubeconfig.renew(asked.file, wish, admin)}\n"


def _account(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9.-]+/[a-z0-9.-]+", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not namespace/name, for example {_ACCOUNT}")
    return text


def _hours(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 8760:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of hours from 1 to 8760")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
