"""GET and PATCH /api/images: the user's photos, page by page, and one correction of several."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.functions.conftest import Client, Server


@pytest.fixture
def season(user: Client, photo: Callable[..., bytes]) -> list[int]:
    """Nine photos on three days; the ids in the order they are listed."""
    for day in ("2025-05-01", "2025-05-03", "2025-05-02"):
        user.upload(*[(f"{day}-{i}.jpg", photo(int(day[-1]) * 10 + i)) for i in range(3)], date=day)
    listed = user.get("/api/images?limit=200").json()["images"]
    assert [(image["date"], image["id"]) for image in listed] == sorted(
        ((image["date"], image["id"]) for image in listed), reverse=True
    )
    return [image["id"] for image in listed]


@pytest.mark.parametrize("limit", [1, 2, 4, 9, 10])
def test_pages_show_every_photo_once(user: Client, season: list[int], limit: int) -> None:
    seen: list[int] = []
    cursor = ""
    while cursor is not None:
        page = user.get("/api/images", params={"limit": limit, "cursor": cursor}).json()
        assert len(page["images"]) <= limit
        seen += [image["id"] for image in page["images"]]
        cursor = page["next_cursor"]
    assert seen == season


def test_a_page_stays_while_photos_come_and_go(
    user: Client, season: list[int], photo: Callable[..., bytes]
) -> None:
    first = user.get("/api/images?limit=4").json()
    user.upload(("new.jpg", photo(77)), date="2025-06-01")
    user.delete(f"/api/images/{season[3]}")
    rest = user.get("/api/images", params={"limit": 50, "cursor": first["next_cursor"]}).json()
    assert [image["id"] for image in rest["images"]] == season[4:]


def test_filters_narrow_the_list(user: Client, season: list[int]) -> None:
    def listed(**query: str) -> list[int]:
        return [image["id"] for image in user.get("/api/images", params=query).json()["images"]]

    user.patch(f"/api/images/{season[0]}", json={"label": "Stellaria media"})
    assert listed(label="Stellaria media", label_source="human") == season[:1]
    assert len(listed(start_date="2025-05-02", end_date="2025-05-02")) == 3
    assert season[0] not in listed(unsure="true")


def test_nothing_about_places_is_listed(user: Client, season: list[int]) -> None:
    image = user.get("/api/images?limit=1").json()["images"][0]
    assert not {"path", "latitude", "longitude", "fingerprint"} & set(image)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "cursor=x", "cursor=!!!", "cursor=MjAyNS0wNS0wMS4w", "start_date=1",
        "label_source=god", "unsure=perhaps", "session=x", "cursor=" + "A" * 300,
    ],
)  # fmt: skip
def test_bad_parameters_are_named(user: Client, query: str) -> None:
    reply = user.get(f"/api/images?{query}")
    assert reply.status_code == 400, reply.text
    assert reply.json()["errors"][0]["field"] == query.split("=")[0]


def test_an_unknown_session_is_not_found(user: Client) -> None:
    assert user.get("/api/images?session=99999999").status_code == 404


# PATCH: several at once


@pytest.fixture
def three(user: Client, photo: Callable[..., bytes]) -> list[int]:
    """Two photos of one day and one of another, which the model could not name."""
    first = user.upload(("a.jpg", photo(1)), ("b.jpg", photo(2)), date="2025-05-01").json()
    second = user.upload(("c.jpg", photo(3)), date="2025-05-02").json()
    return [result["image"]["id"] for reply in (first, second) for result in reply["results"]]


def test_several_are_named_at_once_and_the_days_follow(user: Client, three: list[int]) -> None:
    asked = three[::-1]
    reply = user.patch("/api/images", json={"ids": asked, "label": "common chickweed"})
    assert reply.status_code == 200, reply.text
    answered = reply.json()
    assert [image["id"] for image in answered["images"]] == asked
    assert {(image["label"], image["label_source"]) for image in answered["images"]} == {
        ("Stellaria media", "human")
    }
    (days,) = answered["metrics"].values()
    assert list(answered["metrics"]) == [str(user.get("/api/sessions").json()["sessions"][0]["id"])]
    assert {day: row["species_richness"] for day, row in days.items()} == {"2025-05-01": 1, "2025-05-02": 1}
    read = user.get("/api/daily/2025-05-01").json()
    assert read["top_species"][0]["species_name"] == "Stellaria media"


def test_several_are_undone_at_once(user: Client, three: list[int]) -> None:
    before = [user.get(f"/api/images/{number}").json()["label"] for number in three]
    user.patch("/api/images", json={"ids": three, "label": "Galium aparine"}).raise_for_status()
    undone = user.patch("/api/images", json={"ids": three, "undo": True}).json()
    assert [image["label"] for image in undone["images"]] == before
    assert {image["label_source"] for image in undone["images"]} == {"model"}
    again = user.patch("/api/images", json={"ids": three, "undo": True})
    assert again.status_code == 409
    assert [error["reason"].partition(":")[0] for error in again.json()["errors"]] == [
        f"photo {number}" for number in three
    ]


def test_all_or_none_are_changed_and_each_that_cannot_be_is_named(
    user: Client, server: Server, three: list[int], photo: Callable[..., bytes]
) -> None:
    other = server.user()
    foreign = other.upload(("d.jpg", photo(4))).json()["results"][0]["image"]["id"]
    reply = user.patch("/api/images", json={"ids": [*three, foreign, 999_999_999], "label": "Galium aparine"})
    assert reply.status_code == 404
    assert [error["reason"] for error in reply.json()["errors"]] == [
        f"photo {number}: There is no such photo." for number in (foreign, 999_999_999)
    ]
    assert all(user.get(f"/api/images/{number}").json()["label_source"] == "model" for number in three)
    assert other.get(f"/api/images/{foreign}").json()["label_source"] == "model"
    # One that can be undone among others that cannot: it stays as it was.
    user.patch(f"/api/images/{three[1]}", json={"label": "Galium aparine"}).raise_for_status()
    reply = user.patch("/api/images", json={"ids": three, "undo": True})
    assert reply.status_code == 409
    assert [error["reason"].partition(":")[0] for error in reply.json()["errors"]] == [
        f"photo {three[0]}",
        f"photo {three[2]}",
    ]
    assert user.get(f"/api/images/{three[1]}").json()["label"] == "Galium aparine"


@pytest.mark.parametrize(
    ("change", "status", "field"),
    [
        ({}, 400, "ids"),
        ({"ids": []}, 400, "ids"),
        ({"ids": [0], "confirm": True}, 400, "ids"),
        ({"ids": ["x"], "confirm": True}, 400, "ids"),
        ({"ids": [1] * 201, "confirm": True}, 400, "ids"),
        ({"ids": [1]}, 400, "body"),
        ({"ids": [1], "confirm": True, "undo": True}, 400, "confirm"),
        ({"ids": [1], "date": "2025-05-01"}, 400, "date"),
        ({"ids": [1], "label": "スベリヒユウ"}, 422, "label"),
    ],
)
def test_what_a_bulk_change_must_not_say(
    user: Client, change: dict[str, Any], status: int, field: str
) -> None:
    reply = user.patch("/api/images", json=change)
    assert reply.status_code == status, reply.text
    assert reply.json()["errors"][0]["field"] == field


def test_a_bulk_change_is_described(visitor: Client) -> None:
    described = visitor.get("/openapi.json").json()
    operation = described["paths"]["/api/images"]["patch"]
    name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    ids = described["components"]["schemas"][name]["properties"]["ids"]
    assert (ids["minItems"], ids["maxItems"]) == (1, 200)
    assert {"404", "409", "422"} <= set(operation["responses"])
