"""Which list and which place go to the model with a photo, and what the answer says of them."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib import classifier, recognition
from lib.classifier.model import Classifier
from lib.config import STARTER_MODEL
from lib.problems import Problem
from lib.recognition import Recogniser, known_to_model, refuse_strangers, site_list, stamp
from lib.regions import Region, region_of
from lib.store.records import Session
from tests.lib.classifier.lines import occupied

CLEAVERS, FAT_HEN, CHICKWEED = "Galium aparine", "Chenopodium album", "Stellaria media"
WHEAT = region_of(["Triticum aestivum", "Zea mays"], "crops")
PHOTO = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)).resize(
    (256, 256)
)


@pytest.fixture(autouse=True)
def _no_model_left() -> Iterator[None]:
    yield
    classifier.unload()


def session(**changes: Any) -> Session:
    values: dict[str, Any] = {
        "id": 1, "user_id": 1, "session_name": "x", "description": "", "start_date": None, "end_date": None,
        "timezone": "Asia/Tokyo", "latitude": None, "longitude": None,
        "created_at": datetime(2025, 8, 24, tzinfo=UTC),
    }  # fmt: skip
    return Session(**(values | changes))


def test_without_a_list_everything_is_possible() -> None:
    found = Recogniser(STARTER_MODEL).classify(PHOTO)
    assert (found.masked, found.region, found.classes, found.prior_mass) == (False, None, 12, 1.0)
    assert len(found.predictions) == 5


def test_the_sites_list_holds_for_photos_of_no_session_and_of_sessions_without_one() -> None:
    for which in (None, session()):
        found = Recogniser(STARTER_MODEL, WHEAT).classify(PHOTO, which)
        assert {each.species for each in found.predictions} == {"Triticum aestivum", "Zea mays"}
        assert (found.masked, found.classes, found.region) == (True, 2, stamp(WHEAT))
        assert 0 < found.prior_mass < 1


@pytest.mark.parametrize(
    ("chosen", "possible"),
    [
        ("none", 12),
        ((CLEAVERS, FAT_HEN, "chenopodium_album"), 2),
        (("Matricaria inodora", CLEAVERS), 2),  # a synonym of a plant that the model knows
    ],
)
def test_a_sessions_own_choice_goes_before_the_sites_list(
    chosen: str | tuple[str, ...], possible: int
) -> None:
    found = Recogniser(STARTER_MODEL, WHEAT).classify(PHOTO, session(region_species=chosen))
    assert (found.classes, found.masked) == (possible, possible < 12)
    assert (found.region or "").partition("@")[0] == ("session" if found.masked else "")


def test_a_list_that_comes_along_is_named_by_a_session() -> None:
    recogniser = Recogniser(STARTER_MODEL)
    region = recogniser.region_of(session(region_species="hokkaido"))
    assert region is not None
    assert region.name == "hokkaido"
    assert CHICKWEED in region.species
    found = recogniser.classify(PHOTO, session(region_species="hokkaido"))
    assert found.region == stamp(region)
    assert found.masked
    assert 0 < (found.classes or 0) <= 12


def test_a_list_that_is_gone_leaves_the_sites_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        assert Recogniser(STARTER_MODEL, WHEAT).region_of(session(region_species="atlantis")) is WHEAT
    assert "atlantis" in caplog.text


def test_a_list_of_strangers_makes_everything_unknown_and_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    recogniser = Recogniser(STARTER_MODEL, region_of(["Nobody knows"], "strangers"))
    with caplog.at_level(logging.WARNING):
        said = [recogniser.classify(PHOTO), recogniser.in_background().classify(PHOTO)]
    for found in said:
        assert (found.label, found.label_level, found.predictions, found.classes) == (
            "unknown",
            "unknown",
            [],
            0,
        )
        assert found.masked
    assert [record.getMessage() for record in caplog.records if "strangers@" in record.getMessage()] == [
        f"region {stamp(recogniser.region)}: {recognition.STRANGERS}"  # type: ignore[arg-type]
    ]


def test_a_sessions_place_goes_to_the_model(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    classify = Classifier.classify

    def noted(self: Classifier, image: Image.Image, species: Any, place: Any) -> Any:
        asked.append(place)
        return classify(self, image, species, place)

    monkeypatch.setattr(Classifier, "classify", noted)
    recogniser = Recogniser(STARTER_MODEL)
    for which in (
        None,
        session(),
        session(latitude=43.06, longitude=141.35),
        session(latitude=0.0, longitude=0.0),
    ):
        recogniser.classify(PHOTO, which)
    assert asked == [None, None, (43.06, 141.35), (0.0, 0.0)]


def test_a_stamp_tells_lists_apart_by_name_and_content() -> None:
    same = stamp(Region("crops", frozenset(sorted(WHEAT.species, reverse=True))))
    assert same == stamp(WHEAT)
    assert same.startswith("crops@")
    others = {stamp(region_of(["Zea mays"], "crops")), stamp(region_of(WHEAT.species, "other"))}
    assert len({same, *others}) == 3


def test_a_stamp_is_text_that_fits_whatever_the_file_is_called() -> None:
    made = stamp(region_of(["Zea mays"], "\udcff" + "x" * 300))
    assert len(made) <= 100
    made.encode()


def test_it_tells_what_of_a_list_the_model_knows() -> None:
    region = region_of(["stellaria_media", CLEAVERS, "Nobody knows", "Bellis perennis"], "mine")
    found = known_to_model(region, STARTER_MODEL)
    assert (found.name, found.species, found.known) == ("mine", 4, 2)
    assert found.unknown == ("Bellis perennis", "Nobody knows")
    with pytest.raises(classifier.ModelUnavailable):
        known_to_model(region, STARTER_MODEL / "nowhere")


def test_it_tells_what_the_site_s_list_comes_to() -> None:
    mine = region_of([CLEAVERS, "Nobody knows"], "mine")
    found = site_list(mine, STARTER_MODEL)
    assert (found.name, found.species, found.known, found.unknown) == ("mine", 2, 1, ("Nobody knows",))
    assert found.warning is None
    assert site_list(region_of(["Nobody knows"], "odd"), STARTER_MODEL).warning == recognition.STRANGERS
    without = site_list(mine, STARTER_MODEL / "nowhere")
    assert (without.species, without.known, without.unknown, without.warning) == (2, None, None, None)


def test_what_the_model_knows_follows_its_labels(tmp_path: Path) -> None:
    shutil.copy(STARTER_MODEL / "labels.csv", tmp_path)
    region = region_of(["Bellis perennis", CLEAVERS], "mine")
    assert known_to_model(region, tmp_path).known == 1
    text = (tmp_path / "labels.csv").read_text("utf-8")
    (tmp_path / "labels.csv").write_text(text.replace("Zea mays", "Bellis perennis"), "utf-8")
    assert known_to_model(region, tmp_path).known == 2


def test_a_sessions_list_of_strangers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem) as refused:
        refuse_strangers(["Nobody knows"], STARTER_MODEL)
    assert refused.value.status == 422
    assert refused.value.errors[0]["field"] == "region_species"
    for fine in (None, "none", "hokkaido", ["Nobody knows", CLEAVERS], ["Nobody knows", "weeds"]):
        refuse_strangers(fine, STARTER_MODEL)
    refuse_strangers(["Nobody knows"], tmp_path)  # without a model nobody can say


def test_what_works_in_the_background_goes_behind_people(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both stand in the line while somebody is inside; the backlog came first."""
    line, order = classifier.RESIDENT.line, list[str]()
    recogniser = Recogniser(STARTER_MODEL)
    recogniser.classify(PHOTO)
    real = Classifier.classify

    def noted(self: Classifier, *given: Any, **named: Any) -> classifier.Classification:
        order.append(threading.current_thread().name)
        return real(self, *given, **named)

    monkeypatch.setattr(Classifier, "classify", noted)
    threads = []
    with occupied(line):
        for who, asking in (("backlog", recogniser.in_background()), ("person", recogniser)):
            stands = threading.Event()
            # `abandoned` is asked by the line itself: False, and it stands.
            options = {"abandoned": lambda stands=stands: stands.set() is not None}
            threads.append(threading.Thread(name=who, target=asking.classify, args=(PHOTO,), kwargs=options))
            threads[-1].start()
            stands.wait()
    for thread in threads:
        thread.join()
    assert order == ["person", "backlog"]


def test_a_photo_of_nobody_is_not_asked_about() -> None:
    done = classifier.RESIDENT.line.done
    with pytest.raises(classifier.Abandoned):
        Recogniser(STARTER_MODEL).classify(PHOTO, abandoned=lambda: True)
    assert classifier.RESIDENT.line.done == done
    assert classifier.loaded() is None  # nor is a model loaded
