"""Keys in a real browser: one is made, copied, used on a phone, and revoked; with and without scripts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import PHONE, Person
from tests.functions.conftest import Server


@pytest.mark.parametrize("javascript", [True, False])
def test_a_key_for_the_phone_is_made_and_revoked(
    server: Server,
    signed_in: Callable[..., Person],
    visiting: Callable[..., Person],
    javascript: bool,
) -> None:
    person = signed_in(javascript=javascript)
    page = person.open("/keys")
    page.get_by_label("Name").fill("my phone")
    page.get_by_role("button", name="Make the key").click()
    secret = page.locator("#secret").inner_text()
    # Whoever cannot see the page is led to what must be kept now.
    expect(page.get_by_role("heading", name="The new key: my phone")).to_be_focused()

    phone = visiting(device=PHONE, javascript=javascript, client=person.client)
    there = phone.open("/sign-in?next=/keys")
    there.get_by_label("Key").fill(secret)
    there.get_by_role("main").get_by_role("button", name="Sign in").tap()
    expect(there.locator("li", has_text="This browser is signed in with it.")).to_contain_text("my phone")

    page = person.open("/keys")
    page.get_by_role("link", name="Revoke … my phone").click()
    page.get_by_role("button", name="Revoke for good").click()
    expect(page.get_by_role("status")).to_have_text("The key is revoked: it opens nothing any more.")
    expect(page.get_by_role("link", name=re.compile("my phone"))).to_have_count(0)
    phone.open("/keys")
    expect(there.get_by_role("main").get_by_role("link", name="Sign in")).to_be_visible()


def test_a_press_copies_the_key(signed_in: Callable[..., Person]) -> None:
    person = signed_in()
    person.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = person.open("/keys")
    page.get_by_label("Name").fill("my phone")
    page.get_by_role("button", name="Make the key").click()
    page.get_by_role("button", name="Copy it").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#secret").inner_text()


def test_two_presses_make_one_key_and_show_it(signed_in: Callable[..., Person]) -> None:
    person = signed_in()
    page = person.open("/keys")
    page.get_by_label("Name").fill("my phone")
    page.get_by_role("button", name="Make the key").dblclick()
    expect(page.locator("#secret")).to_be_visible()
    expect(page.locator(".things li")).to_have_count(2)


def test_the_key_alone_stands_apart_from_the_sentences(signed_in: Callable[..., Person]) -> None:
    page = signed_in().open("/keys")
    page.get_by_label("Name").fill("my phone")
    page.get_by_role("button", name="Make the key").click()
    shown = page.locator(".secret code").evaluate_all(
        "(all) => all.map((each) => getComputedStyle(each).display)"
    )
    assert shown == ["block", "inline"]
