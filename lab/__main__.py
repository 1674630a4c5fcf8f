"""The lab's command line: ``python -m lab --help``.

Whatever it starts it must be able to take down again in another call, after a failure or a kill, too.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from lab import demo, fabric, image, topology
from lab.cluster import KUBECTL
from lab.hosts import EdgeHost
from lab.master import exec_salt
from lab.processes import RUN, LabError, netns


def main() -> int:
    """The exit status."""
    arguments = _parser().parse_args()
    try:
        if os.geteuid() != 0:
            raise LabError("the lab needs root: network namespaces, mounts and containers")
        return int(arguments.call(arguments) or 0)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
    except KeyboardInterrupt:
        print("lab: interrupted; everything is taken down", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description="A whole installation on one machine.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, call: object, text: str) -> argparse.ArgumentParser:
        sub = commands.add_parser(name, help=text, description=text)
        sub.set_defaults(call=call)
        return sub

    def passed_on(name: str, call: object, text: str) -> None:
        # with no sign of an option: all of them are the program's, the first word, too
        sub = commands.add_parser(name, help=text, add_help=False, prefix_chars="\0")
        sub.set_defaults(call=call)
        sub.add_argument("arguments", nargs=argparse.REMAINDER)

    command("build", lambda _: topology.build_images(set(image.RELEASES)), "build the edge images that are missing")
    up = command("up", _up, "start the lab and leave it running; one that is up stays as it is")
    up.add_argument("--edges", type=int, default=3)
    command("down", _down, "take the lab down")
    _with_demo_options(command("demo", _demo, "the main job before your eyes"))
    for name, text in (
        ("salt", "salt on the lab's master"),
        ("salt-run", "a runner on the lab's master"),
        ("salt-key", "the keys of the lab's minions"),
    ):
        passed_on(name, _salt(name), text)
    run = command("run", _run, "a command on an edge: run edge1 systemctl status haproxy")
    run.add_argument("edge")
    run.add_argument("arguments", nargs=argparse.REMAINDER)
    for name, host, text in (
        ("kubectl", "api", "kubectl on the lab's cluster"),
        ("client", "client", "a command where the clients are"),
    ):
        passed_on(name, _inside(name, host), text)
    return parser


def _with_demo_options(demo: argparse.ArgumentParser) -> None:
    demo.add_argument("--keep", action="store_true", help="leave the lab up")
    demo.add_argument("--kubeconfig", type=Path, help="watch this cluster instead; read-only")
    demo.add_argument("--lane", choices=("hot", "state"), default="hot", help="how pods' changes go out (hot)")
    demo.add_argument("--started", type=float, help="when its installation began, in seconds since 1970")


def _up(arguments: argparse.Namespace) -> None:
    lab = topology.Lab(arguments.edges)
    if lab.is_up():
        image.say("it is up already and stays as it is; for a new one: make clean-lab lab")
    else:
        demo.start(lab)
    print(demo.HOW_TO_PLAY)


def _down(_: argparse.Namespace) -> None:
    topology.down()
    image.say("the lab is down")


def _demo(arguments: argparse.Namespace) -> int:
    if arguments.kubeconfig:
        return demo.follow(arguments.kubeconfig, keep=arguments.keep)
    before = time.time() - arguments.started if arguments.started else 0.0
    return demo.show(keep=arguments.keep, lane=arguments.lane, before=before)


def _salt(program: str) -> object:
    def call(arguments: argparse.Namespace) -> None:
        _need_lab()
        exec_salt(arguments.arguments, program)

    return call


def _run(arguments: argparse.Namespace) -> int:
    done = EdgeHost(arguments.edge).run(arguments.arguments, check=False)
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


def _need_lab() -> None:
    if not RUN.exists():
        raise LabError("the lab is not up: make lab")


def _inside(program: str, host: str) -> object:
    def call(arguments: argparse.Namespace) -> None:
        _need_lab()
        command = arguments.arguments
        if program == "kubectl":
            command = [KUBECTL, "--kubeconfig", str(RUN / "cluster/admin.kubeconfig"), *command]
        elif not command:
            raise LabError(demo.HOW_TO_PLAY)
        command = netns(fabric.namespace(host), command)
        os.execvp(command[0], command)

    return call


if __name__ == "__main__":
    sys.exit(main())
