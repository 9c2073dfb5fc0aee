"""GET /api/taxa: suggestions for a name that is being typed."""

from __future__ import annotations

import pytest

from tests.functions.conftest import Client, Server


def test_it_suggests_taxa_with_their_names(visitor: Client) -> None:
    reply = visitor.get("/api/taxa", params={"q": "ste med"})
    assert reply.status_code == 200
    assert reply.json()["taxa"][0] == {
        "name": "Stellaria media",
        "level": "species",
        "common_name_en": "Common chickweed",
        "common_name_ja": "コハコベ",
        "family": "Caryophyllaceae",
        "in_model": True,
    }


@pytest.mark.parametrize("query", ["はこべ", "ﾊｺﾍﾞ", "chickw", "STELLARIA_MEDIA"])
def test_it_reads_what_people_type(visitor: Client, query: str) -> None:
    assert visitor.get("/api/taxa", params={"q": query}).json()["taxa"][0]["name"] == "Stellaria media"


def test_it_answers_everyone_the_same(visitor: Client, user: Client, file_server: Server) -> None:
    answers = {client.get("/api/taxa?q=galium").text for client in (visitor, user, file_server.visitor())}
    assert len(answers) == 1


def test_it_keeps_to_the_limit(visitor: Client) -> None:
    assert len(visitor.get("/api/taxa?q=a").json()["taxa"]) == 10
    assert len(visitor.get("/api/taxa?q=a&limit=3").json()["taxa"]) == 3
    assert len(visitor.get("/api/taxa?q=a&limit=50").json()["taxa"]) == 50


def test_what_is_no_name_has_no_suggestion(visitor: Client) -> None:
    for query in ("qqqq", "   ", "<script>", "％", "🌱", "()"):
        assert visitor.get("/api/taxa", params={"q": query}).json()["taxa"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("", "q"),
        ("q=", "q"),
        (f"q={'a' * 101}", "q"),
        ("q=a&q=b", "q"),
        ("q=%00", "q"),
        ("q=a&limit=0", "limit"),
        ("q=a&limit=51", "limit"),
        ("q=a&limit=x", "limit"),
    ],
)
def test_it_names_a_bad_field(visitor: Client, query: str, field: str) -> None:
    reply = visitor.get(f"/api/taxa?{query}")
    assert reply.status_code == 400
    assert [error["field"] for error in reply.json()["errors"]] == [field]


def test_it_is_only_read(visitor: Client) -> None:
    assert visitor.post("/api/taxa").status_code == 405
