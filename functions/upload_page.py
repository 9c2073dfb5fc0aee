"""GET and POST /upload: the form that sends photos, and what became of them; works without a script."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import msgspec
from flask import Response

from lib import auth, calendars, classifier, client, operations
from lib.dispatcher import Call
from lib.model_facts import known_model
from lib.operations import operation
from lib.photos.identify import MAX_FILES
from lib.problems import Problem, not_found, unauthorized
from lib.scope import Identifier, possible_day
from lib.web.page import HTML, Page
from lib.web.receipt import DAY_WRONG, SESSION_GONE, script_words, tell

if TYPE_CHECKING:
    from lib.store.database import UserStore
    from lib.store.records import DayRow, Session
    from lib.web.words import Words

T = TypeVar("T")
# What a day's row before is asked for, to say what it has become.
COMPARED = (*calendars.EFFORT, "total_images", "species_richness", "shannon_diversity")


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
    if call.identity.user is not None and not page.can_write:
        return _form(call, status=403)
    files = [each for each in call.request.files.getlist("files") if each.filename]
    guest = call.identity.user is None
    try:
        form = operations.read_form(post.operation, call.request.form.to_dict(flat=False))  # type: ignore[attr-defined]
        day = possible_day(form.date) if form.date else None
        session = _session(owner, form.session_id, guest)
    except Problem as problem:
        return _form(call, *_chosen(call), _wrong_field(problem, page.say), problem.status)
    error = _wrong_files(len(files), page.say)
    if error:
        return _form(call, form.session_id, form.date, error, 400)

    from lib.intake import Incoming, Intake  # brings NumPy and Pillow, which the form alone does not need

    before = {}
    if session and not guest:
        before = {row.date: row for row in owner.days(session.id, columns=COMPARED)}
    intake = Intake(owner, call.services.photos, call.services.recogniser)
    sent = [Incoming(each.filename or "", each.stream) for each in files]
    abandoned = client.watch(call.request.environ)
    receipt = intake.receive(session, day, sent, call.settings.site_timezone, abandoned)
    if receipt.retry_after is not None:
        call.services.work_waits()
    taken = sum(outcome.photo is not None for outcome in receipt.outcomes)
    if guest:
        receipt = receipt.for_guest()
    told = [tell(outcome, page.say, guest) for outcome in receipt.outcomes]
    html = page.render(
        "upload_result.html",
        told=told,
        taken=taken,
        guest=guest,
        unsure=not guest and any(each.unsure for each in told),
        days=[_become(each, row, before.get(each)) for each, row in receipt.days.items()],
        session_id=None if guest else receipt.session_id,
        several_sessions=not guest and len(owner.sessions()) > 1,
    )
    refused = {outcome.problem.status for outcome in receipt.outcomes if outcome.problem}
    nothing = refused.pop() if len(refused) == 1 else 422
    status = 201 if receipt.created else 200 if taken else nothing
    later = {} if receipt.retry_after is None else {"Retry-After": str(receipt.retry_after)}
    return Response(html, status=status, headers=page.headers | later)


@dataclass(frozen=True, slots=True)
class Become:
    """What a day has become: its row, the ends of its Shannon interval, and the row it was before, if any."""

    date: date
    row: DayRow
    shannon: tuple[float | None, float | None]
    before: DayRow | None


def _become(day: date, row: DayRow, before: DayRow | None) -> Become:
    return Become(day, row, calendars.interval_of(row, "shannon_diversity"), before)


def _session(owner: UserStore, session_id: int | None, guest: bool) -> Session | None:
    """The session asked for, else the newest, else none: the first photo taken makes one."""
    if session_id is None:
        return owner.newest_session()
    if guest:
        raise not_found()  # the owner's sessions are not there for guests
    return owner.session(session_id)


def _chosen(call: Call) -> tuple[int | None, date | None]:
    """The session and the day that a form with a wrong field had chosen, as far as they can be read."""
    given = call.request.form
    return _readable(given.get("session_id"), int), _readable(given.get("date"), date)


def _readable(text: str | None, kind: type[T]) -> T | None:
    try:
        return msgspec.convert(text, kind, strict=False)
    except msgspec.ValidationError:
        return None


def _wrong_field(problem: Problem, say: Words) -> str:
    of_the_day = any(error["field"] == "date" for error in problem.errors)
    return say.gettext(DAY_WRONG if of_the_day else SESSION_GONE)


def _wrong_files(sent: int, say: Words) -> str:
    if not sent:
        return say.gettext("Choose at least one photo.")
    if sent > MAX_FILES:
        return say.gettext("At most %(most)d photos at once; these are %(sent)d.", most=MAX_FILES, sent=sent)
    return ""


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
        guest=call.identity.user is None,
        sessions=sessions,
        session_id=session_id,
        day=day,
        nameless=state == "form" and _nameless(call.settings.model_dir),
        words=script_words(page.say) if state == "form" else {},
    )
    return Response(html, status=status, headers=page.headers | (headers or {}))


def _nameless(model_dir: Path) -> bool:
    """Whether photos cannot be named now, as far as is known: the form must not wait until a model is read."""
    return not known_model(model_dir).facts.classes or classifier.known_trouble(model_dir) is not None


def _state(call: Call) -> str:
    if call.settings.mode == "file":
        return "file-mode"
    if call.identity.user is None:
        return "visitor" if call.settings.require_auth_for_data_upload else "form"
    return "form" if "write" in call.identity.scopes else "read-only"
