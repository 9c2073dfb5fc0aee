"""Asking the model about a photo: the one place that knows the model folder, the regional list and the place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from lib import classifier

if TYPE_CHECKING:
    from PIL import Image

    from lib.classifier import Classification
    from lib.store.records import Session


class Recogniser:
    """Names plants with the model of `model_dir`; nothing is loaded before the first photo."""

    def __init__(self, model_dir: Path) -> None:
        self.model_dir = model_dir

    def classify(
        self,
        image: Image.Image,
        session: Session | None = None,
        abandoned: Callable[[], bool] | None = None,
    ) -> Classification:
        """What the model says of an oriented photo, taken where `session` says.

        `abandoned` is asked while the photo waits for its turn: true when nobody waits for the answer any more.
        Raises ModelUnavailable and Busy.
        """
        return classifier.get(self.model_dir).classify(image, place=_place(session), abandoned=abandoned)


def _place(session: Session | None) -> tuple[float, float] | None:
    """Latitude and longitude in degrees, where the session has them."""
    if session is None or session.latitude is None or session.longitude is None:
        return None
    return session.latitude, session.longitude
