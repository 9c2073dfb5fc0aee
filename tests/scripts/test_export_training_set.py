"""scripts/export_training_set.py on photos that went through real uploads and were named by a person."""

from __future__ import annotations

import csv
import hashlib
import json
import random
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from functions import create_app
from lib import config, keys, training_set
from lib.photos.decode import decode
from lib.store.database import DatabaseStore
from scripts import export_training_set

Run = Callable[..., tuple[int, str, str]]
GPS, DETAILS = 0x8825, 0x8769


def picture(
    seed: int, day: str = "2025-06-01", form: str = "JPEG", orientation: int = 1, where: bool = False
) -> bytes:
    """A small photo with its day, and where asked its position and orientation."""
    noise = Image.frombytes("L", (16, 12), random.Random(seed).randbytes(192))
    made = Image.merge("RGB", (noise, noise.rotate(180), noise)).resize((320, 240), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif.get_ifd(DETAILS)[0x9003] = f"{day.replace('-', ':')} 10:00:00"
    if orientation != 1:
        exif[0x0112] = orientation
    if where:
        exif.get_ifd(GPS).update({1: "N", 2: (43.0, 3.0, 51.0), 3: "E", 4: (141.0, 21.0, 15.0)})
    out = BytesIO()
    made.save(out, form, exif=exif)
    return out.getvalue()


class Person:
    """Someone who uploads and names photos over HTTP."""

    def __init__(self, url: str, data_dir: Path, name: str = "hana") -> None:
        self.store = DatabaseStore(url)
        secret, digest, prefix = keys.new_key()
        with self.store.connection():
            self.store.create_user(name, f"{name}@example.org", digest, prefix, ("read", "write"))
        environ = {"DATABASE_URL": url, "DATA_DIR": str(data_dir), "SECRET_KEY": "s" * 40}
        self.client = create_app(config.load(environ)).test_client()
        self.headers = {"Authorization": f"Bearer {secret}"}

    def upload(self, data: bytes, label: str | None = None, session: int | None = None) -> dict[str, Any]:
        form: dict[str, Any] = {"files": (BytesIO(data), "photo")} | (
            {"session_id": session} if session else {}
        )
        reply = self.client.post("/api/upload", data=form, headers=self.headers)
        assert reply.status_code == 201, reply.json
        image: dict[str, Any] = reply.json["results"][0]["image"]
        if label is not None:
            self.change(image["id"], label=label)
        return image

    def change(self, photo: int, **body: object) -> None:
        reply = self.client.patch(f"/api/images/{photo}", json=body, headers=self.headers)
        assert reply.status_code == 200, reply.json

    def session(self, name: str) -> int:
        body = {"session_name": name}
        return int(self.client.post("/api/sessions", json=body, headers=self.headers).json["id"])


@pytest.fixture
def hana(sqlite_url: str, tmp_path: Path) -> Person:
    return Person(sqlite_url, tmp_path / "data")


@pytest.fixture
def run(run_main: Callable[..., Run], sqlite_url: str, tmp_path: Path) -> Run:
    """The script on the database and photos of `hana`."""
    of = run_main(export_training_set.main)
    return lambda *given: of(*given, DATABASE_URL=sqlite_url, DATA_DIR=str(tmp_path / "data"))


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_confirmed_photos_go_into_folders_by_species_and_the_rest_is_listed(
    hana: Person, run: Run, tmp_path: Path
) -> None:
    chickweed, hound, genus, unsure, unseen = (picture(i) for i in range(5))
    sent = hana.upload(chickweed, "stellaria media")
    hana.upload(hound, "not a plant")
    hana.upload(genus, "Veronica")
    hana.upload(unsure, "unknown")
    hana.upload(unseen)  # only the model has named it
    code, out, err = run("set")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "added": 2, "unchanged": 0, "removed": 0, "listed_only": 2, "left_out": 0, "species": 1,
    }  # fmt: skip
    folder = tmp_path / "set"
    assert files(folder) == {
        "manifest.csv", f"Stellaria_media/{sha(chickweed)}.jpg", f"other/{sha(hound)}.jpg",
    }  # fmt: skip
    listed = {row["sha256"]: row for row in rows(folder)}
    assert {row["level"] for row in listed.values()} == {"species", "not_a_plant", "genus", "unknown"}
    mine = listed[sha(chickweed)]
    assert (mine["species"], mine["day"], mine["metadata"]) == ("Stellaria media", "2025-06-01", "removed")
    assert (mine["width"], mine["height"]) == ("320", "240")
    assert int(mine["session"]) > 0
    assert sent["sha256"] == mine["sha256"]
    assert (listed[sha(genus)]["file"], listed[sha(genus)]["label"]) == ("", "Veronica")
    assert listed[sha(genus)]["species"] == listed[sha(hound)]["species"] == ""


def test_a_second_run_adds_what_is_new_and_removes_what_was_renamed_or_deleted(
    hana: Person, run: Run, tmp_path: Path
) -> None:
    first, second, third = (picture(i) for i in range(3))
    renamed, deleted = hana.upload(first, "Stellaria media"), hana.upload(second, "Stellaria media")
    assert run("set")[0] == 0
    again = json.loads(run("set")[1])
    assert (again["added"], again["unchanged"], again["removed"]) == (0, 2, 0)
    hana.change(renamed["id"], label="Galium aparine")
    assert hana.client.delete(f"/api/images/{deleted['id']}", headers=hana.headers).status_code == 200
    hana.upload(third, "Zea mays")
    (tmp_path / "set" / "notes").mkdir()
    (tmp_path / "set" / "notes" / "mine.txt").write_text("mine")
    counts = json.loads(run("set")[1])
    assert (counts["added"], counts["unchanged"], counts["removed"]) == (2, 0, 2)
    assert files(tmp_path / "set") == {
        "manifest.csv", "notes/mine.txt", f"Galium_aparine/{sha(first)}.jpg", f"Zea_mays/{sha(third)}.jpg",
    }  # fmt: skip
    assert not (tmp_path / "set" / "Stellaria_media").exists()


def test_copies_hold_the_pixels_and_the_orientation_and_nothing_else(
    hana: Person, run: Run, tmp_path: Path
) -> None:
    data = picture(1, orientation=6, where=True)
    assert Image.open(BytesIO(data)).getexif().get_ifd(GPS)
    hana.upload(data, "Stellaria media")
    assert run("set")[0] == 0
    copied = (tmp_path / "set" / "Stellaria_media" / f"{sha(data)}.jpg").read_bytes()
    exif = Image.open(BytesIO(copied)).getexif()
    assert dict(exif) == {0x0112: 6}
    assert not exif.get_ifd(GPS)
    assert not exif.get_ifd(DETAILS)
    assert (np.asarray(decode(copied).image) == np.asarray(decode(data).image)).all()
    assert b"2025" not in copied


def test_exact_copies_are_the_stored_files_and_can_be_turned_back(
    hana: Person, run: Run, tmp_path: Path
) -> None:
    data, png = picture(1, where=True), picture(2, form="PNG")
    hana.upload(data, "Stellaria media")
    hana.upload(png, "Zea mays")
    assert run("set", "--exact-copies")[0] == 0
    copied = tmp_path / "set" / "Stellaria_media" / f"{sha(data)}.jpg"
    assert copied.read_bytes() == data
    assert copied.stat().st_nlink == 2
    assert (tmp_path / "set" / "Zea_mays" / f"{sha(png)}.png").read_bytes() == png
    assert {row["metadata"] for row in rows(tmp_path / "set")} == {"kept"}
    assert run("set")[0] == 0
    assert not Image.open(copied).getexif().get_ifd(GPS)
    assert files(tmp_path / "set") == {
        "manifest.csv", f"Stellaria_media/{sha(data)}.jpg", f"Zea_mays/{sha(png)}.jpg",
    }  # fmt: skip
    (stored,) = (tmp_path / "data" / "photos").rglob(f"{sha(data)}*.jpg")
    assert stored.read_bytes() == data  # the original behind the link was not written to


def test_other_formats_become_jpeg_of_the_same_picture(hana: Person, run: Run, tmp_path: Path) -> None:
    png = picture(2, form="PNG")
    hana.upload(png, "Zea mays")
    assert run("set")[0] == 0
    copied = Image.open(tmp_path / "set" / "Zea_mays" / f"{sha(png)}.jpg")
    original = np.asarray(Image.open(BytesIO(png)).convert("RGB"), float)
    assert copied.format == "JPEG"
    assert np.abs(np.asarray(copied, float) - original).mean() < 6


def test_a_missing_file_is_told_and_costs_only_its_photo(hana: Person, run: Run, tmp_path: Path) -> None:
    lost, kept, later = picture(1), picture(2), picture(3)
    hana.upload(kept, "Zea mays")
    assert run("set")[0] == 0
    photo = hana.upload(lost, "Stellaria media")
    hana.upload(later, "Stellaria media")
    for data in (lost, kept):
        (stored,) = (tmp_path / "data" / "photos").rglob(f"{sha(data)}*.jpg")
        stored.unlink()
    code, out, err = run("set")
    assert code == 3
    assert err == f"left out: photo {photo['id']} of 2025-06-01: its file is missing\n"
    # What the set holds already needs no original.
    assert files(tmp_path / "set") == {
        "manifest.csv", f"Zea_mays/{sha(kept)}.jpg", f"Stellaria_media/{sha(later)}.jpg",
    }  # fmt: skip
    assert len(rows(tmp_path / "set")) == 2
    assert json.loads(out)["left_out"] == 1


def test_near_copies_share_a_cluster_and_no_other_photos_do(hana: Person, run: Run, tmp_path: Path) -> None:
    plant, other_day = picture(1), picture(9, day="2025-06-02")
    smaller = BytesIO()
    Image.open(BytesIO(plant)).save(smaller, "JPEG", quality=60, exif=Image.open(BytesIO(plant)).getexif())
    for data in (plant, smaller.getvalue(), picture(2), other_day, picture(10, day="2025-06-02")):
        hana.upload(data, "Stellaria media")
    assert run("set")[0] == 0
    clusters = {row["sha256"]: row["cluster"] for row in rows(tmp_path / "set")}
    assert clusters[sha(plant)] == clusters[sha(smaller.getvalue())]
    assert len(set(clusters.values())) == 4


def test_sessions_and_days_narrow_it_and_a_contradiction_between_sessions_is_left_out(
    hana: Person, run: Run, tmp_path: Path
) -> None:
    north, south = hana.session("north"), hana.session("south")
    both, early, late = picture(1), picture(2), picture(3, day="2025-07-01")
    hana.upload(both, "Stellaria media", north)
    hana.upload(both, "Galium aparine", south)
    hana.upload(early, "Zea mays", north)
    hana.upload(late, "Zea mays", south)
    code, _, err = run("all")
    assert code == 3
    assert "Galium aparine and Stellaria media" in err
    assert {row["sha256"] for row in rows(tmp_path / "all")} == {sha(early), sha(late)}
    assert run("north", "--session", str(north))[0] == 0
    assert {row["sha256"] for row in rows(tmp_path / "north")} == {sha(both), sha(early)}
    assert run("july", "--since", "2025-07-01")[0] == 0
    assert {row["sha256"] for row in rows(tmp_path / "july")} == {sha(late)}
    assert run("none", "--session", "999")[0] == 1


def test_it_asks_whose_and_never_takes_from_others(
    hana: Person, run: Run, sqlite_url: str, tmp_path: Path
) -> None:
    data, foreign = picture(1), picture(2)
    hana.upload(data, "Zea mays")
    Person(sqlite_url, tmp_path / "data", "taro").upload(foreign, "Zea mays")
    assert run("set")[0] == 2
    assert "--username" in run("set")[2]
    assert run("set", "--username", "nobody")[0] == 2
    assert not (tmp_path / "set").exists()
    assert run("set", "--username", "hana")[0] == 0
    assert {row["sha256"] for row in rows(tmp_path / "set")} == {sha(data)}


def test_a_folder_that_holds_other_things_is_left_alone(hana: Person, run: Run, tmp_path: Path) -> None:
    hana.upload(picture(1), "Zea mays")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "letter.txt").write_text("mine")
    code, _, err = run("set")
    assert code == 2
    assert "holds other things" in err
    assert files(tmp_path / "set") == {"letter.txt"}
    (tmp_path / "set" / "manifest.csv").write_text("name,price\n")
    code, _, err = run("set")
    assert code == 2
    assert "has no column" in err


def test_an_export_that_was_cut_short_goes_on(
    hana: Person, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos = [picture(i) for i in range(3)]
    for data in photos:
        hana.upload(data, "Zea mays")
    real, written = training_set.write_atomically, []

    def stops(path: Path, data: bytes) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(path)
        real(path, data)

    with monkeypatch.context() as patched:
        patched.setattr(training_set, "write_atomically", stops)
        assert run("set")[0] == 130
    assert rows(tmp_path / "set") == []
    assert run("set")[0] == 0
    assert len(rows(tmp_path / "set")) == 3
    assert len(files(tmp_path / "set")) == 4


def test_without_a_database_or_with_a_broken_manifest_it_says_so(
    run_main: Callable[..., Run], tmp_path: Path
) -> None:
    code, _, err = run_main(export_training_set.main)("set", DATABASE_URL="")
    assert code == 2
    assert "DATABASE_URL" in err
    with pytest.raises(training_set.NotATrainingSet, match="export_training_set"):
        training_set.read_manifest(tmp_path)
    good = ",".join(training_set.COLUMNS) + "\n"
    for bad in ("../x.jpg", "/etc/x.jpg"):
        (tmp_path / "manifest.csv").write_text(
            good + f"{bad},Zea mays,Zea mays,species,2025-06-01,1,1,{'0' * 64},10,10,removed\n"
        )
        with pytest.raises(training_set.NotATrainingSet, match="line 2"):
            training_set.read_manifest(tmp_path)
