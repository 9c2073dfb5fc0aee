"""GET /api/compare: two sessions or two periods against each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.functions.conftest import Client, Server, numbers

YEARS = "a=2024&b=2025"


def estimates(node: Any) -> Iterator[dict[str, float]]:
    if isinstance(node, dict):
        if set(node) == {"value", "se", "low", "high"}:
            yield node
        for each in node.values():
            yield from estimates(each)
    elif isinstance(node, list):
        for each in node:
            yield from estimates(each)


def plants(
    user: Client, photo: Callable[..., bytes], day: str, *labels: str, session: int, seed: int
) -> None:
    """Photos of one day of a session, each labelled by hand."""
    sent = [(f"{seed + n}.jpg", photo(seed + n)) for n in range(len(labels))]
    results = user.upload(*sent, date=day, session_id=session).json()["results"]
    for result, label in zip(results, labels, strict=True):
        assert user.patch(f"/api/images/{result['image']['id']}", json={"label": label}).status_code == 200


def new_session(user: Client, name: str) -> int:
    return int(user.post("/api/sessions", json={"session_name": name}).json()["id"])


class TestSample:
    def test_two_seasons_are_compared_in_every_way(self, visitor: Client) -> None:
        body = visitor.get(f"/api/compare?{YEARS}").json()
        assert body["sample"] is True
        assert (body["a"]["kind"], body["a"]["start_date"], body["a"]["end_date"]) == (
            "period", "2024-01-01", "2024-12-31",
        )  # fmt: skip
        for side in (body["a"], body["b"]):
            assert side["summary"]["too_few"] is None
            assert side["summary"]["days"] > 50
            assert side["summary"]["units"] > 1000
            assert 0.9 < side["summary"]["observed"]["coverage"] <= 1
        assert [hill["order"] for hill in body["standardised"]["hill"]] == [0, 1, 2]
        assert body["dissimilarity"]["sorensen"]["value"] == pytest.approx(
            body["dissimilarity"]["sorensen_turnover"]["value"]
            + body["dissimilarity"]["sorensen_nestedness"]["value"]
        )
        for each in body["gamma_alpha_beta"]:
            assert 1 <= each["beta"]["value"] <= 2
            assert each["gamma"]["value"] == pytest.approx(
                each["alpha"]["value"] * each["beta"]["value"], rel=0.01
            )
        found = list(estimates(body))
        assert len(found) == 3 * 3 + 8 + 3 * 3
        assert all(each["low"] <= each["value"] <= each["high"] for each in found)
        assert all(math.isfinite(number) for number in numbers(body))
        assert {note["code"] for note in body["notes"]} >= {"effort_differs", "days_independent"}
        assert all(note["text"] for note in body["notes"])

    def test_species_came_and_went(self, visitor: Client) -> None:
        species = visitor.get(f"/api/compare?{YEARS}").json()["species"]
        gained = {each["species"]: each for each in species["gained"]}
        assert gained["Galinsoga quadriradiata"]["count_a"] == 0
        assert gained["Galinsoga quadriradiata"]["absence"] == "absent"
        assert gained["Galinsoga quadriradiata"]["missed_by_chance"] < 1e-6
        assert "Spergula arvensis" in {each["species"] for each in species["lost"]}
        names = [each["species"] for group in species.values() for each in group]
        assert len(names) == len(set(names))

    def test_the_daily_values_are_those_of_the_metric(self, visitor: Client) -> None:
        for metric in ("shannon_diversity", "total_images"):
            daily = visitor.get(f"/api/compare?{YEARS}&metric={metric}").json()["daily"]
            assert daily["metric"] == metric
            assert -1 <= daily["cliffs_delta"] <= 1
            assert 0 <= daily["p"] <= 1
            assert daily["u"] == pytest.approx(
                (daily["cliffs_delta"] + 1) / 2 * daily["a"]["days"] * daily["b"]["days"]
            )
        assert sum(daily["a"]["left_out"].values()) == 0

    def test_what_comes_first_is_a(self, visitor: Client) -> None:
        there = visitor.get("/api/compare?a=2024-06&b=2025-06").json()
        back = visitor.get("/api/compare?a=2025-06&b=2024-06").json()
        assert there["a"] == back["b"]
        assert there["daily"]["cliffs_delta"] == pytest.approx(-back["daily"]["cliffs_delta"])
        for one, other in zip(there["standardised"]["hill"], back["standardised"]["hill"], strict=True):
            assert one["ratio"]["value"] * other["ratio"]["value"] == pytest.approx(1)
            assert one["p"] == pytest.approx(other["p"])

    @pytest.mark.parametrize(
        ("a", "b"),
        [
            ("2025-05-01..2025-06-30", "2025-08-01..2025-09-30"),
            ("..2024-12-31", "2025-01-01.."),
            ("2025-06", "2025-07"),
        ],
    )
    def test_periods_may_be_written_in_several_ways(self, visitor: Client, a: str, b: str) -> None:
        body = visitor.get("/api/compare", params={"a": a, "b": b}).json()
        assert body["a"]["summary"]["last_day"] < body["b"]["summary"]["first_day"]

    def test_a_period_without_a_survey_is_no_error(self, visitor: Client) -> None:
        reply = visitor.get("/api/compare?a=2023&b=2025")
        assert reply.status_code == 200
        body = reply.json()
        assert body["a"]["summary"]["too_few"] == "no_survey"
        assert body["standardised"] is body["dissimilarity"] is body["gamma_alpha_beta"] is None
        assert body["daily"]["verdict"] == "too_few"
        assert body["notes"][0]["code"] == "too_few_a"


class TestOwn:
    def test_two_plots_of_one_day(self, user: Client, photo: Callable[..., bytes]) -> None:
        north, south = new_session(user, "North"), new_session(user, "South")
        plants(user, photo, "2025-06-01", *["Poa annua"] * 4, "Zea mays", "Zea mays", session=north, seed=0)
        plants(user, photo, "2025-06-01", *["Poa annua"] * 3, *["Rumex crispus"] * 3, session=south, seed=50)
        body = user.get(f"/api/compare?a={north}&b=session:{south}").json()
        assert body["sample"] is False
        assert (body["a"]["kind"], body["a"]["session"], body["a"]["session_name"]) == (
            "session",
            north,
            "North",
        )
        assert (body["b"]["start_date"], body["b"]["end_date"]) == (None, None)
        assert [each["species"] for each in body["species"]["lost"]] == ["Zea mays"]
        assert [each["species"] for each in body["species"]["gained"]] == ["Rumex crispus"]
        shared = body["species"]["shared"]
        assert [(each["species"], each["count_a"], each["count_b"]) for each in shared] == [
            ("Poa annua", 4, 3)
        ]
        assert body["dissimilarity"]["jaccard"]["value"] == pytest.approx(2 / 3)
        # |4−3| + |2−0| + |0−3| of twelve
        assert body["dissimilarity"]["bray_curtis_raw"]["value"] == pytest.approx(6 / 12)
        assert body["a"]["summary"]["units"] == pytest.approx(6)
        assert body["effort_differs"] is False

    def test_a_period_can_be_restricted_to_a_session(self, user: Client, photo: Callable[..., bytes]) -> None:
        north, south = new_session(user, "North"), new_session(user, "South")
        plants(user, photo, "2025-06-01", "Poa annua", session=north, seed=0)
        plants(user, photo, "2025-07-01", "Zea mays", session=south, seed=50)
        body = user.get(f"/api/compare?a=2025-06&b=2025-07&session={north}").json()
        assert (body["a"]["summary"]["days"], body["b"]["summary"]["days"]) == (1, 0)
        assert (body["b"]["kind"], body["b"]["session"], body["b"]["session_name"]) == (
            "period",
            north,
            "North",
        )
        # Of two sessions, one may be compared with a period of the other.
        assert user.get(f"/api/compare?a={north}&b=2025&session={south}").status_code == 200

    def test_the_same_photos_cannot_stand_on_both_sides(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        north = new_session(user, "North")
        plants(user, photo, "2025-06-01", "Poa annua", session=north, seed=0)
        for query in (
            f"a={north}&b={north}",
            f"a={north}&b=session:{north}",
            f"a={north}&b=2025",
            f"a=2025&b={north}",
            f"a={north}&b=2025&session={north}",
            "a=2025-06&b=2025-06-30..2025-07-31",
            "a=2025-06-01..&b=..2025-06-01",
        ):
            reply = user.get(f"/api/compare?{query}")
            assert reply.status_code == 422, query
            assert [error["field"] for error in reply.json()["errors"]] == ["b"]
        # In July the session has no photo.
        assert user.get(f"/api/compare?a={north}&b=2025-07").status_code == 200

    def test_another_users_session_is_not_there(
        self, user: Client, server: Server, photo: Callable[..., bytes]
    ) -> None:
        mine = new_session(user, "North")
        stranger = server.user()
        for query, fields in (
            (f"a={mine}&b=2025", ["a"]),
            (f"a=2024&b=session:{mine}", ["b"]),
            (f"a=2024&b=2025&session={mine}", ["session"]),
            (f"a={mine}&b={mine}", ["a", "b"]),
        ):
            reply = stranger.get(f"/api/compare?{query}")
            assert reply.status_code == 404
            assert [error["field"] for error in reply.json()["errors"]] == fields
            assert user.get(f"/api/compare?{query}").status_code in (200, 422)


def test_a_visitor_has_no_sessions(visitor: Client) -> None:
    assert visitor.get("/api/compare?a=1&b=2025").status_code == 404


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("", ["a", "b"]),
        ("a=2025", ["b"]),
        ("a=north&b=..", ["a", "b"]),
        ("a=2025-13&b=2025-02-30", ["a", "b"]),
        ("a=2025-06-30..2025-06-01&b=2024", ["a"]),
        ("a=2024&a=2023&b=2025", ["a"]),
        (f"a=2024&b={'9' * 41}", ["b"]),
        ("a=2024&b=2025&metric=beauty", ["metric"]),
        ("a=x&b=2025&metric=beauty", ["a", "metric"]),
        ("a=2024&b=2025&session=0", ["session"]),
    ],
)
def test_bad_parameters_are_named_all_at_once(visitor: Client, query: str, fields: list[str]) -> None:
    reply = visitor.get(f"/api/compare?{query}")
    assert reply.status_code == 400, reply.text
    assert [error["field"] for error in reply.json()["errors"]] == fields
    assert all(error["reason"] for error in reply.json()["errors"])
