"""GET /api/status: version, mode, model and counts of what the caller may see."""

from __future__ import annotations

import msgspec

from lib import __version__, classifier
from lib.classifier.card import read_card
from lib.dispatcher import Call
from lib.operations import operation


class Model(msgspec.Struct):
    """The model of MODEL_DIR, from its model.json; nothing is loaded to say this.

    `reason` says in a sentence why it is not available: photos are kept then, and classified when it is mended.
    """

    name: str | None
    version: str | None
    classes: int
    available: bool
    reason: str | None


class RegionShape(msgspec.Struct):
    """The list of species that the site holds the model to (REGION_SPECIES); sessions may have one of their own.

    Of its `species` the model knows `known_to_model`; `unknown_to_model` are the others. Both are null while there
    is no model. `warning` says what is wrong with the list.
    """

    name: str
    species: int
    known_to_model: int | None
    unknown_to_model: list[str] | None
    warning: str | None


class Status(msgspec.Struct):
    """`counts` are the caller's own: sessions, photos, days, species."""

    version: str
    mode: str
    database: str | None
    region: str
    timezone: str
    model: Model
    region_species: RegionShape | None
    counts: dict[str, int]
    sample: bool


@operation("Version, mode, model and counts")
def get(call: Call) -> Status:
    settings = call.settings
    url = settings.database_url or ""
    store = call.store
    card = read_card(settings.model_dir)
    reason = classifier.trouble(settings.model_dir)
    return Status(
        version=__version__,
        mode=settings.mode,
        database=url.split(":", 1)[0] or None,
        region=settings.primary_region,
        timezone=settings.site_timezone,
        model=Model(card.name, card.version, card.classes, reason is None, reason),
        region_species=_region(call),
        counts=store.counts(),
        sample=store.sample,
    )


def _region(call: Call) -> RegionShape | None:
    region = call.settings.region_species
    if region is None:
        return None
    from lib import recognition

    found = recognition.site_list(region, call.settings.model_dir)
    unknown = None if found.unknown is None else list(found.unknown)
    return RegionShape(found.name, found.species, found.known, unknown, found.warning)
