"""GET /api/performance: how good the model is on the photos that people confirmed, and what it says of itself."""

from __future__ import annotations

import msgspec

from lib import performance
from lib.dispatcher import Call
from lib.memory import Memory, process_memory
from lib.model_facts import ModelFacts, known_model
from lib.operations import operation
from lib.performance import ModelReport, Note
from lib.scope import Identifier, ModelName, VersionName, check_session

HINTS: dict[performance.Nothing, str] = {
    "visitor": "Sign in to see how good the model is on your own photos; visitors have none.",
    "file_mode": "This server has no database, so that nobody can confirm photos on it: set DATABASE_URL.",
    "nothing_yet": "Confirm or correct the names of some photos, and this says how often the model was right.",
    "another_model": "No photo that was confirmed has an answer of this model.",
}


class Query(msgspec.Struct):
    """`session`, `model` and `version` restrict the report to one session, one model and one version."""

    session: Identifier | None = None
    model: ModelName | None = None
    version: VersionName | None = None


class Confirmed(msgspec.Struct):
    """`photos` that people named; `unclassified` of these were never seen by a model."""

    photos: int
    unclassified: int


class Performance(msgspec.Struct):
    """`model` is that of MODEL_DIR; `models` are those that looked at confirmed photos, each version
    by itself, the newest first.

    `hint` says what to do where there is nothing to show. `memory` is the serving
    process's; null for visitors.
    """

    session: int | None
    model: ModelFacts
    confirmed: Confirmed
    models: list[ModelReport]
    notes: list[Note]
    hint: str | None
    memory: Memory | None
    sample: bool


@operation("How good the model is on confirmed photos", problems=(404,))
def get(call: Call, query: Query) -> Performance:
    store = call.store
    check_session(store, query.session)
    found = performance.report_of(store, call.settings.model_dir, query.session)
    asked = performance.only(found, query.model, query.version)
    signed_in = call.identity.user is not None
    nothing = performance.why_nothing(
        found, asked, database=call.settings.database_url is not None, signed_in=signed_in
    )
    return Performance(
        session=query.session,
        model=known_model(call.settings.model_dir).facts,
        confirmed=Confirmed(found.photos, found.unclassified),
        models=list(asked.models),
        notes=performance.notes_of(asked),
        hint=HINTS[nothing] if nothing else None,
        memory=process_memory() if signed_in else None,
        sample=store.sample,
    )
