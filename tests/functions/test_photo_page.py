"""GET and POST /photos/{id}: what a photo shows, and setting it right with plain forms."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.functions.browsing import Browser, sign_in, token_of
from tests.functions.conftest import Client, Server

MARKUP = '<b onclick="x()">North</b>'
RIGHT_TO_LEFT = "حقل الشمال"
DAY = "2025-06-10"


@pytest.fixture
def browser(server: Server, user: Client) -> Browser:
    return sign_in(server, user)


@pytest.fixture
def number(user: Client, photos_dir: Path) -> int:
    """A photo of chickweed that the model is sure of."""
    return sent(user, ("chickweed.jpg", seedling(photos_dir, "Stellaria_media")))[0]


def seedling(photos_dir: Path, folder: str, which: int = 0) -> bytes:
    return sorted((photos_dir / folder).glob("*.jpg"))[which].read_bytes()


def sent(user: Client, *photos: tuple[str, bytes], **form: Any) -> list[int]:
    """The numbers of photos that go up."""
    reply = user.upload(*photos, **{"date": DAY, **form})
    return [each["image"]["id"] for each in reply.json()["results"]]


def image(user: Client, number: int) -> dict[str, Any]:
    found: dict[str, Any] = user.get(f"/api/images/{number}").json()
    return found


def do(browser: Browser, number: int, action: str, **typed: str) -> requests.Response:
    """Open the page of a photo and press a button of it."""
    path = f"/photos/{number}"
    return press(browser, number, browser.get(path).text, action, **typed)


def press(browser: Browser, number: int, page: str, action: str, **typed: str) -> requests.Response:
    """Press a button of a page that was opened before."""
    shown = {name: hidden(page, name) for name in ("shown", "steps") if f'name="{name}"' in page}
    return browser.post(
        f"/photos/{number}", {"csrf_token": token_of(page), **shown, "action": action, **typed}
    )


def hidden(page: str, name: str) -> str:
    found = re.search(rf'<input type="hidden" name="{name}" value="([^"]*)"', page)
    assert found, name
    return html.unescape(found[1])


def followed(browser: Browser, reply: requests.Response) -> str:
    assert reply.status_code == 303, reply.text
    return browser.get(reply.headers["Location"]).text


def words(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())


def test_it_shows_what_the_model_thinks(user: Client, number: int) -> None:
    page = user.get(f"/photos/{number}").text
    found = image(user, number)
    assert '<h1><i lang="la">Stellaria media</i> <span class="common">Common chickweed</span></h1>' in page
    confidence = found["predictions"][0]["confidence"]
    assert re.search(rf'<p class="lead">(very )?sure · {confidence * 100:.0f}%', page)
    listed = page[page.index('<ol class="guesses">') : page.index("</ol>")]
    assert listed.count("<li>") == 5
    for each in found["predictions"]:
        assert f'<i lang="la">{each["species"]}</i>' in listed
    assert "very likely · " in listed or "likely · " in listed
    assert "unlikely · " in listed
    assert f'srcset="/api/images/{number}/file?width=320 320w' in page
    assert 'href="/species/Stellaria%20media"' in page


def test_it_tells_when_where_and_how_good_the_photo_is(user: Client, photo: Callable[..., bytes]) -> None:
    session = user.post("/api/sessions", json={"session_name": RIGHT_TO_LEFT, "timezone": "Asia/Tokyo"})
    (number,) = sent(
        user,
        ("<b onclick=x()>.jpg", photo(1, size=(200, 150), taken="2025:06:10 05:15:00")),
        session_id=session.json()["id"],
    )
    page = user.get(f"/photos/{number}").text
    assert "10 June 2025 (from the camera's clock)" in words(page)
    assert "10 June 2025, 05:15" in page
    assert f'<a href="/sessions/{session.json()["id"]}"><bdi>{RIGHT_TO_LEFT}</bdi></a>' in page
    assert "<dt>File</dt><dd><bdi>&lt;b onclick=x()&gt;.jpg</bdi>" in page
    assert "200 × 150 pixels" in page
    assert "small, so its name is less certain" in page
    measures = re.findall(r"<dt>([^<]+)</dt>", page[page.index('id="quality"') :])
    assert measures == ["Size", "Sharpness", "Exposure", "Brightness", "Contrast"]
    assert f'href="/days/{DAY}"' in page


def test_confirming_makes_the_name_a_persons(browser: Browser, user: Client, number: int) -> None:
    reply = do(browser, number, "confirm")
    assert re.fullmatch(rf"/photos/{number}\?was=[^&]+&done=photo-confirmed", reply.headers["Location"])
    page = followed(browser, reply)
    assert 'role="status">The name is confirmed.' in page
    assert image(user, number)["label_source"] == "human"
    assert "named by a person" in page
    assert "Yes, that is right" not in page
    history = words(page[page.index("How it came to its name") :])
    assert "a person confirmed: Stellaria media" in history
    assert "the model " in history


def test_another_name_is_saved_and_the_day_follows(browser: Browser, user: Client, photos_dir: Path) -> None:
    first, second = sent(
        user,
        ("a.jpg", seedling(photos_dir, "Stellaria_media")),
        ("b.jpg", seedling(photos_dir, "Stellaria_media", 5)),
    )
    for each in (first, second):
        assert do(browser, each, "label", label="Stellaria media").status_code == 303
    page = followed(browser, do(browser, second, "label", label="スベリヒユ"))
    assert image(user, second)["label"] == "Portulaca oleracea"
    become = words(page[page.index('<ul class="become">') : page.index("</ul>", page.index("become"))])
    assert "Photos 2" in become
    assert "Species richness before 1 → , now 2" in become
    assert "too few photos to compare" in become
    history = words(page[page.index("How it came to its name") :])
    assert "Stellaria media Common chickweed → became Portulaca oleracea Common purslane" in history


def test_what_the_day_was_is_only_told_after_a_change(browser: Browser, number: int) -> None:
    was = f"{DAY}_7_3_1.5000"
    assert 'class="become"' not in browser.get(f"/photos/{number}?was={was}").text
    page = browser.get(f"/photos/{number}?done=photo-named&was={was}").text
    assert "before 7 → , now 1" in words(page)
    for nonsense in ("x", "2025-13-45_1_1_-", "~", f"{DAY}_<b>_1_-"):
        reply = browser.get(f"/photos/{number}?done=photo-named&was={nonsense}")
        assert reply.status_code == 200
        assert 'class="become"' not in reply.text


@pytest.mark.parametrize(
    ("action", "label", "notice"),
    [
        ("not_a_plant", "not_a_plant", "The photo counts as no plant."),
        ("unknown", "unknown", "The photo counts as a plant that nobody can name."),
    ],
)
def test_what_has_no_name_can_be_said(
    browser: Browser, user: Client, number: int, action: str, label: str, notice: str
) -> None:
    page = followed(browser, do(browser, number, action))
    assert notice in page
    assert (image(user, number)["label"], image(user, number)["label_source"]) == (label, "human")
    assert f'name="action" value="{action}"' not in page
    page = followed(browser, do(browser, number, "undo"))
    assert "The last change of the name is undone." in page
    assert (image(user, number)["label"], image(user, number)["label_source"]) == ("Stellaria media", "model")
    assert 'value="undo"' not in page


def test_one_of_the_five_can_be_taken_by_its_button(browser: Browser, user: Client, number: int) -> None:
    page = browser.get(f"/photos/{number}").text
    buttons = re.findall(r'<button class="quiet" name="label" value="([^"]+)"', page)
    assert len(buttons) == 5
    assert press(browser, number, page, "label", label=buttons[3]).status_code == 303
    assert image(user, number)["label"] == buttons[3]
    page = browser.get(f"/photos/{number}").text
    assert len(re.findall(r'<button class="quiet" name="label"', page)) == 4


def test_a_name_that_nobody_knows_is_kept_with_suggestions(
    browser: Browser, user: Client, number: int
) -> None:
    reply = do(browser, number, "label", label="すべりひゆう")
    assert reply.status_code == 422
    assert "No plant is known by this name." in reply.text
    assert 'aria-invalid="true" aria-describedby="label-error label-help"' in reply.text
    assert 'value="すべりひゆう"' in reply.text
    assert 'form="meant" name="label" value="Portulaca oleracea"' in reply.text
    assert image(user, number)["label_source"] == "model"


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("Stelaria media", "Save as the species Stelaria media"),
        ("big yellow flower", "Save as the species Big yellow flower"),
        ("chickwed", "Save as the genus Chickwed"),
        ("hakobaceae", "Save as the family Hakobaceae"),
    ],
)
def test_what_may_be_a_slip_is_asked_for_once_more(
    browser: Browser, user: Client, number: int, typed: str, offered: str
) -> None:
    reply = do(browser, number, "label", label=typed)
    assert reply.status_code == 422
    assert "is it a slip of the pen?" in reply.text
    assert f'value="{typed}"' in reply.text
    assert image(user, number)["label_source"] == "model"
    button = re.search(
        r'<button class="second" name="as_written" value="([^"]+)">([^<]+)</button>', reply.text
    )
    assert button
    assert button[2] == offered
    assert press(browser, number, reply.text, "label", label=typed, as_written=button[1]).status_code == 303
    assert image(user, number)["label"] == button[1]
    assert offered.endswith(button[1])


def test_consent_to_one_slip_is_none_to_another(browser: Browser, user: Client, number: int) -> None:
    reply = do(browser, number, "label", label="Stelaria mediae", as_written="Stelaria media")
    assert reply.status_code == 422
    assert 'name="as_written" value="Stelaria mediae"' in reply.text
    assert image(user, number)["label_source"] == "model"


def test_a_slip_that_means_a_plant_comes_with_that_plant(browser: Browser, number: int) -> None:
    page = do(browser, number, "label", label="Stelaria media").text
    assert 'form="meant" name="label" value="Stellaria media"' in page
    known = do(browser, number, "label", label="こはこべ")
    assert known.status_code == 303  # hiragana is no slip


@pytest.mark.parametrize(
    ("label", "error"),
    [
        ("", "Fill this in."),
        ("   ", "Fill this in."),
        ("x" * 300, "At most 200 characters; these are 300."),
        (MARKUP, "No plant is known by this name."),
        (RIGHT_TO_LEFT, "No plant is known by this name."),
        ("Stellaria\nmedia\x00", "Only visible characters, on one line."),
    ],
)
def test_what_is_no_name_is_refused_beside_its_field(
    browser: Browser, user: Client, number: int, label: str, error: str
) -> None:
    reply = do(browser, number, "label", label=label)
    assert reply.status_code == 422
    assert error in reply.text
    assert MARKUP not in reply.text
    assert image(user, number)["label_source"] == "model"


def test_moving_to_another_day_tells_of_both(
    browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    first, second = sent(user, ("a.jpg", photo(1)), ("b.jpg", photo(2)))
    page = followed(browser, do(browser, first, "date", date="2025-06-12"))
    assert "The photo is on its new day." in page
    assert image(user, first)["date"] == "2025-06-12"
    assert "12 June 2025 (changed by a person)" in words(page)
    become = page[page.index('<ul class="become">') : page.index("</ul>", page.index("become"))]
    assert words(become).count("Photos") == 2
    assert "before 2 → , now 1" in words(become)
    page = followed(browser, do(browser, second, "date", date="2025-06-12"))
    assert "No photo is left on this day." in page


@pytest.mark.parametrize(
    ("day", "error"),
    [
        ("", "Fill this in."),
        ("12.6.2025", "This is no date; write it as in 2025-05-12."),
        ("2025-02-30", "This is no date"),
        ("1989-12-31", "A day from 1 January 1990 to today."),
        (f"{datetime.now(UTC).date() + timedelta(days=9)}", "A day from 1 January 1990 to today."),
    ],
)
def test_a_day_that_cannot_be_is_refused_beside_its_field(
    browser: Browser, user: Client, number: int, day: str, error: str
) -> None:
    reply = do(browser, number, "date", date=day)
    assert reply.status_code == 422
    assert f'id="date-error">{error}' in reply.text
    assert image(user, number)["date"] == DAY
    if day:
        assert "<details open>" in reply.text
        assert f'value="{day}"' in reply.text


def test_a_second_press_changes_nothing_more(browser: Browser, user: Client, number: int) -> None:
    page = browser.get(f"/photos/{number}").text
    for _ in range(2):
        assert press(browser, number, page, "label", label="Chenopodium album").status_code == 303
    assert len(image(user, number)["label_history"]) == 1
    assert do(browser, number, "not_a_plant").status_code == 303
    page = browser.get(f"/photos/{number}").text
    for _ in range(2):
        reply = press(browser, number, page, "undo")
        assert reply.headers["Location"].endswith("done=photo-undone")
        found = image(user, number)
        assert (found["label"], len(found["label_history"])) == ("Chenopodium album", 1)
    page = browser.get(f"/photos/{number}").text
    for _ in range(2):
        assert press(browser, number, page, "confirm").status_code == 303
    assert len(image(user, number)["label_history"]) == 1


def test_a_page_that_is_out_of_date_confirms_and_undoes_nothing(
    browser: Browser, user: Client, number: int
) -> None:
    page = browser.get(f"/photos/{number}").text
    user.patch(f"/api/images/{number}", json={"label": "Chenopodium album"}).raise_for_status()
    user.patch(f"/api/images/{number}", json={"label": "Veronica persica"}).raise_for_status()
    for action in ("confirm", "undo"):
        reply = press(browser, number, page, action)
        assert reply.status_code == 409
        assert "The name of this photo has changed since this page was shown." in reply.text
        assert "Veronica persica" in reply.text
    assert image(user, number)["label"] == "Veronica persica"


def test_what_cannot_be_undone_or_confirmed_says_so(browser: Browser, user: Client, number: int) -> None:
    page = browser.get(f"/photos/{number}").text
    reply = browser.post(f"/photos/{number}", {"csrf_token": token_of(page), "action": "undo"})
    assert reply.status_code == 409
    assert "The label of this photo was never changed." in reply.text
    reply = browser.post(f"/photos/{number}", {"csrf_token": token_of(page), "action": "dance"})
    assert reply.status_code == 400


def test_deleting_asks_once_more(browser: Browser, user: Client, photo: Callable[..., bytes]) -> None:
    first, second = sent(user, ("a.jpg", photo(1)), ("b.jpg", photo(2)))
    asked = browser.get(f"/photos/{first}?delete=true").text
    assert "this cannot be undone" in asked
    assert f'href="/photos/{first}">Keep it' in asked
    assert image(user, first)
    reply = press(browser, first, asked, "delete")
    assert reply.headers["Location"] == f"/days/{DAY}?done=photo-deleted"
    assert "The photo is deleted." in followed(browser, reply)
    assert user.get(f"/api/images/{first}").status_code == 404
    assert user.get(f"/api/images/{first}/file").status_code == 404
    again = press(browser, first, asked, "delete")
    assert "This photo is not there any more." in followed(browser, again)
    last = press(browser, second, browser.get(f"/photos/{second}?delete=true").text, "delete")
    assert last.headers["Location"] == "/photos?done=photo-deleted"


def test_a_stale_form_keeps_what_was_typed(browser: Browser, user: Client, number: int) -> None:
    page = browser.get(f"/photos/{number}").text
    stale = {"csrf_token": "0" * 64, "action": "label", "label": "Chenopodium"}
    reply = browser.post(f"/photos/{number}", stale)
    assert reply.status_code == 403
    assert "This form lay open for too long" in reply.text
    assert 'value="Chenopodium"' in reply.text
    assert image(user, number)["label_source"] == "model"
    assert press(browser, number, reply.text, "label", label="Chenopodium").status_code == 303
    moved = browser.post(f"/photos/{number}", stale | {"action": "date", "date": "2025-06-14"})
    assert 'value="2025-06-14"' in moved.text
    gone = browser.post(f"/photos/{number}", stale | {"action": "delete"})
    assert gone.status_code == 403
    assert "Delete for good" in gone.text
    assert image(user, number)["date"] == DAY
    assert "csrf_token" in page


def test_signed_out_meanwhile_nothing_typed_is_lost(
    server: Server, browser: Browser, user: Client, number: int
) -> None:
    page = browser.get(f"/photos/{number}").text
    assert browser.post("/sign-out", {"csrf_token": token_of(page)}).status_code == 303
    browser.get("/")
    reply = press(browser, number, page, "label", label="Chenopodium album")
    assert reply.status_code in (401, 403)
    assert "Sign in in another tab" in reply.text
    assert 'value="Chenopodium album"' in reply.text
    assert "chickweed.jpg" not in reply.text
    assert f"/api/images/{number}" not in reply.text
    assert image(user, number)["label_source"] == "model"
    browser.sign_in(user)
    again = press(browser, number, reply.text, "label", label="Chenopodium album")
    assert again.status_code == 403, "signing in has changed the token"
    assert 'value="Chenopodium album"' in again.text
    assert press(browser, number, again.text, "label", label="Chenopodium album").status_code == 303


def test_the_photo_of_another_does_not_exist(
    server: Server, browser: Browser, user: Client, photo: Callable[..., bytes]
) -> None:
    other = server.user()
    (theirs,) = sent(other, ("secret.jpg", photo(3)))
    (mine,) = sent(user, ("mine.jpg", photo(4)))
    token = token_of(browser.get(f"/photos/{mine}").text)
    for path in (f"/photos/{theirs}", f"/photos/{theirs}?delete=true"):
        reply = browser.get(path)
        assert reply.status_code == 404
        assert "secret" not in reply.text
    for action in ("confirm", "label", "not_a_plant", "undo", "date"):
        typed = {"csrf_token": token, "action": action, "label": "Poa annua", "date": "2025-06-11"}
        assert browser.post(f"/photos/{theirs}", typed).status_code == 404
    reply = browser.post(f"/photos/{theirs}", {"csrf_token": token, "action": "delete"})
    assert reply.headers["Location"] == "/photos?done=photo-gone"
    found = image(other, theirs)
    assert (found["label_source"], found["date"]) == ("model", DAY)
    for unknown in ("0", "x", "99999999999999999999"):
        assert browser.get(f"/photos/{unknown}").status_code == 404


def test_a_reader_sees_and_changes_nothing(server: Server, user: Client, number: int) -> None:
    made = user.post("/api/keys", json={"name": "reader", "scopes": ["read"]}).json()
    browser = Browser(server.base)
    assert browser.sign_in_with(made["secret"]).status_code == 303
    page = browser.get(f"/photos/{number}").text
    assert "may only read" in page
    main = page[page.index("<main") :]
    assert "<form" not in main
    assert "<button" not in main
    assert browser.get(f"/photos/{number}?delete=true").status_code == 403
    form = {"csrf_token": token_of(page), "action": "not_a_plant"}
    assert browser.post(f"/photos/{number}", form).status_code == 403
    assert image(user, number)["label_source"] == "model"


def test_near_duplicates_stand_together(user: Client, photo: Callable[..., bytes]) -> None:
    twins = [photo(7), photo(7, size=(330, 248))]
    first, second = sent(user, ("a.jpg", twins[0]), ("b.jpg", twins[1]))
    assert image(user, first)["cluster_id"] == image(user, second)["cluster_id"] is not None
    page = user.get(f"/photos/{first}").text
    assert "1 other photo looks the same." in page
    assert f'<a href="/photos/{second}"><img' in page
    assert f'rel="next" href="/photos/{second}">Next<' in page
    assert f'rel="prev" href="/photos/{first}"><span aria-hidden="true">← </span>Previous</a>' in (
        user.get(f"/photos/{second}").text
    )


def test_several_sessions_lead_to_the_day_of_the_photos_own(
    user: Client, photo: Callable[..., bytes]
) -> None:
    north, south = (
        user.post("/api/sessions", json={"session_name": name}).json()["id"] for name in ("North", "South")
    )
    (number,) = sent(user, ("a.jpg", photo(1)), session_id=north)
    sent(user, ("b.jpg", photo(2)), session_id=south)
    page = user.get(f"/photos/{number}").text
    assert f'href="/days/{DAY}?session={north}"' in page
    assert "<dt>Photos</dt><dd>1</dd>" in page
    assert 'rel="next"' not in page, "the other photo is of another session"


def test_a_visitor_is_told_what_is_here(visitor: Client) -> None:
    reply = visitor.get("/photos/1")
    assert reply.status_code == 200
    assert "What is here belongs to one person" in reply.text
    assert 'href="/sign-in?next=/photos/1"' in reply.text


def test_file_mode_has_no_photos(file_server: Server) -> None:
    visitor = file_server.visitor()
    assert "set DATABASE_URL" in visitor.get("/photos/1").text
    assert visitor.post("/photos/1", data={"action": "confirm"}).status_code == 503


def test_it_speaks_japanese(user: Client, number: int) -> None:
    page = user.get(f"/photos/{number}?lang=ja").text
    assert '<span class="common">コハコベ</span>' in page
    assert "2025年6月10日" in page
