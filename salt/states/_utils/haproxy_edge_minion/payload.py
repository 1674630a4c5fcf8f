"""The one string argument of a hot order: snapshots as JSON, compressed when large.

Pure. Nested data would be YAML on the master and take 50 times as long to read. It must never pass a snapshot on that
was not checked, nor grow without bound from a few bytes.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from typing import Any

from haproxy_edge_minion.snapshot import Snapshot, SnapshotError, check

COMPRESSED = "zlib:"
# bytes of JSON; 20,000 servers take about 3 MB
MAX_SIZE = 32 * 1024 * 1024


def unpack(payload: Any) -> tuple[str, list[Snapshot]]:
    """(order id, snapshots). Refused whole: raises `SnapshotError` naming the field.

    A mapping is taken, too: that is what Salt's command line makes of JSON.
    """
    try:
        raw = json.loads(_text(payload)) if isinstance(payload, str) else payload
        order, texts = raw["order"], raw["snapshots"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise SnapshotError(f"payload: {str(payload)[:80]!r}: not an order with snapshots: {error!r}") from error
    if not isinstance(order, str) or not isinstance(texts, list):
        raise SnapshotError(f"payload: order {order!r:.80}: must be a text, and snapshots a list")
    return order, [check(text) for text in texts]


def _text(payload: str) -> str:
    if not payload.startswith(COMPRESSED):
        return payload
    inflate = zlib.decompressobj()
    try:
        data = inflate.decompress(base64.b64decode(payload[len(COMPRESSED) :], validate=True), MAX_SIZE)
    except (zlib.error, binascii.Error) as error:
        raise ValueError(error) from error
    if inflate.unconsumed_tail:
        raise ValueError(f"more than {MAX_SIZE} bytes")
    return data.decode()
