"""The two XML files of a Darwin Core Archive: what its columns are (meta.xml), and what the data are (eml.xml)."""

from __future__ import annotations

import uuid
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from lib.definitions import PRODUCT
from lib.outputs.csvw import Provenance

DWC = "http://rs.tdwg.org/dwc/terms/"
ECO = "http://rs.tdwg.org/eco/terms/"
# The Darwin Core text guide (TDWG 2009) names the columns of text files; the GBIF profile describes data sets.
TEXT = "http://rs.tdwg.org/dwc/text/"
EML = "https://eml.ecoinformatics.org/eml-2.2.0"
PROFILE = "https://rs.gbif.org/schema/eml-gbif-profile/1.3/eml.xsd"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"
_XML = "http://www.w3.org/XML/1998/namespace"
ID = 0  # the column of every file that holds the event's identifier
OWNER = "Owner of the data"  # a position rather than a name: who that is, the owner says when publishing
RIGHTS = (
    "No licence has been given yet: the owner decides about it before the data are published. The GBIF network "
    "takes CC0 1.0, CC BY 4.0 and CC BY-NC 4.0."
)


@dataclass(frozen=True, slots=True)
class DataFile:
    """A text file of the archive: its name, what a row of it is, and the term of each column."""

    name: str
    row_type: str
    terms: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Dataset:
    """What eml.xml says of the data; `places` are latitude and longitude as the owner gave them."""

    about: Provenance
    first: date
    last: date
    surveys: int
    photographs: int
    places: Sequence[tuple[float, float]]
    methods: Sequence[str]


def meta(core: DataFile, extensions: Sequence[DataFile]) -> bytes:
    """meta.xml: files, columns and how they are written, by the Darwin Core text guide."""
    ET.register_namespace("", TEXT)
    root = ET.Element(_in(TEXT, "archive"), {"metadata": "eml.xml"})
    for tag, link, file in [("core", "id", core), *(("extension", "coreid", each) for each in extensions)]:
        element = ET.SubElement(
            root,
            _in(TEXT, tag),
            {
                "encoding": "UTF-8",
                "fieldsTerminatedBy": "\\t",
                "linesTerminatedBy": "\\n",
                "fieldsEnclosedBy": "",
                "ignoreHeaderLines": "1",
                "rowType": file.row_type,
            },
        )
        files = ET.SubElement(element, _in(TEXT, "files"))
        ET.SubElement(files, _in(TEXT, "location")).text = file.name
        ET.SubElement(element, _in(TEXT, link), {"index": str(ID)})
        for index, term in enumerate(file.terms):
            # The identifier of the event is a column of the core; in the others it is only the link to it.
            if tag == "core" or index != ID:
                ET.SubElement(element, _in(TEXT, "field"), {"index": str(index), "term": term})
    return _written(root)


def eml(dataset: Dataset) -> bytes:
    """eml.xml: the data set described by the GBIF profile of the Ecological Metadata Language 2.2."""
    about = dataset.about.as_json()
    title = f"Weed survey by photographs, {dataset.first} to {dataset.last}"
    exported = dataset.about.exported
    package = uuid.uuid5(uuid.NAMESPACE_URL, f"{title} {exported.isoformat()}")
    ET.register_namespace("eml", EML)
    ET.register_namespace("xsi", _XSI)
    root = ET.Element(
        _in(EML, "eml"),
        {
            _in(_XSI, "schemaLocation"): f"{EML} {PROFILE}",
            "packageId": f"urn:uuid:{package}",
            "system": "https://gbif.org",
            "scope": "system",
            _in(_XML, "lang"): "eng",
        },
    )
    data = ET.SubElement(root, "dataset")
    _add(data, "title", title)
    for tag in ("creator", "metadataProvider"):
        _add(ET.SubElement(data, tag), "positionName", OWNER)
    _add(data, "pubDate", exported.date().isoformat())
    _add(data, "language", "eng")
    models = ", ".join(f"{each['name']} {each['version'] or ''}".strip() for each in about["models"])
    _paragraphs(
        ET.SubElement(data, "abstract"),
        f"{dataset.surveys} surveys of one day each, {dataset.photographs} photographs. An event is a day of a "
        "session (a field, a plot, a campaign). An occurrence is a photographed plant.",
        f"Made by {PRODUCT} {about['product_version']}, analysis {about['analysis_version']}, "
        f"classifiers: {models or 'none'}.",
    )
    words = ET.SubElement(data, "keywordSet")
    for word in ("Samplingevent", "weeds", "agriculture", "photographs"):
        _add(words, "keyword", word)
    _add(words, "keywordThesaurus", "none")
    _paragraphs(ET.SubElement(data, "intellectualRights"), RIGHTS)
    _coverage(ET.SubElement(data, "coverage"), dataset)
    _add(ET.SubElement(data, "contact"), "positionName", OWNER)
    methods = ET.SubElement(data, "methods")
    for text in dataset.methods:
        step = ET.SubElement(methods, "methodStep")
        _paragraphs(ET.SubElement(step, "description"), text)
    more = ET.SubElement(ET.SubElement(ET.SubElement(root, "additionalMetadata"), "metadata"), "gbif")
    _add(more, "dateStamp", exported.isoformat())
    _add(more, "hierarchyLevel", "dataset")
    return _written(root)


def _coverage(coverage: ET.Element, dataset: Dataset) -> None:
    if dataset.places:
        place = ET.SubElement(coverage, "geographicCoverage")
        _add(place, "geographicDescription", "The places that the owner gave to the sessions.")
        box = ET.SubElement(place, "boundingCoordinates")
        latitudes, longitudes = zip(*dataset.places, strict=True)
        for tag, value in (
            ("westBoundingCoordinate", min(longitudes)),
            ("eastBoundingCoordinate", max(longitudes)),
            ("northBoundingCoordinate", max(latitudes)),
            ("southBoundingCoordinate", min(latitudes)),
        ):
            _add(box, tag, str(value))
    time = ET.SubElement(ET.SubElement(coverage, "temporalCoverage"), "rangeOfDates")
    for tag, day in (("beginDate", dataset.first), ("endDate", dataset.last)):
        _add(ET.SubElement(time, tag), "calendarDate", day.isoformat())
    taxa = ET.SubElement(coverage, "taxonomicCoverage")
    _add(taxa, "generalTaxonomicCoverage", "Plants of fields, as far as the classifier knows them.")
    taxon = ET.SubElement(taxa, "taxonomicClassification")
    _add(taxon, "taxonRankName", "kingdom")
    _add(taxon, "taxonRankValue", "Plantae")


def _paragraphs(parent: ET.Element, *texts: str) -> None:
    for text in texts:
        _add(parent, "para", text)


def _add(parent: ET.Element, tag: str, text: str) -> None:
    ET.SubElement(parent, tag).text = text


def _in(namespace: str, tag: str) -> str:
    return f"{{{namespace}}}{tag}"


def _written(root: ET.Element) -> bytes:
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'.encode()
