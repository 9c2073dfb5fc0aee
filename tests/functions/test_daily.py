"""GET /api/daily/{date}: one day's summary."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.functions.conftest import Client

SECTIONS = {
    "date", "timestamp", "diversity_metrics", "confidence_intervals", "top_species", "processing_info",
    "model_info", "quality_assessment", "clustering_info", "metadata",
}  # fmt: skip


def test_a_sample_day_has_every_section(visitor: Client) -> None:
    day = visitor.get("/api/time-series").json()["dates"][10]
    body = visitor.get(f"/api/daily/{day}").json()
    assert set(body) >= SECTIONS
    assert (body["date"], body["sample"]) == (day, True)
    assert body["diversity_metrics"]["species_richness"] == len(body["species_counts"])
    for each in body["top_species"]:
        assert set(each) == {"species_name", "count", "frequency", "average_confidence", "expected_count"}
    assert set(body["estimate"]) == {"units", "unknown", "too_few", "expected_counts", "draws", "ranks"}
    assert set(body["metadata"]) >= {
        "total_images_processed", "inatag_species_count", "analysis_version", "export_timestamp",
    }  # fmt: skip


def test_a_users_day_counts_units_and_says_what_was_unsure(user: Client, photo: Callable[..., bytes]) -> None:
    sent = [(f"{seed}.jpg", photo(seed)) for seed in range(4)]
    images = [result["image"]["id"] for result in user.upload(*sent, date="2025-06-01").json()["results"]]
    for number, label in zip(
        images, ["Stellaria media", "Stellaria media", "Chenopodium album", "unknown"], strict=True
    ):
        assert user.patch(f"/api/images/{number}", json={"label": label}).status_code == 200
    body = user.get("/api/daily/2025-06-01").json()
    assert body["sample"] is False
    assert body["species_counts"] == {"Stellaria media": 2, "Chenopodium album": 1}
    assert body["diversity_metrics"]["hill_q0"] == 2
    assert body["diversity_metrics"]["simpson_diversity"] == pytest.approx(1 - (4 + 1) / 9)
    assert body["processing_info"]["processing_metadata"]["unsure"] == 1
    assert body["clustering_info"]["clusters_found"] == 4


def test_a_day_without_photos_is_not_found(visitor: Client, user: Client) -> None:
    for client in (visitor, user):
        reply = client.get("/api/daily/2025-01-15")
        assert reply.status_code == 404
        assert "2025-01-15" in reply.json()["detail"]


@pytest.mark.parametrize(
    "day", ["2025-13-45", "today", "20250824", "2025-8-4", "2025-08-24T00:00", "%00", "-"]
)
def test_a_bad_date_is_named(visitor: Client, day: str) -> None:
    reply = visitor.get(f"/api/daily/{day}")
    assert (reply.status_code, reply.json()["errors"][0]["field"]) == (400, "date")
