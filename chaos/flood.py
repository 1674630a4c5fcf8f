"""Events onto the master's bus as fast as it takes them: ``python -m chaos.flood <configuration> <tag> <number>``.

A process of its own, like whatever on a real master floods it; it ends when the bus has taken the last one. It must
never wait for a reader, or nothing would be dropped.
"""

from __future__ import annotations

import sys

import salt.config
import salt.utils.event


def flood(configuration: str, tag: str, number: int) -> None:
    """That many events; the bus may drop what a slow reader does not fetch."""
    opts = salt.config.master_config(configuration)
    with salt.utils.event.get_master_event(opts, opts["sock_dir"], listen=False) as bus:
        for each in range(number):
            bus.fire_event({"number": each}, tag)


if __name__ == "__main__":
    flood(sys.argv[1], sys.argv[2], int(sys.argv[3]))
