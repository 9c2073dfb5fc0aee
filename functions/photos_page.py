"""GET /photos: the user's photos, newest day first, chosen by session, days, name and state."""

from __future__ import annotations

from datetime import date
from itertools import groupby
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from flask import Response

from lib import taxon_search
from lib.dispatcher import Call
from lib.labels import human_label
from lib.operations import operation
from lib.plant_names import known_plant
from lib.problems import Problem
from lib.scope import Identifier, check_session
from lib.store.records import NOT_A_PLANT, Photo
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.photo_words import STATES, State

PHOTOS_SHOWN = 60
DATES = ("start_date", "end_date")
# What each state asks of the store.
CHOSEN: dict[State, dict[str, Any]] = {
    "unsure": {"unsure": True},
    "sure": {"label_source": "model", "unsure": False},
    "confirmed": {"label_source": "human"},
    "not_a_plant": {},  # a label, which is narrowed below
    "waiting": {"nameless": "waiting"},
    "failed": {"nameless": "failed"},
}

Name = Annotated[str, msgspec.Meta(max_length=200)]
Cursor = Annotated[str, msgspec.Meta(max_length=200)]


class Query(msgspec.Struct):
    """`species`: a name in any language; `cursor`: from a link of the page before.

    `start_date` and `end_date` are read where they are refused in words.
    """

    session: Identifier | None = None
    species: Name = ""
    state: State | None = None
    cursor: Cursor | None = None


@operation("The user's photos", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    page = Page(call)
    if call.identity.user is None:
        return Response(page.closed(page.say.gettext("Photos")), headers=page.headers)
    call.identity.demand("read")
    store = call.mine
    check_session(store, query.session)
    typed = Typed(page.say, {name: call.request.args.get(name, "") for name in DATES})
    start, end = typed.day("start_date"), typed.day("end_date")
    if start and end and end < start:
        typed.refuse("end_date", page.say.gettext("The last day lies before the first."))
    species = query.species.strip()
    labels = _labels(call, species, query.state)
    photos: list[Photo] = []
    following = None
    if typed.good:
        photos, following = store.photos(
            query.session,
            start,
            end,
            label=labels,
            limit=PHOTOS_SHOWN,
            cursor=query.cursor,
            **(CHOSEN[query.state] if query.state else {}),
        )
    kept = _kept(query, typed)
    html = page.render(
        "photos.html",
        days=[(day, list(each)) for day, each in groupby(photos, key=_day)],
        shown=len(photos),
        typed=typed,
        query=query,
        states=STATES,
        narrowed=bool(kept),
        any_photos=bool(photos) or bool(store.photos(limit=1)[0]),
        suggested=taxon_search.suggestions(species, call.settings.model_dir)
        if species and not photos
        else [],
        named=lambda name: _address(kept | {"species": name}),
        older=_address(kept | {"cursor": following}) if following else "",
        newest=_address(kept) if query.cursor else "",
        day_query=f"?session={query.session}" if query.session else "",
        sessions=store.sessions(),
    )
    return Response(html, status=200 if typed.good else 400, headers=page.headers)


def _labels(call: Call, species: str, state: State | None) -> list[str] | None:
    """The labels that photos must have one of; None where any will do."""
    labels = _names(call, species) if species else None
    if state == "not_a_plant":
        return [NOT_A_PLANT] if labels is None else [each for each in labels if each == NOT_A_PLANT]
    return labels


def _names(call: Call, species: str) -> list[str]:
    """The labels that a name may stand for: a species by all its names, else the genus or the family itself."""
    model_dir = call.settings.model_dir
    try:
        label = human_label(species, model_dir)
    except Problem:
        plant = known_plant(species, model_dir)
        return list(plant.names) if plant else [species]
    plant = known_plant(label.name, model_dir) if label.level == "species" else None
    return [label.name, *(plant.names if plant else ())]


def _day(photo: Photo) -> date:
    return photo.date


def _kept(query: Query, typed: Typed) -> dict[str, Any]:
    """What every link of the list must still carry; the place in it is not of it."""
    given = {
        "session": query.session,
        "start_date": typed.value("start_date"),
        "end_date": typed.value("end_date"),
        "species": query.species,
        "state": query.state,
    }
    return {name: value for name, value in given.items() if value}


def _address(kept: dict[str, Any]) -> str:
    return f"/photos?{urlencode(kept)}" if kept else "/photos"
