"""GET and POST /api/sessions: the fields, plots and campaigns of a user."""

from __future__ import annotations

from datetime import date

import msgspec
from flask import Response

from lib import operations, session_changes, shapes
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
    fields = msgspec.structs.asdict(body)
    made = session_changes.create(call.mine, fields, call.settings.model_dir, call.settings.site_timezone)
    reply = Response(operations.encode(shapes.session(made)), status=201, content_type=operations.JSON)
    reply.headers["Location"] = f"/api/sessions/{made.id}"
    return reply  # type: ignore[return-value]  # the declared shape, with a header of its own
