"""A Darwin Core Archive of surveys: events, what was found at each, and the effort (Humboldt Extension)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from lib.clusters import plants_in
from lib.definitions import TERMS
from lib.model_versions import ModelVersion, named_by
from lib.outputs import darwin_core_documents as documents
from lib.outputs.csvw import Provenance
from lib.outputs.darwin_core_documents import DWC, ECO, DataFile
from lib.outputs.models import Models
from lib.store.records import NOT_A_PLANT, DayRow, Photo, Prediction, ProcessingRow, Session

CHUNK = 64 * 1024  # characters that are gathered before they are sent on
NAMED = ("species", "genus", "family")  # labels that name a taxon, and so are occurrences
PROTOCOL = (
    "Photographs of weeds taken while walking a field; a plant may be photographed more than once, near-duplicates "
    "are counted once. Names are given by an image classifier, and confirmed or corrected by people."
)
EFFORT_PROTOCOL = "Number of photographs of the day; time and area are not recorded."
QUANTITY = "photographed plants (near-duplicate photographs counted once)"
UNVERIFIED, VERIFIED = "unverified", "verified by a person"

EVENTS = DataFile(
    "event.txt",
    DWC + "Event",
    (
        DWC + "eventID",
        DWC + "eventDate",
        DWC + "samplingProtocol",
        DWC + "sampleSizeValue",
        DWC + "sampleSizeUnit",
        DWC + "samplingEffort",
        DWC + "locationID",
        DWC + "locality",
        DWC + "decimalLatitude",
        DWC + "decimalLongitude",
        DWC + "geodeticDatum",
        DWC + "eventRemarks",
    ),
)
INVENTORIES = DataFile(
    "humboldt.txt",
    ECO + "Event",
    (
        DWC + "eventID",
        ECO + "targetTaxonomicScope",
        ECO + "taxonCompletenessReported",
        ECO + "isTaxonomicScopeFullyReported",
        ECO + "isAbsenceReported",
        ECO + "hasNonTargetTaxa",
        DWC + "identifiedBy",
        ECO + "compilationTypes",
        ECO + "inventoryTypes",
        ECO + "protocolNames",
        ECO + "protocolDescriptions",
        ECO + "isAbundanceReported",
        ECO + "isAbundanceCapReported",
        ECO + "isVegetationCoverReported",
        ECO + "isLeastSpecificTargetCategoryQuantityInclusive",
        ECO + "hasVouchers",
        ECO + "hasMaterialSamples",
        ECO + "samplingPerformedBy",
        ECO + "isSamplingEffortReported",
        ECO + "samplingEffortProtocol",
        ECO + "samplingEffortValue",
        ECO + "samplingEffortUnit",
    ),
)
OCCURRENCES = DataFile(
    "occurrence.txt",
    DWC + "Occurrence",
    (
        DWC + "eventID",
        DWC + "occurrenceID",
        DWC + "basisOfRecord",
        DWC + "occurrenceStatus",
        DWC + "scientificName",
        DWC + "taxonRank",
        DWC + "kingdom",
        DWC + "family",
        DWC + "genus",
        DWC + "organismQuantity",
        DWC + "organismQuantityType",
        DWC + "identifiedBy",
        DWC + "dateIdentified",
        DWC + "identificationVerificationStatus",
        DWC + "identificationRemarks",
        DWC + "associatedMedia",
    ),
)
FILES = (EVENTS, INVENTORIES, OCCURRENCES)


@dataclass(frozen=True, slots=True)
class Survey:
    """One event: a day of a session, or of a site that has none."""

    row: DayRow
    processing: ProcessingRow
    session: Session | None = None

    @property
    def location(self) -> str:
        """The session, by a name that says nothing of it."""
        return "site" if self.session is None else f"session-{self.session.id}"

    @property
    def id(self) -> str:
        """Unique in the archive."""
        return f"{self.location}:{self.row.date.isoformat()}"


class Unit(NamedTuple):
    """A group of near-duplicates that counts once: the photo that speaks for it, and all of them."""

    photo: Photo
    members: Sequence[Photo]


@dataclass(frozen=True, slots=True)
class Archive:
    """What the archive of `surveys` (in order) holds; `photos` gives those of one, none where they are not known.

    Photos are asked for survey by survey while the archive is sent, so that a season is never in memory.
    """

    surveys: Sequence[Survey]
    photos: Callable[[Survey], Sequence[Photo]]
    models: Models
    about: Provenance

    def entries(self) -> Iterator[tuple[str, Iterable[bytes]]]:
        """Name and content of every file, in the order in which a reader wants them."""
        yield "meta.xml", [documents.meta(EVENTS, (INVENTORIES, OCCURRENCES))]
        yield "eml.xml", [documents.eml(self._dataset())]
        yield EVENTS.name, _text(EVENTS, map(_event, self.surveys))
        yield INVENTORIES.name, _text(INVENTORIES, map(self._inventory, self.surveys))
        yield OCCURRENCES.name, _text(OCCURRENCES, self._occurrences())

    def _occurrences(self) -> Iterator[Sequence[object]]:
        for survey in self.surveys:
            photos = self.photos(survey)
            lines = (
                [self._of_unit(survey, unit) for unit in units(photos) if unit.photo.label_level in NAMED]
                if photos
                else [
                    self._of_count(survey, *counted) for counted in sorted(survey.row.species_counts.items())
                ]
            )
            yield from sorted(lines)

    def _of_unit(self, survey: Survey, unit: Unit) -> tuple[str, ...]:
        """The occurrence of a unit whose label names a taxon."""
        photo = unit.photo
        person = photo.label_source == "human"
        media = " | ".join(sorted(f"hash://sha256/{each.sha256}" for each in unit.members))
        return (
            survey.id,
            f"{survey.location}:sha256:{photo.sha256}",
            "HumanObservation" if person else "MachineObservation",
            "present",
            *self._taxon(photo.label or "", photo.label_level or ""),
            "1",
            QUANTITY,
            "" if person or photo.prediction is None else _model(photo.prediction),
            _identified_at(photo),
            VERIFIED if person else UNVERIFIED,
            self._remarks(photo),
            media,
        )

    def _of_count(self, survey: Survey, species: str, count: int) -> tuple[str, ...]:
        """The occurrence of a species on a day of which only the counts are known."""
        return (
            survey.id,
            f"{survey.id}:{'_'.join(species.split())}",
            "MachineObservation",
            "present",
            *self._taxon(species, "species"),
            str(count),
            QUANTITY,
            _models(survey),
            "",
            UNVERIFIED,
            "Counts of the day; its single photographs are not on record.",
            "",
        )

    def _taxon(self, name: str, level: str) -> tuple[str, str, str, str, str]:
        """Scientific name, rank, kingdom, family and genus; empty where not known."""
        genus = "" if level == "family" else name.split(" ")[0]
        family = name if level == "family" else self.models.family(genus)
        return name, level, "Plantae", family, genus

    def _remarks(self, photo: Photo) -> str:
        said = photo.prediction
        if said is None:
            return "No classifier has seen the photograph."
        if photo.label_source == "human":
            return (
                f"Named by a person. The classifier {_model(said)} thought most of "
                f"{said.top_prediction_species}, probability {said.top_prediction_confidence:.3f}."
            )
        share = sum(
            float(each["confidence"])
            for each in said.predictions
            if self._is_of(str(each["species"]), photo.label or "", photo.label_level)
        )
        return f"Probability {share:.3f} by the classifier, from the species that its answer keeps."

    def _is_of(self, species: str, label: str, level: str | None) -> bool:
        """Whether a species is the label, or of the genus or family that it names."""
        genus = species.split(" ")[0]
        return label == {"genus": genus, "family": self.models.family(genus)}.get(level or "", species)

    def _inventory(self, survey: Survey) -> Sequence[object]:
        return (
            survey.id,
            "Plantae",
            "notReported",
            "false",  # what the classifier could not name is not reported
            "false",
            "false",
            _models(survey),
            "samplingEvents",
            "opportunisticSearch",
            "photographicWeedSurvey",
            PROTOCOL,
            "true",
            "false",
            "false",
            "false",
            "false",
            "false",
            "owner of the site (name withheld)",
            "true",
            EFFORT_PROTOCOL,
            survey.row.total_images,
            "photographs",
        )

    def _dataset(self) -> documents.Dataset:
        dates = [survey.row.date for survey in self.surveys]
        places = {
            (survey.session.latitude, survey.session.longitude)
            for survey in self.surveys
            if survey.session is not None
        }
        return documents.Dataset(
            about=self.about,
            first=min(dates),
            last=max(dates),
            surveys=len(self.surveys),
            photographs=sum(survey.row.total_images for survey in self.surveys),
            places=[
                (lat, lon) for lat, lon in sorted(places, key=str) if lat is not None and lon is not None
            ],
            methods=(PROTOCOL, EFFORT_PROTOCOL, _OMITTED, f"Unit of counting: {TERMS['unit']}"),
        )


_OMITTED = (
    "Photographs that the classifier could not name to a family, photographs without a plant and photographs that "
    "wait for the classifier are no occurrences: a name such as Plantae would claim a plant that nobody has seen. "
    "How many there are stands in eventRemarks. Where a photograph was taken is not part of the archive; places "
    "are those that the owner gave to the sessions."
)


def units(photos: Sequence[Photo]) -> list[Unit]:
    """The units of a survey's photos, as the day's analysis counts them.

    A group of near-duplicates is one unit, and its representative speaks for it (its best labelled photo while that
    one has no label). Photos of a group that people gave different labels show different plants: each is a unit.
    """
    groups: dict[tuple[int, int], list[Photo]] = {}
    for photo in photos:
        key = (photo.session_id, photo.id if photo.cluster_id is None else photo.cluster_id)
        groups.setdefault(key, []).append(photo)
    return [Unit(shown.photo, shown.photos) for members in groups.values() for shown in plants_in(members)]


def _model(said: Prediction) -> str:
    """Name and version of the classifier that said it; the name alone where the version is not on record."""
    return ModelVersion(said.model_name, said.model_version).shown


def _models(survey: Survey) -> str:
    """All classifiers that named the survey's photographs, as Darwin Core lists several in a term."""
    return " | ".join(each.shown for each in named_by(survey.row, survey.processing))


def _event(survey: Survey) -> Sequence[object]:
    row, session, clusters = survey.row, survey.session, survey.processing.clusters_found
    placed = session is not None and session.latitude is not None and session.longitude is not None
    effort = f"{row.total_images} photographs"
    if clusters:
        effort += f", {clusters} with near-duplicates counted once"
    return (
        survey.id,
        row.date.isoformat(),
        PROTOCOL,
        row.total_images,
        "photographs",
        effort,
        survey.location,
        session.session_name if session else "",
        session.latitude if session and placed else "",
        session.longitude if session and placed else "",
        "not recorded" if placed else "",
        _event_remarks(survey),
    )


def _event_remarks(survey: Survey) -> str:
    """What was photographed and is no occurrence, and how complete the day is thought to be."""
    counts = survey.processing.processing_metadata
    parts = []
    labels = counts.get("unsure_labels")
    if isinstance(labels, dict):
        told = [counts.get(name, 0) for name in ("counted", "unsure", NOT_A_PLANT, "unprocessed")]
        told.append(labels.get("unknown", 0))
        if all(isinstance(number, int) for number in told):  # a file of another hand may hold anything here
            counted, unsure, no_plant, unprocessed, unknown = told
            parts.append(
                f"Units: {counted} named to the species, {unsure - unknown} to genus or family; no occurrences: "
                f"{unknown} unknown, {no_plant} without a plant, {unprocessed} not classified."
            )
    if survey.row.coverage_estimate is not None:
        parts.append(f"Sample coverage (Chao and Jost 2012) {survey.row.coverage_estimate:.3f}.")
    if survey.row.effort != "ok":
        parts.append("Too few photographs to compare this day with others.")
    return " ".join(parts)


def _identified_at(photo: Photo) -> str:
    """The day of the identification; empty where it is not on record."""
    if photo.label_source == "human":
        at = next((each.get("at") for each in reversed(photo.label_history)), None)
        return at[:10] if isinstance(at, str) else ""
    return photo.prediction.timestamp.date().isoformat() if photo.prediction else ""


def _text(file: DataFile, lines: Iterable[Sequence[object]]) -> Iterator[bytes]:
    """The lines as tab-separated text with the terms' names above, piece by piece."""
    pending = ["\t".join(term.rpartition("/")[2] for term in file.terms)]
    size = 0
    for line in lines:
        pending.append("\t".join(_plain(value) for value in line))
        size += len(pending[-1])
        if size >= CHUNK:
            yield _joined(pending)
            pending, size = [], 0
    yield _joined(pending)


def _joined(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "replace")


def _plain(value: object) -> str:
    """A value without what separates values or lines: the format has no quotes."""
    return " ".join(str(value).split())
