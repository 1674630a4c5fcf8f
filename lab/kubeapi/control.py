"""The switchboard at ``/_faults``, for the admin token only: set, read and clear faults, compact, count.

GET    /_faults                  {"faults": [...], "watches": N, "requests": [{verb, path, query, user, code}]}
PUT    /_faults                  {"faults": [{"kind": ..., ...}]} replaces them all
POST   /_faults                  one fault more
DELETE /_faults                  none any more
POST   /_faults/compact          forget the history: {"compacted": <resourceVersion>}
POST   /_faults/end-watches      {"path": prefix}: end them as their timeout would
POST   /_faults/force            an object, stored without validation
DELETE /_faults/requests         forget the request log
"""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

from lab.kubeapi import status
from lab.kubeapi.access import MASTERS, Identity
from lab.kubeapi.faults import Fault
from lab.kubeapi.service import Answer, Request, answer

if TYPE_CHECKING:
    from lab.kubeapi.server import Server

PREFIX = "/_faults"


class Control:
    """Answers the paths above."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._actions = {
            ("GET", ""): self._show,
            ("PUT", ""): self._set,
            ("POST", ""): self._add,
            ("DELETE", ""): self._clear,
            ("POST", "/compact"): lambda _: {"compacted": server.gateway.store.compact()},
            ("POST", "/end-watches"): lambda body: {"ended": server.end_watches(body.get("path", ""))},
            ("POST", "/force"): self._force,
            ("DELETE", "/requests"): self._forget,
        }

    def handle(self, request: Request, identity: Identity) -> Answer:
        """Raises `Failure`."""
        if MASTERS not in identity.groups:
            raise status.of_code(403, "the fault switches are the admin's")
        action = self._actions.get((request.method, request.path.removeprefix(PREFIX).rstrip("/")))
        if action is None:
            raise status.no_such_path()
        try:
            return answer(200, action(json.loads(request.body or b"{}")))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise status.bad_request(f"{request.path}: {error!r}") from error

    def _show(self, _body: dict[str, Any]) -> dict[str, Any]:
        server = self._server
        faults = [dataclasses.asdict(fault) for fault in server.faults.active]
        return {"faults": faults, "watches": len(server.watches), "requests": list(server.requests)}

    def _set(self, body: dict[str, Any]) -> dict[str, Any]:
        faults = [Fault.of(given) for given in body["faults"]]
        self._server.clear_faults()
        for fault in faults:
            self._server.add_fault(fault)
        return {}

    def _add(self, body: dict[str, Any]) -> dict[str, Any]:
        self._server.add_fault(Fault.of(body))
        return {}

    def _clear(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._server.clear_faults()
        return {}

    def _force(self, body: dict[str, Any]) -> dict[str, Any]:
        self._server.gateway.service.force(body)
        return {}

    def _forget(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._server.requests.clear()
        return {}
