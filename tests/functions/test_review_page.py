"""GET and POST /review: the queue of names to look at, one plant after the other, with plain forms."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from tests.functions.browsing import Browser, sign_in, token_of
from tests.functions.conftest import Client, Server

DAY, LATER = "2025-06-10", "2025-06-12"
MARKUP = '<b onclick="x()">North</b>'


@pytest.fixture
def browser(server: Server, user: Client) -> Browser:
    return sign_in(server, user)


@pytest.fixture
def drawn(user: Client, photo: Callable[..., bytes]) -> list[int]:
    """Three photos of nothing that the model knows, the newest first, as the queue shows them."""
    older = user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date=DAY).json()["results"]
    newer = user.upload(("c.jpg", photo(3)), date=LATER).json()["results"]
    numbers = [each["image"]["id"] for each in (*older, *newer)]
    assert all(image(user, number)["label"] == "unknown" for number in numbers)
    return sorted(numbers, reverse=True)


@pytest.fixture
def chickweed(user: Client, photos_dir: Path) -> int:
    """A photo of which the model is sure, and the first of its species."""
    data = sorted((photos_dir / "Stellaria_media").glob("*.jpg"))[0].read_bytes()
    found: int = user.upload(("chickweed.jpg", data), date=DAY).json()["results"][0]["image"]["id"]
    return found


def image(user: Client, number: int) -> dict[str, Any]:
    found: dict[str, Any] = user.get(f"/api/images/{number}").json()
    return found


def shown(page: str) -> int | None:
    """The number of the photo that the page asks about."""
    found = re.search(r'<input type="hidden" name="photo" value="(\d+)"', page)
    return int(found[1]) if found else None


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def press(browser: Browser, page: str, action: str = "", **typed: Any) -> requests.Response:
    """Press a button of a page that was opened before; `ids` as it is ticked unless given."""
    fields: dict[str, Any] = {"csrf_token": token_of(page)}
    if action:
        fields["action"] = action
    if action == "undo":
        fields |= {name: hidden(page, name) for name in ("at", "was")}
    else:
        fields |= {"photo": hidden(page, "photo"), "shown": hidden(page, "shown")}
        fields["ids"] = re.findall(r'type="hidden" name="ids" value="([\d,]+)"', page) + re.findall(
            r'name="ids" value="([\d,]+)" checked', page
        )
    return browser.post(address(page, action), fields | typed)


def address(page: str, action: str = "") -> str:
    form = '<form class="undo" method="post"' if action == "undo" else '<form method="post"'
    found = re.search(rf'{form} data-once action="(/review[^"]*)"', page)
    assert found, page
    return html.unescape(found[1])


def link(page: str, words: str) -> str:
    found = re.search(rf'<a[^>]* href="(/review[^"]*)"[^>]*>{words}', page)
    assert found, words
    return html.unescape(found[1])


def followed(browser: Browser, reply: requests.Response) -> str:
    assert reply.status_code == 303, reply.text
    return browser.get(reply.headers["Location"]).text


def words(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_it_shows_the_newest_that_is_unsure_and_says_why(browser: Browser, drawn: list[int]) -> None:
    page = browser.get("/review").text
    assert shown(page) == drawn[0]
    assert "3 names to look at (unsure: 3 · new to the field: 0)" in words(page)
    assert "Unsure The model cannot tell what it is." in words(page)
    listed = page[page.index('<ol class="guesses">') : page.index("</ol>")]
    assert listed.count("<li>") == len(re.findall('name="choose" value="[A-Z]', listed)) == 5
    assert re.search(r"(unlikely|possible) · <?\d+%", words(listed))
    assert "Yes, that is right" not in page
    assert re.findall(r'type="checkbox" id="p(\d+)"', page) == [str(number) for number in drawn[1:]]
    assert f'<a href="/photos/{drawn[0]}">' in page


def test_what_is_new_to_the_field_is_confirmed(browser: Browser, user: Client, chickweed: int) -> None:
    page = browser.get("/review").text
    assert shown(page) == chickweed
    assert "New to this field" in words(page)
    assert "Stellaria media Common chickweed" in words(page)
    page = followed(browser, press(browser, page, "confirm"))
    assert 'role="status">Confirmed.</p>' in page
    assert "Nothing to look at: the model is sure of all names, or people have settled them." in page
    assert 'href="/calendar">Open the calendar' in page
    found = image(user, chickweed)
    assert (found["label"], found["label_source"]) == ("Stellaria media", "human")
    assert len(found["label_history"]) == 1


def test_what_is_next_has_its_common_name_beside_the_latin_one(
    browser: Browser, user: Client, chickweed: int, photos_dir: Path
) -> None:
    data = sorted((photos_dir / "Chenopodium_album").glob("*.jpg"))[0].read_bytes()
    user.upload(("goosefoot.jpg", data), date=LATER).raise_for_status()
    page = browser.get("/review?reason=new").text
    assert shown(page) != chickweed
    both = '<i lang="la">Stellaria media</i> <span class="common">Common chickweed</span>'
    assert re.search(rf'<span class="called">\s*{both}', page[page.index('<h2 id="further">') :])


def test_a_name_is_given_the_day_follows_and_the_next_is_shown(
    browser: Browser, user: Client, drawn: list[int]
) -> None:
    page = followed(browser, press(browser, browser.get("/review").text, "label", label="スベリヒユ"))
    assert image(user, drawn[0])["label"] == "Portulaca oleracea"
    assert 'role="status">The new name is saved.' in page
    assert shown(page) == drawn[1]
    become = words(page.split('<ul class="become">')[1].split("</ul>")[0])
    assert become.startswith("12 June 2025 Photos 1 Species richness before 0 → , now 1")
    assert user.get(f"/api/daily/{LATER}").json()["top_species"][0]["species_name"] == "Portulaca oleracea"
    assert f'<a href="/photos/{drawn[0]}"><i lang="la">Portulaca oleracea</i>' in page


def test_undo_takes_it_back_and_shows_it_again(browser: Browser, user: Client, drawn: list[int]) -> None:
    page = followed(browser, press(browser, browser.get("/review").text, "label", label="Galium aparine"))
    undo = press(browser, page, "undo")
    again = followed(browser, undo)
    assert shown(again) == drawn[0]
    assert "Undone: here it is again." in again
    assert "Species richness before 1 → , now 0" in words(again)
    found = image(user, drawn[0])
    assert (found["label"], found["label_source"], found["label_history"]) == ("unknown", "model", [])
    # Pressed twice: undone is undone, and nothing older goes with it.
    assert press(browser, page, "undo").status_code == 303
    assert image(user, drawn[0])["label"] == "unknown"


@pytest.mark.parametrize(
    ("action", "label", "notice"),
    [
        ("not_a_plant", "not_a_plant", "Saved as no plant."),
        ("unknown", "unknown", "Saved as a plant that nobody can name."),
    ],
)
def test_what_has_no_name_can_be_said(
    browser: Browser, user: Client, drawn: list[int], action: str, label: str, notice: str
) -> None:
    page = followed(browser, press(browser, browser.get("/review").text, action))
    assert notice in page
    assert (image(user, drawn[0])["label"], image(user, drawn[0])["label_source"]) == (label, "human")
    assert shown(page) == drawn[1]


def test_one_of_the_five_is_taken_by_its_button(browser: Browser, user: Client, drawn: list[int]) -> None:
    page = browser.get("/review").text
    fourth = re.findall(r'name="choose" value="([^"]+)"', page)[3]
    assert press(browser, page, choose=fourth).status_code == 303
    assert image(user, drawn[0])["label"] == fourth


def test_skipping_goes_through_the_queue_and_back(browser: Browser, user: Client, drawn: list[int]) -> None:
    page = browser.get("/review").text
    for number in drawn:
        assert shown(page) == number
        page = browser.get(link(page, "Skip")).text
    assert "That was the last. 3 names that you skipped still wait." in words(page)
    page = browser.get(link(page, "Back to the first")).text
    page = browser.get(link(page, "Skip")).text
    # What is named in the middle leads to what follows, not to what was skipped.
    page = followed(browser, press(browser, page, "not_a_plant"))
    assert shown(page) == drawn[2]
    assert image(user, drawn[0])["label_source"] == "model"


def test_what_is_ticked_gets_the_same_name_and_is_undone_with_it(
    browser: Browser, user: Client, drawn: list[int]
) -> None:
    page = browser.get("/review").text
    reply = press(browser, page, "label", label="Galium aparine", ids=[drawn[0], drawn[2]])
    page = followed(browser, reply)
    assert [image(user, number)["label_source"] for number in drawn] == ["human", "model", "human"]
    assert shown(page) == drawn[1]
    become = words(page.split('<ul class="become">')[1].split("</ul>")[0])
    assert "10 June 2025" in become
    assert "12 June 2025" in become
    assert 'role="status">The new name is saved. 2 photos</p>' in page
    page = followed(browser, press(browser, page, "undo"))
    assert 'role="status">Undone: here it is again. 2 photos</p>' in page
    assert shown(page) == drawn[0]
    assert {image(user, number)["label_source"] for number in drawn} == {"model"}


@pytest.mark.parametrize("count", ["1", "-4", "201", "9" * 30, "x"])
def test_a_count_that_no_press_makes_is_refused(browser: Browser, count: str) -> None:
    assert browser.get(f"/review?done=review-named&count={count}").status_code == 400


def test_a_count_is_of_what_was_done_or_is_not_told(browser: Browser, drawn: list[int]) -> None:
    assert "4 photos" not in words(browser.get("/review?count=4").text)


def test_near_duplicates_are_one_plant_named_together(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    sent = user.upload(("a.jpg", photo(5)), ("b.jpg", photo(5, size=(400, 300))), date=DAY).json()["results"]
    numbers = {each["image"]["id"] for each in sent}
    page = browser.get("/review").text
    assert "1 name to look at" in words(page)
    assert "These photos look the same and count as one plant." in page
    assert {int(each) for each in re.findall(r'name="ids" value="(\d+)" checked', page)} == numbers
    assert press(browser, page, "label", label="Galium aparine").status_code == 303
    assert {image(user, number)["label"] for number in numbers} == {"Galium aparine"}


def test_only_what_is_ticked_of_a_plant_is_named(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    user.upload(("a.jpg", photo(5)), ("b.jpg", photo(5, size=(400, 300))), date=DAY)
    page = browser.get("/review").text
    one, other = re.findall(r'name="ids" value="(\d+)" checked', page)
    assert press(browser, page, "not_a_plant", ids=[one]).status_code == 303
    assert image(user, int(one))["label_source"] == "human"
    assert image(user, int(other))["label_source"] == "model"


def test_with_nothing_ticked_nothing_is_named(browser: Browser, user: Client, drawn: list[int]) -> None:
    reply = press(browser, browser.get("/review").text, "label", label="Galium aparine", ids=[])
    assert reply.status_code == 422
    assert "No photo is ticked." in reply.text
    assert 'value="Galium aparine"' in reply.text
    assert image(user, drawn[0])["label_source"] == "model"


def test_a_name_that_nobody_knows_is_kept_with_suggestions(
    browser: Browser, user: Client, drawn: list[int]
) -> None:
    page = browser.get("/review").text
    reply = press(browser, page, "label", label="すべりひゆう", ids=[f"{drawn[0]}", f"{drawn[2]}"])
    assert reply.status_code == 422
    assert "No plant is known by this name." in reply.text
    assert 'aria-invalid="true" aria-describedby="label-error label-help" autofocus' in reply.text
    assert 'value="すべりひゆう"' in reply.text
    assert 'name="choose" value="Portulaca oleracea"' in reply.text
    assert shown(reply.text) == drawn[0]
    assert f'name="ids" value="{drawn[2]}" checked' in reply.text
    assert image(user, drawn[0])["label_source"] == "model"
    # The button of the suggestion goes from there.
    assert press(browser, reply.text, choose="Portulaca oleracea").status_code == 303
    assert image(user, drawn[2])["label"] == "Portulaca oleracea"


def test_what_may_be_a_slip_is_asked_for_once_more(browser: Browser, user: Client, drawn: list[int]) -> None:
    page = browser.get("/review").text
    reply = press(browser, page, "label", label="Stelaria media", ids=[f"{drawn[0]}", f"{drawn[2]}"])
    assert reply.status_code == 422
    assert "is it a slip of the pen?" in reply.text
    assert 'name="choose" value="Stellaria media"' in reply.text
    assert '<button class="second" name="as_written" value="Stelaria media">' in reply.text
    assert image(user, drawn[0])["label_source"] == "model"
    typed = {"label": "Stelaria media", "as_written": "Stelaria media"}
    assert press(browser, reply.text, **typed).status_code == 303
    assert image(user, drawn[2])["label"] == "Stelaria media"


@pytest.mark.parametrize(
    ("label", "error"), [("", "Fill this in."), ("x" * 201, "At most 200 characters; these are 201.")]
)
def test_what_cannot_be_a_name_is_said_beside_the_field(
    browser: Browser, drawn: list[int], label: str, error: str
) -> None:
    reply = press(browser, browser.get("/review").text, "label", label=label)
    assert reply.status_code == 422
    assert error in reply.text


def test_pressed_twice_is_done_once(browser: Browser, user: Client, chickweed: int, drawn: list[int]) -> None:
    page = browser.get("/review?reason=new").text
    for action, typed in (("confirm", {}), ("confirm", {}), ("label", {"label": "Stellaria media"})):
        reply = press(browser, page, action, **typed)
        assert reply.status_code == 303
        assert "Undo" in followed(browser, reply)
    assert len(image(user, chickweed)["label_history"]) == 1


def test_what_was_named_meanwhile_is_not_overwritten(
    browser: Browser, user: Client, chickweed: int, drawn: list[int]
) -> None:
    page = browser.get("/review?reason=new").text
    user.patch(f"/api/images/{chickweed}", json={"label": "Galium aparine"}).raise_for_status()
    reply = press(browser, page, "not_a_plant")
    assert reply.status_code == 409
    assert "Some of these photos got another name since this page was shown." in reply.text
    assert image(user, chickweed)["label"] == "Galium aparine"


def test_a_name_that_the_model_changed_meanwhile_is_not_confirmed(
    browser: Browser, user: Client, chickweed: int
) -> None:
    page = browser.get("/review").text
    reply = press(browser, page, "confirm", shown="Galium aparine")
    assert reply.status_code == 409
    assert image(user, chickweed)["label_source"] == "model"


def test_undo_leaves_what_was_changed_since(browser: Browser, user: Client, drawn: list[int]) -> None:
    page = followed(browser, press(browser, browser.get("/review").text, "label", label="Galium aparine"))
    user.patch(f"/api/images/{drawn[0]}", json={"label": "Stellaria media"}).raise_for_status()
    assert press(browser, page, "undo").status_code == 303
    assert image(user, drawn[0])["label"] == "Stellaria media"


@pytest.mark.parametrize("action", ["label", "not_a_plant", "confirm"])
def test_photos_of_somebody_else_are_not_there(
    server: Server, browser: Browser, drawn: list[int], photo: Callable[..., bytes], action: str
) -> None:
    other = server.user()
    foreign = other.upload(("d.jpg", photo(4))).json()["results"][0]["image"]["id"]
    page = browser.get("/review").text
    reply = press(
        browser,
        page,
        action,
        label="Galium aparine",
        photo=foreign,
        shown="unknown",
        ids=[f"{drawn[0]},{foreign}"],
    )
    assert reply.status_code == 404
    assert other.get(f"/api/images/{foreign}").json()["label_source"] == "model"


def test_somebody_elses_change_is_neither_told_nor_undone(
    server: Server, browser: Browser, user: Client, drawn: list[int], photo: Callable[..., bytes]
) -> None:
    other = server.user()
    sent = other.upload(("d.jpg", photo(4)), date=DAY).json()
    foreign = sent["results"][0]["image"]["id"]
    named = other.patch(f"/api/images/{foreign}", json={"label": "Galium aparine"}).json()
    given = {
        "at": named["image"]["label_history"][-1]["at"],
        "was": f"{sent['session_id']}:{DAY}_1_0_-",
    }
    page = browser.get("/review").text
    told = browser.get(f"/review?{urlencode(given)}&done=review-named").text
    assert 'class="become"' not in told
    assert 'class="undo"' not in told
    reply = browser.post("/review", {"csrf_token": token_of(page), "action": "undo", **given})
    assert reply.status_code == 303
    assert other.get(f"/api/images/{foreign}").json()["label"] == "Galium aparine"


@pytest.mark.parametrize(
    "typed",
    [
        {"ids": "x"},
        {"ids": "1;2"},
        {"ids": "9" * 30},
        {"ids": ",".join(str(number) for number in range(1, 202))},
        {"action": "delete"},
        {"action": "confirm", "photo": ""},
    ],
)
def test_what_the_page_never_sends_is_refused(
    browser: Browser, drawn: list[int], typed: dict[str, str]
) -> None:
    page = browser.get("/review").text
    reply = press(browser, page, **{"action": "label", "label": "Galium aparine"} | typed)
    assert reply.status_code == 400


def test_a_stale_form_keeps_what_was_typed(browser: Browser, user: Client, drawn: list[int]) -> None:
    page = browser.get("/review").text
    reply = press(browser, page, "label", label="Galium aparine", csrf_token="0" * 64)
    assert reply.status_code == 403
    assert "This form lay open for too long" in reply.text
    assert 'value="Galium aparine"' in reply.text
    assert image(user, drawn[0])["label_source"] == "model"
    assert press(browser, reply.text, "label", label="Galium aparine").status_code == 303


def test_signed_out_meanwhile_keeps_what_was_typed(
    server: Server, browser: Browser, user: Client, drawn: list[int]
) -> None:
    page = browser.get("/review").text
    nobody = Browser(server.base)
    visited = nobody.get("/sign-in").text
    reply = press(nobody, page, "label", label="Galium aparine", csrf_token=token_of(visited))
    assert reply.status_code == 401
    assert 'value="Galium aparine"' in reply.text
    assert image(user, drawn[0])["label_source"] == "model"
    nobody.sign_in(user)
    page = nobody.get("/review").text
    sent = {name: hidden(reply.text, name) for name in ("action", "ids", "photo", "shown")}
    again = nobody.post("/review", {**sent, "label": "Galium aparine", "csrf_token": token_of(page)})
    assert again.status_code == 303
    assert image(user, drawn[0])["label"] == "Galium aparine"


def test_it_is_narrowed_by_session_days_and_reason(
    browser: Browser, user: Client, drawn: list[int], chickweed: int, photo: Callable[..., bytes]
) -> None:
    session = user.post("/api/sessions", json={"session_name": MARKUP}).json()["id"]
    there = user.upload(("e.jpg", photo(7)), session_id=session, date=DAY).json()["results"][0]["image"]["id"]
    page = browser.get(f"/review?session={session}").text
    assert shown(page) == there
    assert MARKUP not in page
    assert "&lt;b onclick=&#34;x()&#34;&gt;North&lt;/b&gt;</bdi>" in page
    page = browser.get("/review?reason=new").text
    assert (shown(page), "1 name to look at" in words(page)) == (chickweed, True)
    page = browser.get(f"/review?start_date={LATER}&end_date={LATER}").text
    assert shown(page) == drawn[0]
    assert "1 name to look at" in words(page)
    # What was chosen stays chosen.
    page = followed(browser, press(browser, page, "not_a_plant"))
    assert "Nothing to look at in this choice." in page
    assert f'value="{LATER}"' in page


def test_the_empty_queue_says_what_is_next(browser: Browser) -> None:
    page = browser.get("/review").text
    assert "No photos yet." in page
    assert 'href="/upload">Upload photos' in page
    assert "<kbd" not in page


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("start_date=yesterday", 400),
        ("start_date=2025-06-12&end_date=2025-06-10", 400),
        ("session=999999999", 404),
        ("reason=nonsense", 400),
        ("cursor=nonsense", 400),
        ("was=" + "x" * 100 + "&at=x&done=review-named", 200),
        ("was=1:2025-99-99_1_1_-&at=<b>&done=review-named", 200),
    ],
)
def test_what_an_address_must_not_say(browser: Browser, drawn: list[int], query: str, status: int) -> None:
    reply = browser.get(f"/review?{query}")
    assert reply.status_code == status
    assert 'class="become"' not in reply.text
    if "date=" in query:
        assert 'aria-invalid="true"' in reply.text


def test_days_that_cannot_be_read_are_kept_as_typed(browser: Browser, drawn: list[int]) -> None:
    page = browser.get("/review?start_date=yesterday").text
    assert 'type="text" value="yesterday"' in page


def test_a_key_that_only_reads_sees_no_form(server: Server, user: Client, drawn: list[int]) -> None:
    secret = user.post("/api/keys", json={"scopes": ["read"]}).json()["secret"]
    reader = Browser(server.base)
    reader.sign_in_with(secret)
    page = reader.get("/review").text
    assert "may only read" in page
    assert 'name="ids"' not in page
    assert 'action="/review" data-once' not in page
    reply = reader.post(
        "/review",
        {"csrf_token": token_of(page_with_token(reader)), "ids": str(drawn[0]), "action": "unknown"},
    )
    assert reply.status_code == 403
    assert image(user, drawn[0])["label_source"] == "model"


def page_with_token(browser: Browser) -> str:
    """A page whose header holds the form of signing out, and with it this browser's token."""
    return browser.get("/calendar").text


def test_visitors_are_told_to_sign_in(visitor: Client, file_server: Server) -> None:
    page = visitor.get("/review").text
    assert "sign in to see yours" in page
    assert 'href="/sign-in?next=/review"' in page
    assert "no database and so no users" in file_server.visitor().get("/review").text


def test_it_is_there_in_japanese(user: Client, drawn: list[int]) -> None:
    page = user.get("/review", headers={"Accept-Language": "ja"}).text
    assert "確認する名前 3件" in words(page)
    assert "モデルには何かわかりません。" in page


def test_with_photos_that_wait_for_the_model_nothing_is_settled_yet(
    make_server: Callable[..., Server], tmp_path: Path, photo: Callable[..., bytes]
) -> None:
    server = make_server(MODEL_DIR=str(tmp_path / "none"))
    user = server.user()
    user.upload(("a.jpg", photo(1)))
    page = sign_in(server, user).get("/review").text
    assert "Nothing to look at yet." in page
    assert "1 photo still waits for the model" in page
    assert "the model is sure of all names" not in page


def test_whoever_may_only_read_is_asked_for_no_photos(server: Server, user: Client) -> None:
    reader = user.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()["secret"]
    browser = Browser(server.base)
    browser.sign_in_with(reader)
    for path in ("/review", "/photos", "/time-series", "/species", "/compare", "/calendar"):
        page = browser.get(path).text
        assert "No photos yet" in page
        assert 'href="/upload"' not in page[page.index("<main") :]
