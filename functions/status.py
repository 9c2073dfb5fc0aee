"""GET /api/status: version, mode, model and counts of what the caller may see."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from lib import __version__
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
    return Status(
        version=__version__,
        mode=settings.mode,
        database=url.split(":", 1)[0] or None,
        region=settings.primary_region,
        timezone=settings.site_timezone,
        model=_model(call),
        counts=store.counts(),
        sample=store.sample,
    )


def _model(call: Call) -> Model:
    folder = call.settings.model_dir
    try:
        card: dict[str, Any] = json.loads((folder / "model.json").read_text("utf-8"))
        with (folder / "labels.csv").open(encoding="utf-8") as lines:
            classes = sum(1 for line in lines if line.strip()) - 1
    except (OSError, ValueError):
        return Model(None, None, 0, False)
    return Model(str(card.get("name")), str(card.get("version")), classes, (folder / "model.onnx").is_file())
