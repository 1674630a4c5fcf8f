"""What a stand-in says, word for word as a real edge has said it, but for what names the edge.

Pure. Signed with the stand-in's own key by the edge's own code, which is in ``salt/states/_utils``; it must never say
less than a real edge, or the master would look cheaper than it is.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from haproxy_edge_minion.ack import signed

from bench.likeness import Likeness, Returned

# keys of a return that Salt's channel and master add on the way
_ADDED = ("nonce", "ts", "tok", "_stamp", "tgt", "tgt_type")


@dataclass
class Voice:
    """One stand-in's own part: its name, its key, what it serves, and the number of its last acknowledgement."""

    minion: str
    key: str
    serves: dict[str, dict[str, Any]]
    sequence: int = 0

    def hot(self, like: Likeness, job: Mapping[str, Any], order: str, *, now: float) -> dict[str, Any]:
        """The return of ``job`` by the hot lane."""
        return self._return(like.hot, job, self._ack(like.hot["return"], order, now))

    def state(self, like: Likeness, job: Mapping[str, Any], *, now: float) -> dict[str, Any]:
        """The return of ``job`` by the state lane: all its states, the acknowledgement in one of them."""
        states = copy.deepcopy(dict(like.state["return"]))
        for state in states.values():
            if "ack" in state:
                state["ack"] = self._ack(state["ack"], "", now)
        return self._return(like.state, job, states)

    def _return(self, like: Returned, job: Mapping[str, Any], returned: Any) -> dict[str, Any]:
        kept = {name: value for name, value in like.items() if name not in _ADDED}
        own = {"cmd": "_return", "id": self.minion, "jid": job["jid"], "fun_args": job["arg"]}
        return {**kept, **own, "return": returned}

    def _ack(self, like: Mapping[str, Any], order: str, now: float) -> dict[str, Any]:
        self.sequence = max(self.sequence + 1, int(now * 1000))
        said = {name: value for name, value in like.items() if name != "hmac"}
        own = {"edge": self.minion, "order": order, "serves": self.serves, "sequence": self.sequence}
        return signed({**said, **own}, self.key)
