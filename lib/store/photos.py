"""A user's photos with their newest predictions."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any, Literal

import peewee as pw

from lib.problems import bad_request, not_found
from lib.store.connection import LARGEST_ID, Row, fits
from lib.store.days import DayRows
from lib.store.fields import Day, Utc, decoded
from lib.store.models import AnalysisSessions, ImageData, PredictionResults
from lib.store.records import NewPhoto, Photo, Prediction

FILENAME_LENGTH = 255
Nameless = Literal["waiting", "failed"]
_PHOTO = tuple(field.name for field in fields(Photo) if field.name != "prediction")
_PREDICTION = tuple(field.name for field in fields(Prediction))
_NEW = tuple(field.name for field in fields(NewPhoto))
_DECODERS: dict[str, Callable[[Any], Any]] = {
    "date": Day().python_value,
    "captured_at": Utc().python_value,
    "created_at": Utc().python_value,
    "timestamp": Utc().python_value,
    "low_resolution": bool,
    "masked": bool,
    "is_processed": bool,
    "is_representative": bool,
    "label_history": decoded,
    "predictions": decoded,
}
_PHOTO_DECODERS = tuple((name, _DECODERS.get(name)) for name in _PHOTO)
_PREDICTION_DECODERS = tuple((name, _DECODERS.get(name)) for name in _PREDICTION)
_CURSOR = re.compile(r"(\d{4}-\d{2}-\d{2})\.([1-9]\d{0,18})", re.ASCII)


def _decoded(decoders: Iterable[tuple[str, Callable[[Any], Any] | None]], row: Row) -> dict[str, Any]:
    return {
        name: value if decode is None else decode(value)
        for (name, decode), value in zip(decoders, row, strict=True)
    }


def photo_of(row: Row) -> Photo:
    """A row of `select_photos` as a record."""
    values = _decoded(_PHOTO_DECODERS, row[: len(_PHOTO)])
    rest = row[len(_PHOTO) : len(_PHOTO) + len(_PREDICTION)]
    prediction = None if rest[0] is None else Prediction(**_decoded(_PREDICTION_DECODERS, rest))
    return Photo(**values, prediction=prediction)


def select_photos(*more: pw.Node) -> pw.ModelSelect[Any]:
    """Photos with the newest prediction of each, and with their sessions joined."""
    newest = PredictionResults.alias()
    newest_id = (
        newest.select(newest.id)
        .where(newest.image_data_id == ImageData.id)
        .order_by(newest.timestamp.desc(), newest.id.desc())
        .limit(1)
    )
    return (
        ImageData.select(
            *(getattr(ImageData, name) for name in _PHOTO),
            *(getattr(PredictionResults, name) for name in _PREDICTION),
            *more,
        )
        .join(AnalysisSessions, on=(AnalysisSessions.id == ImageData.session_id))
        .join_from(ImageData, PredictionResults, pw.JOIN.LEFT_OUTER, on=(PredictionResults.id == newest_id))
    )


class PhotoRows(DayRows):
    """The part of a UserStore that keeps photos."""

    def photo(self, photo_id: int) -> Photo:
        """One photo; 404 when it is not this user's."""
        if fits(photo_id):
            row = self.db.first(self._photos().where(ImageData.id == photo_id))
            if row:
                return photo_of(row)
        raise not_found("There is no such photo.")

    def photo_by_digest(self, session_id: int, sha256: str) -> Photo | None:
        """The photo with these bytes in a session, or None."""
        row = self.db.first(
            self._photos().where(ImageData.session_id == session_id, ImageData.sha256 == sha256)
        )
        return photo_of(row) if row else None

    def add_photo(self, new: NewPhoto, created_at: datetime | None = None) -> tuple[Photo, bool]:
        """Adds a photo whose file is safe on disk, or finds the one with the same bytes.

        Returns it and whether it was added. Two threads with the same bytes make one row; the loser gets
        the winner's and should delete its own file. 404 when the session is not this user's.
        """
        values = {name: getattr(new, name) for name in _NEW}
        values["original_filename"] = _filename(new.original_filename)
        values["created_at"] = created_at or datetime.now(UTC)
        insert = (
            ImageData.insert(values)
            .on_conflict(action="nothing", conflict_target=[ImageData.session_id, ImageData.sha256])
            .returning(ImageData.id)
        )
        while True:
            with self.db.held():
                self.session(new.session_id)
                try:
                    row = self.db.first(insert)
                except pw.IntegrityError:  # the session went between the two statements
                    self.session(new.session_id)
                    raise
                if row:
                    return self.photo(row[0]), True
                existing = self.photo_by_digest(new.session_id, new.sha256)
            if existing:  # else it was deleted in between, and there is room for ours
                return existing, False

    def photos(
        self,
        session_id: int | None = None,
        start: date | None = None,
        end: date | None = None,
        label: str | Collection[str] | None = None,
        label_source: str | None = None,
        unsure: bool | None = None,
        nameless: Nameless | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> tuple[list[Photo], str | None]:
        """A page of photos, newest day first, and the cursor of the next page or None.

        The cursor names the last photo shown rather than a number of rows, so that photos added or deleted
        meanwhile neither repeat nor skip others. `label` is one label or any of several; `unsure` asks for labels
        that a model gave above the species level (or for the labelled photos that are not so), `nameless` for
        photos without a label: those that wait for the model, or those that it failed on. 400 for a cursor that is
        none.
        """
        if session_id is not None and not fits(session_id):
            return [], None
        # The page is chosen before anything is joined to it: else the database would look up the newest
        # prediction of every photo there is, to throw away all but a page.
        chosen = ImageData.select(ImageData.date, ImageData.id).where(
            ImageData.session_id.in_(self._own_sessions())
        )
        if session_id is not None:
            chosen = chosen.where(ImageData.session_id == session_id)
        if start is not None:
            chosen = chosen.where(ImageData.date >= start)
        if end is not None:
            chosen = chosen.where(ImageData.date <= end)
        if label is not None:
            labels = [label] if isinstance(label, str) else list(label)
            chosen = chosen.where(ImageData.label.in_(labels))
        if label_source is not None:
            chosen = chosen.where(ImageData.label_source == label_source)
        if unsure is not None:
            doubtful = (ImageData.label_source == "model") & (ImageData.label_level != "species")
            chosen = chosen.where(doubtful if unsure else ImageData.label.is_null(False) & ~doubtful)
        if nameless is not None:
            chosen = chosen.where(ImageData.label.is_null(), ImageData.is_processed == (nameless == "failed"))
        if cursor is not None:
            day, number = read_cursor(cursor)
            chosen = chosen.where(
                ImageData.date <= day,  # says no more than the next line, but an index can follow it
                (ImageData.date < day) | (ImageData.id < number),
            )
        order = (ImageData.date.desc(), ImageData.id.desc())
        found = self.db.fetch(chosen.order_by(*order).limit(limit + 1))
        numbers = [number for _, number in found[:limit]]
        rows = self.db.fetch(self._photos().where(ImageData.id.in_(numbers)).order_by(*order))
        following = write_cursor(*found[limit - 1]) if len(found) > limit else None
        return [photo_of(row) for row in rows], following

    def day_photos(self, session_id: int | None, day: date) -> list[Photo]:
        """All photos of a day in the order they came, of one session or (None) of all."""
        query = self._photos().where(ImageData.date == day)
        if session_id is not None:
            query = query.where(ImageData.session_id == session_id)
        return [photo_of(row) for row in self.db.fetch(query.order_by(ImageData.id))]

    def beside(self, photo: Photo) -> tuple[int | None, int | None]:
        """The photos that came before and after one of this user's, of the same session and day."""
        of_day = ImageData.select(ImageData.id).where(
            ImageData.session_id == photo.session_id,
            ImageData.date == photo.date,
            ImageData.session_id.in_(self._own_sessions()),
        )
        before = self.db.first(of_day.where(ImageData.id < photo.id).order_by(ImageData.id.desc()).limit(1))
        after = self.db.first(of_day.where(ImageData.id > photo.id).order_by(ImageData.id).limit(1))
        return (before[0] if before else None), (after[0] if after else None)

    def taken_between(self, session_id: int | None, day: date) -> tuple[datetime, datetime] | None:
        """When the first and the last photo of a day were taken by the camera's clock; None where none says so.

        Photos that a person moved to the day tell nothing of it.
        """
        query = ImageData.select(pw.fn.MIN(ImageData.captured_at), pw.fn.MAX(ImageData.captured_at)).where(
            ImageData.session_id.in_(self._own_sessions()),
            ImageData.date == day,
            ImageData.date_source.in_(("exif_offset", "exif_local")),
        )
        if session_id is not None:
            query = query.where(ImageData.session_id == session_id)
        row = self.db.first(query)
        first, last = (Utc().python_value(value) for value in row) if row else (None, None)
        return (first, last) if first and last else None

    def save_prediction(self, photo_id: int, prediction: Prediction, label: str, label_level: str) -> Photo:
        """Keeps what a model said and labels the photo by it, unless a person has labelled it.

        The same model's earlier prediction is replaced. Makes the day's row when there is none yet.
        """
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            values = {name: getattr(prediction, name) for name in _PREDICTION}
            values |= {
                "image_data_id": photo_id,
                "diversity_metrics_id": self._day_row(photo.session_id, photo.date),
            }
            target = [PredictionResults.image_data_id, PredictionResults.model_name]
            kept = [
                getattr(PredictionResults, name)
                for name in values
                if name not in ("image_data_id", "model_name")
            ]
            self.db.run(PredictionResults.insert(values).on_conflict(conflict_target=target, preserve=kept))
            changes: dict[str, Any] = {"is_processed": True}
            if photo.label_source != "human":
                changes |= {"label": label, "label_level": label_level, "label_source": "model"}
            self.db.run(ImageData.update(**changes).where(ImageData.id == photo_id))
            self._outdate(photo.session_id, photo.date)
            return self.photo(photo_id)

    def mark_failed(self, photo_id: int) -> None:
        """Notes that a photo cannot be classified, so that it does not wait for ever."""
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            self.db.run(ImageData.update(is_processed=True).where(ImageData.id == photo_id))
            self._outdate(photo.session_id, photo.date)

    def move_photo(self, photo_id: int, day: date) -> Photo:
        """Puts a photo on another day, its predictions with it; the day it leaves goes when it is empty.

        The caller recomputes both days.
        """
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            if photo.date == day:
                return photo
            target = self._day_row(photo.session_id, day)
            self.db.run(ImageData.update(date=day, date_source="human").where(ImageData.id == photo_id))
            self.db.run(
                PredictionResults.update(diversity_metrics_id=target).where(
                    PredictionResults.image_data_id == photo_id
                )
            )
            self._prune_day(photo.session_id, photo.date)
            for each in (photo.date, day):
                self._outdate(photo.session_id, each)
            return self.photo(photo_id)

    def delete_photo(self, photo_id: int) -> str:
        """Deletes a photo's row and returns the path of its file, which the caller deletes afterwards."""
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            self.db.run(ImageData.delete().where(ImageData.id == photo_id))
            self._prune_day(photo.session_id, photo.date)
            self._outdate(photo.session_id, photo.date)
            return photo.path

    def save_clusters(self, members: Iterable[tuple[int, int | None, bool, float | None]]) -> None:
        """Notes near-duplicates: (photo, cluster, representative, similarity) each; writes only changes."""
        wanted = {member[0]: (member[1], member[2], member[3]) for member in members}
        with self.db.transaction():
            stored = self.db.fetch(
                ImageData.select(
                    ImageData.id,
                    ImageData.cluster_id,
                    ImageData.is_representative,
                    ImageData.similarity_score,
                ).where(ImageData.id.in_(list(wanted)), ImageData.session_id.in_(self._own_sessions()))
            )
            for photo_id, cluster_id, representative, similarity in stored:
                values = wanted[photo_id]
                if values != (cluster_id, bool(representative), similarity):
                    changes = dict(
                        zip(("cluster_id", "is_representative", "similarity_score"), values, strict=True)
                    )
                    self.db.run(ImageData.update(**changes).where(ImageData.id == photo_id))

    def _photos(self) -> pw.ModelSelect[Any]:
        return select_photos().where(AnalysisSessions.user_id == self.user_id)

    def _lock_photo(self, photo_id: int) -> Photo:
        """The photo, with this user's days standing still until the transaction ends; 404 if not theirs."""
        photo = self.photo(photo_id)
        self.lock_session(photo.session_id)
        return self.photo(photo_id)  # again: it may have changed while we waited


def _filename(name: str) -> str:
    """A file name that can be stored, whatever a client called its file; the end says most."""
    clean = name.replace("\x00", "\ufffd").encode("utf-8", "replace").decode()
    return clean[-FILENAME_LENGTH:]


def write_cursor(day: date | str, number: int) -> str:
    """The place behind this photo in a list that is ordered by day and number, newest first."""
    return base64.urlsafe_b64encode(f"{day}.{number}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[date, int]:
    """The day and the number that `write_cursor` was given; 400 for what it never wrote."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        match = _CURSOR.fullmatch(base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii"))
        if match and int(match[2]) <= LARGEST_ID:
            return date.fromisoformat(match[1]), int(match[2])
    except (ValueError, binascii.Error):
        pass
    raise bad_request("This is not a cursor that an earlier page gave.", field="cursor")
