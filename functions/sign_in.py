"""GET and POST /sign-in: a key opens the pages for this browser."""

from __future__ import annotations

import msgspec
from flask import Response

from lib import admission, auth, operations
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import Problem
from lib.web.page import HTML, Page, local_path


class Query(msgspec.Struct):
    """`next` is the page to go on to; only addresses on this site count."""

    next: str | None = None


class Form(msgspec.Struct):
    key: str = ""
    csrf_token: str = ""
    next: str | None = None


@operation("The sign-in form", media_type=HTML)
def get(call: Call, query: Query) -> Response:
    return _form(call, local_path(query.next))


@operation("Sign this browser in", media_type=HTML, status=303, problems=(401, 403, 429), form=Form)
def post(call: Call) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    call.check_form_token()
    form = operations.read_form(post.operation, call.request.form.to_dict(flat=False))  # type: ignore[attr-defined]
    following = local_path(form.next)
    page = Page(call)
    try:
        identity = admission.by_key(
            call.services, form.key.strip()[: auth.LONGEST_KEY + 1], call.request.remote_addr
        )
    except Problem as problem:
        if problem.status not in (401, 429):
            raise
        words = page.say.gettext("This key is not known, or has been revoked.")
        if problem.status == 429:
            words += " " + page.say.gettext("Too many wrong keys came from here. Wait a minute.")
        return _form(call, following, words, problem)
    if identity.key is None or "read" not in identity.scopes:
        refused = Problem(403, kind="forbidden")
        return _form(
            call, following, page.say.gettext("This key may not read, so it opens no page."), refused
        )
    call.set_browser_payload(auth.BrowserSession.signed_in(identity.key))
    return Response(status=303, headers={"Location": following})


def _form(call: Call, following: str, error: str | None = None, problem: Problem | None = None) -> Response:
    page = Page(call)
    html = page.render("sign_in.html", next=following, error=error, file_mode=call.settings.mode == "file")
    headers = page.headers | (problem.headers if problem else {})
    return Response(html, status=problem.status if problem else 200, headers=headers)
