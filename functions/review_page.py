"""GET and POST /review: one unsure or new name after the other, to confirm, correct or skip; alone or several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any, Literal

import msgspec
from flask import Response

from lib import auth, corrections, taxon_search
from lib.dispatcher import Call
from lib.labels import HumanLabel
from lib.operations import operation
from lib.problems import Problem, malformed, unauthorized
from lib.scope import Identifier, check_session
from lib.store.records import NOT_A_PLANT
from lib.web import forms, photo_words, typed_name
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.words import UNKNOWN

if TYPE_CHECKING:
    from lib.store.database import UserStore

FURTHER = 12  # items of the queue that can be ticked together with the one that is shown
MOST_PHOTOS = 200
MOST_DAYS = 20  # their numbers travel in an address
DATES = ("start_date", "end_date")
Action = Literal["confirm", "label", "not_a_plant", "unknown", "undo"]
# What each action has done, as lib.web.notices says it.
DONE: dict[str, str] = {
    "confirm": "review-confirmed",
    "label": "review-named",
    "not_a_plant": "review-not-a-plant",
    "unknown": "review-unknown",
    "undo": "review-undone",
}

Cursor = Annotated[str, msgspec.Meta(max_length=200)]
Moment = Annotated[str, msgspec.Meta(max_length=40)]
Was = Annotated[str, msgspec.Meta(max_length=2000)]
Several = Annotated[int, msgspec.Meta(ge=2, le=MOST_PHOTOS)]


class Query(msgspec.Struct):
    """`cursor`: behind which item to go on; `at` and `was`: when the last change was made, and its days before it;
    `count`: of how many photos it was, where it was of several.

    `start_date` and `end_date` are read where they are refused in words.
    """

    session: Identifier | None = None
    reason: Literal["unsure", "new"] | None = None
    cursor: Cursor | None = None
    at: Moment = ""
    was: Was = ""
    count: Several | None = None


class Form(msgspec.Struct):
    """As the page sends it. `ids`, which may come several times, holds numbers of photos, parted by commas.

    `choose` is a name on a button, `label` one that was typed; `as_written` repeats one that nobody knows, to take
    it all the same. `photo` and `shown` are the item and its name as the person saw it; `at` and `was`, for `undo`,
    are the page's own.
    """

    action: Action = "label"
    choose: str = ""
    label: str = ""
    as_written: str = ""
    ids: str = ""
    photo: str = ""
    shown: str = ""
    at: str = ""
    was: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the queue is asked for, and from where on."""

    query: Query
    typed: Typed
    start: date | None
    end: date | None

    @property
    def kept(self) -> dict[str, Any]:
        """What every address of this part of the queue carries; the place in it is not of it."""
        return {
            "session": self.query.session,
            "start_date": self.typed.value("start_date") or None,
            "end_date": self.typed.value("end_date") or None,
            "reason": self.query.reason,
        }


@dataclass(frozen=True, slots=True)
class Said:
    """What a person says of photos: of which, which name, and what became of the form that says it."""

    form: Typed
    ids: tuple[int, ...] = ()
    refused: Problem | None = None


@operation("What to look at", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    page = Page(call)
    if call.identity.user is None:
        return Response(page.closed(page.say.gettext("Review")), headers=page.headers)
    call.identity.demand("read")
    return _review(call, page, _asked(call, page, query))


@operation(
    "Name photos of the queue from the form, or undo that",
    media_type=HTML,
    status=303,
    problems=(400, 401, 403, 404, 409, 422),
    form=Form,
)
def post(call: Call, query: Query) -> Response:
    _ = call.services.database  # raises in file mode, and says what to set
    sent = call.request.form
    given: dict[str, str] = sent.to_dict() | ({"ids": ",".join(sent.getlist("ids"))} if "ids" in sent else {})
    page = Page(call)
    refused = forms.stale(call.check_form_token, given)
    if call.identity.user is None:
        return _signed_out(page, given, refused or unauthorized(auth.NO_KEY))
    call.identity.demand("write")
    asked = _asked(call, page, query)
    form = Typed(page.say, given)
    said = Said(form, _numbers(given.get("ids", "")), refused)
    if refused is not None:
        form.problem = page.say.gettext(forms.STALE)
        return _review(call, page, asked, said)
    action = given.get("action", "label")
    if action not in DONE:
        raise malformed([{"field": "action", "reason": f"must be one of {', '.join(DONE)}"}])
    if action == "undo":
        return _undo(call, page, asked, given)
    return _name(call, page, asked, said, action)


def _asked(call: Call, page: Page, query: Query) -> Asked:
    """404 for a session that is not the reader's; days that cannot be read are refused in words."""
    check_session(call.mine, query.session)
    typed = Typed(page.say, {name: call.request.args.get(name, "") for name in DATES})
    start, end = typed.day("start_date"), typed.day("end_date")
    if start and end and end < start:
        typed.refuse("end_date", page.say.gettext("The last day lies before the first."))
    return Asked(query, typed, start, end)


def _numbers(text: str) -> tuple[int, ...]:
    """Numbers of photos; 400 for what is none, or too many."""
    parts = [part for part in text.split(",") if part]
    if not all(part.isascii() and part.isdecimal() and len(part) <= 19 for part in parts):
        raise malformed([{"field": "ids", "reason": "must be numbers of photos, parted by commas"}])
    numbers = tuple(dict.fromkeys(map(int, parts)))
    if len(numbers) > MOST_PHOTOS:
        raise malformed([{"field": "ids", "reason": f"must be at most {MOST_PHOTOS}"}])
    return numbers


def _name(call: Call, page: Page, asked: Asked, said: Said, action: str) -> Response:
    """Give all photos that are ticked one name, and go on to the next."""
    store, form = call.mine, said.form
    if not said.ids:
        form.problem = page.say.gettext("No photo is ticked. Tick those that get the name.")
        return _review(call, page, asked, said, Problem(422))
    photos = store.photos_by_id(said.ids)
    label = _label(call, form, action)
    if label is None:
        return _review(call, page, asked, said, Problem(422))
    named = [photo for photo in photos if photo.label_source == "human"]
    pressed_twice = bool(named) and all(
        photo.label_source == "human" and (action == "confirm" or photo.label == label.name)
        for photo in photos
    )
    if (named and not pressed_twice) or (
        action == "confirm" and not named and form.value("shown") != label.name
    ):
        form.problem = page.say.gettext(
            "Some of these photos got another name since this page was shown. Look again before you go on."
        )
        return _review(call, page, asked, Said(form), Problem(409))
    days = sorted({(photo.session_id, photo.date) for photo in photos})
    if len(days) > MOST_DAYS:
        raise malformed([{"field": "ids", "reason": f"must be of at most {MOST_DAYS} days"}])
    before = _before(store, days)
    change = corrections.Change("label", label=label)
    if not pressed_twice:
        photos = corrections.correct(store, said.ids, change, datetime.now(UTC)).photos
    history = photos[0].label_history
    at = history[-1]["at"] if history else None
    return _on_to(page, asked, action, before, len(photos), at)


def _label(call: Call, form: Typed, action: str) -> HumanLabel | None:
    """The name that the form gives; None, with the words beside the field, where it gives none."""
    if action == "confirm":
        number = _numbers(form.value("photo"))
        if len(number) != 1:
            raise malformed([{"field": "photo", "reason": "must be the number of the photo that was shown"}])
        photo = call.mine.photo(number[0])
        if photo.label is None or photo.label_level is None:
            raise Problem(409, detail="The photo has no label to confirm yet.", kind="nothing-to-confirm")
        return HumanLabel(photo.label, photo.label_level)
    if action in (NOT_A_PLANT, UNKNOWN):
        return HumanLabel(action, action)
    if form.value("choose"):  # a name on a button, which needs no second look
        return corrections.read_change(call.settings.model_dir, label=form.value("choose")).label
    return typed_name.read(form, call.settings.model_dir)


def _undo(call: Call, page: Page, asked: Asked, given: Mapping[str, str]) -> Response:
    """Take back all that one press of a button changed; what it changed is in the queue again."""
    store = call.mine
    days = [day for day, _ in _read_was(store, given.get("was", ""))]
    numbers = store.changed_at(days, given.get("at", "")) if given.get("at") else []
    if not numbers:  # pressed twice, or changed since
        return _on_to(page, asked, "undo", [], 0)
    before = _before(store, days)
    corrections.correct(store, numbers, corrections.Change("undo"), datetime.now(UTC))
    return _on_to(page, asked, "undo", before, len(numbers))


def _on_to(
    page: Page,
    asked: Asked,
    action: str,
    before: Sequence[tuple[int, photo_words.Before]],
    count: int,
    at: Any = None,
) -> Response:
    """To what is next at this place of the queue, with what was done and what the days were."""
    was = "~".join(f"{session_id}:{photo_words.write_before([each])}" for session_id, each in before)
    address = page.leads_to(
        "/review",
        done=DONE[action],
        **asked.kept,
        cursor=asked.query.cursor,
        at=at,
        was=was or None,
        count=count if count > 1 else None,
    )
    return Response(status=303, headers={"Location": address})


def _before(store: UserStore, days: Sequence[tuple[int, date]]) -> list[tuple[int, photo_words.Before]]:
    return [(number, photo_words.before_of(day, store.day(day, number))) for number, day in days]


def _read_was(store: UserStore, text: str) -> list[tuple[tuple[int, date], photo_words.Before]]:
    """The days of `was` with what they were; nothing of sessions that are not the reader's."""
    mine = {str(session.id): session.id for session in store.sessions()} if text else {}
    found = []
    for part in text.split("~")[:MOST_DAYS] if text else ():
        number, _, rest = part.partition(":")
        if number in mine:
            found += [((mine[number], each.date), each) for each in photo_words.read_before(rest)]
    return found


def _review(
    call: Call, page: Page, asked: Asked, said: Said | None = None, refused: Problem | None = None
) -> Response:
    store, query, say = call.mine, asked.query, page.say
    chosen: dict[str, Any] = {"session_id": query.session, "start": asked.start, "end": asked.end}
    items: Sequence[Any] = ()
    counts: dict[Any, int] = {"unsure": 0, "new": 0}
    if asked.typed.good:
        items, _ = store.review_items(**chosen, reason=query.reason, limit=1 + FURTHER, cursor=query.cursor)
        counts = store.review_counts(**chosen)
    item = items[0] if items else None
    sessions = store.sessions()
    form = said.form if said else Typed(say, {})
    became = _read_was(store, query.was) if page.notice and not (said and said.refused) else []
    changed = store.changed_at([day for day, _ in became], query.at) if became and query.at else []
    left = sum(counts.values()) if query.reason is None else counts[query.reason]
    html = page.render(
        "review.html",
        item=item,
        further=items[1:],
        same_plant=store.photos_by_id(item.photo_ids) if item and len(item.photo_ids) > 1 else [],
        ticked=set(said.ids) if said and said.ids else None,
        guesses=photo_words.guesses(item.photo, say) if item else [],
        sure=photo_words.sureness(item.photo, say) if item else "",
        doubts=[each for each in photo_words.quality(item.photo, say) if each.doubtful] if item else [],
        session=next((each for each in sessions if item and each.id == item.photo.session_id), None),
        counts=counts,
        left=left,
        waiting=store.waiting_photos(query.session) if item is None else 0,
        any_photos=bool(items) or bool(store.photos(limit=1)[0]),
        become=[
            (number, each, photo_words.before_of(day, store.day(day, number)))
            for (number, day), each in became
        ],
        changed=store.photos_by_id(changed) if changed else [],
        form=form,
        suggested=taxon_search.suggestions(form.value("label"), call.settings.model_dir)
        if form.error("label")
        else [],
        as_written=typed_name.offer(form, call.settings.model_dir),
        typed=asked.typed,
        query=query,
        narrowed=any(asked.kept.values()),
        sessions=sessions,
        names={each.id: each.session_name for each in sessions} if len(sessions) > 1 else {},
        here=page.leads_to("/review", **asked.kept, cursor=query.cursor),
        start=page.leads_to("/review", **asked.kept),
        behind=page.leads_to("/review", **asked.kept, cursor=item.cursor) if item else "",
    )
    refused = refused or (said.refused if said else None)
    headers = page.headers | (refused.headers if refused else {})
    status = refused.status if refused else 200 if asked.typed.good else 400
    return Response(html, status=status, headers=headers)


def _signed_out(page: Page, given: dict[str, str], refused: Problem) -> Response:
    """What was typed, for somebody who signs in beside this page; nothing of photos that may be another's."""
    typed: Any = {name: given[name] for name in Form.__struct_fields__ if given.get(name)}
    if typed:
        form = Typed(page.say, typed)
        form.problem = page.say.gettext(forms.SIGNED_OUT)
        html = page.render("photo_unsaved.html", form=form, given=typed)
    else:
        html = page.closed(page.say.gettext("Review"))
    return Response(html, status=refused.status, headers=page.headers | refused.headers)
