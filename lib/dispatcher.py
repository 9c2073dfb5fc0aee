"""Route table to Flask app: lazy import per function, auth, limits, problems, request ids."""

from __future__ import annotations

import errno
import logging
import re
import time
from collections.abc import Sequence
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from flask import Flask, Request, Response, g, request
from werkzeug.exceptions import HTTPException

from lib import (
    admission,
    compression,
    counts,
    deadlines,
    headers,
    hosts,
    observe,
    operations,
    problems,
    revalidation,
    stopping,
)
from lib.auth import COOKIE_MAX_AGE, NO_KEY, VISITOR, Identity
from lib.client import SlowClient
from lib.config import ConfigError, Settings, load
from lib.problems import Problem, internal_error, of_http, too_large, unauthorized, unavailable
from lib.routes import READ_METHODS, Function, Gate, import_function
from lib.services import Services

if TYPE_CHECKING:
    from lib.operations import Operation
    from lib.store.database import UserStore
    from lib.store.interface import ReadStore

# What an unknown address counts as, and one whose caller could not be told.
UNKNOWN_PAGE = Function("unknown", "", (), auth="optional", page=True)
# Requests with bodies that are taken in at once, of eight threads: whoever sends slowly leaves two for reading.
BODIES = 6
ALWAYS_SERVED = ("health", "ready", "static")  # a machine of any group needs its probes and its style


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
        token = admission.offered_token(self.request)
        self.services.browser.check_form_token(self.browser_payload, token)

    def set_browser_payload(self, payload: dict[str, Any]) -> None:
        """Replace the browser's cookie with the answer to this request; an empty payload removes it."""
        self.browser_payload = payload
        g.new_cookie = payload


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
    bodies = Gate(BODIES)
    app.extensions["weeds"] = {"services": services, "functions": served}
    for function in served:
        view = _view(function, services, bodies)
        for path in function.paths:
            app.add_url_rule(
                re.sub(r"{(\w+)}", r"<\1>", path),
                endpoint=f"{function.name} {path}",
                view_func=view,
                methods=_with_head(function.methods),
                provide_automatic_options=False,
            )
    app.before_request(_begin(settings))
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


def _view(function: Function, services: Services, bodies: Gate) -> Any:
    # Reads have a gate of their own: whoever opens the form must not wait for those who send.
    reads, writes = Gate(function.concurrency), Gate(function.concurrency)

    def view(**path: str) -> Response:
        g.function = function
        gate = reads if request.method in READ_METHODS else writes
        observe.REQUESTS.start(function.name)
        g.counted = True
        if request.content_length is not None and request.content_length > function.body_limit:
            raise too_large(function.body_limit)
        # One more than the limit: werkzeug cuts a body of unannounced length there, and _answer sees that it did.
        request.max_content_length = function.body_limit + 1
        if function.auth == "public":
            return _answer(Call(function, services, request, VISITOR), path, gate)
        with bodies if _has_body() else nullcontext(), services.connection():
            call = _admitted(function, services)
            response = _answer(call, path, gate)
        if call.identity.user is not None:
            response.call_on_close(lambda: _afterwards(services))
        return response

    return view


def _admitted(function: Function, services: Services) -> Call:
    """The call of somebody who is let in; a request that is refused counts against its address."""
    payload = admission.browser_payload(services, request)
    try:
        identity = admission.admit(function, services, request, payload)
    except Problem:
        g.rate_headers = admission.count(services, VISITOR, request.remote_addr)
        raise
    g.identity = identity
    g.rate_headers = admission.count(services, identity, request.remote_addr)
    call = Call(function, services, request, identity)
    call.browser_payload = payload
    return call


def _afterwards(services: Services) -> None:
    """What is done when the answer is on its way; its failures are nobody's answer."""
    deadlines.end()
    try:
        with services.connection():
            services.look_for_waiting_work()
    except Exception:
        observe.LOG.exception("cannot look for waiting work")


def _answer(call: Call, path: dict[str, str], gate: Gate) -> Response:
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
            given["body"] = operations.read_body(declared, call.request.content_type or "", _body(call))
        elif method not in READ_METHODS:
            _ = call.request.form  # read now: how long a form takes to arrive is not the function's time
        deadlines.begin(call.function.deadline)
        return _response(declared, declared.handler(call, **given))


def _has_body() -> bool:
    return bool(request.content_length) or "Transfer-Encoding" in request.headers


def _body(call: Call) -> bytes:
    """The whole body; 413 when it is longer than the function takes, 400 when it ended before it was all there."""
    data = call.request.get_data()
    if len(data) > call.function.body_limit:
        raise too_large(call.function.body_limit)
    if len(data) < (call.request.content_length or 0):
        raise of_http(400)
    return data


def _response(declared: Operation, reply: Any) -> Response:
    if isinstance(reply, Response):
        return reply
    if isinstance(reply, str):
        return Response(reply, status=declared.status, content_type="text/html; charset=utf-8")
    if declared.status == 204:
        return Response(status=204)
    return Response(operations.encode(reply), status=declared.status, content_type=declared.media_type)


def _begin(settings: Settings) -> Any:
    def begin() -> Response | None:
        # An answer that the server sends from a file itself (FileWrapper) never says that it is closed.
        deadlines.end()
        g.started = time.monotonic()
        g.request_id = observe.request_id(request.headers.get("X-Request-Id"))
        observe.begin_request(g.request_id)
        if stopping.asked() and request.path != "/health":
            raise unavailable("The server is being stopped; try again shortly.", kind="stopping")
        # Whether the process lives may be asked by any name: a probe's is the host's affair.
        if request.path != "/health" and not hosts.answers_to(
            request.host, settings.allowed_hosts, settings.allowed_origins
        ):
            raise Problem(
                421,
                "Misdirected request",
                "This server does not answer to this host name. Whoever runs it can add the name to ALLOWED_HOSTS.",
                kind="unknown-host",
            )
        if (
            request.method == "OPTIONS"
            and request.url_rule is None
            and "Access-Control-Request-Method" in request.headers
        ):
            return Response(status=204)
        return None

    return begin


def _finish(settings: Settings) -> Any:
    def finish(response: Response) -> Response:
        response.headers["X-Request-Id"] = g.request_id
        for name, value in getattr(g, "rate_headers", {}).items():
            response.headers.setdefault(name, value)
        headers.add(response, request, settings)
        revalidation.revalidate(response, request)
        compression.compress(response, request)
        _cookie(response)
        _log(response, settings)
        if response.is_streamed:
            response.call_on_close(_ended)
        else:
            _ended()
        return response

    return finish


def _ended() -> None:
    """The whole answer was made, or its client is gone."""
    deadlines.end()
    observe.begin_request("")


def _cookie(response: Response) -> None:
    payload = getattr(g, "new_cookie", None)
    if payload is None:
        return
    from flask import current_app

    if not payload:
        # Thumbnails may be kept for a day: the next person at this browser shall find none.
        response.headers["Clear-Site-Data"] = '"cache"'
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
    # Never less than nothing, whatever the clock did while the machine slept.
    seconds = max(0.0, time.monotonic() - g.started)
    if getattr(g, "counted", False) and function is not None:
        g.counted = False
        observe.REQUESTS.finish(function.name, request.method, response.status_code, seconds)
    identity: Identity | None = getattr(g, "identity", None)
    slow = 0 < settings.slow_request_ms <= seconds * 1000
    observe.REQUEST_LOG.log(
        logging.WARNING if slow else logging.INFO,
        "slow request" if slow else "request",
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
    request_id = getattr(g, "request_id", "")
    function: Function | None = getattr(g, "function", None)
    if problem.status in (429, 503, 507):
        counts.REFUSALS.add(function.name if function else "", str(problem.status), problem.kind)
    if (function.page if function else not request.path.startswith("/api/")) and _wants_page():
        try:
            return _error_page(function or UNKNOWN_PAGE, problem, request_id)
        except Exception:
            observe.LOG.exception("the page of a problem failed", extra={"request_id": request_id})
    return problem.as_response(request.path, request_id)


def _wants_page() -> bool:
    """Whether a person is looking: browsers ask for HTML by name, programs for anything or for JSON."""
    return (
        request.accept_mimetypes.best_match([problems.MEDIA_TYPE, operations.JSON, "text/html"])
        == "text/html"
    )


def _error_page(function: Function, problem: Problem, request_id: str) -> Response:
    from flask import current_app

    from lib.web.error_page import error_page

    services: Services = current_app.extensions["weeds"]["services"]
    identity: Identity | None = getattr(g, "identity", None)
    payload = admission.browser_payload(services, request)
    if function is UNKNOWN_PAGE:
        identity = _reader(services, payload)
    call = Call(function if identity else UNKNOWN_PAGE, services, request, identity or VISITOR)
    call.browser_payload = payload
    html, given = error_page(call, problem, request_id)
    return Response(html, status=problem.status, headers=given)


def _reader(services: Services, payload: dict[str, Any]) -> Identity:
    """Whose browser asks for an address that is none, so that they do not seem to be signed out there."""
    if services.settings.database_url is None or not services.settings.auth_enabled:
        return VISITOR
    try:
        with services.connection():
            return services.browser.identify(services.database, payload)
    except Problem:  # the page says that there is nothing; a database that does not answer is no news on it
        return VISITOR


def _http_problem(error: HTTPException) -> Response:
    if isinstance(error.__context__, SlowClient):
        return _problem(_too_slow())
    status = error.code or 500
    allow = {}
    if status == 405:
        allow["Allow"] = ", ".join(sorted(getattr(error, "valid_methods", None) or ()))
        if request.method == "OPTIONS":
            return Response(status=204, headers=allow)
    return _problem(of_http(status, allow))


def _too_slow() -> Problem:
    return of_http(408, {"Connection": "close"})


def _unexpected(error: Exception) -> Response:
    if isinstance(error, SlowClient):
        return _problem(_too_slow())
    if type(error).__module__ == "gunicorn.http.errors":  # the body broke HTTP's rules while it was read
        return _problem(of_http(400))
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        # Large bodies wait in temporary files while they are read, before any function has them in hand.
        observe.LOG.error("the disk is full", exc_info=error)
        return _problem(Problem(507, detail="The disk of this server is full.", kind="disk-full"))
    observe.LOG.error(
        "unexpected failure", exc_info=error, extra={"request_id": getattr(g, "request_id", "")}
    )
    return _problem(internal_error())
