"""GET /api/species-dashboard: which species, how many, since when."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functions.conftest import Client


def test_the_sample_adds_up(visitor: Client) -> None:
    body = visitor.get("/api/species-dashboard?limit=500").json()
    listed = body["species_distribution"]
    assert body["sample"] is True
    assert len(listed) == body["total_species"] > 15
    assert sum(each["count"] for each in listed) == body["total_observations"]
    assert sum(each["percentage"] for each in listed) == pytest.approx(100)
    assert [(-each["count"], each["species"]) for each in listed] == sorted(
        (-each["count"], each["species"]) for each in listed
    )
    for each in listed:
        assert each["first_seen"] <= each["last_seen"]
        assert 0 < each["mean_confidence"] <= 1
    assert sum(month["observations"] for month in body["trend"]) == body["total_observations"]
    assert body["new_species"]
    assert set(body["returning_species"]) <= {each["species"] for each in listed}


def test_the_alias_says_the_same(visitor: Client) -> None:
    assert visitor.get("/api/dashboard/species").json() == visitor.get("/api/species-dashboard").json()


def test_it_pages_through_all_species_once(visitor: Client) -> None:
    whole = visitor.get("/api/species-dashboard?limit=500").json()
    paged, offset = [], 0
    while offset is not None:
        page = visitor.get(f"/api/species-dashboard?limit=7&offset={offset}").json()
        assert page["total_species"] == whole["total_species"]
        paged += page["species_distribution"]
        offset = page["next_offset"]
    assert paged == whole["species_distribution"]


def test_a_corrected_label_is_counted_at_once(user: Client, photo: Callable[..., bytes]) -> None:
    sent = [(f"{seed}.jpg", photo(seed)) for seed in range(3)]
    results = user.upload(*sent, date="2025-06-01").json()["results"]
    for result in results[:2]:
        user.patch(f"/api/images/{result['image']['id']}", json={"label": "Stellaria media"})
    user.patch(f"/api/images/{results[2]['image']['id']}", json={"label": "not_a_plant"})
    body = user.get("/api/species-dashboard").json()
    (only,) = body["species_distribution"]
    assert (only["species"], only["count"], only["percentage"]) == ("Stellaria media", 2, 100)
    assert only["common_name"]
    assert (only["first_seen"], only["last_seen"]) == ("2025-06-01", "2025-06-01")


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=ten", "offset=-1", "start_date=1"])
def test_bad_parameters_are_named(visitor: Client, query: str) -> None:
    reply = visitor.get(f"/api/species-dashboard?{query}")
    assert reply.status_code == 400
    assert reply.json()["errors"][0]["field"] == query.split("=")[0]
