"""GET /species: every species that was found, as a table to sort, filter and page through, and the months."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import urlencode

import msgspec
from flask import Response

from lib import species, species_list, taxon_search
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Identifier, check_session
from lib.species_list import Order, Shown, Sort
from lib.web.chart import month_bars
from lib.web.forms import Typed
from lib.web.page import HTML, Page
from lib.web.words import N_

DATES = ("start_date", "end_date")
PAGE_SIZE = 50
NAMES_SHOWN = 12  # of the new and the returning ones; the rest is behind a link
SORTS: dict[Sort, str] = {
    "name": N_("Name"),
    "count": N_("Plants"),
    "days": N_("Days"),
    "confidence": N_("Confidence"),
    "first_seen": N_("First seen"),
    "last_seen": N_("Last seen"),
}

PageNumber = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
NameText = Annotated[str, msgspec.Meta(max_length=200)]


class Query(msgspec.Struct):
    """`q`: a name or a part of it, in any language; `show`: the new or the returning species alone.

    `start_date` and `end_date` are read where they are refused in words.
    """

    session: Identifier | None = None
    q: NameText = ""
    show: Shown | None = None
    sort: Sort = "count"
    order: Order | None = None
    page: PageNumber = 1


@operation("The species found", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    if call.identity.user is not None:
        call.identity.demand("read")
    page = Page(call)
    store = call.store
    check_session(store, query.session)
    typed = Typed(page.say, {name: call.request.args.get(name, "") for name in DATES})
    start, end = typed.day("start_date"), typed.day("end_date")
    if start and end and end < start:
        typed.refuse("end_date", page.say.gettext("The last day lies before the first."))
    rows = store.days(query.session, start, end, species.COLUMNS) if typed.good else []
    season = species.overview(rows)
    chosen = species_list.chosen(season, query.show, query.q)
    order = query.order or species_list.usual_order(query.sort)
    shown = species_list.page_of(species_list.sorted_by(chosen, query.sort, order), query.page, PAGE_SIZE)
    kept = _kept(query, typed)
    limited = bool(start or end)
    surveyed = [] if rows else [row.date for row in store.days(query.session, columns=("total_images",))]
    html = page.render(
        "species.html",
        season=season,
        rows=rows,
        shown=shown,
        pages=-(-len(chosen) // PAGE_SIZE),
        typed=typed,
        query=query,
        order=order,
        sorts=SORTS,
        headers=[(each, name, _header(each, query.sort, order, kept)) for each, name in SORTS.items()],
        surveyed=surveyed,
        limited=limited,
        all_days=_address({name: value for name, value in kept.items() if name not in DATES}),
        all_species=_address({name: value for name, value in kept.items() if name not in ("q", "show")}),
        show_address=lambda show: _address({**kept, "show": show}),
        page_address=lambda number: _address(kept | {"page": number}),
        new_since=species_list.new_since(season),
        names_shown=NAMES_SHOWN,
        months=season.months,
        month_of=lambda month: date.fromisoformat(f"{month.month}-01"),
        chart=month_bars(
            {date.fromisoformat(f"{each.month}-01"): len(each.species) for each in season.months}, page.say
        ),
        suggested=taxon_search.suggestions(query.q, call.settings.model_dir)
        if rows and query.q and not chosen
        else [],
        sessions=store.sessions(),
        session=query.session,
        file_mode=call.settings.mode == "file",
    )
    status = 400 if not typed.good else 404 if shown is None else 200
    return Response(html, status=status, headers=page.headers)


def _kept(query: Query, typed: Typed) -> dict[str, Any]:
    """What every link of the list must still carry; the number of the page is not of it."""
    given = {
        "session": query.session,
        "start_date": typed.value("start_date"),
        "end_date": typed.value("end_date"),
        "q": query.q,
        "show": query.show,
        "sort": query.sort if query.sort != "count" else None,
        "order": query.order,
    }
    return {name: value for name, value in given.items() if value}


def _header(sort: Sort, current: Sort, order: Order, kept: dict[str, Any]) -> tuple[str, str]:
    """Where the head of a column leads, and its `aria-sort`: a second time there turns the order round."""
    kept = {name: value for name, value in kept.items() if name not in ("sort", "order")}
    here = sort == current
    other = "asc" if order == "desc" else "desc"
    wanted = other if here else species_list.usual_order(sort)
    more: dict[str, Any] = {} if sort == "count" else {"sort": sort}
    if wanted != species_list.usual_order(sort):
        more["order"] = wanted
    aria = ("ascending" if order == "asc" else "descending") if here else ""
    return _address(kept | more), aria


def _address(kept: dict[str, Any]) -> str:
    return f"/species?{urlencode(kept)}" if kept else "/species"
