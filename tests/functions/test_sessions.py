"""GET and POST /api/sessions: fields, plots and campaigns."""

from __future__ import annotations

from typing import Any

import pytest

from tests.functions.conftest import Client

WHOLE = {
    "session_name": "北の畑 <North & East>",
    "description": "natural farming, no till",
    "start_date": "2025-05-01",
    "end_date": "2025-10-31",
    "timezone": "Asia/Tokyo",
    "latitude": 43.06,
    "longitude": 141.35,
    "region_species": "hokkaido",
}


def test_a_session_is_made_and_found(user: Client) -> None:
    reply = user.post("/api/sessions", json=WHOLE)
    assert reply.status_code == 201
    made = reply.json()
    assert {name: made[name] for name in WHOLE} == WHOLE
    assert reply.headers["Location"] == f"/api/sessions/{made['id']}"
    assert user.get(reply.headers["Location"]).json() == made
    assert user.get("/api/sessions").json()["sessions"] == [made]


def test_a_name_is_enough_and_the_zone_is_the_sites(user: Client) -> None:
    made = user.post("/api/sessions", json={"session_name": " Plot 1 "}).json()
    assert (made["session_name"], made["timezone"], made["photos"]) == ("Plot 1", "Asia/Tokyo", 0)


def test_without_a_list_of_its_own_the_sites_holds(user: Client) -> None:
    assert user.post("/api/sessions", json={"session_name": "x"}).json()["region_species"] is None


@pytest.mark.parametrize("region", [None, "none", "hokkaido", ["Zea mays", "Nobody knows"]])
def test_the_list_of_a_region_comes_back_as_it_was_given(
    user: Client, region: str | list[str] | None
) -> None:
    made = user.post("/api/sessions", json={"session_name": "x", "region_species": region}).json()
    assert made["region_species"] == region
    assert user.get("/api/sessions").json()["sessions"] == [made]


def test_the_refusal_of_a_list_says_what_may_be_written(user: Client) -> None:
    reply = user.post("/api/sessions", json={"session_name": "x", "region_species": "atlantis"})
    (error,) = reply.json()["errors"]
    assert reply.status_code == 422
    assert "hokkaido" in error["reason"]
    assert "none" in error["reason"]


def test_the_newest_comes_first(user: Client) -> None:
    for name in ("one", "two", "three"):
        user.post("/api/sessions", json={"session_name": name})
    names = [session["session_name"] for session in user.get("/api/sessions").json()["sessions"]]
    assert names == ["three", "two", "one"]


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"session_name": ""}, ["session_name"]),
        ({"session_name": "   "}, ["session_name"]),
        ({"session_name": "x" * 101}, ["session_name"]),
        ({"session_name": "two\nlines"}, ["session_name"]),
        ({"session_name": "nul\x00"}, ["session_name"]),
        ({"session_name": "bell\x07"}, ["session_name"]),
        ({"session_name": "\u202eback"}, ["session_name"]),
        ({"session_name": None}, ["session_name"]),
        ({"description": "x" * 2001}, ["description"]),
        ({"timezone": "Mars/Olympus"}, ["timezone"]),
        ({"timezone": "../../etc/passwd"}, ["timezone"]),
        ({"latitude": 91}, ["latitude"]),
        ({"longitude": "east"}, ["longitude"]),
        ({"latitude": None}, ["latitude"]),
        ({"end_date": "2025-04-30"}, ["end_date"]),
        ({"start_date": "2025-02-30", "latitude": -91}, ["start_date", "latitude"]),
        ({"colour": "green"}, ["colour"]),
        ({"region_species": 5}, ["region_species"]),
        ({"region_species": ""}, ["region_species"]),
        ({"region_species": "atlantis"}, ["region_species"]),
        ({"region_species": "../../etc/passwd"}, ["region_species"]),
        ({"region_species": []}, ["region_species"]),
        ({"region_species": [""]}, ["region_species"]),
        ({"region_species": ["Stellaria media", 7]}, ["region_species"]),
        ({"region_species": ["Stellaria media", "weeds"]}, ["region_species[1]"]),
        ({"region_species": ["weeds"]}, ["region_species[0]"]),
        ({"region_species": ["Nobody knows", "Bellis perennis"]}, ["region_species"]),
    ],
)
def test_every_bad_field_is_named(user: Client, change: dict[str, Any], fields: list[str]) -> None:
    reply = user.post("/api/sessions", json=WHOLE | change)
    assert reply.status_code in (400, 422), reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert [error["field"] for error in reply.json()["errors"]] == fields
    assert user.get("/api/sessions").json()["sessions"] == []


def test_a_missing_name_is_named(user: Client) -> None:
    reply = user.post("/api/sessions", json={})
    assert (reply.status_code, reply.json()["errors"]) == (
        400, [{"field": "session_name", "reason": "is required"}],
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ['{"session_name": NaN}', '{"session_name": "\\ud800"}', '{"latitude": 1e999}']
)
def test_json_that_is_none_is_refused(user: Client, text: str) -> None:
    reply = user.post("/api/sessions", data=text, headers={"Content-Type": "application/json"})
    assert reply.status_code == 400, reply.text
