"""Photos sent by a browser: dropped or chosen, through a network that fails, twice, and without a script."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lib.taxa import common_name
from tests.browser.conftest import Person

if TYPE_CHECKING:
    from playwright.sync_api import Page, Route

TAKEN = "#sent > li.created"
PICKED = "#sent > li.picked"


@pytest.fixture
def plants(photos_dir: Path) -> list[Path]:
    """Three photos of three species."""
    return [sorted(folder.glob("*.jpg"))[0] for folder in sorted(photos_dir.iterdir()) if folder.is_dir()][:3]


def kept(person: Person) -> int:
    """How many photos the server has of a person."""
    return len(person.client.get("/api/images").json()["images"])


def send(page: Page, plants: list[Path]) -> None:
    page.locator("#files").set_input_files(plants)
    page.locator(PICKED).nth(len(plants) - 1).wait_for()
    page.locator("#send").click()


def test_three_photos_are_sent_and_named(signed_in: Callable[..., Person], plants: list[Path]) -> None:
    person = signed_in()
    page = person.open("/upload")
    send(page, plants)
    page.locator(TAKEN).nth(2).wait_for()
    assert page.locator('#sent a[href^="/photos/"]').count() == 3
    assert page.locator('#days a[href^="/days/"]').count() >= 1
    assert kept(person) == 3


def test_a_lost_answer_is_asked_for_again_and_doubles_nothing(
    signed_in: Callable[..., Person], plants: list[Path]
) -> None:
    person = signed_in()
    page = person.open("/upload")
    person.watch.foresee("ERR_.* POST .*/api/upload")
    keys: list[str] = []

    def lose_the_first_answer(route: Route) -> None:
        keys.append(route.request.headers["idempotency-key"])
        if len(keys) == 1:
            route.fetch()  # it arrives, but its answer does not
            route.abort("connectionreset")
        else:
            route.continue_()

    page.route("**/api/upload", lose_the_first_answer)
    send(page, plants)
    page.locator("#sent > li.created, #sent > li.duplicate").nth(2).wait_for()
    assert keys[0] in keys[1:]
    assert len(set(keys)) == 3
    assert kept(person) == 3


def test_a_photo_that_is_there_is_told_as_such(signed_in: Callable[..., Person], plants: list[Path]) -> None:
    person = signed_in()
    person.client.upload((plants[0].name, plants[0].read_bytes())).raise_for_status()
    page = person.open("/upload")
    send(page, plants[:1])
    page.locator("#sent > li.duplicate", has_text="Already there").wait_for()
    assert kept(person) == 1


def test_the_form_sends_without_a_script(signed_in: Callable[..., Person], plants: list[Path]) -> None:
    person = signed_in(javascript=False)
    page: Any = person.open("/upload")
    page.locator("#files").set_input_files(plants)
    with page.expect_navigation():
        page.locator("#send").click()
    assert page.locator('main a[href^="/days/"]').count() >= 1
    assert kept(person) == 3


def test_offline_the_photos_wait_and_go_on(signed_in: Callable[..., Person], plants: list[Path]) -> None:
    person = signed_in()
    page = person.open("/upload")
    person.watch.foresee("ERR_INTERNET_DISCONNECTED")
    page.locator("#files").set_input_files(plants)
    page.locator(PICKED).nth(2).wait_for()
    person.context.set_offline(True)
    page.locator("#send").click()
    page.locator("#trouble", has_text="You are offline").wait_for()
    assert kept(person) == 0
    person.context.set_offline(False)
    page.locator(TAKEN).nth(2).wait_for()
    assert kept(person) == 3


def test_signed_out_in_the_middle_the_photos_stay(
    signed_in: Callable[..., Person], plants: list[Path]
) -> None:
    person = signed_in()
    page = person.open("/upload")
    person.watch.foresee("401 POST /api/upload")
    cookies = person.context.cookies()
    page.locator("#files").set_input_files(plants[:1])
    page.locator(PICKED).wait_for()
    person.context.clear_cookies()
    page.locator("#send").click()
    page.locator("#sign-in").wait_for()
    assert kept(person) == 0
    person.context.add_cookies(cookies)  # type: ignore[arg-type]  # as signing in in another tab does
    page.locator("#now").click()
    page.locator(TAKEN).wait_for()
    assert kept(person) == 1


def test_what_is_dropped_is_listed_and_what_is_no_photo_is_refused_unsent(
    signed_in: Callable[..., Person],
) -> None:
    person = signed_in()
    page = person.open("/upload")
    page.evaluate(
        """() => {
            const dataTransfer = new DataTransfer();
            dataTransfer.items.add(new File(["\\xff\\xd8\\xff"], "no.txt"));
            dataTransfer.items.add(new File([new Uint8Array([255, 216, 255, 224])], "yes.jpg"));
            document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
        }"""
    )
    page.locator("#sent > li.refused, #sent > li.rejected", has_text="no.txt").wait_for()
    page.locator(PICKED, has_text="yes.jpg").wait_for()
    assert not page.locator("#counted").is_visible()  # nothing was sent, so nothing is done
    assert kept(person) == 0


def test_only_the_photo_that_failed_is_sent_again(
    signed_in: Callable[..., Person], plants: list[Path]
) -> None:
    person = signed_in()
    page = person.open("/upload")
    person.watch.foresee("507 POST /api/upload")
    names: list[str] = []

    def full_once(route: Route) -> None:
        names.append(route.request.headers["idempotency-key"])
        if len(names) == 3:
            route.fulfill(
                status=507, content_type="application/problem+json", body='{"type": "/docs#storage-full"}'
            )
        else:
            route.continue_()

    page.route("**/api/upload", full_once)
    send(page, plants)
    page.locator("#retry").click()
    page.locator(TAKEN).nth(2).wait_for()
    assert len(names) == 4
    assert names[3] == names[2]
    assert kept(person) == 3


def test_what_a_photo_comes_closest_to_has_both_names(
    signed_in: Callable[..., Person], photo: Callable[..., bytes], tmp_path: Path
) -> None:
    drawn = tmp_path / "drawn.jpg"
    drawn.write_bytes(photo(1))
    person = signed_in(locale="ja")
    page = person.open("/upload")
    send(page, [drawn])
    page.locator(TAKEN).wait_for()
    image = person.client.get("/api/images").json()["images"][0]
    best, confidence = image["predictions"][0]["species"], image["predictions"][0]["confidence"]
    assert 0 < confidence < 0.005  # less than can be shown
    assert f"最も近い種：{best} {common_name(best, 'ja')} · <1%\n" in page.locator(TAKEN).inner_text()
