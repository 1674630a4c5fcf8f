"""The record of what the configuration file holds.

A record that cannot be read counts as absent: everything can be made again from what the master says.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from haproxy_edge_minion.files import read
from haproxy_edge_minion.renderer import fill
from haproxy_edge_minion.snapshot import Server
from haproxy_edge_minion.spec import Spec, resolve


@dataclass(frozen=True)
class Applied:
    """What the configuration file holds, enough to make it again without master, pillar or template.

    ``skeleton`` is the digest of ``template`` (the site's rendered template, sealed) and of the server flags;
    ``pillar`` is the host's pillar ``haproxy``. One file, so that its parts cannot be of different runs.
    """

    skeleton: str
    servers: Mapping[str, tuple[Server, ...]]
    template: str
    pillar: Mapping[str, Any]

    @cached_property
    def spec(self) -> Spec:
        """``pillar``, resolved."""
        return resolve(self.pillar)

    @cached_property
    def text(self) -> str:
        """The configuration."""
        return fill(self.template, self.spec, self.servers)

    def to_json(self) -> str:
        """The record's text, the same for the same content."""
        return self._json

    @cached_property
    def _json(self) -> str:
        record = {"skeleton": self.skeleton, "servers": self.servers, "template": self.template, "pillar": self.pillar}
        return json.dumps(record, sort_keys=True, default=str)

    @classmethod
    def load(cls, path: Path) -> Applied | None:
        """None when there is no usable record."""
        try:
            raw = json.loads(read(path))
            servers = {backend: tuple(Server(*row) for row in listed) for backend, listed in raw["servers"].items()}
            loaded = cls(raw["skeleton"], servers, raw["template"], raw["pillar"])
            loaded.spec  # noqa: B018  (a pillar of other modules than these may not resolve)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return loaded
