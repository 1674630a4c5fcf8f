"""Errors as the API says them: metav1.Status with the reason, code and details of the original."""

from __future__ import annotations

from typing import Any

from lab.kubeapi.resources import Resource

Cause = dict[str, str]


class Failure(Exception):
    """A request that is answered with a Status. ``headers`` go on the response."""

    def __init__(
        self,
        code: int,
        reason: str,
        message: str,
        *,
        details: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code, self.reason, self.message = code, reason, message
        self.details, self.headers = details, headers or {}

    def status(self) -> dict[str, Any]:
        """The metav1.Status."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


def success(resource: Resource, name: str, uid: str) -> dict[str, Any]:
    """The Status of a finished delete."""
    details = {
        "name": name,
        **({"group": resource.group} if resource.group else {}),
        "kind": resource.plural,
        "uid": uid,
    }
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def _details(resource: Resource, name: str, kind: str = "") -> dict[str, Any]:
    named = {"name": name} if name else {}
    group = {"group": resource.group} if resource.group else {}
    return {**named, **group, "kind": kind or resource.plural}


def not_found(resource: Resource, name: str) -> Failure:
    return Failure(404, "NotFound", f'{resource.qualified} "{name}" not found', details=_details(resource, name))


def no_such_path() -> Failure:
    return Failure(404, "NotFound", "the server could not find the requested resource", details={})


def already_exists(resource: Resource, name: str) -> Failure:
    message = f'{resource.qualified} "{name}" already exists'
    return Failure(409, "AlreadyExists", message, details=_details(resource, name))


def conflict(resource: Resource, name: str, why: str = "") -> Failure:
    why = why or "the object has been modified; please apply your changes to the latest version and try again"
    message = f'Operation cannot be fulfilled on {resource.qualified} "{name}": {why}'
    return Failure(409, "Conflict", message, details=_details(resource, name))


def invalid(resource: Resource, name: str, causes: list[Cause]) -> Failure:
    lines = [f"{cause['field']}: {cause['message']}" for cause in causes]
    text = lines[0] if len(lines) == 1 else "[" + ", ".join(lines) + "]"
    details = {**_details(resource, name, resource.kind), "causes": causes}
    return Failure(422, "Invalid", f'{resource.qualified_kind} "{name}" is invalid: {text}', details=details)


def bad_request(message: str) -> Failure:
    return Failure(400, "BadRequest", message)


def unauthorized() -> Failure:
    return Failure(401, "Unauthorized", "Unauthorized")


def expired(message: str) -> Failure:
    return Failure(410, "Expired", message)


def too_old(asked: int, oldest: int) -> Failure:
    return expired(f"too old resource version: {asked} ({oldest})")


def too_large(asked: int, current: int) -> Failure:
    details = {
        "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
        "retryAfterSeconds": 1,
    }
    message = f"Timeout: Too large resource version: {asked}, current: {current}"
    return Failure(504, "Timeout", message, details=details, headers={"Retry-After": "1"})


def unsupported_media_type(given: str, known: str) -> Failure:
    message = (
        f"the body of the request was in an unknown format - accepted media types include: {known} (got {given!r})"
    )
    return Failure(415, "UnsupportedMediaType", message)


def method_not_allowed() -> Failure:
    return Failure(
        405, "MethodNotAllowed", "the server does not allow this method on the requested resource", details={}
    )


_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


def of_code(code: int, message: str = "", *, retry_after: int | None = None) -> Failure:
    """A failure of any code, for the fault switches."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    details = {} if retry_after is None else {"retryAfterSeconds": retry_after}
    text = message or f"{_REASONS.get(code, 'Unknown')} (a fault was asked for)"
    return Failure(code, _REASONS.get(code, "Unknown"), text, details=details, headers=headers)
