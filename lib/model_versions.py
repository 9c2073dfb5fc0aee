"""Which versions of which models named a day's photos, as the day's processing keeps it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from lib.store.records import DayRow, Prediction, ProcessingRow


class ModelVersion(NamedTuple):
    """A model by its name and version; None where the version is not on record."""

    name: str
    version: str | None = None

    @property
    def shown(self) -> str:
        """For people: the name alone where the version is not known."""
        return f"{self.name} {self.version}" if self.version else self.name


def counted(predictions: Sequence[Prediction]) -> dict[str, Any]:
    """`models`: photos by the name of the model that named them; `model_versions`: these by version, as far as it
    is on record, and absent where none is, so that days of before there were versions keep what they say."""
    versions: dict[str, Counter[str]] = defaultdict(Counter)
    for each in predictions:
        if each.model_version is not None:
            versions[each.model_name][each.model_version] += 1
    found: dict[str, Any] = {"models": dict(sorted(Counter(each.model_name for each in predictions).items()))}
    if versions:
        found["model_versions"] = {name: dict(sorted(versions[name].items())) for name in sorted(versions)}
    return found


def named_by(row: DayRow, processing: ProcessingRow) -> list[ModelVersion]:
    """The models that named a day's photos, in order, each version by itself; the row's own where no more is told.

    A file of another hand may hold anything in the place of the counts: what is none is passed over.
    """
    photos = _counts(processing.processing_metadata.get("models"))
    versions = processing.processing_metadata.get("model_versions")
    found: list[ModelVersion] = []
    for name, count in sorted(photos.items()):
        known = _counts(versions.get(name)) if isinstance(versions, dict) else {}
        if sum(known.values()) < count:  # of some photos it is not on record
            found.append(ModelVersion(name))
        found += [ModelVersion(name, version) for version in sorted(known)]
    return found or ([ModelVersion(row.model_name)] if row.model_name else [])


def only_version(versions: Iterable[ModelVersion], name: str) -> str | None:
    """The version of the model `name` where all agree on one; None otherwise."""
    found = {each.version for each in versions if each.name == name}
    return found.pop() if len(found) == 1 else None


def listed(versions: Iterable[ModelVersion]) -> list[dict[str, str | None]]:
    """Each once, in order, as documents have it."""
    ordered = sorted(set(versions), key=lambda each: (each.name, each.version or ""))
    return [{"name": each.name, "version": each.version} for each in ordered]


def _counts(value: object) -> dict[str, int]:
    if not isinstance(value, dict):
        return {}
    return {
        name: count
        for name, count in value.items()
        if isinstance(name, str) and name and type(count) is int and count > 0
    }
