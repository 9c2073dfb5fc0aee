"""GET /performance: the model in use, what it can and cannot do, and how often it was right on confirmed photos."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from flask import Response

from lib import classifier, performance, recognition
from lib.dispatcher import Call
from lib.memory import process_memory
from lib.model_facts import known_model, use_of
from lib.operations import operation
from lib.scope import Identifier, ModelName, VersionName, check_session
from lib.store.records import Session
from lib.web import model_words
from lib.web.page import HTML, Page
from lib.web.reliability import reliability_chart
from lib.web.session_form import list_words
from lib.web.words import Words

LISTED = 300  # species: more make the page heavy, and are behind a link


class Query(msgspec.Struct):
    """`session`, `model` and `version` restrict the report; `species=all` lists all that the model knows."""

    session: Identifier | None = None
    model: ModelName | None = None
    version: VersionName | None = None
    species: Literal["all"] | None = None


@operation("The model, and how often it was right", media_type=HTML, problems=(404,))
def get(call: Call, query: Query) -> Response:
    signed_in = call.identity.user is not None
    if signed_in:
        call.identity.demand("read")
    page, store, model_dir = Page(call), call.store, call.settings.model_dir
    check_session(store, query.session)
    known = known_model(model_dir)
    found = performance.report_of(store, model_dir, query.session)
    asked = performance.only(found, query.model, query.version)
    nothing = performance.why_nothing(
        found, asked, database=call.settings.database_url is not None, signed_in=signed_in
    )
    sessions = store.sessions()
    session = next((each for each in sessions if each.id == query.session), None)
    names = sorted({each.model_name for each in found.models})
    versions = sorted({each.model_version for each in found.models if each.model_version})
    of_session: dict[str, Any] = {"session": query.session} if query.session else {}
    given = of_session | {"model": query.model, "version": query.version}
    species = sorted(known.species)
    html = page.render(
        "performance.html",
        words=model_words,
        query=query,
        known=known,
        facts=known.facts,
        trouble=classifier.trouble(model_dir),
        agreement=model_words.agreement(known.facts),
        makers_error=model_words.makers_error(known.facts),
        use=use_of(model_dir),
        listed=species if query.species else species[:LISTED],
        list_address=f"{page.leads_to('/performance', **given, species='all')}#abilities",
        own_lists=0 if session else sum(each.region_species is not None for each in sessions),
        found=found,
        models=[(each, reliability_chart(each.figures.calibration, page.say)) for each in asked.models],
        notes=performance.notes_of(asked),
        nothing=nothing,
        any_photos=signed_in
        and nothing == "nothing_yet"
        and bool(call.mine.photos(query.session, limit=1)[0]),
        names=names,
        versions=versions,
        sessions=sessions,
        choosable=len(sessions) > 1 or len(names) > 1 or len(versions) > 1,
        memory=process_memory() if signed_in else None,
        all_address=page.leads_to("/performance", **of_session),
        review_address=page.leads_to("/review", **of_session),
        upload_address=page.leads_to("/upload", **of_session),
        json_address=page.leads_to("/api/performance", **given),
        **_region(call, session, page.say),
    )
    return Response(html, headers=page.headers)


def _region(call: Call, session: Session | None, say: Words) -> dict[str, Any]:
    """The list that the model is held to in the photos of a session, or of all others, and what it is called."""
    region = call.services.recogniser.region_of(session)
    if region is None:
        return {"region": None, "region_name": ""}
    name = list_words(say, recognition.shown(region))
    if session is not None and isinstance(session.region_species, tuple):
        name = say.gettext("The session’s own list")
    return {"region": recognition.site_list(region, call.settings.model_dir), "region_name": name}
