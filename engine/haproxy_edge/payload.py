"""The one string argument of a hot order: snapshots as JSON, compressed when large.

Pure. One string, because Salt reads nested data in a reactor's SLS as YAML, and echoes it in every return. A snapshot's
text must never be touched: its digest has to hold on the edge, whose half is ``haproxy_edge_minion.payload``.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Iterable

from haproxy_edge.snapshot import canonical

COMPRESSED = "zlib:"
# characters of JSON from which compression pays
_LARGE = 4096


def pack(order: str, snapshots: Iterable[str]) -> str:
    """``snapshots`` are canonical JSON texts."""
    text = canonical({"order": order, "snapshots": list(snapshots)})
    if len(text) < _LARGE:
        return text
    return COMPRESSED + base64.b64encode(zlib.compress(text.encode(), 1)).decode()
