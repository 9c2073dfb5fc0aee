"""Who is let in: the rule of a function's line in the route table, foreign sites kept out, and rate limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from lib import auth
from lib.auth import VISITOR, Identity
from lib.problems import Problem, unauthorized
from lib.routes import READ_METHODS, Function

if TYPE_CHECKING:
    from flask import Request

    from lib.config import Settings
    from lib.services import Services


def browser_payload(services: Services, request: Request) -> dict[str, Any]:
    """What this browser's cookie holds; empty without a valid one, and in file mode, which has no users."""
    if services.settings.database_url is None:
        return {}
    browser = services.browser
    return browser.read(request.cookies.get(browser.cookie_name))


def admit(function: Function, services: Services, request: Request, payload: dict[str, Any]) -> Identity:
    """Who is asking, by the function's rule; raises the 400, 401, 403 or 503 that the rule demands."""
    settings = services.settings
    if function.auth == "private" and settings.metrics_port and _came_by(settings.metrics_port, request):
        return VISITOR
    if settings.database_url is None:
        if function.auth == "optional" or function.files:
            return VISITOR
        _ = services.database  # raises: file mode has no users, and says what to set
    identity = _identity(services, request, payload)
    if identity.user is None:
        if function.name == "upload" and not settings.require_auth_for_data_upload:
            return auth.guest(services.database)
        closed = function.auth == "optional" and settings.require_auth_for_api and not function.page
        if function.auth in ("required", "private") or closed:
            raise unauthorized(auth.NO_KEY)
        return identity
    if function.auth == "optional" and function.page:
        return identity  # pages demand the scope and the form token where they need them
    identity.demand(function.demanded_scope(request.method))
    if request.method not in READ_METHODS:
        if identity.via == "cookie":
            services.browser.check_form_token(payload, offered_token(request))
        elif identity.via == "sole":
            _check_origin(request, settings)
    return identity


def _came_by(port: int, request: Request) -> bool:
    """True when the request reached this port of the machine.

    A request without an address came by a Unix socket, where gunicorn takes the port from the Host header.
    """
    return bool(request.remote_addr) and request.environ.get("SERVER_PORT") == str(port)


def _identity(services: Services, request: Request, payload: dict[str, Any]) -> Identity:
    secret = auth.presented_key(request.headers)
    if not services.settings.auth_enabled:
        return auth.sole_user(services.database)
    if secret is not None:
        return by_key(services, secret, request.remote_addr)
    return services.browser.identify(services.database, payload)


def by_key(services: Services, secret: str, address: str | None) -> Identity:
    """The user of a key; 401 for one that nobody has, and 429 when `address` has sent too many of these.

    A right key passes whatever was sent before it, since many people may share an address. What is kept off is not
    guessing, which 256 random bits make hopeless, but a program that goes on asking with a key that is gone.
    """
    try:
        return auth.identify(services.database, secret)
    except Problem as problem:
        if problem.status != 401:
            raise
        allowance = services.wrong_keys.hit(f"wrong-key:{address}")
        if allowance.allowed:
            raise
        raise Problem(
            429,
            detail=f"Too many unknown keys came from this address; try again in {allowance.reset} seconds.",
            kind="rate-limited",
            headers={"Retry-After": str(max(1, allowance.reset))},
        ) from None


def offered_token(request: Request) -> str | None:
    """The form token that a request carries in its header or its form."""
    return request.headers.get("X-CSRF-Token") or request.form.get("csrf_token")


def _check_origin(request: Request, settings: Settings) -> None:
    """403 when another site's page made the browser send this: without sign-in nothing else tells them apart."""
    origin = request.headers.get("Origin")
    if origin is not None and origin not in settings.allowed_origins and not _is_at(origin, request.host):
        raise Problem(403, detail="Another site may not change anything here.", kind="foreign-origin")


def _is_at(origin: str, host: str) -> bool:
    """True when a browser's origin is this host; its scheme may differ, where a proxy ends TLS."""
    try:
        return urlsplit(origin).netloc.lower() == host.lower() != ""
    except ValueError:
        return False


def count(services: Services, identity: Identity, address: str | None) -> dict[str, str]:
    """Count a request of this key or address; the RateLimit headers, or the 429 problem."""
    limiter = services.rates
    if limiter is None:
        return {}
    allowance = limiter.hit(f"key:{identity.key.id}" if identity.key else f"address:{address}")
    if not allowance.allowed:
        raise Problem(
            429,
            detail=f"More requests than {services.settings.rate_limit}; try again in {allowance.reset} seconds.",
            kind="rate-limited",
            headers=allowance.headers(),
        )
    return allowance.headers() if allowance.limit else {}
