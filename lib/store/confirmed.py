"""Photos that people named, with what each model said of them: what a model can be judged by."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Hashable
from dataclasses import fields
from functools import cache
from typing import Any

import peewee as pw

from lib.store.connection import Row, fits
from lib.store.fields import Utc, decoded
from lib.store.models import DiversityMetrics, ImageData, PredictionResults
from lib.store.photos import PhotoRows
from lib.store.records import NamedPhoto, SaidSpecies

_NAMES = tuple(field.name for field in fields(NamedPhoto))
_SAID = _NAMES[_NAMES.index("model_name") :]
_PHOTO = _NAMES[: -len(_SAID)]
PHOTOS_AT_ONCE = 1000  # their rows are text of a kilobyte each, of which little is kept
_moment = Utc().python_value


def _named(row: Row) -> NamedPhoto:
    photo, session, cluster, best, quality, label, level, source, history = row[:9]
    model, version, seconds, at, said, masked = row[9:]
    return NamedPhoto(
        photo, session, cluster, bool(best), quality, label, level, source, decoded(history),
        model, version, seconds, _moment(at), [] if said is None else _species_of()(said), bool(masked),
    )  # fmt: skip


@cache
def _species_of() -> Callable[[str], list[SaidSpecies]]:
    """Reads the part of a model's answer that it is judged by, without making dictionaries of the rest."""
    import msgspec  # not before a row is looked at

    return msgspec.json.Decoder(list[SaidSpecies]).decode


class ConfirmedRows(PhotoRows):
    """The part of a UserStore that tells models' answers from people's; it only reads."""

    def confirmed(self, session_id: int | None = None) -> list[NamedPhoto]:
        """Every photo that a person named, once for each model that looked, in the order of photos and of time."""
        own = (ImageData.label_source == "human") & self._within(ImageData.session_id, session_id)
        numbers = [
            row[0] for row in self.db.fetch(ImageData.select(ImageData.id).where(own).order_by(ImageData.id))
        ]
        query = (
            ImageData.select(
                *(getattr(ImageData, name) for name in _PHOTO),
                *(getattr(PredictionResults, name) for name in _SAID),
            )
            .join(PredictionResults, pw.JOIN.LEFT_OUTER, on=(PredictionResults.image_data_id == ImageData.id))
            .order_by(ImageData.id, PredictionResults.timestamp, PredictionResults.id)
        )
        found = []
        for start in range(0, len(numbers), PHOTOS_AT_ONCE):
            some = numbers[start : start + PHOTOS_AT_ONCE]
            found += [
                _named(row)
                for row in self.db.fetch(query.where(own, ImageData.id.between(some[0], some[-1])))
            ]
        return found

    def mistaken(self, species: Collection[str], session_id: int | None = None) -> list[tuple[str, str, int]]:
        """(the species that people gave, the other one that a model had thought likeliest, photos) where either is
        one of these names; most photos first.
        """
        named, said = ImageData.label, PredictionResults.top_prediction_species
        photos = pw.fn.COUNT(ImageData.id.distinct())
        query = (
            ImageData.select(named, said, photos)
            .join(PredictionResults, on=(PredictionResults.image_data_id == ImageData.id))
            .where(
                self._within(ImageData.session_id, session_id),
                ImageData.label_source == "human",
                ImageData.label_level == "species",
                named.in_(list(species)) | said.in_(list(species)),
                named != said,
            )
            .group_by(named, said)
            .order_by(photos.desc(), named, said)
        )
        return [(true, other, int(count)) for true, other, count in self.db.fetch(query)]

    def confirmed_stamp(self, session_id: int | None = None) -> Hashable:
        """Changes whenever `confirmed` would answer otherwise, and costs little beside it; None while days wait.

        Whatever changes a label or a prediction has its day computed anew, so that the days tell: rows have
        numbers that are never given twice, and the time of their computing. Of all of them: the newest alone
        would hide changes behind a day that a machine with a fast clock computed.
        """
        days = DiversityMetrics
        query = days.select(days.id, days.computed_at).where(self._within(days.session_id, session_id))
        rows = self.db.fetch(query.order_by(days.id))
        if any(computed_at is None for _, computed_at in rows):
            return None
        return (self.db.url, self.user_id, session_id, hashlib.sha256(repr(rows).encode()).digest())

    def _within(self, column: Any, session_id: int | None) -> Any:
        """The condition that a row belongs to this user, and to one session where that is asked."""
        condition = column.in_(self._own_sessions())
        if session_id is None:
            return condition
        return condition & (column == (session_id if fits(session_id) else 0))
