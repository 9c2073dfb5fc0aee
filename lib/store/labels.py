"""What people say a photo shows: label, confirm, undo."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from lib.problems import Problem
from lib.store.models import ImageData
from lib.store.photos import PhotoRows
from lib.store.records import Photo


class LabelRows(PhotoRows):
    """The part of a UserStore that people's labels go through; a model never overwrites them."""

    def label_photo(self, photo_id: int, label: str, level: str, at: datetime) -> Photo:
        """A person's label; what stood before goes to `label_history` with the time of the change."""
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            if (photo.label, photo.label_level, photo.label_source) == (label, level, "human"):
                return photo  # the same request again
            return self._relabel(photo, label, level, at)

    def confirm_photo(self, photo_id: int, at: datetime) -> Photo:
        """Makes the model's label a person's; 409 when there is none yet."""
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            if photo.label is None or photo.label_level is None:
                raise Problem(409, detail="The photo has no label to confirm yet.", kind="nothing-to-confirm")
            if photo.label_source == "human":
                return photo
            return self._relabel(photo, photo.label, photo.label_level, at)

    def undo_label(self, photo_id: int) -> Photo:
        """One step back in `label_history`; 409 when there is none."""
        with self.db.transaction():
            photo = self._lock_photo(photo_id)
            if not photo.label_history:
                raise Problem(409, detail="There is no change of the label to undo.", kind="nothing-to-undo")
            *history, last = photo.label_history
            return self._store(photo, last["label"], last["level"], last["source"], history)

    def _relabel(self, photo: Photo, label: str, level: str, at: datetime) -> Photo:
        previous = {
            "label": photo.label,
            "level": photo.label_level,
            "source": photo.label_source,
            "at": at.isoformat(),
        }
        return self._store(photo, label, level, "human", [*photo.label_history, previous])

    def _store(
        self,
        photo: Photo,
        label: str | None,
        level: str | None,
        source: str | None,
        history: list[Mapping[str, Any]],
    ) -> Photo:
        self.db.run(
            ImageData.update(
                label=label, label_level=level, label_source=source, label_history=history
            ).where(ImageData.id == photo.id)
        )
        self._outdate(photo.session_id, photo.date)
        return self.photo(photo.id)
