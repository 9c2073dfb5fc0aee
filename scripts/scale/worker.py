"""What runs on each worker: one model, loaded once, asked about photos that are read from the store of photos."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from functools import cache
from typing import TYPE_CHECKING, Any

from lib import config
from lib.recognition import stamp

if TYPE_CHECKING:
    from lib.asking import Question
    from lib.config import Settings
    from lib.photos.storage import PhotoFiles
    from lib.recognition import Recogniser


OTHER_MODEL = (
    "it has another model or list of species than this machine, or the model was replaced meanwhile. Give all of "
    "them the same MODEL_DIR and REGION_SPECIES, and run it again to go on."
)


def answer(question: Question, model: str) -> dict[str, Any]:
    """What the model of this worker says of a photo, as plain data; `refused` says why this worker asks none.

    The settings are those of the worker's own environment: neither they nor the photo travel.
    """
    try:
        settings, files, recogniser = _own()
    except config.ConfigError as error:
        return {"refused": str(error)}
    if fingerprint(settings) != model:
        return {"refused": OTHER_MODEL}
    from lib.asking import ask

    said = ask(files, recogniser, question)
    problem = said.problem
    return {
        "prediction": said.prediction and asdict(said.prediction),
        "label": said.label,
        "label_level": said.label_level,
        "given_up": said.given_up,
        "problem": problem
        and {
            "status": problem.status,
            "title": problem.title,
            "detail": problem.detail,
            "kind": problem.kind,
        },
    }


def fingerprint(settings: Settings) -> str:
    """Of all that answers depend on beside the photo and its session: the model, and the site's list of species.

    The model's card holds the digests of its other files, which loading compares.
    """
    try:
        card = (settings.model_dir / "model.json").read_bytes()
    except OSError:
        card = b""
    region = settings.region_species
    return hashlib.sha256(card + b"\n" + (stamp(region) if region else "").encode()).hexdigest()


@cache
def _own() -> tuple[Settings, PhotoFiles, Recogniser]:
    from lib import classifier
    from lib.photos.storage import open_storage
    from lib.recognition import Recogniser

    settings = config.load()
    classifier.use_threads(1)  # the other processors have workers of their own
    # In the background, which waits for the model as long as it takes, should the worker have several threads.
    recogniser = Recogniser(settings.model_dir, settings.region_species).in_background()
    return settings, open_storage(settings), recogniser
