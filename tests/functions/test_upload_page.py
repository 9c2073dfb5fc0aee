"""GET and POST /upload: photos through the plain form, every outcome in words, and nobody else's form."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import quote

import pytest
import requests

from lib.taxa import common_name
from tests.functions.conftest import Client, Server


class Browser:
    """A person who signed in on the page; sends the form as a browser without scripts does."""

    def __init__(self, server: Server, person: Client) -> None:
        self.base = server.base
        self.session = requests.Session()
        page = self.session.get(f"{self.base}/sign-in").text
        self.session.post(f"{self.base}/sign-in", data={"csrf_token": token_of(page), "key": person.secret})

    def get(self, path: str = "/upload") -> str:
        return self.session.get(self.base + path).text

    def send(self, *photos: tuple[str, bytes], **form: str) -> requests.Response:
        fields = {"csrf_token": token_of(self.get()), "date": "", **form}
        files = [("files", photo) for photo in photos] or [("files", ("", b""))]
        return self.session.post(f"{self.base}/upload", data=fields, files=files)


def token_of(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page)
    assert found, page
    return found[1]


@pytest.fixture
def browser(server: Server, user: Client) -> Browser:
    return Browser(server, user)


def items(page: str) -> list[tuple[str, str]]:
    """Status and text of each file's line."""
    found = re.findall(r'<li class="(\w+)">\s*(.*?)\s*</li>', page, re.DOTALL)
    return [(status, " ".join(unescape(re.sub(r"<[^>]+>", " ", text)).split())) for status, text in found]


def test_a_visitor_is_told_what_it_is_and_how_to_sign_in(visitor: Client) -> None:
    page = visitor.get("/upload").text
    assert 'href="/sign-in?next=/upload"' in page
    assert "<form" not in page
    assert "upload.js" not in page


def test_the_form_works_without_a_script(browser: Browser) -> None:
    page = browser.get()
    assert re.search(
        r'<form [^>]*id="upload" method="post" action="/upload" enctype="multipart/form-data">', page
    )
    assert 'id="files" name="files" type="file" multiple accept="image/*,.heic,.heif"' in page
    assert 'id="camera" name="files" type="file" accept="image/*" capture="environment"' in page
    for field in ("files", "camera", "date"):
        assert f'<label for="{field}">' in page
    assert 'button id="send"' in page


def test_the_script_finds_its_token_and_its_words(browser: Browser) -> None:
    page = browser.get("/upload?lang=ja")
    meta = re.search(r'<meta name="csrf-token" content="(\w+)">', page)
    assert meta
    assert meta[1] == token_of(page)
    found = re.search(r"data-words='([^']+)'", page)
    assert found
    words = json.loads(unescape(found[1]))
    assert words["status"]["created"] == "受け取りました"


def test_a_photo_that_was_named_from_a_list_says_so(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    note = "The name was chosen from a list of the region's plants."
    free = browser.send(("a.jpg", photo(1)))
    assert note not in unescape(free.text)
    held = user.post("/api/sessions", json={"session_name": "x", "region_species": "hokkaido"}).json()
    assert note in unescape(browser.send(("b.jpg", photo(2)), session_id=str(held["id"])).text)
    words = re.search(r"data-words='([^']+)'", browser.get())
    assert words
    assert json.loads(unescape(words[1]))["from_a_list"] == note


def test_photos_come_in_and_the_days_follow(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    reply = browser.send(("a.jpg", photo(1)), ("b.jpg", photo(2)), date="2025-08-24")
    assert reply.status_code == 201
    assert [status for status, _ in items(reply.text)] == ["created", "created"]
    assert "Files taken: 2 of 2." in reply.text
    assert '<a href="/days/2025-08-24">24 August 2025</a>' in reply.text
    images = user.get("/api/images").json()["images"]
    for image in images:
        assert f'href="/photos/{image["id"]}"' in reply.text
        assert f'src="/api/images/{image["id"]}/file?width=160"' in reply.text
    assert {image["filename"] for image in images} == {"a.jpg", "b.jpg"}
    assert {image["date"] for image in images} == {"2025-08-24"}


def test_a_label_comes_with_confidence_in_words_and_number(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    reply = browser.send(("a.jpg", photo(4)), date="2025-08-24")
    image = user.get("/api/images").json()["images"][0]
    _, text = items(reply.text)[0]
    if image["label"] is None:  # a server without a model keeps the photo and says so
        assert "not classified yet" in text
    else:
        best = image["predictions"][0]
        words = ("very sure", "sure", "sure of the genus only", "sure of the family only", "unsure")
        assert any(word in text for word in words)
        assert f"closest: {best['species']} {common_name(best['species'])} · " in text
        assert re.search(r"\d+%", text)


def test_what_is_no_photo_is_refused_in_words_and_the_rest_goes_in(
    browser: Browser, photo: Callable[..., bytes]
) -> None:
    reply = browser.send(
        ("a.jpg", photo(1)), ("notes.txt", b"hello"), ("<b>empty.jpg", b""), date="2025-08-24"
    )
    assert reply.status_code == 201
    statuses, texts = zip(*items(reply.text), strict=True)
    assert statuses == ("created", "rejected", "rejected")
    assert "Not taken" in texts[1]
    assert "Send JPEG, PNG, WebP or HEIC" in texts[1]
    assert "empty" in texts[2]
    assert "&lt;b&gt;empty.jpg" in reply.text
    assert "Files taken: 1 of 3." in reply.text


def test_refusals_speak_japanese(browser: Browser) -> None:
    browser.session.cookies.set("lang", "ja")
    reply = browser.send(("notes.txt", b"hello"))
    assert reply.status_code == 415
    assert "JPEG、PNG、WebP、HEICの写真ではありません。" in reply.text


def test_the_same_photo_again_is_already_there(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    browser.send(("a.jpg", photo(1)), date="2025-08-24")
    again = browser.send(("again.jpg", photo(1)), date="2025-08-24")
    assert again.status_code == 200
    assert items(again.text)[0][0] == "duplicate"
    assert "Already there" in again.text
    assert len(user.get("/api/images").json()["images"]) == 1


def test_a_photo_without_a_day_is_flagged(browser: Browser, photo: Callable[..., bytes]) -> None:
    assert "it counts for today" in browser.send(("a.jpg", photo(1))).text
    assert "it counts for today" not in browser.send(("b.jpg", photo(2)), date="2025-08-24").text


def test_a_small_photo_is_flagged(browser: Browser, photo: Callable[..., bytes]) -> None:
    reply = browser.send(("a.jpg", photo(1, size=(200, 180))), date="2025-08-24")
    assert "The photo is small, so its name is less certain." in reply.text


def test_photos_go_into_the_session_that_was_chosen(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    north, south = (
        user.post("/api/sessions", json={"session_name": name}).json()["id"] for name in ("North", "South")
    )
    assert f'<option value="{north}" selected>North</option>' in browser.get(f"/upload?session={north}")
    reply = browser.send(("a.jpg", photo(1)), session_id=str(north), date="2025-08-24")
    assert f'href="/days/2025-08-24?session={north}"' in reply.text
    assert f'href="/upload?session={north}"' in reply.text
    assert [image["session_id"] for image in user.get("/api/images").json()["images"]] == [north]
    assert south != north


def test_nothing_chosen_is_told_so(browser: Browser) -> None:
    reply = browser.send(date="2025-08-24")
    assert reply.status_code == 400
    assert 'role="alert">Choose at least one photo.' in reply.text
    assert 'value="2025-08-24"' in reply.text


def test_more_than_fifty_are_told_so_and_none_is_kept(browser: Browser, user: Client) -> None:
    reply = browser.send(*[(f"{number}.jpg", b"x") for number in range(51)])
    assert reply.status_code == 400
    assert "At most 50 photos at once; these are 51." in reply.text
    assert user.get("/api/images").json()["images"] == []


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"date": "2025-02-30"}, 400),
        ({"date": "soon"}, 400),
        ({"date": "2199-01-01"}, 422),
        ({"session_id": "x"}, 400),
        ({"session_id": "9223372036854775807"}, 404),
    ],
)
def test_a_field_that_cannot_be_is_told_on_the_form(
    browser: Browser, user: Client, photo: Callable[..., bytes], form: dict[str, str], status: int
) -> None:
    reply = browser.send(("a.jpg", photo(1)), **form)
    assert reply.status_code == status
    told = "The day must be written as" if "date" in form else "The session is not there any more."
    assert f'role="alert">{told}' in reply.text
    assert 'id="upload"' in reply.text
    assert user.get("/api/images").json()["images"] == []


def test_an_error_keeps_the_session_and_the_day(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    north = user.post("/api/sessions", json={"session_name": "North"}).json()["id"]
    user.post("/api/sessions", json={"session_name": "South"})
    chosen = f'<option value="{north}" selected>North</option>'
    for wrong, kept in (("2199-01-01", "2199-01-01"), ("24/8/2025", ""), ("2025-08-24", "2025-08-24")):
        photos = [("a.jpg", photo(1))] if wrong != "2025-08-24" else []
        reply = browser.send(*photos, session_id=str(north), date=wrong)
        assert reply.status_code in (400, 422)
        assert chosen in reply.text
        assert (f'value="{kept}"' in reply.text) == bool(kept)
        assert "<details" in reply.text
        assert " open>" in reply.text


def test_another_users_session_is_not_there(
    server: Server, browser: Browser, photo: Callable[..., bytes]
) -> None:
    session = server.user().post("/api/sessions", json={"session_name": "North"}).json()["id"]
    assert browser.send(("a.jpg", photo(1)), session_id=str(session)).status_code == 404


@pytest.mark.parametrize("token", ["", "0" * 64])
def test_a_form_of_another_site_is_refused(
    server: Server, browser: Browser, user: Client, photo: Callable[..., bytes], token: str
) -> None:
    reply = browser.session.post(
        f"{server.base}/upload", data={"csrf_token": token}, files=[("files", ("a.jpg", photo(1)))]
    )
    assert reply.status_code == 403
    assert reply.json()["type"] == "/docs/problems#stale-form"
    assert user.get("/api/images").json()["images"] == []


def test_a_key_alone_cannot_use_the_form(user: Client, photo: Callable[..., bytes]) -> None:
    reply = user.post("/upload", files=[("files", ("a.jpg", photo(1)))])
    assert reply.status_code == 403


def test_a_form_sent_after_signing_out_says_so(server: Server, photo: Callable[..., bytes]) -> None:
    session = requests.Session()
    token = token_of(session.get(f"{server.base}/sign-in").text)
    reply = session.post(
        f"{server.base}/upload", data={"csrf_token": token}, files=[("files", ("a.jpg", photo(1)))]
    )
    assert reply.status_code == 401
    assert reply.headers["WWW-Authenticate"].startswith("Bearer")
    assert "You are signed out, so nothing was sent." in reply.text


def test_a_key_that_may_only_read_gets_no_form(server: Server, photo: Callable[..., bytes]) -> None:
    browser = Browser(server, server.user("read"))
    page = browser.get()
    assert "may only read" in page
    assert 'enctype="multipart/form-data"' not in page
    reply = browser.session.post(
        f"{server.base}/upload",
        data={"csrf_token": token_of(page)},
        files=[("files", ("a.jpg", photo(1)))],
    )
    assert reply.status_code == 403
    assert "may only read" in reply.text


def test_a_drop_box_takes_photos_from_anyone_and_tells_nothing(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    server = make_server(REQUIRE_AUTH_FOR_DATA_UPLOAD="false")
    owner = server.user()
    owner.post("/api/sessions", json={"session_name": "Secret field"})
    guest = requests.Session()
    page = guest.get(f"{server.base}/upload").text
    assert "Secret field" not in page
    reply = guest.post(
        f"{server.base}/upload",
        data={"csrf_token": token_of(page), "date": "2025-08-24"},
        files=[("files", ("a.jpg", photo(1)))],
    )
    assert reply.status_code == 201
    assert len(owner.get("/api/images").json()["images"]) == 1
    told = reply.text.split("<main")[1].split("</main>")[0]
    assert "2025" not in told  # nothing of the owner's day
    for leading in ("/photos/", "/days/", "/species/", "/review", "/api/images", "session="):
        assert leading not in told
    again = guest.post(
        f"{server.base}/upload", data={"csrf_token": token_of(page)}, files=[("files", ("a.jpg", photo(1)))]
    )
    assert again.status_code == 200
    assert items(again.text)[0] == ("duplicate", "a.jpg · Already there")
    session = owner.get("/api/sessions").json()["sessions"][0]["id"]
    refused = guest.post(
        f"{server.base}/upload",
        data={"csrf_token": token_of(page), "session_id": session},
        files=[("files", ("b.jpg", photo(2)))],
    )
    assert refused.status_code == 404


def test_without_sign_in_the_form_still_guards_itself(
    make_server: Callable[..., Server], photo: Callable[..., bytes]
) -> None:
    server = make_server(AUTH_ENABLED="false")
    server.user()
    browser = requests.Session()
    page = browser.get(f"{server.base}/upload").text
    photos = [("files", ("a.jpg", photo(1)))]
    refused = requests.post(
        f"{server.base}/upload", data={"csrf_token": token_of(page)}, files=photos, timeout=60
    )
    assert refused.status_code == 403
    taken = browser.post(f"{server.base}/upload", data={"csrf_token": token_of(page)}, files=photos)
    assert taken.status_code == 201
    assert "Sign out" not in page


def test_both_fields_of_the_form_are_read(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    """The camera's field and that of the chosen photos have one name; the one that is left empty is no file."""
    reply = browser.send(("camera.jpg", photo(1)), ("", b""), ("chosen.jpg", photo(2)), date="2025-08-24")
    assert "Files taken: 2 of 2." in reply.text


def test_it_says_what_the_day_was_before(browser: Browser, user: Client, photo: Callable[..., bytes]) -> None:
    first = browser.send(("a.jpg", photo(1)), date="2025-08-24").text
    assert "→" not in first
    second = browser.send(("b.jpg", photo(2)), ("c.jpg", photo(3)), date="2025-08-24").text
    figure = re.search(r"<dt>Photos</dt><dd>(.*?)</dd>", second)
    assert figure
    assert re.sub(r"<[^>]+>", "", figure[1]) == "before 1 →, now  3"
    other_day = browser.send(("d.jpg", photo(4)), date="2025-08-25").text
    assert "→" not in other_day


def test_species_and_unsure_names_lead_on(browser: Browser, user: Client, photos_dir: Path) -> None:
    chosen = [(path.name, path.read_bytes()) for path in sorted(photos_dir.glob("*/*.jpg"))[::150]]
    page = browser.send(*chosen, date="2025-08-24").text
    images = user.get("/api/images").json()["images"]
    assert len(images) == len(chosen)
    species = {image["label"] for image in images if image["label_level"] == "species"}
    assert species
    for name in species:
        assert f'<a class="taxon" href="/species/{quote(name)}"><i lang="la">{name}</i></a>' in page
    unsure = any(image["label_level"] != "species" for image in images)
    assert ('href="/review"' in page) == unsure
    row = user.get("/api/daily/2025-08-24").json()["diversity_metrics"]
    assert f"<strong>{row['shannon_diversity']:.2f}</strong> (" in page


def test_sending_the_page_again_doubles_nothing_and_says_so(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    first = browser.send(("a.jpg", photo(1)), date="2025-08-24")
    assert "Loading this page again sends nothing twice" in first.text
    assert first.headers["Cache-Control"] == "no-store"
    again = browser.send(("a.jpg", photo(1)), date="2025-08-24")
    assert items(again.text)[0][0] == "duplicate"
    image = user.get("/api/images").json()["images"][0]
    assert f'href="/photos/{image["id"]}"' in again.text


def test_without_a_model_it_says_that_names_will_follow(
    make_server: Callable[..., Server], tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    server = make_server(MODEL_DIR=str(tmp_path / "none"))
    browser = Browser(server, server.user())
    assert "their names will follow" in browser.get()
    reply = browser.send(("a.jpg", photo(1)), date="2025-08-24")
    assert reply.status_code == 201
    assert int(reply.headers["Retry-After"]) > 0
    _, text = items(reply.text)[0]
    assert "not classified yet" in text
    assert "The photo is kept." in text


def test_a_sound_model_is_no_news(browser: Browser) -> None:
    assert "their names will follow" not in browser.get()


def test_file_mode_says_what_to_set(file_server: Server) -> None:
    page = file_server.visitor().get("/upload").text
    assert "DATABASE_URL" in page
    assert "<form" not in page
    assert file_server.visitor().post("/upload").status_code == 503
