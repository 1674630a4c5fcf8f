"""Show what the runner ``haproxy_edge`` returns as tables.

The runner asks for it; ``--out=json`` and every other outputter of Salt show the same data in their own way.
It must never add to what the runner said.

CLI Example:

.. code-block:: bash

    salt-run haproxy_edge.status
"""

from __future__ import annotations

from typing import Any

from haproxy_edge.tables import text


def output(data: Any, **_options: Any) -> str:
    """Lines for a terminal."""
    return text(data)
