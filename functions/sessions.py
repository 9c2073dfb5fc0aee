"""GET and POST /api/sessions: the fields, plots and campaigns of a user."""

from __future__ import annotations

from datetime import date

import msgspec
from flask import Response

from lib import operations, recognition, shapes
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Description, Latitude, Longitude, RegionSpecies, SessionName, Zone
from lib.shapes import SessionShape


class NewSession(msgspec.Struct, forbid_unknown_fields=True):
    """Without a time zone and a `region_species` the site's are used; coordinates come in pairs."""

    session_name: SessionName
    description: Description = ""
    start_date: date | None = None
    end_date: date | None = None
    timezone: Zone | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    region_species: RegionSpecies | None = None


class Sessions(msgspec.Struct):
    """Newest first."""

    sessions: list[SessionShape]


@operation("The user's sessions, newest first")
def get(call: Call) -> Sessions:
    return Sessions([shapes.session(record) for record in call.mine.sessions()])


@operation("A new session", status=201, problems=(422,))
def post(call: Call, body: NewSession) -> SessionShape:
    recognition.refuse_strangers(body.region_species, call.settings.model_dir)
    made = call.mine.create_session(
        session_name=body.session_name.strip(),
        description=body.description,
        start_date=body.start_date,
        end_date=body.end_date,
        timezone=body.timezone or call.settings.site_timezone,
        latitude=body.latitude,
        longitude=body.longitude,
        region_species=body.region_species,
    )
    reply = Response(operations.encode(shapes.session(made)), status=201, content_type=operations.JSON)
    reply.headers["Location"] = f"/api/sessions/{made.id}"
    return reply  # type: ignore[return-value]  # the declared shape, with a header of its own
