"""GET and POST /upload: the form that sends photos, and what became of them; works without a script."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec
from flask import Response

from lib import auth, client, operations
from lib.dispatcher import Call
from lib.operations import operation
from lib.photos.identify import MAX_FILES
from lib.problems import not_found, unauthorized
from lib.scope import Identifier, possible_day
from lib.web.page import HTML, Page
from lib.web.receipt import script_words, tell

if TYPE_CHECKING:
    from lib.store.database import UserStore


class Query(msgspec.Struct):
    """What the form starts with: the session, and the day of photos that do not say theirs."""

    session: Identifier | None = None
    day: date | None = None


class Form(msgspec.Struct):
    """The fields beside the files."""

    session_id: Identifier | None = None
    date: date | None = None


@operation("The upload form", media_type=HTML)
def get(call: Call, query: Query) -> Response:
    return _form(call, query.session, query.day)


@operation(
    "Upload photos from the form",
    media_type=HTML,
    status=201,
    problems=(400, 401, 403, 404, 422, 507),
    form=Form,
)
def post(call: Call) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    call.check_form_token()
    page = Page(call)
    owner = _owner(call)
    if owner is None:
        signed_out = unauthorized(auth.NO_KEY)
        error = page.say.gettext(
            "You are signed out, so nothing was sent. Sign in and send the photos again."
        )
        return _form(call, error=error, status=401, headers=signed_out.headers)
    if call.identity.user is not None:
        call.identity.demand("write")
    form = operations.read_form(post.operation, call.request.form.to_dict(flat=False))  # type: ignore[attr-defined]
    files = [each for each in call.request.files.getlist("files") if each.filename]
    if not files:
        error = page.say.gettext("Choose at least one photo.")
        return _form(call, form.session_id, form.date, error, 400)
    if len(files) > MAX_FILES:
        error = page.say.gettext(
            "At most %(most)d photos at once; these are %(sent)d.", most=MAX_FILES, sent=len(files)
        )
        return _form(call, form.session_id, form.date, error, 400)
    day = possible_day(form.date) if form.date else None
    guest = call.identity.user is None
    if guest and form.session_id:
        raise not_found()  # the owner's sessions are not there for guests
    session = owner.session(form.session_id) if form.session_id else owner.newest_session()

    from lib.intake import Incoming, Intake  # brings NumPy and Pillow, which the form alone does not need

    intake = Intake(owner, call.services.photos, call.services.recogniser)
    sent = [Incoming(each.filename or "", each.stream) for each in files]
    abandoned = client.watch(call.request.environ)
    receipt = intake.receive(session, day, sent, call.settings.site_timezone, abandoned)
    if receipt.retry_after is not None:
        call.services.work_waits()
    taken = sum(outcome.photo is not None for outcome in receipt.outcomes)
    if guest:
        receipt = receipt.for_guest()
    html = page.render(
        "upload_result.html",
        told=[tell(outcome, page.say) for outcome in receipt.outcomes],
        taken=taken,
        days=receipt.days,
        session_id=None if guest else receipt.session_id,
        several_sessions=not guest and len(owner.sessions()) > 1,
    )
    refused = {outcome.problem.status for outcome in receipt.outcomes if outcome.problem}
    nothing = refused.pop() if len(refused) == 1 else 422
    status = 201 if receipt.created else 200 if taken else nothing
    later = {} if receipt.retry_after is None else {"Retry-After": str(receipt.retry_after)}
    return Response(html, status=status, headers=page.headers | later)


def _owner(call: Call) -> UserStore | None:
    """Whose photos these will be; None when nobody is signed in and the server is not a drop box."""
    if call.identity.user is not None:
        return call.mine
    if call.settings.mode == "file" or call.settings.require_auth_for_data_upload:
        return None
    user = auth.guest(call.services.database).user
    return call.services.database.for_user(user.id) if user else None


def _form(
    call: Call,
    session_id: int | None = None,
    day: date | None = None,
    error: str = "",
    status: int = 200,
    headers: dict[str, str] | None = None,
) -> Response:
    page = Page(call)
    state = _state(call)
    # A drop box takes photos from anyone, but tells nobody what its owner's sessions are called.
    sessions = call.store.sessions() if state == "form" and call.identity.user is not None else []
    html = page.render(
        "upload.html",
        state=state,
        error=error,
        sessions=sessions,
        session_id=session_id,
        day=day,
        words=script_words(page.say) if state == "form" else {},
    )
    return Response(html, status=status, headers=page.headers | (headers or {}))


def _state(call: Call) -> str:
    if call.settings.mode == "file":
        return "file-mode"
    if call.identity.user is None:
        return "visitor" if call.settings.require_auth_for_data_upload else "form"
    return "form" if "write" in call.identity.scopes else "read-only"
