"""The Darwin Core Archive: held to the text guide, the terms and the vocabularies, and read by another's reader.

The rules are those of the Darwin Core text guide (https://dwc.tdwg.org/text/), of the GBIF profile of EML
(https://ipt.gbif.org/manual/en/ipt/latest/gbif-metadata-profile) and of the Humboldt Extension as it is registered
(https://rs.gbif.org/extension/eco/humboldt_2025-07-10.xml), written here as checks of our own: their schema files
are not part of this repository. That an Event core may carry exactly these files is said by the same sources.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
import zipfile
from dataclasses import replace
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from dwca.darwincore.terms import TERMS
from dwca.read import DwCAReader

from lib.analysis import analyse_day
from lib.config import STARTER_MODEL
from lib.outputs import darwin_core
from lib.outputs.csvw import Provenance
from lib.outputs.darwin_core import Archive, Survey
from lib.outputs.models import Models
from lib.outputs.summaries import ModelInfo
from lib.outputs.zipped import zip_chunks
from lib.store.records import DayRow, Photo, Prediction, ProcessingRow, Session

DWC, ECO = "http://rs.tdwg.org/dwc/terms/", "http://rs.tdwg.org/eco/terms/"
TEXT = "{http://rs.tdwg.org/dwc/text/}"
EML = "{https://eml.ecoinformatics.org/eml-2.2.0}"
# Every term of the Humboldt Extension as registered on 2025-07-10; those of Darwin Core come with the reader.
_NAMES = """
    siteCount siteNestingDescription verbatimSiteDescriptions verbatimSiteNames geospatialScopeAreaValue
    geospatialScopeAreaUnit totalAreaSampledValue totalAreaSampledUnit reportedWeather reportedExtremeConditions
    targetHabitatScope excludedHabitatScope eventDurationValue eventDurationUnit targetTaxonomicScope
    excludedTaxonomicScope taxonCompletenessReported taxonCompletenessProtocols isTaxonomicScopeFullyReported
    isAbsenceReported absentTaxa hasNonTargetTaxa nonTargetTaxa areNonTargetTaxaFullyReported targetLifeStageScope
    excludedLifeStageScope isLifeStageScopeFullyReported targetDegreeOfEstablishmentScope
    excludedDegreeOfEstablishmentScope isDegreeOfEstablishmentScopeFullyReported targetGrowthFormScope
    excludedGrowthFormScope isGrowthFormScopeFullyReported hasNonTargetOrganisms verbatimTargetScope
    compilationTypes compilationSourceTypes inventoryTypes protocolNames protocolDescriptions protocolReferences
    isAbundanceReported isAbundanceCapReported abundanceCap isVegetationCoverReported
    isLeastSpecificTargetCategoryQuantityInclusive hasVouchers voucherInstitutions hasMaterialSamples
    materialSampleTypes samplingPerformedBy isSamplingEffortReported samplingEffortProtocol samplingEffortValue
    samplingEffortUnit
"""
HUMBOLDT = {ECO + name for name in _NAMES.split()} | {DWC + "identifiedBy", DWC + "identificationReferences"}
# Terms that came to Darwin Core in 2015, after the reader's list was made.
DARWIN_CORE = {*TERMS, DWC + "organismQuantity", DWC + "organismQuantityType"}
# What GBIF asks of a data set of sampling events, file by file.
REQUIRED = {
    "Event": {
        "eventID",
        "eventDate",
        "samplingProtocol",
        "sampleSizeValue",
        "sampleSizeUnit",
        "samplingEffort",
    },
    "Occurrence": {
        "occurrenceID",
        "basisOfRecord",
        "scientificName",
        "taxonRank",
        "kingdom",
        "occurrenceStatus",
    },
    "Humboldt": {
        "isSamplingEffortReported",
        "samplingEffortValue",
        "samplingEffortUnit",
        "isAbsenceReported",
    },
}
VOCABULARIES = {
    DWC + "basisOfRecord": {"HumanObservation", "MachineObservation"},
    DWC + "occurrenceStatus": {"present", "absent"},
    DWC + "taxonRank": {"kingdom", "family", "genus", "species"},
    DWC + "kingdom": {"Plantae"},
    ECO + "taxonCompletenessReported": {"notReported", "reportedComplete", "reportedIncomplete"},
    ECO + "compilationTypes": {
        "samplingEvents", "compilationOfExistingSourcesAndSamplingEvents", "compilationOfExistingSources",
    },
    ECO + "inventoryTypes": {
        "restrictedSearch", "openSearch", "opportunisticSearch", "adventitious", "compilation",
    },
}  # fmt: skip
DAY, NEXT = date(2025, 8, 24), date(2025, 8, 26)
NOON = datetime(2025, 8, 24, 3, tzinfo=UTC)
FIELD = Session(3, 1, "North\tfield", "", None, None, "Asia/Tokyo", 43.0625, 141.354, NOON)
PLOT = Session(7, 1, "畑", "", None, None, "Asia/Tokyo", None, None, NOON)


def photo(number: int, name: str | None, level: str | None = "species", **changes: Any) -> Photo:
    """A photo that the model labelled; the model thought most of chickweed."""
    said = Prediction(
        "seedlings-12", 0.02, NOON,
        [
            {"species": "Stellaria media", "confidence": 0.5}, {"species": "Zea mays", "confidence": 0.25},
            {"species": "Poa annua", "confidence": 0.125},
        ],
        "Stellaria media", 0.5, 0.4, 0.9, model_version="1.0.0",
    )  # fmt: skip
    values: dict[str, Any] = {
        "id": number, "session_id": 3, "path": f"/secret/{number}.jpg", "date": DAY, "date_source": "exif",
        "captured_at": NOON, "original_filename": f"{number}.jpg", "width": 600, "height": 600,
        "file_size_bytes": 1, "sha256": f"{number:064x}", "media_type": "image/jpeg", "blur_score": 1.0,
        "exposure_score": 1.0, "brightness_mean": 1.0, "contrast_std": 1.0, "quality_score": 0.5,
        "low_resolution": False, "fingerprint": "", "is_processed": True, "is_representative": True,
        "cluster_id": number, "similarity_score": 1.0, "label": name, "label_level": level,
        "label_source": "model" if name else None, "label_history": [], "created_at": NOON,
        "prediction": said if name else None,
    }  # fmt: skip
    return Photo(**(values | changes))


HUMAN: dict[str, Any] = {
    "label_source": "human",
    "label_history": [
        {"label": "Zea mays", "level": "species", "source": "model", "at": "2025-08-25T10:00:00+00:00"}
    ],
}
PHOTOS = [
    photo(1, "Stellaria media"),
    photo(2, "Stellaria media", cluster_id=1, is_representative=False),
    photo(3, "Poa annua", **HUMAN),
    photo(4, "Zea", "genus"),
    photo(5, "Poaceae", "family"),
    photo(6, "unknown", "unknown"),
    photo(7, "not_a_plant", "not_a_plant", **HUMAN),
    photo(8, None, None),
    # One group of near-duplicates in which a person saw two plants.
    photo(9, "Stellaria media", cluster_id=9, **HUMAN),
    photo(10, "Zea mays", cluster_id=9, is_representative=False, **HUMAN),
]


def survey(day: date, photos: list[Photo], session: Session | None) -> Survey:
    """A day as the analysis sees it, but with the clusters that the photos say."""
    row, processing, _ = analyse_day(day, photos, "seedlings-12", session.id if session else None)
    return Survey(row, processing, session)


SURVEYS = [
    survey(DAY, PHOTOS, FIELD),
    survey(NEXT, [photo(11, "Zea mays", date=NEXT)], FIELD),
    Survey(
        DayRow(
            DAY, total_images=5, species_counts={"Poa annua": 3, "Rumex acetosa": 1}, model_name="earlier"
        ),
        ProcessingRow(DAY),
        PLOT,
    ),
]
KNOWN = {SURVEYS[0].id: PHOTOS, SURVEYS[1].id: [photo(11, "Zea mays", date=NEXT)]}
ABOUT = Provenance("1", [{"name": "seedlings-12", "version": "1.0"}], datetime(2026, 1, 2, tzinfo=UTC))


def archive(surveys: list[Survey] = SURVEYS, about: Provenance = ABOUT) -> bytes:
    made = Archive(surveys, lambda each: KNOWN.get(each.id, []), Models(STARTER_MODEL), about)
    return b"".join(zip_chunks(made.entries()))


@pytest.fixture(scope="module")
def files() -> zipfile.ZipFile:
    return zipfile.ZipFile(io.BytesIO(archive()))


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Any:
    path = tmp_path_factory.mktemp("dwca") / "archive.zip"
    path.write_bytes(archive())
    with DwCAReader(path) as opened:
        yield opened


def document(files: zipfile.ZipFile, name: str) -> ET.Element:
    return ET.fromstring(files.read(name))  # noqa: S314 - we wrote it


def described(files: zipfile.ZipFile) -> list[ET.Element]:
    """The core and the extensions of meta.xml."""
    return list(document(files, "meta.xml"))


def lines_of(files: zipfile.ZipFile, element: ET.Element) -> list[list[str]]:
    """The lines of a file below its header, split as meta.xml says."""
    location = element.findtext(f"{TEXT}files/{TEXT}location")
    assert location
    escapes = {"\\t": "\t", "\\n": "\n"}
    text = files.read(location).decode(element.attrib["encoding"])
    ends, between = (escapes[element.attrib[name]] for name in ("linesTerminatedBy", "fieldsTerminatedBy"))
    assert text.endswith(ends)
    return [line.split(between) for line in text.split(ends)[int(element.attrib["ignoreHeaderLines"]) : -1]]


def records(files: zipfile.ZipFile, row_type: str) -> list[dict[str, str]]:
    """The lines of the file of a row type, by term; the core's identifier as `id`."""
    (element,) = [each for each in described(files) if each.attrib["rowType"] == row_type]
    link = (
        element.find(f"{TEXT}id") if element.find(f"{TEXT}id") is not None else element.find(f"{TEXT}coreid")
    )
    assert link is not None
    terms = {each.attrib["term"]: int(each.attrib["index"]) for each in element.findall(f"{TEXT}field")}
    return [
        {term: line[index] for term, index in terms.items()} | {"id": line[int(link.attrib["index"])]}
        for line in lines_of(files, element)
    ]


def test_meta_is_an_archive_of_the_text_guide(files: zipfile.ZipFile) -> None:
    root = document(files, "meta.xml")
    assert root.tag == f"{TEXT}archive"
    assert set(root.attrib) == {"metadata"}
    assert root.attrib["metadata"] in files.namelist()
    assert [each.tag for each in root] == [f"{TEXT}core", f"{TEXT}extension", f"{TEXT}extension"]
    assert [each.attrib["rowType"] for each in root] == [DWC + "Event", ECO + "Event", DWC + "Occurrence"]
    for element in root:
        assert set(element.attrib) == {
            "rowType", "encoding", "fieldsTerminatedBy", "linesTerminatedBy", "fieldsEnclosedBy",
            "ignoreHeaderLines",
        }  # fmt: skip
        # In this order: files with at least one location, the link, then at least one field.
        link = "id" if element.tag == f"{TEXT}core" else "coreid"
        kinds = [child.tag.removeprefix(TEXT) for child in element]
        assert kinds[:2] == ["files", link]
        assert set(kinds[2:]) == {"field"}
        assert [each.tag for each in element[0]] == [f"{TEXT}location"]
        assert set(element[1].attrib) == {"index"}
        for field in element[2:]:
            assert set(field.attrib) == {"index", "term"}
            assert re.fullmatch(r"https?://\S+/\w+", field.attrib["term"])


def test_every_file_that_meta_names_is_there_and_no_other(files: zipfile.ZipFile) -> None:
    named = [each.findtext(f"{TEXT}files/{TEXT}location") for each in described(files)]
    assert sorted(files.namelist()) == sorted(["meta.xml", "eml.xml", *filter(None, named)])
    assert files.namelist()[0] == "meta.xml"


@pytest.mark.parametrize("place", range(3))
def test_every_line_has_every_column_and_every_column_a_term(files: zipfile.ZipFile, place: int) -> None:
    element = described(files)[place]
    lines = lines_of(files, element)
    indexes = [int(each.attrib["index"]) for each in element.findall(f"{TEXT}field")]
    assert indexes == sorted(set(indexes))
    columns = {0, *indexes}
    assert columns == set(range(len(columns)))
    assert {len(line) for line in lines} == {len(columns)}
    header = (
        files.read(element.findtext(f"{TEXT}files/{TEXT}location") or "").decode().split("\n")[0].split("\t")
    )
    for field in element.findall(f"{TEXT}field"):
        assert header[int(field.attrib["index"])] == field.attrib["term"].rpartition("/")[2]


def test_every_term_exists_and_the_required_ones_are_there(files: zipfile.ZipFile) -> None:
    known = {"Event": DARWIN_CORE, "Occurrence": DARWIN_CORE, "Humboldt": HUMBOLDT}
    for kind, element in zip(("Event", "Humboldt", "Occurrence"), described(files), strict=True):
        terms = [each.attrib["term"] for each in element.findall(f"{TEXT}field")]
        assert len(set(terms)) == len(terms)
        assert set(terms) <= known[kind]
        assert {term.rpartition("/")[2] for term in terms} >= REQUIRED[kind]


def test_required_cells_are_filled_and_vocabularies_kept(files: zipfile.ZipFile) -> None:
    for kind, row_type in (
        ("Event", DWC + "Event"),
        ("Humboldt", ECO + "Event"),
        ("Occurrence", DWC + "Occurrence"),
    ):
        found = records(files, row_type)
        assert found
        for record in found:
            for term, value in record.items():
                name = term.rpartition("/")[2]
                assert value or name not in REQUIRED[kind], (term, record)
                if term in VOCABULARIES and value:
                    assert set(value.split(" | ")) <= VOCABULARIES[term]
                if re.match(r"(is|has|are)[A-Z]", name):
                    assert value in ("true", "false")
                if name in ("eventDate", "dateIdentified") and value:
                    date.fromisoformat(value)
                if name in ("sampleSizeValue", "samplingEffortValue", "organismQuantity"):
                    assert float(value) > 0


def test_identifiers_are_unique_and_refer_to_events(files: zipfile.ZipFile) -> None:
    events = [record["id"] for record in records(files, DWC + "Event")]
    assert len(set(events)) == len(events) == 3
    assert events == [record[DWC + "eventID"] for record in records(files, DWC + "Event")]
    assert [record["id"] for record in records(files, ECO + "Event")] == events  # the effort of each, once
    occurrences = records(files, DWC + "Occurrence")
    assert {record["id"] for record in occurrences} <= set(events)
    identifiers = [record[DWC + "occurrenceID"] for record in occurrences]
    assert len(set(identifiers)) == len(identifiers)
    ordered = [(events.index(record["id"]), record[DWC + "occurrenceID"]) for record in occurrences]
    assert all(one <= other for one, other in pairwise(ordered))


def test_eml_says_what_the_profile_demands(files: zipfile.ZipFile) -> None:
    root = document(files, "eml.xml")
    assert root.tag == f"{EML}eml"
    assert root.attrib["packageId"]
    assert root.attrib["system"]
    assert root.attrib["{http://www.w3.org/XML/1998/namespace}lang"] == "eng"
    dataset = root.find("dataset")
    assert dataset is not None
    order = [
        "alternateIdentifier", "title", "creator", "metadataProvider", "associatedParty", "pubDate", "language",
        "abstract", "keywordSet", "additionalInfo", "intellectualRights", "licensed", "distribution", "coverage",
        "maintenance", "contact", "methods", "project",
    ]  # fmt: skip
    tags = [each.tag for each in dataset]
    assert [order.index(tag) for tag in tags] == sorted(order.index(tag) for tag in tags)
    for tag in (
        "title",
        "pubDate",
        "language",
        "abstract/para",
        "intellectualRights/para",
        "methods/methodStep",
    ):
        assert dataset.find(tag) is not None, tag
    for party in ("creator", "metadataProvider", "contact"):
        assert [each.tag for each in dataset.find(party) or []] == ["positionName"]
    assert dataset.findtext("pubDate") == "2026-01-02"
    assert "analysis 1, classifiers: seedlings-12 1.0" in (dataset.findall("abstract/para")[1].text or "")
    time = dataset.find("coverage/temporalCoverage/rangeOfDates")
    assert time is not None
    assert time.findtext("beginDate/calendarDate") == "2025-08-24"
    assert time.findtext("endDate/calendarDate") == "2025-08-26"
    box = dataset.find("coverage/geographicCoverage/boundingCoordinates")
    assert box is not None
    assert [each.tag[:4] for each in box] == ["west", "east", "nort", "sout"]
    assert [each.text for each in box] == ["141.354", "141.354", "43.0625", "43.0625"]
    assert root.findtext("additionalMetadata/metadata/gbif/hierarchyLevel") == "dataset"


def test_places_are_those_of_the_sessions_or_none(files: zipfile.ZipFile) -> None:
    field, _, plot = records(files, DWC + "Event")
    place = ("decimalLatitude", "decimalLongitude", "geodeticDatum", "locationID", "locality")
    assert [field[DWC + name] for name in place] == [
        "43.0625",
        "141.354",
        "not recorded",
        "session-3",
        "North field",
    ]
    assert [plot[DWC + name] for name in place] == ["", "", "", "session-7", "畑"]
    nowhere = zipfile.ZipFile(io.BytesIO(archive(SURVEYS[2:])))
    assert document(nowhere, "eml.xml").find(".//geographicCoverage") is None


def test_units_become_occurrences_as_the_day_counts_them(files: zipfile.ZipFile) -> None:
    found = [each for each in records(files, DWC + "Occurrence") if each["id"] == SURVEYS[0].id]
    named = sorted((each[DWC + "scientificName"], each[DWC + "taxonRank"]) for each in found)
    assert named == [
        ("Poa annua", "species"),
        ("Poaceae", "family"),
        ("Stellaria media", "species"),
        ("Stellaria media", "species"),
        ("Zea", "genus"),
        ("Zea mays", "species"),
    ]
    by_name = {each[DWC + "scientificName"]: each for each in found}
    assert by_name["Poaceae"][DWC + "genus"] == ""
    assert by_name["Poaceae"][DWC + "family"] == by_name["Zea"][DWC + "family"] == "Poaceae"
    assert by_name["Zea mays"][DWC + "genus"] == "Zea"
    assert {each[DWC + "organismQuantity"] for each in found} == {"1"}
    media = {each[DWC + "associatedMedia"] for each in found}
    assert f"hash://sha256/{1:064x} | hash://sha256/{2:064x}" in media
    assert {f"hash://sha256/{9:064x}", f"hash://sha256/{10:064x}"} < media


def test_counts_of_species_agree_with_the_analysis() -> None:
    """Photos with fingerprints of their own, clustered by the analysis rather than by hand."""
    names = ["Stellaria media", "Zea mays", "Zea mays", "Poa annua"]
    prints = ["f" * 64, "0" * 64, "0" * 63 + "1", "0" * 32 + "f" * 32]
    taken = [
        photo(number, name, fingerprint=print_, cluster_id=None)
        for number, (name, print_) in enumerate(zip(names, prints, strict=True), 1)
    ]
    row, _, memberships = analyse_day(DAY, taken, "seedlings-12", 3)
    clustered = [
        replace(each, cluster_id=member.cluster_id, is_representative=member.is_representative)
        for each, member in zip(taken, memberships, strict=True)
    ]
    units = darwin_core.units(clustered)
    assert len(units) == 3  # the two of maize are one plant
    counted: dict[str, int] = {}
    for unit in units:
        counted[unit.photo.label or ""] = counted.get(unit.photo.label or "", 0) + 1
    assert counted == dict(row.species_counts)


def test_people_and_classifiers_are_told_apart_without_names(files: zipfile.ZipFile) -> None:
    found = {
        each[DWC + "occurrenceID"]: each
        for each in records(files, DWC + "Occurrence")
        if each["id"] == SURVEYS[0].id
    }
    machine, human = (found[f"session-3:sha256:{number:064x}"] for number in (1, 3))
    shown = ("basisOfRecord", "identifiedBy", "identificationVerificationStatus", "dateIdentified")
    assert [machine[DWC + name] for name in shown] == [
        "MachineObservation", "seedlings-12 1.0.0", "unverified", "2025-08-24",
    ]  # fmt: skip
    assert [human[DWC + name] for name in shown] == [
        "HumanObservation",
        "",
        "verified by a person",
        "2025-08-25",
    ]
    assert "Probability 0.500" in machine[DWC + "identificationRemarks"]
    assert (
        "The classifier seedlings-12 1.0.0 thought most of Stellaria media, probability 0.500"
        in human[DWC + "identificationRemarks"]
    )
    genus = next(each for each in found.values() if each[DWC + "taxonRank"] == "genus")
    assert "Probability 0.250" in genus[DWC + "identificationRemarks"]
    family = next(each for each in found.values() if each[DWC + "taxonRank"] == "family")
    assert "Probability 0.375" in family[DWC + "identificationRemarks"]  # maize and meadow grass


def test_what_is_no_occurrence_is_counted_in_the_event(files: zipfile.ZipFile) -> None:
    remarks = records(files, DWC + "Event")[0][DWC + "eventRemarks"]
    assert "2 to genus or family" in remarks
    assert "1 unknown, 1 without a plant, 1 not classified" in remarks


def test_days_without_photos_on_record_give_their_counts(files: zipfile.ZipFile) -> None:
    found = [each for each in records(files, DWC + "Occurrence") if each["id"] == SURVEYS[2].id]
    assert [(each[DWC + "scientificName"], each[DWC + "organismQuantity"]) for each in found] == [
        ("Poa annua", "3"),
        ("Rumex acetosa", "1"),
    ]
    assert {each[DWC + "identifiedBy"] for each in found} == {"earlier"}


def test_effort_is_the_photographs_of_the_day(files: zipfile.ZipFile) -> None:
    efforts = [
        (each[ECO + "samplingEffortValue"], each[ECO + "samplingEffortUnit"])
        for each in records(files, ECO + "Event")
    ]
    assert efforts == [("10", "photographs"), ("1", "photographs"), ("5", "photographs")]
    assert [each[DWC + "sampleSizeValue"] for each in records(files, DWC + "Event")] == ["10", "1", "5"]


def test_nothing_of_the_server_or_of_a_person_is_in_it(files: zipfile.ZipFile) -> None:
    for name in files.namelist():
        assert b"/secret/" not in files.read(name)
        assert b"user_id" not in files.read(name)


def test_another_reader_finds_the_same(reader: Any, files: zipfile.ZipFile) -> None:
    assert reader.descriptor.core.type == DWC + "Event"
    assert reader.descriptor.extensions_type == [ECO + "Event", DWC + "Occurrence"]
    assert reader.metadata.find("dataset/title").text.startswith("Weed survey")
    rows = reader.rows
    assert [row.id for row in rows] == [survey.id for survey in SURVEYS]
    assert [row.data[DWC + "eventDate"] for row in rows] == ["2025-08-24", "2025-08-26", "2025-08-24"]
    occurrences = records(files, DWC + "Occurrence")
    for row in rows:
        efforts = [each for each in row.extensions if each.rowtype == ECO + "Event"]
        assert [each.data[ECO + "samplingEffortUnit"] for each in efforts] == ["photographs"]
        seen = [each.data for each in row.extensions if each.rowtype == DWC + "Occurrence"]
        assert sorted(each[DWC + "occurrenceID"] for each in seen) == sorted(
            each[DWC + "occurrenceID"] for each in occurrences if each["id"] == row.id
        )
    assert reader.orphaned_extension_rows() == {"humboldt.txt": {}, "occurrence.txt": {}}


def test_the_same_data_give_the_same_bytes() -> None:
    assert archive() == archive()
    later = archive(about=replace(ABOUT, exported=datetime(2027, 1, 1, tzinfo=UTC)))
    one, other = (zipfile.ZipFile(io.BytesIO(data)) for data in (archive(), later))
    assert [name for name in one.namelist() if one.read(name) != other.read(name)] == ["eml.xml"]


def test_photos_are_asked_for_day_by_day() -> None:
    asked: list[str] = []

    def photos(each: Survey) -> list[Photo]:
        asked.append(each.id)
        return KNOWN.get(each.id, [])

    entries = dict(Archive(SURVEYS, photos, Models(STARTER_MODEL), ABOUT).entries())
    assert asked == []
    assert b"".join(entries["event.txt"])
    assert asked == []
    assert b"".join(entries["occurrence.txt"])
    assert asked == [survey.id for survey in SURVEYS]


def test_every_version_that_named_photos_of_a_survey_is_told_and_none_is_invented() -> None:
    """The shipped folder holds a model of this name; what it holds today does not tell who named the photos."""
    versions = ("1.0.0", "1.1.0", None)
    photos = [
        photo(number, "Zea mays", cluster_id=number, prediction=replace(said, model_version=version))
        for number, version in enumerate(versions, 1)
        if (said := PHOTOS[0].prediction)
    ]
    all_of_it = survey(NEXT, photos, FIELD)
    for known, expected in (
        (photos, ["seedlings-12 1.0.0", "seedlings-12 1.1.0", "seedlings-12"]),
        ([], ["seedlings-12 | seedlings-12 1.0.0 | seedlings-12 1.1.0"]),  # only the counts of the day
    ):
        made = Archive([all_of_it], lambda _, known=known: known, Models(STARTER_MODEL), ABOUT)  # type: ignore[misc]
        with zipfile.ZipFile(io.BytesIO(b"".join(zip_chunks(made.entries())))) as found:
            assert [each[DWC + "identifiedBy"] for each in records(found, DWC + "Occurrence")] == expected
            (effort,) = records(found, ECO + "Event")
            assert effort[DWC + "identifiedBy"] == "seedlings-12 | seedlings-12 1.0.0 | seedlings-12 1.1.0"


def test_a_model_whose_folder_is_gone_keeps_the_version_on_record_and_no_more(tmp_path: Path) -> None:
    assert Models(tmp_path).info("seedlings-12", "1.0.0") == ModelInfo("seedlings-12", "1.0.0")
    assert Models(tmp_path).info("seedlings-12", None) == ModelInfo("seedlings-12")
    assert Models(tmp_path).family("Stellaria") == "Caryophyllaceae"  # by the table of names
    assert Models(tmp_path).family("Nothingia") == ""


@pytest.mark.parametrize("told", ["x", None, [], {}, 1.5])
def test_what_a_file_tells_of_its_units_in_other_words_is_left_out(told: object) -> None:
    """The archive is sent while it is made: a failure would leave half of one."""
    processing = ProcessingRow(
        date(2025, 8, 24), processing_metadata={"unsure_labels": {"unknown": told}, "counted": told}
    )
    odd = Survey(DayRow(date(2025, 8, 24), total_images=3, species_counts={"Zea mays": 3}), processing)
    with zipfile.ZipFile(io.BytesIO(archive([odd]))) as found:
        assert "Units:" not in found.read("event.txt").decode()
