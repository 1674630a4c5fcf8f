"""Serve an empty cluster until ended: ``python -m lab.apiserver --address 127.0.0.1 --port 6443 --directory DIR``.

DIR gets ``ca.crt`` and ``admin.token``; both stay the same when the server is started there again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lab import tls
from lab.apiserver.server import ApiServer, new_token


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m lab.apiserver", description=__doc__)
    parser.add_argument("--address", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6443)
    parser.add_argument("--directory", type=Path, required=True)
    arguments = parser.parse_args()
    directory: Path = arguments.directory
    directory.mkdir(parents=True, exist_ok=True)
    files = tls.Certificate(directory / "ca.crt", directory / "server.crt", directory / "server.key")
    if not files.key.exists():
        tls.make(directory, [arguments.address, "127.0.0.1", "localhost", "kubernetes"])
    token = directory / "admin.token"
    if not token.exists():
        token.touch(mode=0o600)
        token.write_text(new_token())
    server = ApiServer((arguments.address, arguments.port), files.certificate, files.key, admin_token=token.read_text())
    (directory / "ready").write_text("")
    server.serve_forever(poll_interval=60)


if __name__ == "__main__":
    main()
