"""The API as a process: ``python -m lab.kubeapi --directory DIR``. SIGTERM saves its objects in DIR and ends it."""

from __future__ import annotations

import argparse
import asyncio
import json
import signal
from pathlib import Path

from lab.kubeapi.folder import Folder
from lab.kubeapi.gateway import Gateway
from lab.kubeapi.server import Server
from lab.kubeapi.store import HISTORY
from lab.kubeapi.watching import BOOKMARK_SECONDS


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.kubeapi", description=__doc__)
    parser.add_argument("--directory", type=Path, required=True, help="certificates, tokens, kubeconfig, objects")
    parser.add_argument("--address", action="append", help="where to listen, repeatable (127.0.0.1)")
    parser.add_argument("--port", type=int, default=6443, help="0 lets the system choose (6443)")
    parser.add_argument("--bookmark-seconds", type=float, default=BOOKMARK_SECONDS, help="between bookmarks (60)")
    parser.add_argument("--history", type=int, default=HISTORY, help="events kept for watches to start from (20000)")
    return parser.parse_args()


async def _serve(options: argparse.Namespace) -> None:
    addresses = tuple(options.address or ["127.0.0.1"])
    folder = Folder(options.directory, addresses)
    gateway = Gateway(
        admin_token=folder.admin_token,
        key=folder.key,
        history=options.history,
        bookmark_seconds=options.bookmark_seconds,
    )
    saved = folder.saved()
    gateway.store.load(saved) if saved else gateway.seed()
    server = Server(gateway)
    port = await server.start(folder=folder.path, addresses=addresses, port=options.port)
    url = f"https://{_bracketed(addresses[0])}:{port}"
    folder.write_kubeconfig(folder.admin_kubeconfig, url=url, token=folder.admin_token, user="admin")
    print(json.dumps({"url": url, "kubeconfig": str(folder.admin_kubeconfig)}), flush=True)
    await _terminated()
    folder.save(gateway.store.dump())
    await server.stop()


async def _terminated() -> None:
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    await ended.wait()


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


if __name__ == "__main__":
    asyncio.run(_serve(_options()))
