"""scripts/evaluate_model.py as a person runs it: on folders of seedlings, on a database, one model by another."""

from __future__ import annotations

import hashlib
import json
import math
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from lib import classifier, keys
from lib.classifier.model import Classifier
from lib.config import STARTER_MODEL
from lib.intake import Incoming, Intake
from lib.photos.folder_storage import FolderPhotos
from lib.recognition import Recogniser
from lib.store.database import DatabaseStore
from scripts import evaluate_model
from scripts.evaluation import cases, judging, words
from scripts.evaluation.asking import Run, ask
from scripts.evaluation.cases import of_folder, spread
from tests.functions.conftest import numbers
from tests.scripts.conftest import Run as RunScript

EACH = 3  # photos of a species
VERSION = json.loads((STARTER_MODEL / "model.json").read_text(encoding="utf-8"))["version"]


@pytest.fixture(autouse=True)
def _model_leaves() -> Iterator[None]:
    yield
    classifier.unload()


@pytest.fixture
def run(run_main: Callable[..., RunScript]) -> RunScript:
    return run_main(evaluate_model.main)


@pytest.fixture(scope="session")
def seedlings(photos_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three photos of each of the twelve species, as far apart in their folders as they get."""
    root = tmp_path_factory.mktemp("seedlings")
    for folder in sorted(path for path in photos_dir.iterdir() if path.is_dir()):
        files = sorted(folder.glob("*.jpg"))
        (root / folder.name).mkdir()
        for file in files[:: len(files) // EACH][:EACH]:
            shutil.copy(file, root / folder.name / file.name)
    return root


@pytest.fixture(scope="session")
def starter_run(seedlings: Path) -> Run:
    return ask(STARTER_MODEL, of_folder(seedlings))


@pytest.fixture
def swapped(tmp_path: Path) -> Path:
    """The starter model with two names exchanged: another model that gives the same answers."""
    folder = Path(shutil.copytree(STARTER_MODEL, tmp_path / "swapped"))
    text = (folder / "labels.csv").read_text(encoding="utf-8")
    for name, other in (("Zea mays", "?"), ("Stellaria media", "Zea mays"), ("?", "Stellaria media")):
        text = text.replace(f",{name},", f",{other},")
    (folder / "labels.csv").write_text(text, encoding="utf-8")
    card = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    card["name"] = "swapped"
    card["sha256"]["labels.csv"] = hashlib.sha256((folder / "labels.csv").read_bytes()).hexdigest()
    (folder / "model.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def picture(seed: int) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    out = BytesIO()
    Image.fromarray(noise).resize((200, 200), Image.Resampling.NEAREST).save(out, "JPEG", quality=90)
    return out.getvalue()


def report_of(out: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found


def test_a_labelled_folder_is_judged_and_told_in_words_and_json(
    run: RunScript, seedlings: Path, tmp_path: Path
) -> None:
    code, out, err = run(str(STARTER_MODEL), "--photos", str(seedlings), "--json", str(tmp_path / "out.json"))
    assert (code, err) == (0, "")
    found = report_of(out)
    assert json.loads((tmp_path / "out.json").read_text(encoding="utf-8")) == found
    assert (found["photos"], found["asked"], found["unreadable"], found["interrupted"]) == (36, 36, 0, False)
    assert found["plants"] == found["figures"]["top_1"]["n"] == 36
    assert found["figures"]["top_1"]["value"] > 0.8
    assert len(found["figures"]["recall"]) == 12
    assert found["latency"]["n"] == 36
    assert found["temperature"]["plants"] == 36
    assert found["temperature"]["refitted"] > 0
    assert found["memory"]["peak"] >= found["memory"]["resident"] > 0
    assert out.startswith(f"seedlings-12 {VERSION}, 12 species\n36 plants on 36 photos\n")
    for said in (
        "top-1",
        "top-3",
        "Calibration",
        "Risk–coverage",
        "Temperature",
        "Time for a photo",
        "Memory",
    ):
        assert said in out
    assert all(math.isfinite(number) for number in numbers(found))


def test_it_answers_as_the_server_does(seedlings: Path, starter_run: Run) -> None:
    model = Classifier(STARTER_MODEL)
    for said in starter_run.said[:6]:
        with Image.open(seedlings / said.case.name) as image:
            served = model.classify(image)
        assert (said.answer.label, said.answer.label_level) == (served.label, served.label_level)
        assert [name for name, _ in said.answer.named] == [each.species for each in served.predictions]
        assert [sure for _, sure in said.answer.named] == pytest.approx(
            [each.confidence for each in served.predictions]
        )
        assert said.in_domain == pytest.approx(served.in_domain)


def test_near_duplicates_and_copies_count_once(run: RunScript, seedlings: Path, tmp_path: Path) -> None:
    tree = Path(shutil.copytree(seedlings, tmp_path / "tree"))
    photo = next((tree / "Zea_mays").glob("*.jpg"))
    shutil.copy(photo, photo.with_name("copy.jpg"))
    with Image.open(photo) as image:
        image.save(photo.with_name("again.jpg"), quality=50)
    code, out, _ = run(str(STARTER_MODEL), "--photos", str(tree))
    assert code == 0
    assert (report_of(out)["photos"], report_of(out)["plants"]) == (38, 36)


def test_what_the_model_cannot_know_is_counted_apart(run: RunScript, tmp_path: Path) -> None:
    for folder, seed in (("Lamium_purpureum", 1), ("other", 2), ("Rumex", 3), ("Poaceae", 4), ("unknown", 5)):
        (tmp_path / "tree" / folder).mkdir(parents=True)
        (tmp_path / "tree" / folder / "a.jpg").write_bytes(picture(seed))
    code, out, _ = run(str(STARTER_MODEL), "--photos", str(tmp_path / "tree"))
    figures = report_of(out)["figures"]
    assert code == 0
    assert (figures["outside"]["n"], figures["not_plants"]["n"]) == (1, 1)
    assert (figures["coarse"]["n"], figures["undecided"], figures["top_1"]["n"]) == (2, 1, 0)
    assert report_of(out)["temperature"] == {
        "plants": 0, "folder": pytest.approx(0.7977, abs=1e-3), "refitted": None,
        "calibration_error": {"none": None, "folder": None, "refitted": None},
    }  # fmt: skip
    assert "Species it has not" in out
    assert "No plants" in out


def test_a_region_holds_the_model_to_its_species(run: RunScript, seedlings: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("Zea mays\nStellaria media\n", encoding="utf-8")
    code, out, _ = run(str(STARTER_MODEL), "--photos", str(seedlings), "--region", str(tmp_path / "list.txt"))
    found = report_of(out)
    assert (code, found["possible_classes"]) == (0, 2)
    assert {each["named"] for each in found["figures"]["confusions"]} <= {"Zea mays", "Stellaria media"}
    assert found["temperature"]["plants"] == 2 * EACH
    assert found["figures"]["masked"] == 36
    assert "held to 2 of a region" in out


def test_a_limit_is_spread_over_all_species(run: RunScript, seedlings: Path) -> None:
    code, out, _ = run(str(STARTER_MODEL), "--photos", str(seedlings), "--limit", "12")
    assert (code, report_of(out)["photos"]) == (0, 12)
    assert len(report_of(out)["figures"]["recall"]) == 12


@pytest.mark.parametrize(("count", "limit"), [(10, 3), (10, 10), (10, 20), (3, 1), (7, 6)])
def test_spread_takes_as_many_as_are_wanted_and_none_twice(count: int, limit: int) -> None:
    everything: list[Any] = list(range(count))
    chosen = spread(everything, limit)
    assert len(chosen) == min(count, limit)
    assert chosen == sorted(set(chosen))
    assert spread(everything, None) == everything


def test_a_second_model_is_compared_on_the_same_photos(
    run: RunScript, seedlings: Path, swapped: Path
) -> None:
    code, out, _ = run(str(STARTER_MODEL), "--photos", str(seedlings), "--compare", str(swapped))
    assert code == 0
    found = report_of(out)
    first, second = (each["figures"]["top_1"] for each in (found, found["compared_with"]))
    pair = found["comparison"]["likeliest"]
    assert pair["n"] == found["comparison"]["plants"] == 36
    assert (pair["a"], pair["b"]) == (first["value"], second["value"])
    assert pair["only_b"] == 0
    assert pair["only_a"] == round(36 * (first["value"] - second["value"])) == 2 * EACH
    assert pair["p"] == pytest.approx(2 * 0.5 ** pair["only_a"])
    assert pair["high"] < 0
    lost = {each["species"]: each["only_a"] for each in found["comparison"]["species"]}
    assert sum(lost.values()) == pair["only_a"]
    assert set(lost) == {"Zea mays", "Stellaria media"}
    assert f"swapped {VERSION} against seedlings-12 {VERSION}, on the same 36 plants" in out


def test_a_model_compared_with_itself_differs_nowhere(starter_run: Run) -> None:
    found = judging.comparison(starter_run, starter_run)
    assert (found["likeliest"]["only_a"], found["likeliest"]["only_b"], found["likeliest"]["p"]) == (
        0,
        0,
        1.0,
    )
    assert found["species"] == []


def test_the_refitted_temperature_makes_up_for_a_wrong_one(starter_run: Run) -> None:
    """Logits eight times too large are far too sure; the fit finds that they are."""
    said = [replace(each, logits=8 * each.logits) for each in starter_run.said]
    plain, wild = (judging.temperature_of(starter_run, answers) for answers in (list(starter_run.said), said))
    assert wild["refitted"] == pytest.approx(8 * plain["refitted"], rel=0.05)
    assert wild["calibration_error"]["refitted"] == pytest.approx(
        plain["calibration_error"]["refitted"], abs=1e-3
    )


def test_the_refitted_temperature_is_judged_by_plants_it_was_not_fitted_on(starter_run: Run) -> None:
    """Every second plant is always right, the others half the time: what fits the one half misjudges the other."""
    zea = next(number for number, taxon in enumerate(starter_run.labels) if taxon.species == "Zea mays")
    logits = np.full(len(starter_run.labels), -50.0, np.float32)
    logits[zea], logits[(zea + 1) % 12] = 1.0, 0.0
    other = starter_run.labels[(zea + 1) % 12].species
    truths = ["Zea mays", "Zea mays", "Zea mays", other] * 10
    said = [
        replace(
            starter_run.said[0],
            logits=logits,
            case=replace(starter_run.said[0].case, truth=truth, level="species"),
        )
        for truth in truths
    ]
    error = judging.temperature_of(starter_run, said)["calibration_error"]["refitted"]
    assert error > 0.4  # each half by its own temperature would be calibrated to a hundredth


def test_an_interruption_gives_the_report_so_far(
    run: RunScript, seedlings: Path, swapped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    answer = Classifier._run

    def until_stopped(self: Classifier, *arguments: Any) -> Any:
        asked.append(1)
        if len(asked) > 5:
            raise KeyboardInterrupt
        return answer(self, *arguments)

    monkeypatch.setattr(Classifier, "_run", until_stopped)
    code, out, err = run(str(STARTER_MODEL), "--photos", str(seedlings), "--compare", str(swapped))
    found = report_of(out)
    assert code == 130
    assert (found["interrupted"], found["asked"], found["photos"]) == (True, 5, 36)
    assert "comparison" not in found
    assert "only 5 of 36 photos were looked at" in out
    assert "Stopped" in err


def test_photos_that_cannot_be_read_are_named_and_make_it_3(run: RunScript, tmp_path: Path) -> None:
    folder = tmp_path / "tree" / "Zea_mays"
    folder.mkdir(parents=True)
    (folder / "good.jpg").write_bytes(picture(1))
    (folder / "notes.jpg").write_text("rain all day")
    (folder / "plan.txt").write_text("no photo")
    code, out, err = run(str(STARTER_MODEL), "--photos", str(folder.parent))
    assert (code, report_of(out)["unreadable"], report_of(out)["asked"]) == (3, 1, 2)
    assert "left out Zea_mays/notes.jpg: " in err
    (folder / "good.jpg").unlink()
    code, _, err = run(str(STARTER_MODEL), "--photos", str(folder.parent))
    assert code == 1
    assert "None of the photos could be read." in err


@pytest.fixture
def confirmed(tmp_path: Path, seedlings: Path, sqlite_url: str) -> tuple[str, Path]:
    """A database and its photos: five uploads, of which a person named four; two of these show one plant."""
    store, files = DatabaseStore(sqlite_url), FolderPhotos(tmp_path / "data")
    with store.connection():
        user = store.create_user("hana", "hana@example.org", keys.digest("hana"), "hana1234", ["read"])
        mine = store.for_user(user.id)
        session = mine.create_session("Field", timezone="Asia/Tokyo", latitude=43.0, longitude=141.3)
        photos = [
            next(iter(sorted((seedlings / name).iterdir()))) for name in ("Zea_mays", "Stellaria_media")
        ]
        with Image.open(photos[0]) as image:
            again = BytesIO()
            image.save(again, "JPEG", quality=60)
        sent = [photos[0].read_bytes(), photos[1].read_bytes(), again.getvalue(), picture(1), picture(2)]
        incoming = [Incoming(f"{number}.jpg", BytesIO(data)) for number, data in enumerate(sent)]
        receipt = Intake(mine, files, Recogniser(STARTER_MODEL)).receive(
            session, None, incoming, "Asia/Tokyo"
        )
        labels = ["Zea mays", "Stellaria media", "Zea mays", "not_a_plant"]
        for outcome, label in zip(receipt.outcomes, labels, strict=False):
            assert outcome.photo is not None
            level = label if label == "not_a_plant" else "species"
            mine.label_photo(outcome.photo.id, label, level, datetime.now(UTC))
    store.close()
    return sqlite_url, tmp_path / "data"


def test_the_confirmed_photos_of_a_database_are_judged(run: RunScript, confirmed: tuple[str, Path]) -> None:
    url, data = confirmed
    code, out, err = run(str(STARTER_MODEL), DATABASE_URL=url, DATA_DIR=str(data))
    assert (code, err) == (0, "")
    found = report_of(out)
    assert (found["photos"], found["plants"]) == (3, 3)  # near-duplicates are one plant
    assert (found["figures"]["top_1"]["n"], found["figures"]["not_plants"]["n"]) == (2, 1)
    assert {each["species"] for each in found["figures"]["recall"]} == {"Zea mays", "Stellaria media"}


def test_the_places_of_sessions_come_with_their_photos(confirmed: tuple[str, Path]) -> None:
    url, data = confirmed
    store = DatabaseStore(url)
    with store.connection():
        user = store.sole_user()
        assert user is not None
        found = cases.of_database(store.for_user(user.id), FolderPhotos(data))
    store.close()
    assert {each.place for each in found} == {(43.0, 141.3)}


def test_a_file_that_is_missing_is_left_out(run: RunScript, confirmed: tuple[str, Path]) -> None:
    url, data = confirmed
    shutil.rmtree(data)
    code, _, err = run(str(STARTER_MODEL), DATABASE_URL=url, DATA_DIR=str(data))
    assert code == 1
    assert "left out photo 1 of " in err


def test_a_user_without_confirmed_photos_is_told_so(run: RunScript, sqlite_url: str) -> None:
    store = DatabaseStore(sqlite_url)
    with store.connection():
        for name in ("hana", "taro"):
            store.create_user(name, f"{name}@example.org", keys.digest(name), "12345678", ["read"])
    store.close()
    code, _, err = run(str(STARTER_MODEL), "--username", "hana", DATABASE_URL=sqlite_url)
    assert (code, err) == (1, "Nobody has confirmed or corrected the name of a photo yet.\n")
    code, _, err = run(str(STARTER_MODEL), DATABASE_URL=sqlite_url)
    assert code == 2
    assert "--username" in err
    code, _, err = run(str(STARTER_MODEL), "--username", "jiro", DATABASE_URL=sqlite_url)
    assert code == 2
    assert "no user 'jiro'" in err


def test_without_a_database_the_photos_must_be_named(run: RunScript) -> None:
    code, _, err = run(str(STARTER_MODEL))
    assert code == 2
    assert "--photos DIR" in err


def test_a_database_that_is_not_there_is_1(run: RunScript, tmp_path: Path) -> None:
    code, _, err = run(str(STARTER_MODEL), DATABASE_URL=f"sqlite:///{tmp_path}/none.db")
    assert code == 1
    assert "migrated" in err


def test_wrong_arguments_are_told_apart(run: RunScript, seedlings: Path, tmp_path: Path) -> None:
    code, _, err = run(str(STARTER_MODEL), "--photos", str(tmp_path / "none"))
    assert code == 1
    assert "holds no photos in folders by species" in err
    code, _, err = run(str(tmp_path / "none"), "--photos", str(seedlings))
    assert code == 1
    assert err.startswith("No model: ")
    code, _, err = run(str(STARTER_MODEL), "--photos", str(seedlings), "--region", "atlantis")
    assert code == 2
    assert err.startswith("--region: ")
    (tmp_path / "list.txt").write_text("Lamium purpureum\n", encoding="utf-8")
    code, _, err = run(str(STARTER_MODEL), "--photos", str(seedlings), "--region", str(tmp_path / "list.txt"))
    assert (code, err) == (2, "--region: the list names no species that seedlings-12 knows.\n")
    with pytest.raises(SystemExit, match="2"):
        run(str(STARTER_MODEL), "--limit", "0")


def test_a_bar_is_shown_on_a_terminal_only(
    run: RunScript, seedlings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    _, _, err = run(str(STARTER_MODEL), "--photos", str(seedlings), "--limit", "2")
    assert "2/2" in err


def test_the_words_leave_out_what_there_is_nothing_to_say_about() -> None:
    assert words.interval({"value": None, "low": 0.0, "high": 1.0, "n": 0}) == "– of 0"
    assert (
        words.interval({"value": 0.932, "low": 0.909, "high": 0.95, "n": 606})
        == "93.2 % (90.9 to 95.0) of 606"
    )
