"""The record of what the configuration file holds.

A record that cannot be read counts as absent: everything can be made again from what the master says. It must never be
half of one run and half of another.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from haproxy_edge_minion.files import Paths, read
from haproxy_edge_minion.renderer import fill
from haproxy_edge_minion.snapshot import Server
from haproxy_edge_minion.spec import Spec, resolve

# their names in the records of edges, which have to outlive every upgrade
_DIGEST, _SKELETON = "skeleton", "template"


@dataclass(frozen=True)
class Applied:
    """What the configuration file holds, enough to make it again without master, pillar or template.

    ``digest`` is that of ``skeleton`` (the site's rendered template, sealed) and of the server flags; ``pillar`` is the
    host's pillar ``haproxy``. One file, so that its parts cannot be of different runs.
    """

    digest: str
    servers: Mapping[str, tuple[Server, ...]]
    skeleton: str
    pillar: Mapping[str, Any]

    @cached_property
    def spec(self) -> Spec:
        """``pillar``, resolved."""
        return resolve(self.pillar)

    @cached_property
    def text(self) -> str:
        """The configuration."""
        return fill(self.skeleton, self.spec, self.servers)

    @cached_property
    def as_json(self) -> str:
        """The record's text, the same for the same content."""
        record = {_DIGEST: self.digest, "servers": self.servers, _SKELETON: self.skeleton, "pillar": self.pillar}
        return json.dumps(record, sort_keys=True, default=str)

    @classmethod
    def load(cls, path: Path) -> Applied | None:
        """None when there is no usable record."""
        try:
            raw = json.loads(read(path))
            servers = {backend: tuple(Server(*row) for row in listed) for backend, listed in raw["servers"].items()}
            loaded = cls(raw[_DIGEST], servers, raw[_SKELETON], raw["pillar"])
            loaded.spec  # noqa: B018  (a pillar of other modules than these may not resolve)
        except (ValueError, KeyError, TypeError, AttributeError):
            return None
        return loaded


def recorded(paths: Paths) -> Applied | None:
    """What the file holds; when that record is damaged, the last one that was proven to serve."""
    return Applied.load(paths.applied) or Applied.load(paths.good)
