"""GET and POST /sessions: the fields, plots and campaigns of a user, and the form that makes one."""

from __future__ import annotations

from flask import Response

from lib import auth, session_changes
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import Problem, unauthorized
from lib.web import forms, session_form
from lib.web.forms import Typed
from lib.web.page import HTML, Page


class Form(session_form.Fields):
    """As the page sends it."""


@operation("The sessions", media_type=HTML)
def get(call: Call) -> Response:
    page = Page(call)
    if call.identity.user is None:
        return Response(page.closed(page.say.gettext("Sessions")), headers=page.headers)
    call.identity.demand("read")
    return _sessions(call, page, session_form.blank(page.say, call.settings.site_timezone))


@operation("Make a session from the form", media_type=HTML, status=303, problems=(401, 403, 422), form=Form)
def post(call: Call) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    given = call.request.form.to_dict()
    refused = forms.stale(call.check_form_token, given)
    page = Page(call)
    form = Typed(page.say, given)
    if call.identity.user is None:
        form.problem = page.say.gettext(forms.SIGNED_OUT)
        return _sessions(call, page, form, refused or unauthorized(auth.NO_KEY))
    call.identity.demand("write")
    if refused is not None:
        form.problem = page.say.gettext(forms.STALE)
        return _sessions(call, page, form, refused)
    fields = session_form.read(form)
    if not form.good:
        return _sessions(call, page, form, Problem(422))
    store = call.mine

    def make() -> int:
        settings = call.settings
        return session_changes.create(store, fields, settings.model_dir, settings.site_timezone).id

    try:
        # Pressed twice, or sent again after the connection broke: the session of the first time is the answer.
        made, _ = store.once(forms.once_key("session", given), make)
    except Problem as problem:
        session_form.tell(form, problem)
        return _sessions(call, page, form, problem)
    address = page.leads_to("/sessions", done="session-made")
    return Response(status=303, headers={"Location": f"{address}#session-{made}"})


def _sessions(call: Call, page: Page, form: Typed, refused: Problem | None = None) -> Response:
    user = call.identity.user
    sessions = call.mine.sessions() if user else []
    html = page.render(
        "sessions.html",
        sessions=sessions,
        surveyed=call.mine.surveyed() if user else {},
        places={each.id: session_form.place(page.say, each) for each in sessions},
        form=form if page.can_write or user is None else None,
        **session_form.choices(form, call.settings),
    )
    headers = page.headers | (refused.headers if refused else {})
    return Response(html, status=refused.status if refused else 200, headers=headers)
