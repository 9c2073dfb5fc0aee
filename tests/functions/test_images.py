"""GET /api/images: the user's photos, page by page."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functions.conftest import Client


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
