"""Headers that every answer carries: security, caching, and which other origins may read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flask import Request, Response

    from lib.config import Settings

SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    # The upload opens the camera, a session's form asks for the place; a page embeds nobody who could.
    "Permissions-Policy": "camera=(self), geolocation=(self), microphone=(), payment=(), usb=()",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
    ),
}
HSTS = "max-age=31536000; includeSubDomains"
# What an answer that says nothing else may be kept for: it belongs to one caller alone.
PRIVATE = "private, no-cache"
CALLER = ("Authorization", "X-API-Key", "Cookie", "Accept-Language")
EXPOSED = (
    "Location, Retry-After, X-Request-Id, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, "
    "Content-Disposition, Link"
)
ALLOWED_METHODS = "GET, POST, PATCH, DELETE"
ALLOWED_HEADERS = "Authorization, X-API-Key, Content-Type, Idempotency-Key, X-CSRF-Token, X-Request-Id"
PREFLIGHT_SECONDS = "600"


def add(response: Response, request: Request, settings: Settings) -> None:
    """Adds them; a header that a function set itself stays as it is."""
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    if settings.production:
        response.headers.setdefault("Strict-Transport-Security", HSTS)
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = PRIVATE
        response.vary.update(CALLER)
    _cross_origin(response, request, settings)


def _cross_origin(response: Response, request: Request, settings: Settings) -> None:
    """CORS by list: a listed origin is named back, never `*`, because requests carry credentials."""
    origin = request.headers.get("Origin")
    response.vary.add("Origin")
    if origin not in settings.allowed_origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = ALLOWED_METHODS
        response.headers["Access-Control-Allow-Headers"] = ALLOWED_HEADERS
        response.headers["Access-Control-Max-Age"] = PREFLIGHT_SECONDS
