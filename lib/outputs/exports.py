"""Every file that can be exported, made of one owner's days and photos: JSON, CSV, and a Darwin Core Archive."""

from __future__ import annotations

import csv
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lib import calendars
from lib.model_versions import listed, named_by
from lib.outputs import csvw, darwin_core, series, summaries, tables, zipped
from lib.outputs.atomic import document_bytes
from lib.outputs.csvw import Provenance
from lib.outputs.darwin_core import Survey
from lib.outputs.models import Models
from lib.problems import not_found
from lib.store.interface import ReadStore
from lib.store.records import METRICS, DayRow, Photo, ProcessingRow

JSON, CSV = "application/json", "text/csv; charset=utf-8"
ALL = "all"
# What a day is asked for with; the others are over a period.
OF_A_DAY = ("daily-summary", "daily-predictions", "soft-voting")
KINDS = (
    "daily-summary",
    "time-series",
    "calendar",
    "daily-predictions",
    "aggregated-predictions",
    "species-summary",
    "soft-voting",
    "darwin-core",
    ALL,
)
DEFAULT_METRIC = "shannon_diversity"
DARWIN_CORE_FOLDER = "darwin_core"

if TYPE_CHECKING:
    from lib.store.database import UserStore
    from lib.store.files import FileStore

LONGEST_HEADER = 10_000  # bytes of a CSV file's first line
LOG = logging.getLogger("weeds.exports")

# The photos of a day, of one session or (None) of all, in the order of their numbers; none where not on record.
Photos = Callable[[date, int | None], Sequence[Photo]]


@dataclass(frozen=True, slots=True)
class ExportFile:
    """One file: its place under OUTPUT_DIR, its media type, its content piece by piece, and for a CSV what its
    columns mean."""

    path: str
    media_type: str
    content: Callable[[], Iterable[bytes]]
    metadata: Callable[[], dict[str, Any]] | None = None

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.rpartition("/")[2]

    def described(self) -> ExportFile | None:
        """The file that says what the columns mean; None where the file says it itself."""
        metadata = self.metadata
        if metadata is None:
            return None
        return ExportFile(self.path + csvw.SUFFIX, csvw.MEDIA_TYPE, lambda: [document_bytes(metadata())])


def check_kind(kind: str) -> str:
    """`kind` when there is one of this name; else 404 listing them all."""
    if kind not in KINDS:
        raise not_found(
            f"There is no export of this name. The exports are: {', '.join(KINDS)}.", kinds=list(KINDS)
        )
    return kind


class Exporter:
    """The files of one owner's days from `start` to `end` (None: from the first, to the last), of one session or
    (None) of all. What it reads of photos it reads day by day, while a file is being sent.

    `output_dir` is that of file mode: what is not known of a day's photos is taken from its files there.
    """

    def __init__(
        self,
        store: ReadStore,
        photos: Photos,
        model_dir: Path,
        *,
        start: date | None = None,
        end: date | None = None,
        session: int | None = None,
        output_dir: Path | None = None,
        now: datetime | None = None,
    ) -> None:
        self.store = store
        self.photos = photos
        self.models = Models(model_dir)
        self.start, self.end, self.session = start, end, session
        self.output_dir = output_dir
        self.now = now or datetime.now(UTC)
        self._processed: dict[tuple[date, int | None], ProcessingRow] = {}

    def file(self, kind: str, day: date | None = None, metric: str | None = None) -> ExportFile:
        """The file of a kind; `day` (None: the newest) and `metric` where the kind has one.

        404 for an unknown kind or metric, for a day without a survey, and where no day of the period has one.
        """
        made: dict[str, Callable[[], ExportFile]] = {
            "daily-summary": lambda: self.daily_summary(self._day(day)),
            "time-series": self.time_series,
            "calendar": lambda: self.calendar(metric or DEFAULT_METRIC),
            "daily-predictions": lambda: self.daily_predictions(self._day(day)),
            "aggregated-predictions": self.aggregated_predictions,
            "species-summary": self.species_summary,
            "soft-voting": lambda: self.soft_voting(self._day(day)),
            "darwin-core": self.darwin_core,
            ALL: self.archive,
        }
        return made[check_kind(kind)]()

    def files(self) -> Iterator[ExportFile]:
        """Every file of the period, each CSV with the file that describes it behind it."""
        for row in self._surveyed:
            yield self.daily_summary(row)
        yield self.time_series()
        for metric in METRICS:
            yield self.calendar(metric)
        for row in self._surveyed:
            yield from _with_description(self.daily_predictions(row))
            yield from _with_description(self.soft_voting(row))
        yield from _with_description(self.aggregated_predictions())
        yield from _with_description(self.species_summary())
        yield self.darwin_core()

    def is_source(self, file: ExportFile, folder: Path) -> bool:
        """Whether `folder` is where the days come from and `file` one of them: written again, it would lose what
        another tool said in it that we do not know."""
        same = self.output_dir is not None and self.output_dir.resolve() == folder.resolve()
        return same and summaries.is_summary(file.name)

    def daily_summary(self, row: DayRow) -> ExportFile:
        """`json/daily_summary_DAY.json`."""
        path = summaries.summary_path(Path(), row.date)
        return ExportFile(path.as_posix(), JSON, lambda: [document_bytes(self._summary(row))])

    def time_series(self) -> ExportFile:
        """`json/time_series_A_to_B.json`."""
        path = series.time_series_path(Path(), [(row, ProcessingRow(row.date)) for row in self._surveyed])
        return ExportFile(
            path.as_posix(),
            JSON,
            lambda: [
                document_bytes(
                    self._dated(series.time_series(self._days(), _analysis_version()), self._surveyed)
                )
            ],
        )

    def calendar(self, metric: str) -> ExportFile:
        """`json/github_calendar_METRIC.json`."""
        calendars.check_metric(metric)
        path = series.calendar_path(Path(), metric)
        rows = self._surveyed
        return ExportFile(
            path.as_posix(),
            JSON,
            lambda: [
                document_bytes(self._dated(series.github_calendar(rows, metric, _analysis_version()), rows))
            ],
        )

    def daily_predictions(self, row: DayRow) -> ExportFile:
        """`csv/daily_predictions_DAY.csv`."""
        path = tables.daily_path(Path(), row.date)
        return self._written(row, path, "daily_predictions") or self._table(
            path,
            "daily_predictions",
            lambda: tables.daily_lines(self._analysed(row), self.models.info),
            [row],
        )

    def soft_voting(self, row: DayRow) -> ExportFile:
        """`csv/soft_voting_DAY.csv`."""
        path = tables.soft_voting_path(Path(), row.date)
        return self._written(row, path, "soft_voting") or self._table(
            path, "soft_voting", lambda: tables.soft_voting_lines(self._analysed(row)), [row]
        )

    def aggregated_predictions(self) -> ExportFile:
        """`csv/aggregated_predictions_A_to_B.csv`."""
        rows = self._surveyed
        path, _ = tables.period_paths(Path(), [tables.AnalysedDay(row, ()) for row in rows])
        return self._table(path, "aggregated_predictions", lambda: self._aggregated(rows), rows)

    def species_summary(self) -> ExportFile:
        """`csv/species_summary_A_to_B.csv`."""
        rows = self._surveyed
        _, path = tables.period_paths(Path(), [tables.AnalysedDay(row, ()) for row in rows])
        return self._table(
            path, "species_summary", lambda: tables.species_lines(map(self._analysed, rows)), rows
        )

    def darwin_core(self) -> ExportFile:
        """`darwin_core/darwin_core_A_to_B.zip`."""
        archive = darwin_core.Archive(
            self._surveys(),
            lambda survey: self.photos(survey.row.date, survey.session.id if survey.session else None),
            self.models,
            self._about(self._surveyed),
        )
        name = f"{DARWIN_CORE_FOLDER}/darwin_core_{self._period}.zip"
        return ExportFile(name, zipped.MEDIA_TYPE, lambda: zipped.zip_chunks(archive.entries()))

    def archive(self) -> ExportFile:
        """`weed_diversity_A_to_B.zip`: all the others, in the folders that they have under OUTPUT_DIR."""
        name = f"weed_diversity_{self._period}.zip"
        return ExportFile(
            name,
            zipped.MEDIA_TYPE,
            lambda: zipped.zip_chunks((each.path, each.content()) for each in self.files()),
        )

    def _table(
        self,
        path: Path,
        kind: str,
        lines: Callable[[], Iterable[dict[str, Any]]],
        rows: Sequence[DayRow],
    ) -> ExportFile:
        columns = tables.COLUMNS[kind]
        return ExportFile(
            path.as_posix(),
            CSV,
            lambda: tables.table_chunks(columns, lines()),
            lambda: csvw.metadata(kind, path.name, columns, self._about(rows)),
        )

    def _aggregated(self, rows: Iterable[DayRow]) -> Iterator[dict[str, Any]]:
        """The lines of every day's photos, or of the day's own file where its photos are not on record."""
        for row in rows:
            file = self._written(row, tables.daily_path(Path(), row.date), "daily_predictions")
            if file is None:
                yield from tables.aggregated_lines([self._analysed(row)])
                continue
            try:
                lines = tables.read_table(b"".join(file.content()))
            except (OSError, UnicodeDecodeError, csv.Error):
                LOG.warning("%s is skipped: it is no table", file.name)
                continue
            for line in lines:
                yield line | {"image_id": f"{row.date.isoformat()}_{line.get('image_id', '')}"}

    def _written(self, row: DayRow, path: Path, kind: str) -> ExportFile | None:
        """The file of a day as it lies under OUTPUT_DIR, where no photos are on record to make it of.

        So that days of the earlier tool, whose CSV files are all that is left of their photos, go with the others.
        """
        if self.output_dir is None or self.photos(row.date, self.session):
            return None
        file = self.output_dir / path
        try:
            with file.open("rb") as lines:
                columns = lines.readline(LONGEST_HEADER).decode("utf-8-sig").strip().split(",")
        except (OSError, UnicodeDecodeError):
            return None
        described = tuple(columns) == tables.COLUMNS[kind]
        return ExportFile(
            path.as_posix(),
            CSV,
            lambda: _pieces(file),
            (lambda: csvw.metadata(kind, path.name, columns, self._about([row]))) if described else None,
        )

    @cached_property
    def _surveyed(self) -> list[DayRow]:
        """The days of the period in order; 404 when there is none."""
        rows = self.store.days(self.session, self.start, self.end)
        if not rows:
            raise not_found("No day of this period has a survey, so there is nothing to export.")
        return rows

    @property
    def _period(self) -> str:
        return f"{self._surveyed[0].date.isoformat()}_to_{self._surveyed[-1].date.isoformat()}"

    def _day(self, day: date | None) -> DayRow:
        if day is None:
            return self._surveyed[-1]
        row = self.store.day(day, self.session)
        if row is None:
            raise not_found(f"There are no photos of {day}.", [{"field": "date", "reason": "no survey"}])
        return row

    def _days(self) -> list[tuple[DayRow, ProcessingRow]]:
        return [(row, self._processing(row.date, self.session)) for row in self._surveyed]

    def _processing(self, day: date, session: int | None) -> ProcessingRow:
        """As the store has it, looked up once: every file tells which models named the photos of its days."""
        found = self._processed.get((day, session))
        if found is None:
            found = self.store.processing(day, session) or ProcessingRow(day)
            self._processed[day, session] = found
        return found

    def _analysed(self, row: DayRow) -> tables.AnalysedDay:
        """A day with its photos, each under the name that its owner knows: never its place on this server."""
        photos = self.photos(row.date, self.session)
        named = [
            replace(photo, path=f"{photo.date.isoformat()}/{photo.original_filename.rpartition('/')[2]}")
            for photo in photos
        ]
        return tables.AnalysedDay(row, named)

    def _surveys(self) -> list[Survey]:
        """One survey a day and session, in order; of days that belong to no session, one a day."""
        sessions = sorted(self.store.sessions(), key=lambda session: session.id)
        if not sessions:
            return [Survey(row, processing) for row, processing in self._days()]
        return [
            Survey(row, self._processing(row.date, session.id), session)
            for session in sessions
            if self.session in (None, session.id)
            for row in self.store.days(session.id, self.start, self.end)
        ]

    def _about(self, rows: Iterable[DayRow]) -> Provenance:
        """Every version of every model that named a photo of these days."""
        named = {each for row in rows for each in named_by(row, self._processing(row.date, self.session))}
        return Provenance(_analysis_version(), listed(named), self.now)

    def _summary(self, row: DayRow) -> dict[str, Any]:
        processing = self._processing(row.date, self.session)
        return self._dated(summaries.summary(row, processing, self.models.of_day(row, processing)), [row])

    def _dated(self, document: dict[str, Any], rows: Iterable[DayRow]) -> dict[str, Any]:
        """The document over these days as exported now, with the models' versions."""
        metadata = document["metadata"]
        metadata["models"] = list(self._about(rows).models)
        metadata["export_timestamp"] = self.now.isoformat()
        return document


def _pieces(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while piece := file.read(tables.CHUNK):
            yield piece


def of_user(
    mine: UserStore, model_dir: Path, start: date | None, end: date | None, session: int | None
) -> Exporter:
    """What makes the files of a user of database mode."""
    return Exporter(
        mine,
        lambda day, of_session: mine.day_photos(of_session, day),
        model_dir,
        start=start,
        end=end,
        session=session,
    )


def of_folder(files: FileStore, model_dir: Path, start: date | None, end: date | None) -> Exporter:
    """What makes the files of file mode, of what an analysis left under OUTPUT_DIR."""
    from lib.photo_cache import recorded_photos  # brings NumPy and Pillow

    output_dir = files.output_dir
    return Exporter(
        files,
        lambda day, _: recorded_photos(output_dir, day),
        model_dir,
        start=start,
        end=end,
        output_dir=output_dir,
    )


def _with_description(file: ExportFile) -> Iterator[ExportFile]:
    yield file
    description = file.described()
    if description is not None:
        yield description


def _analysis_version() -> str:
    from lib.analysis import ANALYSIS_VERSION  # brings NumPy, which a list of the routes does without

    return ANALYSIS_VERSION
