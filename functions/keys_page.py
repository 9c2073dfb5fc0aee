"""GET and POST /keys: a user's keys, a new one shown once, and revoking one in two steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from flask import Response

from lib import auth, credentials
from lib.credentials import LONGEST_KEY_NAME
from lib.dispatcher import Call
from lib.keys import SCOPES
from lib.operations import operation
from lib.problems import Problem, not_found, unauthorized
from lib.scope import Identifier
from lib.store.records import Key
from lib.web import forms, photo_words
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.words import N_

# What a key may do, in the order of the form: its name, and what that means.
MAY = {
    "read": (N_("Look"), N_("See every photo, day and number of yours, and download them.")),
    "write": (
        N_("Change"),
        N_("Send, name and delete photos, change sessions, make and revoke keys."),
    ),
    "jobs": (N_("Jobs"), N_("Have the numbers computed again, as a timetable on a server does.")),
}
assert tuple(MAY) == SCOPES
GONE = N_("This key was revoked before.")


class Query(msgspec.Struct):
    """`revoke` asks for the page that asks once more."""

    revoke: Identifier | None = None


class Form(msgspec.Struct):
    """As the page sends it: to make a key its name and `scope` for each thing it may do, to revoke one its id."""

    action: Literal["make", "revoke"] = "make"
    id: str = ""
    name: str = ""
    scope: list[str] = []
    once: str = ""
    csrf_token: str = ""


@operation("The keys", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    page = Page(call)
    if call.identity.user is None:
        return Response(page.closed(page.say.gettext("Keys")), headers=page.headers)
    call.identity.demand("read")
    if query.revoke is not None:
        call.identity.demand("write")
        return _ask(call, page, _key(call, query.revoke))
    return _keys(call, page, _blank(page))


@operation(
    "Make or revoke a key from the form",
    media_type=HTML,
    status=303,
    problems=(401, 403, 404, 422),
    form=Form,
    also=(201,),
)
def post(call: Call) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    given = call.request.form.to_dict()
    # Those that this browser's key cannot give are refused below, like those that do not exist.
    given["scope"] = " ".join(sorted(set(call.request.form.getlist("scope"))))
    refused = forms.stale(call.check_form_token, call.request.form)
    page = Page(call)
    form = Typed(page.say, given)
    if call.identity.user is None:
        form.problem = page.say.gettext(forms.SIGNED_OUT)
        problem = refused or unauthorized(auth.NO_KEY)
        if given.get("action") == "revoke":
            return _answer(page, page.closed(page.say.gettext("Keys")), problem)
        return _keys(call, page, form, problem)
    call.identity.demand("write")
    if given.get("action") == "revoke":
        return _revoke(call, page, refused)
    if refused is not None:
        form.problem = page.say.gettext(forms.STALE)
        return _keys(call, page, form, refused)
    return _make(call, page, form)


def _make(call: Call, page: Page, form: Typed) -> Response:
    say = page.say
    name = form.line("name", LONGEST_KEY_NAME)
    scopes = form.value("scope").split()
    if not scopes:
        form.refuse("scope", say.gettext("Choose at least one thing that the key may do."))
    elif not set(scopes) <= call.identity.scopes:
        form.refuse("scope", say.gettext("A key can give no more than the key of this browser may itself."))
    if not form.good:
        return _keys(call, page, form, Problem(422))
    secret = ""  # the one that is about to be made  # nosec B105

    def make() -> int:
        nonlocal secret
        made, secret = credentials.make(
            call.services.database, call.mine.user_id, call.identity.scopes, name, scopes
        )
        return made.id

    number, _ = call.mine.once(forms.once_key("key", form.given), make)
    # No redirect: what is shown once must be in this answer. A form sent again finds its key, without the secret.
    return _keys(call, page, _blank(page), made=_key(call, number), secret=secret, status=201)


def _revoke(call: Call, page: Page, refused: Problem | None) -> Response:
    text = call.request.form.get("id", "")
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else 0
    key = _key(call, number)
    if refused is not None:
        return _ask(call, page, key, page.say.gettext(forms.STALE), refused)
    own = _is_own(call, key)
    try:
        credentials.revoke(call.services.database, call.mine.user_id, key.id, datetime.now(UTC))
    except Problem as problem:
        if problem.status != 404:
            raise
        # Pressed twice, or revoked elsewhere meanwhile: it is what was wanted.
    if not own:
        return Response(status=303, headers={"Location": page.leads_to("/keys", done="key-revoked")})
    call.set_browser_payload({})
    return Response(status=303, headers={"Location": page.leads_to("/", done="own-key-revoked")})


def _key(call: Call, number: int) -> Key:
    """One of the user's own, the revoked ones included."""
    found = call.services.database.key(number)
    if found is None or found[0].user_id != call.mine.user_id:
        raise not_found("There is no key with this number.")
    return found[0]


def _is_own(call: Call, key: Key) -> bool:
    """Whether this browser signed in with it."""
    return call.identity.key is not None and call.identity.key.id == key.id


def _blank(page: Page) -> Typed:
    """The form of a new key, which only those see who may look and change; `once` is the mark of this showing."""
    return Typed(page.say, {"once": forms.form_key(), "scope": "read write"})


def _keys(
    call: Call,
    page: Page,
    form: Typed,
    refused: Problem | None = None,
    *,
    made: Key | None = None,
    secret: str = "",
    status: int = 200,
) -> Response:
    user = call.identity.user
    every = call.services.database.keys(user.id) if user else []
    html = page.render(
        "keys.html",
        keys=[_told(call, page, key) for key in every if key.revoked_at is None],
        revoked=[_told(call, page, key) for key in every if key.revoked_at is not None],
        form=form if page.can_write or user is None else None,
        # Whoever is signed out sees what they ticked; what it may be is judged when they are back.
        may={scope: words for scope, words in MAY.items() if user is None or scope in call.identity.scopes},
        made=made,
        secret=secret,
    )
    return _answer(page, html, refused, status)


def _told(call: Call, page: Page, key: Key) -> dict[str, Any]:
    """A key as the page shows it."""
    say, zone = page.say, ZoneInfo(call.settings.site_timezone)
    return {
        "key": key,
        "own": _is_own(call, key),
        "may": [say.gettext(MAY[scope][0]) for scope in MAY if scope in key.scopes],
        "made": photo_words.moment(key.created_at, zone, say),
        "used": photo_words.moment(key.last_used_at, zone, say) if key.last_used_at else "",
        "revoked": photo_words.moment(key.revoked_at, zone, say) if key.revoked_at else "",
    }


def _ask(call: Call, page: Page, key: Key, words: str = "", refused: Problem | None = None) -> Response:
    """The page before a key is revoked; one that was revoked before has nothing to ask."""
    if key.revoked_at is not None:
        words = page.say.gettext(GONE)
    others = [
        each
        for each in call.services.database.keys(call.mine.user_id)
        if each.revoked_at is None and each.id != key.id and "read" in each.scopes
    ]
    html = page.render("key_revoke.html", **_told(call, page, key), last=not others, problem=words)
    return _answer(page, html, refused)


def _answer(page: Page, html: str, refused: Problem | None, status: int = 200) -> Response:
    headers = page.headers | (refused.headers if refused else {})
    return Response(html, status=refused.status if refused else status, headers=headers)
