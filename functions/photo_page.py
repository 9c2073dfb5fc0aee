"""GET and POST /photos/{id}: one photo: what it shows, how sure that is, and every way to set it right."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from flask import Response

from lib import auth, corrections, taxon_search
from lib.dispatcher import Call
from lib.operations import operation
from lib.problems import Problem, malformed, unauthorized
from lib.scope import EARLIEST, IdPath
from lib.store.records import NOT_A_PLANT, Photo
from lib.web import forms, photo_words, typed_name
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.words import UNKNOWN

if TYPE_CHECKING:
    from lib.corrections import Change
    from lib.store.database import UserStore

Action = Literal["confirm", "label", "not_a_plant", "unknown", "undo", "date", "delete"]
# What each action has done, as lib.web.notices says it.
DONE: dict[str, str] = {
    "confirm": "photo-confirmed",
    "label": "photo-named",
    "not_a_plant": "photo-not-a-plant",
    "unknown": "photo-unknown",
    "undo": "photo-undone",
    "date": "photo-moved",
}

Was = Annotated[str, msgspec.Meta(max_length=300)]


class Query(msgspec.Struct):
    """`delete` asks for the page that asks once more; `was` is what its days were before the change just made."""

    delete: bool = False
    was: Was = ""


class Form(msgspec.Struct):
    """As the page sends it. `shown` and `steps` are the name and the number of its changes that the person saw.

    `as_written` repeats a name that nobody knows, to take it all the same.
    """

    action: Action
    label: str = ""
    as_written: str = ""
    date: str = ""
    shown: str = ""
    steps: str = ""


@operation("One photo", media_type=HTML, problems=(404,))
def get(call: Call, path: IdPath, query: Query) -> Response:
    page = Page(call)
    if call.identity.user is None:
        return Response(page.closed(page.say.gettext("Photo")), headers=page.headers)
    call.identity.demand("read")
    photo = call.mine.photo(path.id)
    if query.delete:
        call.identity.demand("write")
        return _delete(call, page, photo)
    return _photo(call, page, photo, was=query.was if page.notice else "")


@operation(
    "Correct or delete a photo from the form",
    media_type=HTML,
    status=303,
    problems=(400, 401, 403, 404, 409, 422),
    form=Form,
)
def post(call: Call, path: IdPath) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    given = call.request.form.to_dict()
    action = given.get("action", "")
    if call.identity.user is None:
        stale = forms.stale(call.check_form_token, given)
        return _signed_out(call, given, stale or unauthorized(auth.NO_KEY))
    page = Page(call)
    store = call.mine
    try:
        photo = store.photo(path.id)
    except Problem as problem:
        if problem.status != 404 or action != "delete":
            raise
        # Pressed twice: what was to be deleted is gone.
        call.check_form_token()
        return _on_to(page.leads_to("/photos", done="photo-gone"))
    refused = forms.stale(call.check_form_token, given)
    call.identity.demand("write")
    if action == "delete":
        if refused is not None:
            return _delete(call, page, photo, page.say.gettext(forms.STALE), refused)
        return _removed(call, page, photo)
    form = Typed(page.say, given)
    if refused is not None:
        form.problem = page.say.gettext(forms.STALE)
        return _photo(call, page, photo, form, refused)
    here = f"/photos/{photo.id}"
    if action == "undo" and given.get("steps") == str(len(photo.label_history) + 1):
        return _on_to(page.leads_to(here, done=DONE[action]))  # pressed twice: undone is undone
    if _seen_otherwise(photo, given, action):
        form.problem = page.say.gettext(
            "The name of this photo has changed since this page was shown. Look again before you go on."
        )
        return _photo(call, page, photo, form, Problem(409))
    change = _change(call, photo, form, action)
    if change is None:
        return _photo(call, page, photo, form, Problem(422))
    days = {photo.date, change.day or photo.date}
    before = [photo_words.before_of(day, store.day(day, photo.session_id)) for day in sorted(days)]
    try:
        corrections.correct(store, [photo.id], change, datetime.now(UTC))
    except Problem as problem:
        if problem.status != 409:
            raise
        form.problem = _why(page, problem)
        return _photo(call, page, store.photo(photo.id), form, problem)
    return _on_to(page.leads_to(here, done=DONE[action], was=photo_words.write_before(before)))


def _on_to(address: str) -> Response:
    return Response(status=303, headers={"Location": address})


def _seen_otherwise(photo: Photo, given: dict[str, str], action: str) -> bool:
    """Whether the person saw another name than the one that this would confirm or take back."""
    if action == "confirm":
        return given.get("shown", photo.label or "") != (photo.label or "")
    if action == "undo":
        return given.get("steps", str(len(photo.label_history))) != str(len(photo.label_history))
    return False


def _change(call: Call, photo: Photo, form: Typed, action: str) -> Change | None:
    """What the form asks for; None, with the words beside the field, where that cannot be."""
    model_dir = call.settings.model_dir
    if action in (NOT_A_PLANT, UNKNOWN):
        return corrections.read_change(model_dir, label=action)
    if action == "confirm":
        return corrections.read_change(model_dir, confirm=True)
    if action == "undo":
        return corrections.read_change(model_dir, undo=True)
    if action == "label":
        # An earlier model may have said what neither today's nor the table knows.
        said = photo.prediction.predictions if photo.prediction else ()
        label = typed_name.read(form, model_dir, [each["species"] for each in said])
        return corrections.Change("label", label=label) if label else None
    if action == "date":
        day = form.day("date")
        if not form.good:
            return None
        if day is None:
            form.refuse("date", form.say.gettext("Fill this in."))
            return None
        try:
            return corrections.read_change(model_dir, day=day)
        except Problem:
            form.refuse(
                "date",
                form.say.gettext("A day from %(first)s to today.", first=form.say.day(EARLIEST)),
            )
            return None
    known = ", ".join((*DONE, "delete"))
    raise malformed([{"field": "action", "reason": f"must be one of {known}"}])


def _removed(call: Call, page: Page, photo: Photo) -> Response:
    removed = corrections.remove(call.mine, photo.id)
    call.services.photos.delete(removed.path)
    left = removed.days.get((photo.session_id, photo.date))
    if left is None:
        return _on_to(page.leads_to("/photos", done="photo-deleted"))
    return _on_to(
        page.leads_to(f"/days/{photo.date}", done="photo-deleted", session=_several(call.mine, photo))
    )


def _several(store: UserStore, photo: Photo) -> int | None:
    """The session of a photo for the addresses of its day, where there is more than one."""
    return photo.session_id if len(store.sessions()) > 1 else None


def _photo(
    call: Call,
    page: Page,
    photo: Photo,
    form: Typed | None = None,
    refused: Problem | None = None,
    was: str = "",
) -> Response:
    store, say = call.mine, page.say
    session = store.session(photo.session_id)
    zone = ZoneInfo(session.timezone)
    several = _several(store, photo)
    form = form or Typed(say, {})
    typed = form.value("label")
    html = page.render(
        "photo.html",
        photo=photo,
        sure=photo_words.sureness(photo, say),
        guesses=photo_words.guesses(photo, say),
        quality=photo_words.quality(photo, say),
        size=photo_words.size_of(photo, say),
        namings=photo_words.namings(photo, zone, say),
        taken=photo_words.moment(photo.captured_at, zone, say) if photo.captured_at else "",
        sent=photo_words.moment(photo.created_at, zone, say),
        day_source=say.gettext(photo_words.DAY_SOURCES[photo.date_source])
        if photo.date_source in photo_words.DAY_SOURCES
        else "",
        session=session,
        row=store.day(photo.date, photo.session_id),
        same_plant=_same_plant(store, photo),
        beside=store.beside(photo),
        become=_become(store, photo, photo_words.read_before(was)),
        form=form,
        suggested=taxon_search.suggestions(typed, call.settings.model_dir) if form.error("label") else [],
        as_written=typed_name.offer(form, call.settings.model_dir),
        day_query=f"?session={several}" if several else "",
    )
    return _answer(page, html, refused)


def _same_plant(store: UserStore, photo: Photo) -> list[Photo]:
    """The other photos of its cluster of near-duplicates."""
    others = [each for each in store.near_duplicates([photo])[photo.id] if each != photo.id]
    return store.photos_by_id(others) if others else []


def _become(
    store: UserStore, photo: Photo, before: Iterable[photo_words.Before]
) -> list[tuple[photo_words.Before, photo_words.Before]]:
    """Each day that a change touched, as it was and as it is."""
    return [
        (each, photo_words.before_of(each.date, store.day(each.date, photo.session_id))) for each in before
    ]


def _delete(
    call: Call, page: Page, photo: Photo, words: str = "", refused: Problem | None = None
) -> Response:
    session = call.mine.session(photo.session_id)
    html = page.render("photo_delete.html", photo=photo, session=session, problem=words)
    return _answer(page, html, refused)


def _signed_out(call: Call, given: dict[str, str], refused: Problem) -> Response:
    """What was typed, for somebody who signs in beside this page; nothing of a photo that may be another's."""
    page = Page(call)
    typed: Any = {
        name: given[name] for name in ("action", "label", "date", "shown", "steps") if name in given
    }
    if given.get("action") == "delete" or not typed:
        return _answer(page, page.closed(page.say.gettext("Photo")), refused)
    form = Typed(page.say, typed)
    form.problem = page.say.gettext(forms.SIGNED_OUT)
    return _answer(page, page.render("photo_unsaved.html", form=form, given=typed), refused)


def _why(page: Page, problem: Problem) -> str:
    """Why a change cannot be made, in the reader's words."""
    from lib.web.problem_kinds import PROBLEM_KINDS

    known = PROBLEM_KINDS.get(problem.kind)
    return page.say.gettext(known.meaning) if known else problem.detail


def _answer(page: Page, html: str, refused: Problem | None) -> Response:
    headers = page.headers | (refused.headers if refused else {})
    return Response(html, status=refused.status if refused else 200, headers=headers)
