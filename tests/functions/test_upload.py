"""POST /api/upload: photos in, species and metrics out, and every refusal with its reason."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import requests
from PIL import Image

from lib import taxa
from tests.functions.conftest import Client, Server


def jpeg(size: tuple[int, int], **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (90, 140, 60)).save(out, "JPEG", **options)
    return out.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
        + chunk(b"IEND", b"")
    )


def animation() -> bytes:
    out = BytesIO()
    frames = [Image.new("RGB", (200, 200), (shade, 0, 0)) for shade in (10, 200)]
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:])
    return out.getvalue()


def archive() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as packed:
        packed.writestr("photo.jpg", "not a photo")
    return out.getvalue()


def stored(server: Server) -> set[Path]:
    return {path for path in (server.data_dir / "photos").rglob("*") if path.is_file()}


def only(reply: requests.Response, status: int = 201) -> dict[str, Any]:
    assert reply.status_code == status, reply.text
    (result,) = reply.json()["results"]
    return dict(result)


class TestTaking:
    def test_it_keeps_the_photo_unchanged_and_says_all_of_it(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        data = photo(1, size=(400, 300))
        reply = user.upload(("Feld 1.jpg", data), date="2025-08-24")
        result = only(reply)
        assert result["status"] == "created"
        assert result["filename"] == "Feld 1.jpg"
        image = result["image"]
        assert (image["width"], image["height"], image["file_size_bytes"]) == (400, 300, len(data))
        assert (image["date"], image["date_source"]) == ("2025-08-24", "form")
        assert image["is_representative"] is True
        assert set(image["quality"]) >= {"blur_score", "exposure_score", "brightness_mean", "contrast_std"}
        assert reply.json()["metrics"]["2025-08-24"]["total_images"] == 1
        assert user.get(f"/api/images/{image['id']}/file").content == data

    @pytest.mark.parametrize(("asked", "name"), [("ja", "コハコベ"), ("de, en;q=0.5", "Common chickweed")])
    def test_it_tells_the_common_name_in_the_language_asked_for(
        self, user: Client, photo: Callable[..., bytes], asked: str, name: str
    ) -> None:
        image = only(user.upload(("a.jpg", photo(2))))["image"]
        user.patch(f"/api/images/{image['id']}", json={"label": "Stellaria media"})
        again = only(user.upload(("a.jpg", photo(2)), headers={"Accept-Language": asked}), 200)
        assert again["common_name"] == name
        user.patch(f"/api/images/{image['id']}", json={"label": "not_a_plant"})
        again = only(user.upload(("a.jpg", photo(2)), headers={"Accept-Language": asked}), 200)
        assert again["common_name"] is None

    def test_it_tells_that_of_the_likeliest_species_too(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        sent = [(f"{seed}.jpg", photo(seed)) for seed in range(4)]
        results = user.upload(*sent, headers={"Accept-Language": "ja"}).json()["results"]
        likeliest = [each["image"]["predictions"][0]["species"] for each in results]
        assert [each["closest_common_name"] for each in results] == [
            taxa.common_name(name, "ja") for name in likeliest
        ]
        assert any(each["closest_common_name"] for each in results)

    @pytest.mark.photos
    def test_it_names_real_plants(self, user: Client, photos_dir: Path) -> None:
        folders = [f for f in sorted(photos_dir.iterdir()) if f.is_dir()]
        sent = [
            (f"{f.name}-{i}.jpg", path.read_bytes())
            for f in folders
            for i, path in enumerate(sorted(f.glob("*.jpg"))[:4])
        ]
        reply = user.upload(*sent, date="2025-06-01")
        assert reply.status_code == 201, reply.text
        body = reply.json()
        assert body["model"]["name"]
        right = 0
        for (name, _), result in zip(sent, body["results"], strict=True):
            image = result["image"]
            assert image["label_source"] == "model"
            assert 1 <= len(image["predictions"]) <= 3
            confidences = [each["confidence"] for each in image["predictions"]]
            assert confidences == sorted(confidences, reverse=True)
            assert 0 < sum(confidences) <= 1.000001
            species = (
                name.split("-0")[0].rsplit("-", 1)[0] if name.count("-") == 1 else name.rsplit("-", 1)[0]
            )
            right += image["predictions"][0]["species"].replace(" ", "_") == species
        assert right >= 0.8 * len(sent)
        metrics = body["metrics"]["2025-06-01"]
        assert metrics["total_images"] == metrics["processed_images"] == len(sent)
        assert len(metrics["species_counts"]) >= 6
        assert abs(metrics["species_richness"] - len(metrics["species_counts"])) <= 2
        assert metrics["shannon_diversity"] > 1
        # The model's doubt is told: plants that may be none of its species, and intervals that hold it.
        assert 0 < metrics["unknown_units"] < len(sent) / 2
        assert metrics["known_units"] + metrics["unknown_units"] <= len(sent) + 1e-3
        for metric in ("species_richness", "shannon_diversity", "hill_q1", "pielou_evenness"):
            interval = metrics["confidence_intervals"][metric]
            assert interval["low"] < interval["high"]
        assert metrics["too_few"] is None
        assert set(metrics["ranks"]["family"]["counts"]) >= {"Poaceae"}

    def test_the_field_may_be_called_file(self, user: Client, photo: Callable[..., bytes]) -> None:
        reply = user.post("/api/upload", files={"file": ("a.jpg", photo(1))})
        assert only(reply)["status"] == "created"

    def test_it_makes_a_first_session_and_then_uses_the_newest(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        first = user.upload(("a.jpg", photo(1))).json()["session_id"]
        second = user.post("/api/sessions", json={"session_name": "Plot 2"}).json()["id"]
        assert user.upload(("b.jpg", photo(2))).json()["session_id"] == second
        assert user.upload(("c.jpg", photo(3)), session_id=first).json()["session_id"] == first

    def test_two_first_uploads_at_once_share_one_session(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        with ThreadPoolExecutor(3) as pool:
            replies = list(pool.map(lambda seed: user.upload(("a.jpg", photo(seed))), range(3)))
        assert [reply.status_code for reply in replies] == [201] * 3
        assert len({reply.json()["session_id"] for reply in replies}) == 1
        assert len(user.get("/api/sessions").json()["sessions"]) == 1

    @pytest.mark.parametrize("kind", ["PNG", "WEBP", "HEIF", "MPO"])
    def test_it_takes_every_kind_by_content_not_by_name(self, user: Client, kind: str) -> None:
        import pillow_heif

        pillow_heif.register_heif_opener()
        out = BytesIO()
        Image.effect_noise((300, 260), 80).convert("RGB").save(out, kind)
        result = only(user.upload(("holiday.txt", out.getvalue())))
        assert (result["status"], result["image"]["width"]) == ("created", 300)

    def test_a_small_photo_is_taken_and_flagged(self, user: Client, photo: Callable[..., bytes]) -> None:
        result = only(user.upload(("s.jpg", photo(1, size=(150, 150)))))
        assert result["image"]["quality"]["low_resolution"] is True

    def test_the_orientation_is_applied(self, user: Client) -> None:
        exif = Image.Exif()
        exif[0x0112] = 6
        result = only(user.upload(("o.jpg", jpeg((400, 200), exif=exif))))
        assert (result["image"]["width"], result["image"]["height"]) == (200, 400)

    def test_where_it_was_taken_never_leaves(self, user: Client, photo: Callable[..., bytes]) -> None:
        exif = Image.Exif()
        exif.get_ifd(0x8825)[2] = (43.0, 3.0, 51.0)
        reply = user.upload(("g.jpg", jpeg((300, 300), exif=exif)))
        number = only(reply)["image"]["id"]
        assert not {"latitude", "longitude", "gps", "exif", "path"} & set(reply.json()["results"][0]["image"])
        small = user.get(f"/api/images/{number}/file?width=160").content
        assert not Image.open(BytesIO(small)).getexif()


class TestDay:
    @pytest.mark.parametrize(
        ("taken", "offset", "zone", "day", "source"),
        [
            ("2025:08:24 12:00:00", None, "Asia/Tokyo", "2025-08-24", "exif_local"),
            # Between midnight and nine in Japan the day in UTC is still yesterday.
            ("2025:08:24 00:30:00", None, "Asia/Tokyo", "2025-08-24", "exif_local"),
            ("2025:08:24 08:59:59", "+09:00", "Asia/Tokyo", "2025-08-24", "exif_offset"),
            # A camera left on European time: the day is the site's.
            ("2025:08:23 20:00:00", "+02:00", "Asia/Tokyo", "2025-08-24", "exif_offset"),
            ("2025:08:24 01:00:00", "+09:00", "America/New_York", "2025-08-23", "exif_offset"),
            (None, None, "Asia/Tokyo", "2025-05-01", "form"),
            ("0000:00:00 00:00:00", None, "Asia/Tokyo", "2025-05-01", "form"),
        ],
    )
    def test_it_is_the_calendar_day_at_the_site(
        self,
        user: Client,
        photo: Callable[..., bytes],
        taken: str | None,
        offset: str | None,
        zone: str,
        day: str,
        source: str,
    ) -> None:
        session = user.post("/api/sessions", json={"session_name": "s", "timezone": zone}).json()["id"]
        data = photo(1, taken=taken, offset=offset)
        image = only(user.upload(("d.jpg", data), session_id=session, date="2025-05-01"))["image"]
        assert (image["date"], image["date_source"]) == (day, source)
        assert (image["captured_at"] is None) == (source == "form")

    def test_photos_of_several_days_touch_each_of_them(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        days = ["2025-08-24", "2025-08-25", "2025-09-01"]
        sent = [
            (f"{i}.jpg", photo(i, taken=f"{day.replace('-', ':')} 10:00:00")) for i, day in enumerate(days)
        ]
        assert sorted(user.upload(*sent).json()["metrics"]) == days


class TestAgain:
    def test_the_same_bytes_make_no_second_photo(
        self, server: Server, user: Client, photo: Callable[..., bytes]
    ) -> None:
        first = only(user.upload(("a.jpg", photo(1))))
        before = stored(server)
        again = only(user.upload(("other name.jpg", photo(1))), 200)
        assert (again["status"], again["image"]["id"]) == ("duplicate", first["image"]["id"])
        assert stored(server) == before
        assert len(user.get("/api/images").json()["images"]) == 1

    def test_the_same_bytes_belong_in_another_session_too(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        user.upload(("a.jpg", photo(1)))
        other = user.post("/api/sessions", json={"session_name": "Plot 2"}).json()["id"]
        assert only(user.upload(("a.jpg", photo(1)), session_id=other))["status"] == "created"

    def test_the_same_bytes_at_once_make_one_photo(
        self, server: Server, user: Client, photo: Callable[..., bytes]
    ) -> None:
        user.upload(("first.jpg", photo(99)))
        before = stored(server)
        with ThreadPoolExecutor(3) as pool:
            replies = list(pool.map(lambda _: user.upload(("a.jpg", photo(1))), range(3)))
        statuses = sorted(reply.json()["results"][0]["status"] for reply in replies)
        assert statuses == ["created", "duplicate", "duplicate"]
        assert len(stored(server) - before) == 1

    def test_an_idempotency_key_gives_the_first_answer_again(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        headers = {"Idempotency-Key": "one-walk"}
        first = user.upload(("a.jpg", photo(1)), headers=headers)
        again = user.upload(("a.jpg", photo(1)), headers=headers)
        assert again.status_code == first.status_code == 201
        assert again.json() == first.json()
        assert again.headers["Idempotent-Replayed"] == "true"

    def test_an_idempotency_key_is_for_one_request(self, user: Client, photo: Callable[..., bytes]) -> None:
        headers = {"Idempotency-Key": "one-walk"}
        user.upload(("a.jpg", photo(1)), headers=headers)
        reply = user.upload(("a.jpg", photo(2)), headers=headers)
        assert reply.status_code == 422
        assert reply.json()["errors"][0]["field"] == "Idempotency-Key"

    def test_a_refused_request_leaves_its_key_free(self, user: Client, photo: Callable[..., bytes]) -> None:
        headers = {"Idempotency-Key": "one-walk"}
        assert user.upload(("a.jpg", b"nothing of the kind"), headers=headers).status_code == 415
        assert user.upload(("a.jpg", photo(2)), headers=headers).status_code == 201

    def test_a_bad_idempotency_key_is_named(self, user: Client, photo: Callable[..., bytes]) -> None:
        reply = user.upload(("a.jpg", photo(1)), headers={"Idempotency-Key": "x" * 201})
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "Idempotency-Key")

    def test_near_duplicates_count_once(self, user: Client) -> None:
        noise = Image.effect_noise((30, 30), 120).resize((600, 600), Image.Resampling.BICUBIC).convert("RGB")
        sent = []
        for quality in (95, 80, 60):
            out = BytesIO()
            noise.save(out, "JPEG", quality=quality)
            sent.append((f"{quality}.jpg", out.getvalue()))
        body = user.upload(*sent, date="2025-07-01").json()
        images = [result["image"] for result in body["results"]]
        assert len({image["cluster_id"] for image in images}) == 1
        assert [image["is_representative"] for image in images].count(True) == 1


REFUSALS = {
    "zero bytes": (b"", 422, "photo-empty"),
    "text": (b"dear server, here is my photo" * 10, 415, "photo-unsupported"),
    "a zip": (archive(), 415, "photo-unsupported"),
    "a GIF": (b"GIF89a" + b"\x00" * 100, 415, "photo-unsupported"),
    "truncated": (jpeg((600, 600), quality=95)[:1500], 422, "photo-damaged"),
    "oversized": (jpeg((300, 300)) + b"\x00" * (10 * 1024 * 1024), 413, "photo-too-large"),
    "61 megapixels": (png_header(7810, 7811), 413, "photo-too-many-pixels"),
    "100 x 100": (jpeg((100, 100)), 422, "photo-too-small"),
    "animated": (animation(), 415, "photo-animated"),
    "polyglot": (jpeg((300, 300)) + archive(), 422, "photo-polyglot"),
}


class TestRefusing:
    @pytest.mark.parametrize("case", REFUSALS)
    def test_each_refusal_names_the_file_and_why_and_leaves_nothing(
        self, case: str, server: Server, user: Client
    ) -> None:
        data, status, kind = REFUSALS[case]
        before = stored(server)
        reply = user.upload(("IMG_0815.jpg", data))
        assert reply.status_code == status, reply.text
        problem = reply.json()
        assert problem["type"].endswith(f"#{kind}")
        assert "IMG_0815.jpg" in problem["detail"]
        assert problem["errors"][0]["field"] == "files"
        assert len(problem["errors"][0]["reason"]) > 10
        assert stored(server) == before
        assert user.get("/api/images").json()["images"] == []
        assert user.get("/api/sessions").json()["sessions"] == []
        assert user.get("/api/calendar/total_images").json()["data"] == {}

    def test_the_others_of_the_request_go_in(self, user: Client, photo: Callable[..., bytes]) -> None:
        reply = user.upload(
            ("good.jpg", photo(1)), ("bad.jpg", b"no photo at all"), ("fine.jpg", photo(2)), date="2025-07-01"
        )
        assert reply.status_code == 201
        results = reply.json()["results"]
        assert [result["status"] for result in results] == ["created", "rejected", "created"]
        assert results[1]["image"] is None
        assert results[1]["problem"]["status"] == 415
        assert "bad.jpg" in results[1]["problem"]["detail"]
        assert reply.json()["metrics"]["2025-07-01"]["total_images"] == 2

    def test_several_refusals_of_different_kinds_are_listed(self, user: Client) -> None:
        reply = user.upload(("a.jpg", b""), ("b.jpg", b"text that is no photo"))
        assert reply.status_code == 422
        assert [r["problem"]["status"] for r in reply.json()["results"]] == [422, 415]

    @pytest.mark.parametrize(
        ("form", "field"),
        [
            ({"date": "2025-13-45"}, "date"),
            ({"date": "yesterday"}, "date"),
            ({"date": "2025-08-24T10:00:00"}, "date"),
            ({"date": "0001-01-01"}, "date"),
            ({"date": "9999-12-31"}, "date"),
            ({"session_id": "abc"}, "session_id"),
            ({"session_id": "-1"}, "session_id"),
            ({"session_id": "0"}, "session_id"),
            ({"session_id": "9" * 30}, "session_id"),
        ],
    )
    def test_a_bad_field_is_named(
        self, user: Client, photo: Callable[..., bytes], form: dict[str, str], field: str
    ) -> None:
        reply = user.upload(("a.jpg", photo(1)), **form)
        assert reply.status_code in (400, 422), reply.text
        assert reply.json()["errors"][0]["field"] == field
        assert user.get("/api/images").json()["images"] == []

    def test_an_unknown_session_is_not_found(self, user: Client, photo: Callable[..., bytes]) -> None:
        reply = user.upload(("a.jpg", photo(1)), session_id=987654321)
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (404, "session_id")

    @pytest.mark.parametrize(
        "options",
        [
            {},
            {"data": b"\xff\xd8\xff", "headers": {"Content-Type": "image/jpeg"}},
            {"json": {"files": []}},
            {"data": b"nonsense", "headers": {"Content-Type": "multipart/form-data"}},
            {"data": b"--x\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=x"}},
        ],
        ids=["nothing", "a bare photo", "json", "no boundary", "cut short"],
    )
    def test_a_request_without_photos_says_what_to_send(self, user: Client, options: dict[str, Any]) -> None:
        reply = user.post("/api/upload", **options)
        assert reply.status_code == 400, reply.text
        assert reply.json()["errors"][0]["field"] == "files"

    def test_fifty_one_photos_are_too_many(self, user: Client, photo: Callable[..., bytes]) -> None:
        reply = user.upload(*[(f"{i}.jpg", photo(i, size=(130, 130))) for i in range(51)])
        assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "files")
        assert user.get("/api/images").json()["images"] == []

    def test_a_request_over_the_limit_is_refused_from_its_header(self, server: Server, user: Client) -> None:
        import http.client

        host = server.base.removeprefix("http://")
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.putrequest("POST", "/api/upload")
        connection.putheader("Authorization", user.headers["Authorization"])
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", str(600 * 1024 * 1024))
        connection.endheaders()
        reply = connection.getresponse()
        assert reply.status == 413
        assert reply.headers["Content-Type"] == "application/problem+json"
        connection.close()

    @pytest.mark.parametrize(
        "name",
        [
            "../../../etc/passwd",
            "a\x00b.jpg",
            "<script>alert(1)</script>.jpg",
            "x" * 300,
            "\u202egpj.exe",
            "",
        ],
    )
    def test_a_hostile_name_is_only_a_name(
        self, server: Server, user: Client, photo: Callable[..., bytes], name: str
    ) -> None:
        reply = user.post("/api/upload", files=[("files", (name, photo(1)))])
        if name:
            shown = only(reply)["filename"]
            assert "/" not in shown
            assert "\u202e" not in shown
            assert len(shown) <= 255
        for path in stored(server):
            assert path.is_relative_to(server.data_dir / "photos")


class TestDropBox:
    def test_guests_add_photos_and_learn_nothing_of_their_hosts(
        self, make_server: Callable[..., Server], photo: Callable[..., bytes]
    ) -> None:
        server = make_server(REQUIRE_AUTH_FOR_DATA_UPLOAD="false")
        host, guest = server.user(), server.visitor()
        own = host.upload(("own.jpg", photo(1)), date="2025-06-01").json()
        reply = guest.upload(("mine.jpg", photo(2)), ("own.jpg", photo(1)), date="2025-06-01")
        assert reply.status_code == 201
        created, duplicate = reply.json()["results"]
        assert (created["status"], created["image"]["filename"]) == ("created", "mine.jpg")
        assert (duplicate["status"], duplicate["image"]) == ("duplicate", None)
        assert reply.json()["metrics"] == {}
        assert guest.upload(("c.jpg", photo(3)), session_id=own["session_id"]).status_code == 404
        assert guest.get("/api/images").status_code == 401
        assert guest.get("/api/calendar/total_images").json()["sample"] is True
        assert len(host.get("/api/images").json()["images"]) == 2

    def test_guests_do_not_share_answers(
        self, make_server: Callable[..., Server], photo: Callable[..., bytes]
    ) -> None:
        server = make_server(REQUIRE_AUTH_FOR_DATA_UPLOAD="false")
        server.user()
        headers = {"Idempotency-Key": "one"}
        server.visitor().upload(("a.jpg", photo(1)), headers=headers)
        again = server.visitor().upload(("a.jpg", photo(1)), headers=headers)
        assert again.json()["results"][0]["image"] is None


class TestDiskThatCannotBeWritten:
    def test_a_photo_that_cannot_be_stored_is_not_acknowledged(
        self, make_server: Callable[..., Server], photo: Callable[..., bytes], tmp_path: Path
    ) -> None:
        """The folder of the photos is a file, so that nobody, root included, can write below it."""
        blocked = tmp_path / "blocked"
        blocked.mkdir()
        (blocked / "photos").write_bytes(b"")
        server = make_server(DATA_DIR=str(blocked))
        user = server.user()
        reply = user.upload(("a.jpg", photo(1)))
        assert reply.status_code == 503
        assert reply.json()["type"].endswith("#storage-unavailable")
        assert str(blocked) not in reply.text
        assert user.get("/api/images").json()["images"] == []
