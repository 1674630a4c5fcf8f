"""Between HTTP and the verbs: who asks, what is asked, may they, and which part answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from lab.kubeapi import bootstrap, discovery, status
from lab.kubeapi.access import Attributes, Authorizer, Identity, Tokens
from lab.kubeapi.resources import Target, parse
from lab.kubeapi.selectors import selected_name
from lab.kubeapi.service import Answer, Request, Service, answer
from lab.kubeapi.store import HISTORY, Store
from lab.kubeapi.watching import BOOKMARK_SECONDS, Watch

_HEALTH = ("/healthz", "/livez", "/readyz")
_ON_OBJECTS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
_ON_COLLECTIONS = {**_ON_OBJECTS, "GET": "list", "DELETE": "deletecollection"}


@dataclass(frozen=True)
class Call:
    """What a request asks for; ``target`` is None when it is about no resource."""

    verb: str
    target: Target | None
    attributes: Attributes


def describe(request: Request) -> Call:
    """The verb and the resource of a request, as RBAC sees them."""
    target = parse(request.path)
    if target is None:
        verb = request.method.lower()
        return Call(verb, None, Attributes(verb, path=request.path))
    verb = _verb(request, target)
    resource, name = target.resource, target.name
    if verb in ("list", "watch") and not name:
        name = selected_name(request.query.get("fieldSelector", ""))
    # a namespace belongs to itself
    namespace = name if resource.plural == "namespaces" else target.namespace
    about = Attributes(verb, resource.group, resource.plural, target.subresource, namespace, name)
    return Call(verb, target, about)


def _verb(request: Request, target: Target) -> str:
    if request.method == "GET" and request.query.get("watch", "").lower() in ("1", "true"):
        return "watch"
    names = _ON_OBJECTS if target.name else _ON_COLLECTIONS
    return names.get(request.method, request.method.lower())


class Gateway:
    """The whole API without its sockets."""

    def __init__(
        self,
        *,
        admin_token: str,
        key: bytes,
        clock: Callable[[], float] = time.time,
        history: int = HISTORY,
        bookmark_seconds: float = BOOKMARK_SECONDS,
    ) -> None:
        self.store = Store(history=history)
        self._tokens = Tokens(store=self.store, admin_token=admin_token, key=key, clock=clock)
        self._authorizer = Authorizer(self.store)
        self.service = Service(store=self.store, tokens=self._tokens, authorizer=self._authorizer, clock=clock)
        self._bookmark_seconds = bookmark_seconds

    def seed(self) -> None:
        """What a fresh cluster holds."""
        for item in bootstrap.objects():
            self.service.seed(item)

    def identify(self, request: Request) -> Identity:
        """Raises a 401 `Failure`."""
        return self._tokens.identify(request.headers.get("authorization", ""))

    def respond(self, request: Request, call: Call, identity: Identity) -> Answer | Watch:
        """The answer, or a watch to be run. Raises `Failure`."""
        self._authorizer.check(identity, call.attributes)
        if call.target is None:
            return self._about_itself(request)
        if call.verb == "watch" and call.target.resource.stored:
            return Watch(
                store=self.store, target=call.target, query=request.query, bookmark_seconds=self._bookmark_seconds
            )
        return self.service.handle(request, call.target, identity)

    def _about_itself(self, request: Request) -> Answer:
        if request.path.startswith(_HEALTH):
            return Answer(200, b"ok", {"Content-Type": "text/plain; charset=utf-8"})
        document = discovery.document(request.path)
        if document is None or request.method != "GET":
            raise status.no_such_path()
        return answer(200, document)
