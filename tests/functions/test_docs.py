"""GET /docs and /docs/problems: the API to read, with an anchor for every kind of problem."""

from __future__ import annotations

import re

import pytest

from lib.web.problem_kinds import PROBLEM_KINDS
from tests.functions.conftest import Client


def test_it_shows_every_operation_of_the_document(visitor: Client) -> None:
    page = visitor.get("/docs").text
    document = visitor.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        assert f"<code>{path}</code>" in page
        for operation in operations.values():
            assert f'id="{operation["operationId"]}"' in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page


def test_its_links_lead_to_places_on_the_page(visitor: Client) -> None:
    page = visitor.get("/docs").text
    anchors = re.findall(r'href="#([^"]+)"', page)
    names = re.findall(r'id="([^"]+)"', page)
    assert len(anchors) > 20
    assert set(anchors) <= set(names)
    assert len(names) == len(set(names))


def test_it_says_what_a_key_is_for(visitor: Client) -> None:
    page = visitor.get("/docs").text
    section = page[page.index('id="get_calendar"') : page.index('id="get_time_series"')]
    assert "A key is optional." in section
    assert "shannon_diversity" in section
    assert 'href="#schema-Calendar"' in section


@pytest.mark.parametrize("kind", PROBLEM_KINDS)
def test_each_kind_of_problem_has_its_anchor(visitor: Client, kind: str) -> None:
    assert f'<div id="{kind}">' in visitor.get("/docs/problems").text


def test_the_type_of_a_problem_leads_to_its_explanation(visitor: Client) -> None:
    problem = visitor.get("/api/calendar/nothing").json()
    path, _, kind = problem["type"].partition("#")
    assert f'<div id="{kind}">' in visitor.get(path).text


def test_it_is_the_same_for_everyone_and_leaves_cookies_alone(visitor: Client, user: Client) -> None:
    assert "Set-Cookie" not in visitor.get("/docs/problems").headers
    assert visitor.get("/docs/problems").text == user.get("/docs/problems").text


def test_it_is_in_the_language_asked_for(visitor: Client) -> None:
    page = visitor.get("/docs/problems", headers={"Accept-Language": "ja"}).text
    assert '<html lang="ja">' in page
    assert "ファイルが空です" in page


def test_the_examples_name_this_server(visitor: Client) -> None:
    found = re.search(r"<pre><code>(.*?)</code></pre>", visitor.get("/docs").text, re.DOTALL)
    assert found
    assert re.findall(r"(http\S+)", found[1]) == [
        f"{visitor.base}/api/calendar/shannon_diversity",
        f"{visitor.base}/api/upload",
    ]
