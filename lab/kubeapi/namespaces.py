"""Making a socket inside another network namespace. A socket stays where it was made, the thread does not."""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator

_CLONE_NEWNET = 0x40000000


@contextlib.contextmanager
def inside(namespace: str | None) -> Iterator[None]:
    """This thread in a namespace of ``ip netns``, for the length of the block; nowhere else when None. Needs root."""
    if namespace is None:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter_path(f"/run/netns/{namespace}")
        try:
            yield
        finally:
            _enter(home)
    finally:
        os.close(home)


def _enter_path(path: str) -> None:
    there = os.open(path, os.O_RDONLY)
    try:
        _enter(there)
    finally:
        os.close(there)


def _enter(descriptor: int) -> None:
    # os.setns needs Python 3.12
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")
