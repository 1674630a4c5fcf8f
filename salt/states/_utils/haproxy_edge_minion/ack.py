"""What an edge tells the master it serves, so that nobody else can say it in its name.

Pure. The key is the edge's own and comes in its pillar; it must never leave this host. The master's half is
``haproxy_edge.ack``; a test has each verify the other's.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Any


def signed(ack: Mapping[str, Any], key: str) -> dict[str, Any]:
    """``ack`` with ``hmac``: SHA-256 (RFC 2104) over its canonical JSON under ``key``, 64 hex digits."""
    text = json.dumps(ack, sort_keys=True, separators=(",", ":"))
    return {**ack, "hmac": hmac.new(key.encode(), text.encode(), hashlib.sha256).hexdigest()}
