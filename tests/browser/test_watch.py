"""What the tests of the pages rest on: whatever goes wrong in the browser is noticed, and people get in."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import PHONE, Person


def test_what_goes_wrong_in_a_page_is_noticed(visiting: Callable[..., Person]) -> None:
    person = visiting(device=PHONE)
    page = person.open("/")
    assert person.watch.wrong == []
    page.evaluate(
        """async () => {
            await fetch('/nothing-here');
            await fetch('http://example.com/').catch(() => 0);
            const mark = document.createElement('p'); mark.setAttribute('style', 'color: red');
            const script = document.createElement('script'); script.textContent = 'var a = 1';
            document.body.append(mark, script);
            await new Promise((go) => setTimeout(() => { setTimeout(go); throw new Error('on purpose'); }));
        }"""
    )
    with pytest.raises(Exception, match="ERR_NAME_NOT_RESOLVED"):
        page.goto("http://example.org/")
    told = "\n".join(person.watch.wrong)
    for part in (
        "request to another host: http://example.org/",
        "Connecting to 'http://example.com/' violates",
        "404 GET /nothing-here",
        "inline style",
        "inline script",
        "on purpose",
    ):
        assert part in told, part
    person.watch.foresee("")  # all of it: the fixture would fail this test


def test_a_person_signs_in_through_the_form(signed_in: Callable[..., Person]) -> None:
    person = signed_in(locale="ja", color_scheme="dark")
    assert person.page.locator("html").get_attribute("lang") == "ja"
    assert person.page.get_by_role("button", name="サインアウト").count() == 1
