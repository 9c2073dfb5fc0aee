"""GET /api/status: version, mode, model and counts of what the caller may see."""

from __future__ import annotations

import msgspec

from lib import __version__
from lib.classifier.card import read_card
from lib.dispatcher import Call
from lib.operations import operation


class Model(msgspec.Struct):
    """The model of MODEL_DIR, from its model.json; nothing is loaded to say this."""

    name: str | None
    version: str | None
    classes: int
    available: bool


class Status(msgspec.Struct):
    """`counts` are the caller's own: sessions, photos, days, species."""

    version: str
    mode: str
    database: str | None
    region: str
    timezone: str
    model: Model
    counts: dict[str, int]
    sample: bool


@operation("Version, mode, model and counts")
def get(call: Call) -> Status:
    settings = call.settings
    url = settings.database_url or ""
    store = call.store
    card = read_card(settings.model_dir)
    return Status(
        version=__version__,
        mode=settings.mode,
        database=url.split(":", 1)[0] or None,
        region=settings.primary_region,
        timezone=settings.site_timezone,
        model=Model(card.name, card.version, card.classes, card.available),
        counts=store.counts(),
        sample=store.sample,
    )
