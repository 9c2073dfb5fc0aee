"""GET and POST /sessions/{id}: one field, plot or campaign: what it holds, its changes, its end in two steps."""

from __future__ import annotations

from typing import Literal

import msgspec
from flask import Response

from lib import auth, session_changes
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import Problem, unauthorized
from lib.scope import IdPath
from lib.store.records import Session
from lib.web import forms, session_form
from lib.web.forms import Typed
from lib.web.page import HTML, Page


class Query(msgspec.Struct):
    """`delete` asks for the page that asks once more."""

    delete: bool = False


class Form(session_form.Fields):
    """As the page sends it; to delete, with the number of photos that the person was told would go."""

    action: Literal["save", "delete"] = "save"
    photos: str = ""


@operation("One session", media_type=HTML, problems=(404,))
def get(call: Call, path: IdPath, query: Query) -> Response:
    page = Page(call)
    if call.identity.user is None:
        return Response(page.closed(page.say.gettext("Sessions")), headers=page.headers)
    call.identity.demand("read")
    session = call.mine.session(path.id)
    if query.delete:
        call.identity.demand("write")
        return _delete(call, page, session)
    return _session(call, page, session, session_form.of_session(page.say, session))


@operation(
    "Change or delete a session from the form",
    media_type=HTML,
    status=303,
    problems=(401, 403, 404, 409, 422),
    form=Form,
)
def post(call: Call, path: IdPath) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    given = call.request.form.to_dict()
    if call.identity.user is None:
        stale = forms.stale(call.check_form_token, given)
        return _signed_out(call, given, stale or unauthorized(auth.NO_KEY))
    page = Page(call)
    try:
        session = call.mine.session(path.id)
    except Problem as problem:
        if problem.status != 404 or given.get("action") != "delete":
            raise
        # Pressed twice: what was to be deleted is gone.
        call.check_form_token()
        return Response(status=303, headers={"Location": page.leads_to("/sessions", done="session-gone")})
    refused = forms.stale(call.check_form_token, given)
    call.identity.demand("write")
    if given.get("action") == "delete":
        if refused is None and given.get("photos") != str(session.photos):
            refused = Problem(409)
            words = page.say.gettext(
                "The number of photos has changed meanwhile. Look again before you delete."
            )
            return _delete(call, page, session, words, refused)
        if refused is not None:
            return _delete(call, page, session, page.say.gettext(forms.STALE), refused)
        session_changes.delete(call.mine, session.id, call.services.photos)
        return Response(status=303, headers={"Location": page.leads_to("/sessions", done="session-deleted")})
    form = Typed(page.say, given)
    if refused is not None:
        form.problem = page.say.gettext(forms.STALE)
        return _session(call, page, session, form, refused)
    fields = session_form.read(form)
    if not form.good:
        return _session(call, page, session, form, Problem(422))
    try:
        changes = session_form.changes(session, fields)
        session_changes.update(call.mine, session.id, changes, call.settings.model_dir)
    except Problem as problem:
        session_form.tell(form, problem)
        return _session(call, page, session, form, problem)
    address = page.leads_to(f"/sessions/{session.id}", done="session-saved")
    return Response(status=303, headers={"Location": address})


def _session(
    call: Call, page: Page, session: Session, form: Typed, refused: Problem | None = None
) -> Response:
    html = page.render(
        "session.html",
        session=session,
        span=call.mine.surveyed().get(session.id),
        place=session_form.place(page.say, session),
        form=form if page.can_write else None,
        unknown=session_form.unknown_names(session, call.settings.model_dir),
        **session_form.choices(form, call.settings),
    )
    return _answer(page, html, refused)


def _delete(
    call: Call, page: Page, session: Session, words: str = "", refused: Problem | None = None
) -> Response:
    span = call.mine.surveyed().get(session.id)
    html = page.render("session_delete.html", session=session, span=span, problem=words)
    return _answer(page, html, refused)


def _signed_out(call: Call, given: dict[str, str], refused: Problem) -> Response:
    """What was typed, for somebody who signs in beside this page; nothing of a session that may be another's."""
    page = Page(call)
    if given.get("action") == "delete":
        return _answer(page, page.closed(page.say.gettext("Sessions")), refused)
    form = Typed(page.say, given)
    form.problem = page.say.gettext(forms.SIGNED_OUT)
    html = page.render("session_unsaved.html", form=form, **session_form.choices(form, call.settings))
    return _answer(page, html, refused)


def _answer(page: Page, html: str, refused: Problem | None) -> Response:
    headers = page.headers | (refused.headers if refused else {})
    return Response(html, status=refused.status if refused else 200, headers=headers)
