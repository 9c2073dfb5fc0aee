"""GET /compare: two sides chosen by links or a form, what sets them apart in words, and refusals in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape

import pytest

from tests.functions.conftest import Client, Server

YEARS = "a_start=2024-01-01&a_end=2024-12-31&b_start=2025-01-01&b_end=2025-12-31"
MARKUP = '<img src=x onerror="alert(1)"> \u05e9\u05d3\u05d4'
ESCAPED = "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;"


def words(page: str) -> str:
    """The text of the main part of a page, on one line."""
    text = unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]))
    return " ".join(text.replace("\u2068", "").replace("\u2069", "").split())


def links(page: str) -> dict[str, str]:
    """The suggested pairs: what each is called, and its address."""
    nav = re.search(r'<nav class="presets".*?</nav>', page, re.S)
    assert nav
    found = re.findall(r'<a href="([^"]+)"[^>]*>([^<]+)</a>', nav[0])
    return {unescape(name): unescape(address) for address, name in found}


def rows(page: str, caption: str) -> list[list[str]]:
    """The cells of the table with this caption."""
    table = re.search(rf'<caption class="unseen">{re.escape(caption)}</caption>(.*?)</table>', page, re.S)
    assert table, caption
    return [
        [
            " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row)
        ]
        for row in re.findall(r"<tr>.*?</tr>", table[1][table[1].index("<tbody") :], re.S)
    ]


def survey(
    user: Client,
    photo: Callable[..., bytes],
    day: str,
    *labels: str,
    session: int | None = None,
    seed: int = 0,
) -> int:
    """Photos of one day, each labelled by hand; the session they lie in."""
    sent = [(f"{n}.jpg", photo(seed + n)) for n in range(len(labels))]
    form = {"date": day} | ({"session_id": session} if session else {})
    body = user.upload(*sent, **form).json()
    for result, label in zip(body["results"], labels, strict=True):
        assert user.patch(f"/api/images/{result['image']['id']}", json={"label": label}).status_code == 200
    return int(body["session_id"])


class TestSample:
    def test_a_visitor_sees_two_seasons_compared_at_once(self, visitor: Client) -> None:
        reply = visitor.get("/compare")
        assert reply.status_code == 200
        text = words(reply.text)
        assert "Sample data" in text
        assert "2025 against 2024" in text
        for field, value in (part.split("=") for part in YEARS.split("&")):
            assert f'name="{field}" type="date" value="{value}"' in reply.text

    def test_it_shows_what_the_api_answers(self, visitor: Client) -> None:
        body = visitor.get("/api/compare?a=2024&b=2025").json()
        page = visitor.get(f"/compare?{YEARS}").text
        text = words(page)
        hills = rows(page, "Diversity at equal coverage")
        verdicts = {"higher": "higher", "lower": "lower", "none": "no difference for sure"}
        for row, hill in zip(hills, body["standardised"]["hill"], strict=True):
            for cell, side in zip(row[1:3], (hill["a"], hill["b"]), strict=True):
                assert cell == f"{side['value']:.1f} {side['low']:.1f}–{side['high']:.1f}"
            ratio = hill["ratio"]
            assert row[3] == f"×{ratio['value']:.2f} {ratio['low']:.2f}–{ratio['high']:.2f}"
            assert row[4].startswith(f"{verdicts[hill['verdict']]} p ")
        unlike = {row[0]: row[1:] for row in rows(page, "How unlike they are")}
        for index, name in [("bray_curtis", "Bray–Curtis of the shares"), ("jaccard", "Jaccard")]:
            found = body["dissimilarity"][index]
            assert unlike[name] == [
                f"{found['value']:.2f}",
                f"{found['low']:.2f}–{found['high']:.2f}",
                f"{body['dissimilarity']['at_equal_coverage'][index]:.2f}",
            ]
        assert unlike["Bray–Curtis of the counts"][2] == "–"  # which thinning would take the point of
        for order, row in enumerate(rows(page, "Diversity of both sides together")):
            beta = body["gamma_alpha_beta"][order]["beta"]
            assert row[3] == f"{beta['value']:.2f} {beta['low']:.2f}–{beta['high']:.2f}"
        species = body["species"]
        assert (
            f"Species on both sides: {len(species['shared'])}; in 2024 only: {len(species['lost'])}; "
            f"in 2025 only: {len(species['gained'])}."
        ) in text
        for group, caption in (("lost", "Only in 2024"), ("gained", "Only in 2025")):
            shown = rows(page, caption)
            assert [row[0].split(" ")[:2] for row in shown] == [
                each["species"].split(" ")[:2] for each in species[group]
            ]
            assert [row[2].split(" (")[0] for row in shown] == [
                {"absent": "absent", "perhaps_missed": "perhaps only missed"}[each["absence"]]
                for each in species[group]
            ]
        daily = rows(page, "Daily values")
        assert [row[1] for row in daily] == [str(body["daily"][side]["days"]) for side in "ab"]
        assert text.count("rather too small") == 1  # the note on the days, in words

    def test_the_daily_values_are_of_the_chosen_metric(self, visitor: Client) -> None:
        body = visitor.get("/api/compare?a=2024&b=2025&metric=total_images").json()
        page = visitor.get(f"/compare?{YEARS}&metric=total_images").text
        assert "Photos, day by day" in words(page)
        assert [row[2] for row in rows(page, "Daily values")] == [
            f"{body['daily'][side]['median']:.1f}" for side in "ab"
        ]
        assert '<option value="total_images" selected>' in page

    def test_suggestions_lead_to_what_they_say(self, visitor: Client) -> None:
        suggested = links(visitor.get("/compare").text)
        assert next(iter(suggested)) == "2024 and 2025"
        assert len(suggested) >= 3
        for name, address in suggested.items():
            page = visitor.get(address).text
            a, b = name.split(" and ")
            assert f"{b} against {a}" in words(page)
            assert re.search(rf'aria-current="true">{name}</a>', page)

    def test_the_json_is_of_the_same_comparison(self, visitor: Client) -> None:
        page = visitor.get(f"/compare?{YEARS}").text
        address = re.search(r'<a href="(/api/compare[^"]+)"', page)
        assert address
        assert visitor.get(unescape(address[1])).json() == visitor.get("/api/compare?a=2024&b=2025").json()

    def test_one_side_may_have_no_survey(self, visitor: Client) -> None:
        reply = visitor.get("/compare?a_start=2023-01-01&a_end=2023-12-31&b_start=2025-01-01")
        assert reply.status_code == 200
        text = words(reply.text)
        assert "No day was surveyed, so that there is nothing to compare." in text
        assert "The surveys run from" in text
        assert "Too few days for a test: 0 of 2023" in text
        assert "Diversity at equal coverage" not in text
        assert "How unlike they are" not in text

    def test_it_is_written_in_japanese_too(self, visitor: Client) -> None:
        page = visitor.get(f"/compare?{YEARS}&lang=ja").text
        assert '<html lang="ja">' in page
        assert "2024年に対する2025年" in words(page)


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "field", "why"),
        [
            ("a_start=2025-02-30&a_end=&b_start=2024-01-01&b_end=2024-02-01", "a_start", "This is no date"),
            ("a_start=&a_end=2024-12-31&b_start=2025-01-01&b_end=soon", "b_end", "This is no date"),
            (
                "a_start=2025-06-30&a_end=2025-06-01&b_start=2024-01-01&b_end=2024-02-01",
                "a_end",
                "The last day lies before the first.",
            ),
        ],
    )
    def test_bad_days_are_refused_beside_their_field_and_kept(
        self, visitor: Client, query: str, field: str, why: str
    ) -> None:
        reply = visitor.get(f"/compare?{query}")
        assert reply.status_code == 400
        wrong = re.findall(r'<p class="wrong" id="([\w-]+)">([^<]+)</p>', reply.text)
        assert [name for name, _ in wrong] == [f"{field}-error"]
        assert why in wrong[0][1]
        for each in query.split("&"):
            name, value = each.split("=")
            assert re.search(rf'name="{name}" type="(text|date)" value="{value}"', reply.text)
        assert " against " not in words(reply.text)

    @pytest.mark.parametrize(
        "query",
        [
            "a_start=2025-06-01&a_end=2025-06-30&b_start=2025-06-30&b_end=2025-07-31",
            "a_start=&a_end=&b_start=2025-06-30&b_end=",
            "a_session=&b_session=",
        ],
    )
    def test_sides_that_share_days_are_refused_in_words(self, visitor: Client, query: str) -> None:
        reply = visitor.get(f"/compare?{query}")
        assert reply.status_code == 400
        assert "Both sides have days in common." in reply.text
        assert 'role="alert"' in reply.text

    def test_what_is_typed_is_shown_as_text(self, visitor: Client) -> None:
        page = visitor.get("/compare", params={"a_start": MARKUP, "b_end": "２０２５−０６"}).text
        assert "<img src=x" not in page
        assert ESCAPED in page

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("metric=no_such", 400),
            ("a_session=x", 400),
            ("b_session=0", 400),
            ("a_session=999999", 404),
        ],
    )
    def test_what_there_is_not_is_an_error(self, visitor: Client, query: str, status: int) -> None:
        assert visitor.get(f"/compare?{query}").status_code == status

    def test_somebody_elses_session_does_not_exist(
        self, server: Server, user: Client, photo: Callable[..., bytes]
    ) -> None:
        session = survey(user, photo, "2025-06-01", "Poa annua")
        query = f"a_session={session}&a_end=2025-06-30&b_session={session}&b_start=2025-07-01"
        assert user.get(f"/compare?{query}").status_code == 200
        assert server.user().get(f"/compare?{query}").status_code == 404

    def test_a_key_that_may_not_read_is_refused(self, server: Server) -> None:
        assert server.user("write").get("/compare").status_code == 403


class TestOwn:
    def test_who_has_no_photos_is_led_to_the_upload(self, user: Client) -> None:
        page = user.get("/compare").text
        assert 'href="/upload"' in page[page.index("<main") :]
        assert "<form" not in page[page.index("<main") :]

    def test_one_survey_offers_the_form_alone(self, user: Client, photo: Callable[..., bytes]) -> None:
        survey(user, photo, "2025-06-01", "Poa annua")
        text = words(user.get("/compare").text)
        assert "There is one survey day so far." in text
        assert " against " not in text

    def test_two_sessions_of_one_day_with_markup_in_a_name(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        north = user.post("/api/sessions", json={"session_name": MARKUP}).json()["id"]
        south = user.post("/api/sessions", json={"session_name": "South"}).json()["id"]
        survey(user, photo, "2025-06-01", *["Poa annua"] * 4, "Zea mays", "Zea mays", session=north)
        survey(user, photo, "2025-06-01", *["Poa annua"] * 3, *["Rumex crispus"] * 3, session=south, seed=50)
        page = user.get(f"/compare?a_session={north}&b_session={south}").text
        assert "<img src=x" not in page
        assert ESCAPED in page
        assert f"South against {MARKUP}" in words(page)
        # The name written from right to left stays apart from the sentence around it.
        assert page.count("\u2068") == page.count("\u2069") > 0
        assert [row[0] for row in rows(page, "Species on both sides")] == ["Poa annua Annual meadow grass"]
        assert rows(page, "Species on both sides")[0][1:] == ["4", "3"]
        assert 'href="/species/Rumex%20crispus"' in page
        assert [name.replace("\u2068", "").replace("\u2069", "") for name in links(page)] == [
            f"{MARKUP} and South"
        ]

    def test_a_session_against_a_period_that_holds_its_days_is_refused(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        session = survey(user, photo, "2025-06-01", *["Poa annua"] * 5)
        survey(user, photo, "2025-07-01", *["Zea mays"] * 5, session=session, seed=50)
        reply = user.get(f"/compare?a_session={session}&b_start=2025-07-01&b_end=2025-07-31")
        assert reply.status_code == 400
        assert "Both sides have survey days in common, the first on 1 July 2025." in reply.text
        assert user.get(f"/compare?a_session={session}&b_start=2025-08-01").status_code == 200

    def test_too_few_plants_are_said_in_words(self, user: Client, photo: Callable[..., bytes]) -> None:
        session = survey(user, photo, "2025-06-01", "Poa annua", "Zea mays")
        survey(user, photo, "2025-07-01", *["Poa annua"] * 6, session=session, seed=50)
        text = words(user.get("/compare").text)
        assert "July 2025 against June 2025" in text
        assert "There are fewer than 5 plants: too few for a comparison." in text
        assert "Every species of July 2025 was found in June 2025 too." in text
        assert "Only in June 2025: 1" in text
