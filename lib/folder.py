"""A folder of photos by day, DATA_DIR/YYYY-MM-DD/*, analysed into the JSON and CSV files of file mode."""

from __future__ import annotations

import errno
import hashlib
import re
import stat
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from lib import analysis, classifier
from lib.classifier.card import Card, read_card
from lib.model_versions import ModelVersion, listed, named_by
from lib.outputs import csvw, models, series, summaries, tables
from lib.outputs.atomic import write_changed
from lib.photo_cache import CACHE, PhotoCache, as_json, photo_of, read_cache
from lib.photos.decode import decode
from lib.photos.examine import examine
from lib.photos.exif import capture_day
from lib.photos.identify import MAX_BYTES, inspect
from lib.predictions import prediction_record
from lib.problems import Problem
from lib.recognition import Recogniser, stamp
from lib.store.files import FileStore
from lib.store.records import METRICS, Photo

# Raise it when photos are read, judged or classified in another way: what was kept is then found out anew.
CACHE_VERSION = 2
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
# What systems leave in every folder; nobody means these as photos.
_LITTER = {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Found:
    """The photos to analyse: files by day, and the entries of the folder that are no day (nor hidden)."""

    data_dir: Path
    days: dict[date, list[Path]]
    ignored: list[str]

    @property
    def files(self) -> int:
        """How many files there are to look at."""
        return sum(len(files) for files in self.days.values())


@dataclass(slots=True)
class Report:
    """What a run did. Paths are relative to DATA_DIR.

    `classified` photos were asked of the model, `cached` ones stood as before, `duplicates` repeat the bytes of
    another photo of their day. `misdated` says on which day the camera took a photo of another day's folder.
    `written` and `removed` count files of OUTPUT_DIR; all others were left as they are.
    """

    days: int = 0
    photos: int = 0
    classified: int = 0
    cached: int = 0
    duplicates: int = 0
    refused: list[tuple[str, str]] = field(default_factory=list)
    misdated: list[tuple[str, date]] = field(default_factory=list)
    written: int = 0
    removed: int = 0


def find(data_dir: Path) -> Found:
    """The day folders of `data_dir` and the files in them, in order. OSError when the folder cannot be read."""
    days: dict[date, list[Path]] = {}
    ignored = []
    for entry in sorted(data_dir.iterdir(), key=lambda path: path.name):
        day = _day_of(entry.name)
        if day is not None and entry.is_dir():
            days[day] = sorted(path for path in entry.iterdir() if _is_photo(path))
        elif not entry.name.startswith("."):
            ignored.append(entry.name)
    return Found(data_dir, days, ignored)


def analyse(
    found: Found,
    output_dir: Path,
    recogniser: Recogniser,
    timezone: str,
    progress: Callable[[int], Any] = lambda files: None,
) -> Report:
    """Analyse what was found and write what changed; `progress` hears of every file that is done.

    The folder's name is the day of its photos, whatever the camera says. A file that is no photo is reported
    and passed over. What is known of a photo is kept under OUTPUT_DIR/.cache, so that a run that was stopped
    goes on where it was and a repeated one asks the model about nothing that it has seen. Days, and files over
    all days, that earlier runs made of this folder and that no photo stands behind any more are removed.
    Raises ModelUnavailable, or OSError when a file cannot be written.
    """
    card, digest = _model(recogniser.model_dir)
    known = models.Models(recogniser.model_dir)
    # What a photo is called depends on the list as well; without one the key is that of the time before lists.
    region = [] if recogniser.region is None else [stamp(recogniser.region)]
    key = [CACHE_VERSION, digest, timezone, *region, str(found.data_dir.resolve())]
    report = Report()
    analysed: list[tables.AnalysedDay] = []
    named: set[ModelVersion] = set()
    for day, files in found.days.items():
        cache = PhotoCache(output_dir, day, key)
        try:
            photos = _photos(day, files, cache, recogniser, timezone, report, progress, card.version or None)
        finally:
            cache.save()  # also when stopped: what the model said is not asked for again
        if photos:
            done, said = _write_day(output_dir, day, photos, str(card.name), known, report)
            analysed.append(done)
            named.update(said)
            cache.made_day = True
        elif cache.made_day:
            report.removed += _remove_day(output_dir, day)
            cache.made_day = False
        cache.save()
    _forget_days(output_dir, found, report)
    _write_period(output_dir, analysed, _about(named), report)
    report.days = len(analysed)
    return report


def _photos(
    day: date,
    files: Iterable[Path],
    cache: PhotoCache,
    recogniser: Recogniser,
    timezone: str,
    report: Report,
    progress: Callable[[int], Any],
    version: str | None,
) -> list[Photo]:
    """The photos of a day, numbered from 1 in the order of their names; each set of bytes once.

    What the cache keeps is of this very model, so that `version` is that of photos kept before it was recorded.
    """
    photos: list[Photo] = []
    seen: set[str] = set()
    for path in files:
        shown = f"{path.parent.name}/{path.name}"
        try:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # reading a pipe would never end
                raise OSError(errno.EINVAL, "it is not a file")
            stamp = [status.st_size, status.st_mtime_ns]
            known = cache.sha256_of(path.name, stamp)
            data = None
            if known is None:
                data = _read(path)
                known = hashlib.sha256(data).hexdigest()
            facts = cache.facts.get(known)
            fresh = facts is None
            if facts is None:
                facts = _look(data if data is not None else _read(path), path.name, day, recogniser, timezone)
            elif "prediction" in facts:
                facts["prediction"].setdefault("model_version", version)
        except OSError as error:
            report.refused.append((shown, f"it cannot be read: {error.strerror}"))
            progress(1)
            continue
        cache.note(path.name, stamp, known, facts)
        progress(1)
        if "refused" in facts:
            report.refused.append((shown, facts["refused"]))
        elif known in seen:
            report.duplicates += 1
        else:
            seen.add(known)
            photos.append(photo_of(len(photos) + 1, day, shown, known, facts))
            report.classified += fresh
            report.cached += not fresh
            taken = facts["taken_on"]
            if taken is not None and taken != day.isoformat():
                report.misdated.append((shown, date.fromisoformat(taken)))
    cache.keep_only(path.name for path in files)
    report.photos += len(photos)
    return photos


def _look(data: bytes, name: str, day: date, recogniser: Recogniser, timezone: str) -> dict[str, Any]:
    """Everything that depends on the bytes of a photo and the model, as JSON has it; or why it is refused."""
    try:
        header = inspect(data, name)
        decoded = decode(data, filename=name, header=header)
    except Problem as problem:
        return {"refused": problem.errors[0]["reason"] if problem.errors else problem.detail}
    now = datetime.now(UTC)
    capture = capture_day(header.exif, timezone, day, now)
    said = recogniser.classify(decoded.image)
    prediction = prediction_record(said)
    return {
        "captured_at": capture.captured_at.isoformat() if capture.captured_at else None,
        "taken_on": None if capture.flagged else capture.date.isoformat(),
        **examine(data, header, decoded),
        "label": said.label,
        "label_level": said.label_level,
        "prediction": asdict(prediction) | {"timestamp": prediction.timestamp.isoformat()},
    }


def _write_day(
    output_dir: Path, day: date, photos: list[Photo], model_name: str, known: models.Models, report: Report
) -> tuple[tables.AnalysedDay, list[ModelVersion]]:
    """Write the files of a day; the day as analysed, and the models that named its photos."""
    row, processing, memberships = analysis.analyse_day(day, photos, model_name)
    row = replace(row, computed_at=datetime.now(UTC))
    clustered = [
        replace(
            photo,
            cluster_id=each.cluster_id,
            is_representative=each.is_representative,
            similarity_score=each.similarity_score,
        )
        for photo, each in zip(photos, memberships, strict=True)
    ]
    done = tables.AnalysedDay(row, clustered)
    named = named_by(row, processing)
    report.written += summaries.write_summary(output_dir, row, processing, known.of_day(row, processing))
    report.written += tables.write_daily(output_dir, done, known.info, _about(named))
    report.written += tables.write_soft_voting(output_dir, done, _about(named))
    return done, named


def _about(named: Iterable[ModelVersion]) -> csvw.Provenance:
    return csvw.Provenance(analysis.ANALYSIS_VERSION, listed(named))


def _write_period(
    output_dir: Path, analysed: list[tables.AnalysedDay], about: csvw.Provenance, report: Report
) -> None:
    """Write the files over all days, and remove those that the last run wrote under another period's name."""
    made: list[Path] = []
    if analysed:
        report.written += tables.write_period(output_dir, analysed, about)
        # The JSON covers every day that file mode serves, also those of other folders and of the earlier tool.
        days = FileStore(output_dir).processed_days()
        report.written += series.write_time_series(output_dir, days, analysis.ANALYSIS_VERSION)
        report.written += sum(
            series.write_calendar(output_dir, days, metric, analysis.ANALYSIS_VERSION) for metric in METRICS
        )
        made = [
            *tables.period_paths(output_dir, analysed),
            *map(tables.metadata_path, tables.period_paths(output_dir, analysed)),
            series.time_series_path(output_dir, days),
            *(series.calendar_path(output_dir, metric) for metric in METRICS),
        ]
    names = [path.relative_to(output_dir).as_posix() for path in made]
    listing = output_dir / CACHE / "period.json"
    for name in read_cache(listing).get("files", []):
        if name not in names and Path(name).parts[:-1] in ((summaries.FOLDER,), (tables.FOLDER,)):
            report.removed += _remove(output_dir / name)
    if names or listing.exists():
        write_changed(listing, as_json({"files": names}))


def _forget_days(output_dir: Path, found: Found, report: Report) -> None:
    """Remove the days that an earlier run made of folders of this DATA_DIR that are gone."""
    for path in sorted((output_dir / CACHE).glob("????-??-??.json")):
        day = _day_of(path.stem)
        key = read_cache(path).get("key")
        ours = isinstance(key, list) and key[-1:] == [str(found.data_dir.resolve())]
        if day is not None and ours and day not in found.days:
            report.removed += _remove_day(output_dir, day)
            _remove(path)


def _remove_day(output_dir: Path, day: date) -> int:
    """Remove the files of a day; how many there were."""
    csv = (tables.daily_path(output_dir, day), tables.soft_voting_path(output_dir, day))
    return sum(map(_remove, (summaries.summary_path(output_dir, day), *csv, *map(tables.metadata_path, csv))))


def _remove(path: Path) -> int:
    try:
        path.unlink()
    except FileNotFoundError:
        return 0
    return 1


def _model(model_dir: Path) -> tuple[Card, str]:
    """The model's card, and its digest, which holds those of all the model's files; loads nothing."""
    card = read_card(model_dir)
    if card.name is None or not card.available:
        raise classifier.ModelUnavailable(
            "the model folder lacks a readable model.json, labels.csv or model.onnx."
        )
    data = (model_dir / "model.json").read_bytes()
    return card, hashlib.sha256(data).hexdigest()


def _read(path: Path) -> bytes:
    """The bytes of a file, and no more than shows that it is too large."""
    with path.open("rb") as file:
        return file.read(MAX_BYTES + 1)


def _is_photo(path: Path) -> bool:
    return not path.name.startswith(".") and path.name.lower() not in _LITTER and not path.is_dir()


def _day_of(name: str) -> date | None:
    try:
        return date.fromisoformat(name) if _DAY.fullmatch(name) else None
    except ValueError:
        return None
