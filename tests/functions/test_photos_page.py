"""GET /photos: the photos of a user by day, narrowed by a plain form, page by page."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from lib.store.database import DatabaseStore
from lib.store.records import NewPhoto
from lib.taxa import common_name
from tests.functions.conftest import Client, Server

MARKUP = '<b onclick="x()">North</b>'


def numbers(page: str) -> list[int]:
    """The photos that a page shows, in its order."""
    return [int(each) for each in re.findall(r'<figure[^>]*>\s*<a href="/photos/(\d+)">', page)]


@dataclass
class Field:
    """A person with photos in every state, by what they are."""

    client: Client
    photos: dict[str, int]
    north: int
    south: int

    def found(self, query: str) -> set[str]:
        reply = self.client.get(f"/photos?{query}")
        assert reply.status_code == 200, reply.text
        shown = numbers(reply.text)
        assert len(shown) == len(set(shown))
        return {name for name, number in self.photos.items() if number in shown}


@pytest.fixture
def field(server: Server, photo: Callable[..., bytes], photos_dir: Path) -> Field:
    client = server.user()
    north, south = (
        client.post("/api/sessions", json={"session_name": name}).json()["id"] for name in (MARKUP, "South")
    )
    photos = {}
    for seed, name in enumerate(("open", "named", "genus", "none"), 1):
        sent = client.upload((f"{name}.jpg", photo(seed)), session_id=north, date="2025-06-10").json()
        photos[name] = sent["results"][0]["image"]["id"]
    seedling = sorted((photos_dir / "Stellaria_media").glob("*.jpg"))[0].read_bytes()
    sent = client.upload(("sure.jpg", seedling), session_id=south, date="2025-07-01").json()
    assert sent["results"][0]["image"]["label"] == "Stellaria media"
    photos["sure"] = sent["results"][0]["image"]["id"]
    for name, label in (("named", "Chenopodium album"), ("genus", "Veronica"), ("none", "not_a_plant")):
        client.patch(f"/api/images/{photos[name]}", json={"label": label}).raise_for_status()
    photos |= _nameless(server, client, south)
    return Field(client, photos, north, south)


def _nameless(server: Server, client: Client, session: int) -> dict[str, int]:
    """Photos as they are when the model has not looked at them yet, or failed on them."""
    assert server.database_url is not None
    store = DatabaseStore(server.database_url)
    found = {}
    with store.connection():
        mine = store.for_user(client.user_id)
        for name in ("waiting", "failed"):
            digest = f"{client.user_id:060x}{len(name):04x}"
            new = NewPhoto(
                session_id=session,
                path=f"photos/{client.user_id}/00/{digest}-00000000.jpg",  # where no file is
                date=date(2025, 7, 2),
                date_source="form",
                captured_at=None,
                original_filename=f"{name}.jpg",
                width=640,
                height=480,
                file_size_bytes=1000,
                sha256=digest,
                media_type="image/jpeg",
                blur_score=1.0,
                exposure_score=1.0,
                brightness_mean=1.0,
                contrast_std=1.0,
                quality_score=1.0,
                low_resolution=False,
                fingerprint="00" * 32,
            )
            found[name] = mine.add_photo(new, datetime.now(UTC))[0].id
        mine.mark_failed(found["failed"])
    store.close()
    return found


def test_they_stand_newest_day_first_under_their_days(field: Field) -> None:
    page = field.client.get("/photos").text
    assert re.findall(r'<h2 id="d([\d-]+)">', page) == ["2025-07-02", "2025-07-01", "2025-06-10"]
    assert 'href="/days/2025-07-01"' in page
    assert numbers(page) == [
        field.photos[name] for name in ("failed", "waiting", "sure", "none", "genus", "named", "open")
    ]


def test_what_a_photo_comes_closest_to_has_both_names(user: Client, photo: Callable[..., bytes]) -> None:
    user.upload(*((f"{seed}.jpg", photo(seed)) for seed in range(4)), date="2025-06-10").raise_for_status()
    page = user.get("/photos").text
    closest = {
        each["predictions"][0]["species"]
        for each in user.get("/api/images").json()["images"]
        if each["label_level"] != "species"
    }
    named = {name: common_name(name) for name in closest if common_name(name)}
    assert named
    for name, common in named.items():
        both = rf'<i lang="la">{name}</i> <span class="common">{html.escape(common or "")}</span>'
        assert re.search(rf"closest: \s*{both} (&lt;)?\d+%", page)


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("unsure", {"open"}),
        ("sure", {"sure"}),
        ("confirmed", {"named", "genus", "none"}),
        ("not_a_plant", {"none"}),
        ("waiting", {"waiting"}),
        ("failed", {"failed"}),
    ],
)
def test_each_state_can_be_chosen(field: Field, state: str, expected: set[str]) -> None:
    assert field.found(f"state={state}") == expected
    page = field.client.get(f"/photos?state={state}").text
    assert f'<option value="{state}" selected>' in page


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Chenopodium album", {"named"}),
        ("chenopodium  ALBUM", {"named"}),
        ("コハコベ", {"sure"}),
        ("common chickweed", {"sure"}),
        ("Veronica", {"genus"}),
        ("Taraxacum officinale", set()),
    ],
)
def test_a_name_finds_its_photos_in_any_language(field: Field, name: str, expected: set[str]) -> None:
    assert field.found(f"species={name}") == expected


def test_the_choices_narrow_each_other(field: Field) -> None:
    assert field.found(f"session={field.south}") == {"sure", "waiting", "failed"}
    assert field.found(f"session={field.south}&state=sure") == {"sure"}
    assert field.found(f"session={field.north}&state=sure") == set()
    assert field.found("start_date=2025-07-01") == {"sure", "waiting", "failed"}
    assert field.found("end_date=2025-06-30&state=not_a_plant") == {"none"}
    assert field.found("start_date=2025-07-01&end_date=2025-07-01") == {"sure"}
    assert field.found("state=not_a_plant&species=Veronica") == set()
    page = field.client.get(f"/photos?session={field.south}").text
    assert f'href="/days/2025-07-01?session={field.south}"' in page
    assert MARKUP not in page
    assert "&lt;b onclick=" in page


def test_nothing_found_says_so_and_asks_what_was_meant(field: Field) -> None:
    page = field.client.get("/photos?species=Stelaria+media&state=sure").text
    assert "No photo fits this choice." in page
    assert 'href="/photos?species=Stellaria+media&amp;state=sure"' in page
    assert 'class="button" href="/photos"' in page
    hostile = field.client.get("/photos?species=%3Cb%3Ex%3C/b%3E").text
    assert "<bdi>&lt;b&gt;x&lt;/b&gt;</bdi>" in hostile
    assert "<b>x</b>" not in hostile


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("start_date=2025-02-30", "This is no date"),
        ("end_date=tomorrow", "This is no date"),
        ("start_date=2025-07-02&end_date=2025-07-01", "The last day lies before the first."),
    ],
)
def test_days_that_cannot_be_are_refused_beside_their_field(field: Field, query: str, words: str) -> None:
    reply = field.client.get(f"/photos?{query}")
    assert reply.status_code == 400
    assert words in reply.text
    assert query.split("=")[-1] in reply.text
    assert numbers(reply.text) == []


@pytest.mark.parametrize("query", ["state=beautiful", "session=x", "cursor=zzz", "species=" + "x" * 201])
def test_a_malformed_address_is_refused(field: Field, query: str) -> None:
    assert field.client.get(f"/photos?{query}").status_code == 400


def test_all_pages_together_are_the_list(user: Client, photo: Callable[..., bytes]) -> None:
    for start in (0, 50):
        sent = [(f"{seed}.jpg", photo(seed, size=(128, 128))) for seed in range(start, start + 35)]
        user.upload(*sent, date="2025-06-10").raise_for_status()
    first = user.get("/photos?start_date=2025-06-01").text
    older = re.search(r'rel="next" href="(/photos\?[^"]+)"', first)
    assert older
    second = user.get(older[1].replace("&amp;", "&")).text
    assert 'rel="next"' not in second
    assert 'href="/photos?start_date=2025-06-01"' in second
    shown = numbers(first) + numbers(second)
    assert len(numbers(first)) == 60
    assert len(shown) == len(set(shown)) == 70
    assert shown == sorted(shown, reverse=True)


def test_a_new_user_is_asked_for_photos(user: Client) -> None:
    page = user.get("/photos").text
    assert "No photos yet." in page
    assert 'href="/upload"' in page
    assert '<form method="get"' not in page


def test_a_visitor_is_told_what_is_here(visitor: Client) -> None:
    reply = visitor.get("/photos")
    assert reply.status_code == 200
    assert "What is here belongs to one person" in reply.text
    assert 'href="/sign-in?next=/photos"' in reply.text


def test_nobody_sees_the_photos_of_another(server: Server, field: Field) -> None:
    other = server.user()
    assert numbers(other.get("/photos").text) == []
    assert other.get(f"/photos?session={field.north}").status_code == 404
    cursor = field.client.get("/api/images?limit=1").json()["next_cursor"]
    assert numbers(other.get(f"/photos?cursor={cursor}").text) == []


def test_a_write_only_key_reads_nothing(server: Server, field: Field) -> None:
    made = field.client.post("/api/keys", json={"name": "writer", "scopes": ["write"]}).json()
    assert Client(server.base, {"X-API-Key": made["secret"]}).get("/photos").status_code == 403


def test_it_speaks_japanese(field: Field) -> None:
    page = field.client.get("/photos?lang=ja").text
    assert "<h1>写真</h1>" in page
    assert "2025年7月1日" in page
