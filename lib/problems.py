"""The one exception that becomes an answer: RFC 9457 `application/problem+json`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from flask import Response

MEDIA_TYPE = "application/problem+json"
# Relative references keep the documents valid on whatever host serves them (RFC 9457, 3.1.1).
TYPE_BASE = "/docs/problems#"
RETRY_AFTER_DEFAULT = 5


class FieldError(TypedDict):
    """One bad field of a request: its name as the client wrote it, and why it was refused."""

    field: str
    reason: str


class Problem(Exception):
    """An answer other than success, raised anywhere below a route and rendered by the dispatcher.

    `kind` is a stable slug that clients may test; `detail` is written for the person who sent the request
    and never holds exception text. `extensions` become further members of the document.
    """

    def __init__(
        self,
        status: int,
        title: str | None = None,
        detail: str = "",
        *,
        kind: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail or title or str(status))
        self.status = status
        self.title = title or HTTPStatus(status).phrase
        self.detail = detail
        self.kind = kind or HTTPStatus(status).phrase.lower().replace(" ", "-")
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extensions = extensions
        if status in (429, 503):
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_DEFAULT))

    def as_dict(self, instance: str = "", request_id: str = "") -> dict[str, Any]:
        """The problem document; `instance` is the path asked for."""
        body: dict[str, Any] = {
            "type": TYPE_BASE + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail or self.title,
            "instance": instance,
            "request_id": request_id,
        }
        if self.errors:
            body["errors"] = self.errors
        return body | self.extensions

    def as_response(self, instance: str, request_id: str) -> Response:
        """The document as a Flask response with the problem's own headers."""
        from flask import Response

        text = json.dumps(self.as_dict(instance, request_id), ensure_ascii=False)
        response = Response(text + "\n", status=self.status, content_type=MEDIA_TYPE)
        response.headers.update(self.headers)
        return response


def bad_request(detail: str, field: str | None = None) -> Problem:
    """400; with `field`, the problem names it."""
    errors: list[FieldError] = [{"field": field, "reason": detail}] if field else []
    return Problem(400, detail=detail, kind="bad-request", errors=errors)


def malformed(errors: Sequence[FieldError], **extensions: Any) -> Problem:
    """400 for a request that cannot be understood, naming every field that is at fault."""
    detail = "; ".join(f"{error['field']}: {error['reason']}" for error in errors)
    return Problem(400, "Malformed request", detail, kind="malformed-request", errors=errors, **extensions)


def invalid(errors: Sequence[FieldError]) -> Problem:
    """422 for a well-formed request whose fields do not hold what they must."""
    names = ", ".join(dict.fromkeys(error["field"] for error in errors))
    return Problem(422, "Invalid request", f"Not accepted: {names}.", kind="invalid-request", errors=errors)


def not_found(
    detail: str = "There is nothing here.", errors: Sequence[FieldError] = (), **extensions: Any
) -> Problem:
    """404; also for objects of other users, whose existence is not confirmed."""
    return Problem(404, detail=detail, kind="not-found", errors=errors, **extensions)


def unauthorized(detail: str) -> Problem:
    """401 with the challenge that RFC 9110 asks for."""
    return Problem(
        401, detail=detail, kind="unauthorized", headers={"WWW-Authenticate": 'Bearer realm="weed-diversity"'}
    )


def forbidden(detail: str) -> Problem:
    """403: the key is good, but may not do this."""
    return Problem(403, detail=detail, kind="forbidden")


def unavailable(detail: str, retry_after: int = RETRY_AFTER_DEFAULT, kind: str = "unavailable") -> Problem:
    """503 with `Retry-After` in seconds."""
    return Problem(503, detail=detail, kind=kind, headers={"Retry-After": str(retry_after)})


def too_large(limit: int) -> Problem:
    """413 for a body of more than `limit` bytes; the rest of it is not read."""
    return Problem(
        413,
        detail=f"The request is larger than the {limit:,} bytes that this route takes.",
        kind="request-too-large",
        headers={"Connection": "close"},
    )


# What each status that the web framework itself raises says to the person who sent the request.
_HTTP_DETAILS = {
    400: "The request could not be understood.",
    404: "There is nothing at this address. The routes are listed in /openapi.json.",
    405: "This address does not take this method.",
    408: "The request took too long to arrive.",
    413: "The request is larger than this route takes.",
    415: "This media type is not taken here.",
}

# Named here, because Python 3.13 renamed the phrases of which other kinds are made, and clients test kinds.
_HTTP_KINDS = {
    413: "request-too-large",
    414: "uri-too-long",
    416: "range-not-satisfiable",
    422: "invalid-request",
}


def of_http(status: int, headers: Mapping[str, str] | None = None) -> Problem:
    """The problem of a status that no function raised: an unknown route, a wrong method, a broken request."""
    return Problem(
        status, detail=_HTTP_DETAILS.get(status, ""), kind=_HTTP_KINDS.get(status), headers=headers
    )


def internal_error() -> Problem:
    """500: what went wrong is in the log, never in the answer."""
    return Problem(
        500,
        detail="Something went wrong on this server. Nothing you sent before was lost; "
        "the request id below finds the entry in the log.",
        kind="internal-error",
    )
