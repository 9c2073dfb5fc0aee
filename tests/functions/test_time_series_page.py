"""GET /time-series: charts with their words, the choice of days and metrics, the table and its CSV."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from typing import Any

import pytest

from lib.store.records import METRICS
from lib.time_series import DEFAULT_METRICS
from tests.functions.conftest import Client, Server

SEASON = "start_date=2025-05-01&end_date=2025-10-31"


def api(client: Client, query: str) -> Any:
    return client.get(f"/api/time-series?{query}").json()


def charts(page: str) -> list[str]:
    return re.findall(r'<svg[^>]*role="img".*?</svg>', page, re.S)


def days_in_table(page: str) -> list[str]:
    return re.findall(r'<tr><th scope="row"><a href="/days/([\d-]+)', page)


def words(page: str) -> str:
    """The text of a page, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


def lines_of(reply: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(reply.content.decode("utf-8-sig"))))


def survey(user: Client, photo: Callable[..., bytes], day: str, *labels: str, seed: int = 0) -> int:
    """Photos of one day, each labelled by hand; the session they lie in."""
    sent = [(f"{n}.jpg", photo(seed + n)) for n in range(len(labels))]
    body = user.upload(*sent, date=day).json()
    for result, label in zip(body["results"], labels, strict=True):
        assert user.patch(f"/api/images/{result['image']['id']}", json={"label": label}).status_code == 200
    return int(body["session_id"])


class TestSample:
    def test_each_chosen_metric_has_a_chart_that_says_itself_in_words(self, visitor: Client) -> None:
        page = visitor.get("/time-series").text
        found = charts(page)
        assert len(found) == len(DEFAULT_METRICS)
        for chart in found:
            labelled = re.search(r'aria-labelledby="(\S+) (\S+)"', chart)
            assert labelled
            title = re.search(rf'<title id="{labelled[1]}">(.+?)</title>', chart)
            described = re.search(rf'<desc id="{labelled[2]}">(.+?)</desc>', chart)
            assert title
            assert described
            assert "survey days from" in described[1]
            assert 'class="line"' in chart
            assert 'class="band"' in chart
        several = visitor.get("/time-series?metrics=hill_q1&metrics=hill_q2,total_images").text
        assert len(charts(several)) == 3
        ids = re.findall(r' id="([^"]+)"', several)
        assert len(ids) == len(set(ids))

    def test_the_table_has_the_days_and_values_of_the_api(self, visitor: Client) -> None:
        body = api(visitor, f"{SEASON}&metrics=shannon_diversity")
        page = visitor.get(f"/time-series?{SEASON}&metrics=shannon_diversity").text
        assert days_in_table(page) == body["dates"]
        table = page[page.index('<table class="list days">') :]
        values = [
            row[0]
            for row in re.findall(r'</a></th><td class="number">([^<]*)</td>(<td class="number">)', table)
        ]
        shown = [
            # A day with too few photos says so in place of a number.
            "–" if value is None or effort == "low" else f"{value:.2f}"
            for value, effort in zip(body["metrics"]["shannon_diversity"], body["effort"], strict=True)
        ]
        assert values == shown
        assert body["effort"].count("low") > 0
        assert table.count('scope="col"') == 5  # day, value, interval, photos, effort
        assert "<caption" in table

    def test_days_with_too_few_photos_are_hollow_and_named_so(self, visitor: Client) -> None:
        body = api(visitor, f"{SEASON}&metrics=species_richness")
        low, none = body["effort"].count("low"), body["effort"].count("none")
        page = visitor.get(f"/time-series?{SEASON}&metrics=species_richness").text
        assert low > 0
        # Where no species was named there are none: a number, but not one to compare either.
        assert charts(page)[0].count('class="hollow"') == low + none
        assert (
            charts(page)[0].count(": not compared: too few photos, or no species named</title>") == low + none
        )
        assert page[page.index("<table") :].count("too few photos to compare") == low

    def test_without_a_choice_it_shows_the_newest_season(self, visitor: Client) -> None:
        newest = api(visitor, "")["dates"][-1][:4]
        page = visitor.get("/time-series").text
        assert {day[:4] for day in days_in_table(page)} == {newest}
        assert f'value="{newest}-01-01"' in page

    @pytest.mark.parametrize(
        ("period", "most"), [("30-days", 30), ("90-days", 90), ("season", 366), ("season-before", 366)]
    )
    def test_periods_are_links_that_show_where_one_is(self, visitor: Client, period: str, most: int) -> None:
        page = visitor.get(f"/time-series?period={period}&metrics=hill_q1").text
        days = days_in_table(page)
        every = api(visitor, "")["dates"]
        assert 0 < len(days) <= most
        assert len(days) < len(every)
        current = re.search(r'<a href="([^"]+)" aria-current="true">', page)
        assert current
        assert unescape(current[1]) == f"/time-series?metrics=hill_q1&period={period}"

    def test_all_days_are_all(self, visitor: Client) -> None:
        every = api(visitor, "")["dates"]
        assert days_in_table(visitor.get("/time-series?period=all").text) == every
        # A form with both fields left empty asks for all days too.
        assert days_in_table(visitor.get("/time-series?start_date=&end_date=").text) == every

    def test_a_period_holds_both_its_ends_and_the_fields_show_it(self, visitor: Client) -> None:
        dates = api(visitor, "")["dates"]
        page = visitor.get(f"/time-series?start_date={dates[3]}&end_date={dates[7]}").text
        assert days_in_table(page) == dates[3:8]
        assert f'name="start_date" type="date" value="{dates[3]}"' in page
        assert f'name="end_date" type="date" value="{dates[7]}"' in page

    def test_the_trend_says_what_the_api_found(self, visitor: Client) -> None:
        for metric in METRICS:
            found = visitor.get(f"/api/trend?metric={metric}&{SEASON}").json()
            text = words(visitor.get(f"/time-series?metrics={metric}&{SEASON}").text)
            beginning = {
                "rising": "Rising:",
                "falling": "Falling:",
                "none": "Neither rising nor falling for sure:",
            }[found["verdict"]]
            assert f"{beginning} " in text, metric
            assert f"over {len(found['points'])} days" in text

    def test_a_winter_is_a_gap(self, visitor: Client) -> None:
        page = visitor.get("/time-series?period=all&metrics=species_richness").text
        assert charts(page)[0].count("<polyline") > 1
        assert "A broken line" in page

    def test_equal_coverage_shows_the_standardised_values(self, visitor: Client) -> None:
        query = f"{SEASON}&metrics=hill_q1,pielou_evenness"
        body = api(visitor, query)
        fair = lines_of(visitor.get(f"/time-series?{query}&coverage=equal&format=csv"))
        values = body["standardised"]["hill_q1"]["value"]
        assert [line["hill_q1_standardised"] for line in fair] == [
            "" if value is None else str(value) for value in values
        ]
        assert "pielou_evenness" in fair[0]
        page = words(visitor.get(f"/time-series?{query}&coverage=equal").text)
        assert "Hill number q = 1 at equal coverage" in page
        assert "It has no form at equal coverage" in page

    def test_the_csv_is_the_table_with_all_digits(self, visitor: Client) -> None:
        page = visitor.get(f"/time-series?{SEASON}&metrics=hill_q2").text
        address = re.search(r'<a href="([^"]+)" download>', page)
        assert address
        reply = visitor.get(unescape(address[1]))
        body = api(visitor, f"{SEASON}&metrics=hill_q2")
        assert reply.headers["Content-Type"].startswith("text/csv")
        name = f"sample_time_series_{body['dates'][0]}_to_{body['dates'][-1]}.csv"
        assert reply.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        lines = lines_of(reply)
        assert [line["date"] for line in lines] == body["dates"]
        assert [line["effort"] for line in lines] == body["effort"]
        for name, values in [
            ("hill_q2", body["metrics"]["hill_q2"]),
            ("hill_q2_low", body["intervals"]["hill_q2"]["low"]),
            ("hill_q2_high", body["intervals"]["hill_q2"]["high"]),
        ]:
            assert [line[name] for line in lines] == ["" if each is None else str(each) for each in values]

    def test_it_is_written_in_japanese_too(self, visitor: Client) -> None:
        page = visitor.get("/time-series?lang=ja").text
        assert '<html lang="ja">' in page
        assert "<h1>時系列</h1>" in page
        assert re.search(r"\d+月\d+日", page)


class TestRefusals:
    @pytest.mark.parametrize(
        ("query", "field", "why"),
        [
            ("start_date=2025-13-01&end_date=", "start_date", "This is no date"),
            ("start_date=&end_date=yesterday", "end_date", "This is no date"),
            (
                "start_date=2025-06-02&end_date=2025-06-01",
                "end_date",
                "The last day lies before the first.",
            ),
        ],
    )
    def test_bad_days_are_refused_beside_their_field_and_kept(
        self, visitor: Client, query: str, field: str, why: str
    ) -> None:
        reply = visitor.get(f"/time-series?{query}&metrics=hill_q1")
        assert reply.status_code == 400
        error = re.search(rf'<p class="wrong" id="{field}-error">([^<]+)</p>', reply.text)
        assert error
        assert why in error[1]
        assert re.search(
            rf'id="{field}"[^>]*aria-invalid="true"[^>]*aria-describedby="{field}-error', reply.text
        )
        for each in query.split("&"):
            name, value = each.split("=")
            assert re.search(rf'name="{name}" type="(text|date)" value="{value}"', reply.text)
        assert re.search(r'value="hill_q1" checked', reply.text)
        assert not charts(reply.text)
        # As a file there is no page to say it on.
        problem = visitor.get(f"/time-series?{query}&format=csv")
        assert (problem.status_code, problem.json()["errors"][0]["field"]) == (400, field)

    def test_what_is_typed_is_shown_as_text(self, visitor: Client) -> None:
        page = visitor.get("/time-series", params={"start_date": '"><script>alert(1)</script>'}).text
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page

    @pytest.mark.parametrize(
        ("query", "status"),
        [
            ("metrics=no_such", 400),
            ("metrics=" + "hill_q1," * 200, 400),
            ("period=fortnight", 400),
            ("coverage=some", 400),
            ("session=x", 400),
            ("session=999999", 404),
        ],
    )
    def test_what_there_is_not_is_an_error(self, visitor: Client, query: str, status: int) -> None:
        assert visitor.get(f"/time-series?{query}").status_code == status

    def test_somebody_elses_session_does_not_exist(
        self, server: Server, user: Client, photo: Callable[..., bytes]
    ) -> None:
        session = survey(user, photo, "2025-06-01", "Poa annua")
        assert user.get(f"/time-series?session={session}").status_code == 200
        assert server.user().get(f"/time-series?session={session}").status_code == 404

    def test_a_key_that_may_not_read_is_refused(self, server: Server) -> None:
        assert server.user("write").get("/time-series").status_code == 403


class TestOwn:
    def test_who_has_no_photos_is_led_to_the_upload(self, user: Client) -> None:
        page = user.get("/time-series").text
        assert 'href="/upload"' in page[page.index("<main") :]
        assert not charts(page)
        empty = user.get("/time-series?format=csv")
        assert empty.status_code == 200
        assert lines_of(empty) == []

    def test_a_period_without_a_survey_says_when_there_was_one(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        survey(user, photo, "2025-06-01", "Poa annua")
        reply = user.get("/time-series?start_date=2024-01-01&end_date=2024-12-31")
        assert reply.status_code == 200
        assert "The surveys run from 1 June 2025 to 1 June 2025." in reply.text
        assert 'href="/time-series?period=all"' in reply.text

    def test_a_session_with_markup_in_its_name_is_chosen_by_its_name(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        first = survey(user, photo, "2025-06-01", *["Poa annua"] * 6)
        name = "<b>North</b> & \u05e9\u05d3\u05d4"
        other = user.post("/api/sessions", json={"session_name": name}).json()["id"]
        page = user.get(f"/time-series?session={first}").text
        assert "<b>North" not in page
        assert "&lt;b&gt;North&lt;/b&gt; &amp;" in page
        assert days_in_table(page) == ["2025-06-01"]
        assert f'href="/days/2025-06-01?session={first}"' in page
        none = user.get(f"/time-series?session={other}").text
        assert f'href="/upload?session={other}"' in none

    def test_few_days_have_no_trend_and_say_why(self, user: Client, photo: Callable[..., bytes]) -> None:
        survey(user, photo, "2025-06-01", *["Poa annua"] * 4, "Zea mays", "Zea mays")
        survey(user, photo, "2025-08-30", "Poa annua", seed=50)
        page = user.get("/time-series?period=all&metrics=species_richness").text
        text = words(page)
        assert "Too few days for a trend: 1 can be compared, and at least 10 are needed." in text
        assert "Days left out: 1 with too few photos." in text
        assert 'class="trend"' not in page
        assert charts(page)[0].count('class="hollow"') == 1
