"""Route table to Flask app: lazy import per function, auth, limits, problems, request ids."""

from __future__ import annotations

import importlib
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, Literal

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from lib import observe, operations
from lib.config import ConfigError, Settings, load
from lib.problems import Problem, unauthorized
from lib.services import Services

if TYPE_CHECKING:
    from lib.auth import Identity
    from lib.operations import Operation
    from lib.store.database import UserStore
    from lib.store.interface import ReadStore

Auth = Literal["public", "optional", "required", "private"]
SMALL_BODY = 64 * 1024  # bytes; ample for every JSON body and form without photos
ALWAYS_SERVED = ("health", "ready", "static")  # a machine of any group needs its probes and its style
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'"
    ),
}
READ_METHODS = ("GET", "HEAD")
# Statuses a proxy or browser may be told to keep an answer by; all else belongs to one caller alone.
PRIVATE = "private, no-cache"


@dataclass(frozen=True, slots=True)
class Function:
    """One line of the route table.

    `paths` are alternatives for the same endpoint, parameters in braces. `auth`: public, optional (visitors see
    sample data), required, or private (a key, or the private metrics port). `body_limit` in bytes;
    `concurrency` is how many requests of this function one process answers at once. `page` marks HTML.
    """

    name: str
    module: str
    paths: tuple[str, ...]
    methods: tuple[str, ...] = ("GET",)
    auth: Auth = "required"
    body_limit: int = SMALL_BODY
    concurrency: int = 8
    page: bool = False
    scope: str | None = None

    def demanded_scope(self, method: str) -> str:
        """The scope a key needs: the table's, else read for reads and write for the rest."""
        return self.scope or ("read" if method in READ_METHODS else "write")


class Call:
    """One request as a handler sees it."""

    def __init__(self, function: Function, services: Services, request: Request, identity: Identity) -> None:
        self.function = function
        self.services = services
        self.settings: Settings = services.settings
        self.request = request
        self.identity = identity
        self.browser_payload: dict[str, Any] = {}
        self.request_id: str = g.request_id

    @property
    def store(self) -> ReadStore:
        """The days this caller may see."""
        return self.services.read_store(self.identity)

    @property
    def mine(self) -> UserStore:
        """Everything of the signed-in user."""
        if self.identity.user is None:
            from lib.auth import NO_KEY

            raise unauthorized(NO_KEY)
        return self.services.database.for_user(self.identity.user.id)

    @property
    def form_token(self) -> str:
        """What a form on a page of this browser must carry; the cookie that goes with it is set on the way out."""
        browser = self.services.browser
        if not browser.form_token(self.browser_payload):
            self.set_browser_payload(browser.visitor())
        return browser.form_token(self.browser_payload)

    def check_form_token(self) -> None:
        """403 unless the form or the X-CSRF-Token header carries this browser's token."""
        token = self.request.headers.get("X-CSRF-Token") or self.request.form.get("csrf_token")
        self.services.browser.check_form_token(self.browser_payload, token)

    def set_browser_payload(self, payload: dict[str, Any]) -> None:
        """Replace the browser's cookie with the answer to this request; an empty payload removes it."""
        self.browser_payload = payload
        g.new_cookie = payload


class _Gate:
    """How many requests of one function are inside; refuses at once rather than queueing threads."""

    def __init__(self, function: Function) -> None:
        self._slots = threading.BoundedSemaphore(function.concurrency)

    def __enter__(self) -> None:
        if not self._slots.acquire(blocking=False):
            raise Problem(
                503,
                "Busy",
                "This function is answering as many requests as it can; try again shortly.",
                kind="busy",
                headers={"Retry-After": "2"},
            )

    def __exit__(self, *_: object) -> None:
        self._slots.release()


_imports = threading.Lock()


def import_function(function: Function) -> ModuleType:
    """The function's module, imported under a lock on its first request; 503 problem when it cannot be.

    A failed import is tried anew by the next request, so that a mended module needs no restart.
    """
    try:
        with _imports:
            return importlib.import_module(function.module)
    except Exception as error:
        observe.LOG.exception("function cannot be imported", extra={"function": function.name})
        raise Problem(
            503,
            "Function unavailable",
            f"The function '{function.name}' cannot be loaded on this server; the others work.",
            kind="function-unavailable",
            headers={"Retry-After": "60"},
            function=function.name,
        ) from error


def create_app(functions: Sequence[Function], settings: Settings | None = None) -> Flask:
    """The WSGI application that serves `functions` (or those of them that FUNCTIONS names)."""
    settings = settings or load()
    served = _selected(functions, settings)
    observe.configure_logging(settings.log_level)
    if settings.secret_key_generated:
        observe.LOG.warning(
            "SECRET_KEY is unset: made one for this process; browsers are signed out at restart"
        )
    app = Flask("weed_diversity", static_folder=None, template_folder=None)
    app.url_map.strict_slashes = False
    services = Services(settings)
    app.extensions["weeds"] = {"services": services, "functions": served}
    for function in served:
        view = _view(function, services)
        for path in function.paths:
            app.add_url_rule(
                re.sub(r"{(\w+)}", r"<\1>", path),
                endpoint=f"{function.name} {path}",
                view_func=view,
                methods=_with_head(function.methods),
                provide_automatic_options=False,
            )
    app.before_request(_begin)
    app.after_request(_finish(settings))
    app.register_error_handler(HTTPException, _http_problem)
    app.register_error_handler(Problem, _problem)
    app.register_error_handler(Exception, _unexpected)
    return app


def served_functions() -> tuple[Function, ...]:
    """The functions that the running app serves."""
    from flask import current_app

    functions: tuple[Function, ...] = current_app.extensions["weeds"]["functions"]
    return functions


def _selected(functions: Sequence[Function], settings: Settings) -> tuple[Function, ...]:
    names = {function.name for function in functions}
    unknown = sorted(set(settings.functions) - names)
    if unknown:
        raise ConfigError(
            [f"FUNCTIONS: unknown name {name!r}; known: {', '.join(sorted(names))}" for name in unknown]
        )
    if not settings.functions:
        return tuple(functions)
    return tuple(f for f in functions if f.name in settings.functions or f.name in ALWAYS_SERVED)


def _with_head(methods: tuple[str, ...]) -> list[str]:
    return [*methods, "HEAD"] if "GET" in methods else list(methods)


def _view(function: Function, services: Services) -> Any:
    gate = _Gate(function)

    def view(**path: str) -> Response:
        g.function = function
        observe.REQUESTS.start(function.name)
        g.counted = True
        if request.content_length is not None and request.content_length > function.body_limit:
            raise _too_large(function.body_limit)
        request.max_content_length = function.body_limit
        if function.auth == "public":
            from lib.auth import VISITOR

            return _answer(Call(function, services, request, VISITOR), path, gate)
        with services.connection():
            call = Call(function, services, request, _identity(function, services))
            call.browser_payload = g.browser_payload
            g.identity = call.identity
            _limit_rate(services, call.identity)
            response = _answer(call, path, gate)
        if call.identity.user is not None:
            response.call_on_close(lambda: _afterwards(services))
        return response

    return view


def _afterwards(services: Services) -> None:
    """What is done when the answer is on its way; its failures are nobody's answer."""
    try:
        with services.connection():
            services.look_for_waiting_work()
    except Exception:
        observe.LOG.exception("cannot look for waiting work")


def _answer(call: Call, path: dict[str, str], gate: _Gate) -> Response:
    module = import_function(call.function)
    method = "GET" if call.request.method == "HEAD" else call.request.method
    declared = operations.of_module(module)[method]
    given: dict[str, Any] = {}
    if declared.path is not None:
        given["path"] = operations.read_path(declared, path)
    if declared.query is not None:
        given["query"] = operations.read_query(declared, call.request.args.to_dict(flat=False))
    with gate:
        if declared.body is not None:
            given["body"] = operations.read_body(
                declared, call.request.content_type or "", call.request.get_data()
            )
        return _response(declared, declared.handler(call, **given))


def _response(declared: Operation, reply: Any) -> Response:
    if isinstance(reply, Response):
        return reply
    if isinstance(reply, str):
        return Response(reply, status=declared.status, content_type="text/html; charset=utf-8")
    if declared.status == 204:
        return Response(status=204)
    return Response(operations.encode(reply), status=declared.status, content_type=declared.media_type)


def _identity(function: Function, services: Services) -> Identity:
    """Who is asking, by the function's rule; raises the 401, 403 or 503 that the rule demands."""
    from lib import auth

    settings = services.settings
    g.browser_payload = {}
    if (
        function.auth == "private"
        and settings.metrics_port
        and request.environ.get("SERVER_PORT") == str(settings.metrics_port)
    ):
        return auth.VISITOR
    if settings.database_url is None:
        if function.auth == "optional":
            return auth.VISITOR
        _ = services.database  # raises: file mode has no users, and says what to set
    secret = auth.presented_key(request.headers)
    if not settings.auth_enabled:
        identity = auth.sole_user(services.database)
    elif secret is not None:
        identity = auth.identify(services.database, secret)
    else:
        browser = services.browser
        g.browser_payload = browser.read(request.cookies.get(browser.cookie_name))
        identity = browser.identify(services.database, g.browser_payload)
    if identity.user is None:
        drop_box = function.name == "upload" and not settings.require_auth_for_data_upload
        if drop_box:
            return auth.sole_user(services.database)
        closed = function.auth == "optional" and settings.require_auth_for_api and not function.page
        if function.auth in ("required", "private") or closed:
            raise unauthorized(auth.NO_KEY)
        return identity
    if function.auth == "optional" and function.page:
        return identity
    identity.demand(function.demanded_scope(request.method))
    if identity.via == "cookie" and request.method not in READ_METHODS:
        token = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token")
        services.browser.check_form_token(g.browser_payload, token)
    return identity


def _limit_rate(services: Services, identity: Identity) -> None:
    limiter = services.rates
    if limiter is None:
        return
    who = f"key:{identity.key.id}" if identity.key else f"address:{request.remote_addr}"
    allowance = limiter.hit(who)
    if allowance.limit:
        g.rate_headers = allowance.headers()
    if not allowance.allowed:
        raise Problem(
            429,
            detail=f"More requests than {services.settings.rate_limit}; try again in {allowance.reset} seconds.",
            kind="rate-limited",
            headers=allowance.headers(),
        )


def _too_large(limit: int) -> Problem:
    return Problem(
        413,
        detail=f"The request is larger than the {limit:,} bytes that this route takes.",
        kind="request-too-large",
        headers={"Connection": "close"},
    )


def _begin() -> Response | None:
    g.started = time.monotonic()
    g.request_id = observe.request_id(request.headers.get("X-Request-Id"))
    if (
        request.method == "OPTIONS"
        and request.url_rule is None
        and "Access-Control-Request-Method" in request.headers
    ):
        return Response(status=204)
    return None


def _finish(settings: Settings) -> Any:
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        for name, value in SECURITY_HEADERS.items():
            response.headers.setdefault(name, value)
        if settings.production:
            response.headers.setdefault("Strict-Transport-Security", "max-age=31536000; includeSubDomains")
        for name, value in getattr(g, "rate_headers", {}).items():
            response.headers.setdefault(name, value)
        if "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = PRIVATE
            response.vary.update(("Authorization", "X-API-Key", "Cookie", "Accept-Language"))
        _cross_origin(response, settings)
        _cookie(response)
        _log(response, settings)
        return response

    return finish


def _cross_origin(response: Response, settings: Settings) -> None:
    origin = request.headers.get("Origin")
    response.vary.add("Origin")
    if origin not in settings.allowed_origins:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Allow-Credentials"] = "true"
    response.headers["Access-Control-Expose-Headers"] = (
        "Location, Retry-After, X-Request-Id, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset"
    )
    if request.method == "OPTIONS":
        response.headers["Access-Control-Allow-Methods"] = "GET, POST, PATCH, DELETE"
        response.headers["Access-Control-Allow-Headers"] = (
            "Authorization, X-API-Key, Content-Type, Idempotency-Key, X-CSRF-Token, X-Request-Id"
        )
        response.headers["Access-Control-Max-Age"] = "600"


def _cookie(response: Response) -> None:
    payload = getattr(g, "new_cookie", None)
    if payload is None:
        return
    from flask import current_app

    from lib.auth import COOKIE_MAX_AGE

    browser = current_app.extensions["weeds"]["services"].browser
    response.set_cookie(
        browser.cookie_name,
        browser.write(payload) if payload else "",
        max_age=COOKIE_MAX_AGE if payload else 0,
        secure=browser.secure,
        httponly=True,
        samesite="Lax",
        path="/",
    )


def _log(response: Response, settings: Settings) -> None:
    function: Function | None = getattr(g, "function", None)
    seconds = time.monotonic() - g.started
    if getattr(g, "counted", False) and function is not None:
        g.counted = False
        observe.REQUESTS.finish(function.name, request.method, response.status_code, seconds)
    identity: Identity | None = getattr(g, "identity", None)
    observe.REQUEST_LOG.info(
        "request",
        extra={
            "request_id": g.request_id,
            "function": function.name if function else None,
            "route": function.paths[0] if function else None,
            "method": request.method,
            "status": response.status_code,
            "milliseconds": round(seconds * 1000, 1),
            "user_id": identity.user.id if identity and identity.user else None,
            "region": settings.primary_region,
        },
    )


def _problem(problem: Problem) -> Response:
    return problem.as_response(request.path, getattr(g, "request_id", ""))


# What each status that Flask itself raises says to the person who sent the request.
_HTTP_DETAILS = {
    400: "The request could not be understood.",
    404: "There is nothing at this address. The routes are listed in /openapi.json.",
    405: "This address does not take this method.",
    408: "The request took too long to arrive.",
    413: "The request is larger than this route takes.",
    415: "This media type is not taken here.",
}


def _http_problem(error: HTTPException) -> Response:
    status = error.code or 500
    headers = {}
    if status == 405:
        valid = getattr(error, "valid_methods", None) or ()
        headers["Allow"] = ", ".join(sorted(valid))
        if request.method == "OPTIONS":
            response = Response(status=204)
            response.headers["Allow"] = headers["Allow"]
            return response
    if 300 <= status < 400:
        return Response(
            status=status, headers={"Location": error.get_response().headers.get("Location", "/")}
        )
    return _problem(Problem(status, detail=_HTTP_DETAILS.get(status, ""), headers=headers))


def _unexpected(error: Exception) -> Response:
    observe.LOG.error(
        "unexpected failure", exc_info=error, extra={"request_id": getattr(g, "request_id", "")}
    )
    return _problem(
        Problem(
            500,
            detail="Something went wrong on this server. Nothing you sent before was lost; "
            "the request id below finds the entry in the log.",
            kind="internal-error",
        )
    )
