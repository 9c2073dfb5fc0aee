"""GET, PATCH and DELETE /api/sessions/{id}: one field, plot or campaign."""

from __future__ import annotations

from datetime import date
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from lib import session_changes, shapes
from lib.dispatcher import Call
from lib.operations import operation
from lib.scope import Description, IdPath, Latitude, Longitude, RegionSpecies, SessionName, Zone
from lib.shapes import SessionShape


class Change(msgspec.Struct, forbid_unknown_fields=True):
    """Only the fields that are sent change; photos keep the day and the species they were given."""

    session_name: SessionName | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    start_date: date | UnsetType | None = UNSET
    end_date: date | UnsetType | None = UNSET
    timezone: Zone | UnsetType = UNSET
    latitude: Latitude | UnsetType | None = UNSET
    longitude: Longitude | UnsetType | None = UNSET
    region_species: RegionSpecies | UnsetType | None = UNSET


@operation("One session")
def get(call: Call, path: IdPath) -> SessionShape:
    return shapes.session(call.mine.session(path.id))


@operation("Change a session", problems=(422,))
def patch(call: Call, path: IdPath, body: Change) -> SessionShape:
    changes: dict[str, Any] = {
        name: value for name, value in msgspec.structs.asdict(body).items() if value is not UNSET
    }
    return shapes.session(session_changes.update(call.mine, path.id, changes, call.settings.model_dir))


@operation("Delete a session with its photos and days", status=204)
def delete(call: Call, path: IdPath) -> None:
    session_changes.delete(call.mine, path.id, call.services.photos)
