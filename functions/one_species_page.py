"""GET /species/{name}: one species: when it was found, its photos, what it is taken for, and where to read on."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, urlencode

import msgspec
from flask import Response

from lib import lookalikes, species, taxon_search
from lib.dispatcher import Call
from lib.operations import operation
from lib.plant_names import KnownPlant, known_plant
from lib.problems import Problem
from lib.scope import Identifier, check_session
from lib.store.records import Photo
from lib.web.chart import month_bars
from lib.web.page import HTML, Page

PHOTOS_SHOWN = 24
DAYS_SHOWN = 12
SUGGESTED = 6
NAME_TOLD = 200  # characters of a name that nobody knows

Cursor = Annotated[str, msgspec.Meta(max_length=100)]


class Path(msgspec.Struct):
    """A scientific, English or Japanese name; a slash within it is written %252F."""

    name: str


class Query(msgspec.Struct):
    """`cursor`: which page of photos, from a link of the page before."""

    session: Identifier | None = None
    cursor: Cursor | None = None


@operation("One species", media_type=HTML, problems=(400, 404), also=(302,))
def get(call: Call, path: Path, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    page = Page(call)
    store = call.store
    check_session(store, query.session)
    rows = store.days(query.session, columns=species.COLUMNS)
    # Servers read %2F as a slash that parts the address, so within a name it comes written twice over.
    name = path.name.replace("%2F", "/")
    model_dir = call.settings.model_dir
    plant = known_plant(name, model_dir)
    if plant is None:
        # People and files may name what neither the table nor the model knows.
        everywhere = store.days(columns=species.COLUMNS) if query.session else rows
        plant = known_plant(name, model_dir, species.names_of(everywhere))
    if plant is None:
        raise _unknown(call, name)
    if plant.name != name:
        return _moved(call, plant)
    history = species.history(rows, plant.names)
    signed_in = call.identity.user is not None
    photos: list[Photo] = []
    following = None
    if signed_in:
        photos, following = call.mine.photos(
            query.session, label=plant.names, limit=PHOTOS_SHOWN, cursor=query.cursor
        )
    corrections = call.mine.mistaken(plant.names, query.session) if signed_in else []
    of_session = {"session": query.session} if query.session else {}
    recalled = lookalikes.recalled(plant, model_dir)
    html = page.render(
        "one_species.html",
        plant=plant,
        common=plant.ja if page.language == "ja" else plant.en,
        history=history,
        record=history.record,
        surveyed=len(rows),
        observations=sum(each.observations for each in history.years),
        chart=month_bars({each.start: each.count for each in history.months}, page.say),
        newest=history.days[:DAYS_SHOWN],
        photos=photos,
        older=f"?{urlencode(of_session | {'cursor': following})}#photos" if following else "",
        newest_photos=f"?{urlencode(of_session)}#photos" if query.cursor else "",
        taken_for=lookalikes.lookalikes(plant, model_dir, corrections, history.seen),
        recalled=recalled,
        links=_links(plant, page.language),
        sessions=store.sessions(),
        session=query.session,
        day_query=f"?{urlencode(of_session)}" if of_session else "",
        file_mode=call.settings.mode == "file",
    )
    return Response(html, headers=page.headers)


def _unknown(call: Call, name: str) -> Problem:
    found = taxon_search.suggestions(name, call.settings.model_dir, SUGGESTED)
    return Problem(
        404,
        detail="No plant is known by this name.",
        kind="unknown-species",
        name=name[:NAME_TOLD],
        species=[each.name for each in found if each.level == "species"],
    )


def _moved(call: Call, plant: KnownPlant) -> Response:
    """To the one address of the plant, with what else was asked; not for ever, as tables of plants change."""
    given = urlencode(list(call.request.args.items(multi=True)))
    address = f"/species/{quote(plant.name.replace('/', '%2F'), safe='')}"
    return Response(status=302, headers={"Location": f"{address}?{given}" if given else address})


def _links(plant: KnownPlant, language: str) -> list[tuple[str, str]]:
    """Where else to read of the plant: the name of the site and the address. Nothing there is loaded by itself."""
    name = quote(plant.name, safe="")
    title = quote(plant.ja if language == "ja" and plant.ja else plant.name, safe="")
    return [
        ("GBIF", f"https://www.gbif.org/species/{quote(plant.gbif, safe='')}")
        if plant.gbif
        else ("GBIF", f"https://www.gbif.org/species/search?q={name}"),
        ("EPPO Global Database", f"https://gd.eppo.int/taxon/{quote(plant.eppo, safe='')}")
        if plant.eppo
        else ("EPPO Global Database", f"https://gd.eppo.int/search?k={name}"),
        # Leads to the article of that title, by whatever synonym, or to what is found where there is none.
        ("Wikipedia", f"https://{language}.wikipedia.org/wiki/Special:Search?search={title}&go=Go"),
    ]
