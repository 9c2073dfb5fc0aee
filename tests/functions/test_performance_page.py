"""GET /performance: the model's card, its figures on confirmed photos as in the API, and every empty state."""

from __future__ import annotations

import io
import itertools
import json
import random
import re
import shutil
from collections.abc import Callable
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from lib.config import STARTER_MODEL
from tests.functions.browsing import sign_in
from tests.functions.conftest import Client, Server
from tests.lib.classifier.conftest import write_folder

CARD = json.loads((STARTER_MODEL / "model.json").read_text(encoding="utf-8"))
METRICS = json.loads((STARTER_MODEL / "metrics.json").read_text(encoding="utf-8"))
DAY = "2025-06-01"
TELLING = (11, 14)  # photos of each species of which the starter model takes some for others
MARKUP = '<img src=x onerror="alert(1)">'
ESCAPED = "&lt;img src=x onerror=&#34;alert(1)&#34;&gt;"


def words(page: str) -> str:
    """The text of the main part of a page, on one line."""
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page[page.index("<main") :])).split())


def rows(page: str, caption: str) -> list[list[str]]:
    """The cells of the table with this caption."""
    table = re.search(rf'<caption class="unseen">{re.escape(caption)}</caption>(.*?)</table>', page, re.S)
    assert table, caption
    return [
        [
            " ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split())
            for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.S)
        ]
        for row in re.findall(r"<tr>.*?</tr>", table[1][table[1].index("<tbody") :], re.S)
    ]


def figures(page: str, heading: str) -> dict[str, str]:
    """The figures in boxes below a heading, by their names."""
    listed = page.split(heading)[1].split("</dl>")[0]
    return {
        unescape(name): " ".join(unescape(re.sub(r"<[^>]+>", " ", value)).split())
        for name, value in re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", listed)
    }


def percent(share: float) -> str:
    """As pages write a share: never up to all nor down to nothing."""
    return f"{min(max(share, 0.01), 0.99) if 0 < share < 1 else share:.0%}"


def between(share: dict[str, Any]) -> str:
    return f"{percent(share['low'])}–{percent(share['high'])}"


def label(user: Client, image: dict[str, Any], truth: str) -> None:
    """As a person would: confirm what is right, correct what is not."""
    body = {"confirm": True} if image["label"] == truth else {"label": truth}
    assert user.patch(f"/api/images/{image['id']}", json=body).ok


def send(user: Client, *photos: bytes, **form: Any) -> list[dict[str, Any]]:
    sent = user.upload(*((f"{n}.jpg", data) for n, data in enumerate(photos)), date=DAY, **form).json()
    return [result["image"] for result in sent["results"]]


def coloured(seed: int) -> bytes:
    """A photo that the model of the tests names by its colour; each seed another picture."""
    noise = Image.frombytes("L", (16, 12), random.Random(seed).randbytes(192))
    black = Image.new("L", noise.size)
    picture = Image.merge("RGB", (black, black, noise.point(lambda value: 150 + value // 3)))
    out = io.BytesIO()
    picture.resize((320, 240)).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture(scope="module")
def judge(server: Server, photos_dir: Path) -> Client:
    """A person who named three photos of each of six species, and some of what the model cannot know."""
    user = server.user()
    folders = sorted(path for path in photos_dir.iterdir() if path.is_dir())[:6]
    real = [
        (folder.name.replace("_", " "), path)
        for folder in folders
        for path in itertools.islice(sorted(folder.glob("*.jpg")), *TELLING)
    ]
    for image, (truth, _) in zip(send(user, *(path.read_bytes() for _, path in real)), real, strict=True):
        label(user, image, truth)
    others = [path.read_bytes() for path in sorted((photos_dir / "Zea_mays").glob("*.jpg"))[:5]]
    names = ("Lamium purpureum", "Lamium purpureum", "not_a_plant", "Zea", "unknown")
    for image, truth in zip(send(user, *others), names, strict=True):
        label(user, image, truth)
    return user


@pytest.fixture(scope="module")
def page(judge: Client) -> str:
    reply = judge.get("/performance")
    assert reply.status_code == 200
    return reply.text


@pytest.fixture(scope="module")
def told(judge: Client) -> dict[str, Any]:
    """The one model that looked at the photos, as the API tells it."""
    (model,) = judge.get("/api/performance").json()["models"]
    found: dict[str, Any] = model
    return found


class TestFigures:
    def test_the_shares_are_those_of_the_api_with_their_intervals(
        self, page: str, told: dict[str, Any]
    ) -> None:
        shown = figures(page, f"<bdi>{CARD['name']} {CARD['version']}</bdi> on these photos</h2>")
        top_1, top_3 = told["figures"]["top_1"], told["figures"]["top_3"]
        assert shown == {
            "Right with its likeliest name": f"{percent(top_1['value'])} {between(top_1)}",
            "Right among its three likeliest": f"{percent(top_3['value'])} {between(top_3)}",
            "Plants": str(told["plants"]),
            "Confirmed": str(told["confirmed"]),
            "Corrected": str(told["corrected"]),
        }
        assert (told["plants"], top_1["n"]) == (23, 18)
        assert 0 < top_1["value"] < top_3["value"] < 1
        assert "The shares are of 18 plants of species that it knows." in words(page)
        assert "23 photos named by people." in words(page)

    def test_what_the_label_rule_made_of_them(self, page: str, told: dict[str, Any]) -> None:
        rule = told["figures"]["rule"]
        shown = rows(page, "What it made of them")
        assert [row[0] for row in shown] == [
            "a species",
            "the genus only",
            "the family only",
            "nothing: it was not sure",
        ]
        assert [row[1] for row in shown] == [str(level["n"]) for level in rule]
        right = told["figures"]["right_as_species"]
        assert shown[0][2:] == [str(rule[0]["right"]), f"{percent(right['value'])} {between(right)}"]
        assert shown[3][2:] == ["–", "–"]

    def test_what_the_model_cannot_know(self, page: str, told: dict[str, Any]) -> None:
        outside, nothing = told["figures"]["outside"], told["figures"]["not_plants"]
        assert (outside["n"], nothing["n"]) == (2, 1)
        assert rows(page, "What it cannot know") == [
            [
                name,
                str(found["n"]),
                f"{found['levels']['species']} ({percent(found['as_species']['value'])}) "
                f"{between(found['as_species'])}",
            ]
            for name, found in (("Species that it does not know", outside), ("No plants", nothing))
        ]
        assert outside["names"]  # real maize, by another name
        text = words(page)
        assert "Species that it does not know were taken for: Zea mays" in text
        assert "People" not in text.split("What it cannot know")[1].split("Species that")[0]
        coarse = told["figures"]["coarse"]
        assert (
            "Plants of which people named the genus or the family only: 1. Its likeliest species belongs there for "
            f"{percent(coarse['value'])} ({between(coarse)}). Plants that nobody could name, "
            "which are in no share: 1."
        ) in text

    def test_its_confidence_against_how_often_it_was_right(self, page: str, told: dict[str, Any]) -> None:
        calibration = told["figures"]["calibration"]
        bins = [each for each in calibration["bins"] if each["n"]]
        shown = rows(page, "How often it was right, by how sure it was")
        assert [[*row[:3], row[3].split(" ")[0]] for row in shown] == [
            [
                f"{each['low']:.0%}–{each['high']:.0%}",
                str(each["n"]),
                percent(each["confidence"]),
                percent(each["right"]),
            ]
            for each in bins
        ]
        assert all(re.search(r" \d+%–\d+%$", row[3]) for row in shown)
        most = max(bins, key=lambda each: each["n"])
        said = f"Where it says {most['low']:.0%} to {most['high']:.0%}, it is right for {percent(most['right'])} of"
        assert said in words(page)
        assert f"on average {percent(calibration['confidence'])} sure, and right for" in words(page)
        chart = re.search(r'<svg[^>]*role="img".*?</svg>', page, re.S)
        assert chart
        assert chart[0].count("<circle") == len(bins)
        assert chart[0].count('class="whisker"') == len(bins)
        titled = re.search(r'aria-labelledby="(\S+) (\S+)"', chart[0])
        assert titled
        assert f'<title id="{titled[1]}">How often it was right, by how sure it was</title>' in chart[0]

    def test_how_much_can_be_left_to_it(self, page: str, told: dict[str, Any]) -> None:
        at_risk = told["figures"]["risk_coverage"]["at_risk"]
        shown = rows(page, "How much can be left to it")
        assert [row[:2] for row in shown] == [
            [f"{each['risk']:.0%}", percent(each["coverage"])] for each in at_risk
        ]
        assert [row[2] for row in shown] == [
            "–" if each["threshold"] is None else f"{each['threshold']:.1%}" for each in at_risk
        ]

    def test_species_and_mistakes_lead_to_their_pages(self, page: str, told: dict[str, Any]) -> None:
        recall = told["figures"]["recall"]
        shown = rows(page, "Species by species")
        assert [row[1:] for row in shown] == [
            [str(each["n"]), f"{percent(each['value'])} {between(each)}"] for each in recall
        ]
        for row, each in zip(shown, recall, strict=True):
            assert row[0].startswith(each["species"])
        confusions = told["figures"]["confusions"]
        mistakes = rows(page, "What it mistook for what")
        assert [row[2] for row in mistakes] == [str(each["count"]) for each in confusions]
        assert len(confusions) > 2
        for row, mistake in zip(mistakes, confusions, strict=True):
            assert row[0].startswith(mistake["true"])
            assert row[1].startswith(mistake["named"])
        assert 'href="/species/Apera%20spica-venti"><i lang="la">Apera spica-venti</i></a>' in page

    def test_speed_memory_and_what_to_know(self, page: str, told: dict[str, Any]) -> None:
        latency = told["latency"]
        text = words(page)
        assert (
            f"Half of the photos took at most {latency['median'] * 1000:.0f} ms, nineteen of twenty at most "
            f"{latency['p95'] * 1000:.0f} ms, from the opened photo to its name (23 photos)."
        ) in text
        assert re.search(
            r"The server process holds \d+ MB of memory, and never held more than \d+ MB\.", text
        )
        notes = text.split("What to know of these numbers")[1].split("In the test of its makers")[0]
        assert "People choose which photos they name" in notes
        assert "There are fewer than 100 plants" in notes
        assert "named before this model looked" not in notes

    def test_the_json_is_of_the_same_figures(self, judge: Client, told: dict[str, Any]) -> None:
        page = judge.get(f"/performance?model={CARD['name']}&version={CARD['version']}").text
        address = re.search(r'<a href="(/api/performance[^"]*)">These figures as JSON', page)
        assert address
        query = unescape(address[1])
        assert query == f"/api/performance?model={CARD['name']}&version={CARD['version']}"
        assert judge.get(query).json()["models"] == [told]

    def test_it_is_written_in_japanese_too(self, judge: Client, told: dict[str, Any]) -> None:
        page = judge.get("/performance?lang=ja").text
        text = words(page)
        assert '<html lang="ja">' in page
        top_1 = told["figures"]["top_1"]
        assert f"最も有力な名前が正解の割合 {percent(top_1['value'])} {between(top_1)}" in text
        assert "モデルの知らない種" in text
        assert "数値を読むときの注意" in text
        assert "100株に満たないので" in text
        assert "People" not in text
        assert "トウモロコシ" in text

    def test_every_heading_and_id_is_there_once(self, page: str) -> None:
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        for pointed in re.findall(r'aria-labelledby="([^"]+)"', page):
            assert set(pointed.split()) <= set(ids)
        assert "nan" not in words(page).lower().split()
        assert "style=" not in page
        assert "<script" not in page[page.index("<main") :]


class TestCard:
    def test_a_visitor_sees_the_model_and_what_its_makers_measured(self, visitor: Client) -> None:
        reply = visitor.get("/performance")
        assert reply.status_code == 200
        page = reply.text
        assert "<strong>Sample data</strong>" in page
        text = words(page)
        for said in (CARD["name"], CARD["version"], CARD["licence"], CARD["attribution"]):
            assert said in text
        assert f"8 bits for each number instead of 32, which makes it smaller {CARD['quantisation']}" in text
        shown = figures(page, "In the test of its makers</h2>")
        top_1 = METRICS["top_1"]
        assert shown["Right with its likeliest name"] == (
            f"{top_1['value']:.1%} {top_1['low']:.1%}–{top_1['high']:.1%}"
        )
        assert shown["Its confidence is off, on average, by"] == (
            f"{METRICS['calibration_error']['with_in_domain_probability']:.1%}"
        )
        assert "Right among its three likeliest" not in shown  # its makers do not tell it
        assert "Measured on 606 photos." in text
        recall = {row[0].split(" ")[0]: row[1:] for row in rows(page, "Species by species in the test")}
        black_grass = METRICS["recall"]["Alopecurus myosuroides"]
        assert recall["Alopecurus"] == [
            str(black_grass["n"]),
            f"{percent(black_grass['value'])} {between(black_grass)}",
        ]
        assert rows(page, "What it mistook for what in the test")[0][2] == "7"

    def test_a_visitor_is_told_to_sign_in_and_sees_nobody_s_photos(
        self, visitor: Client, judge: Client
    ) -> None:
        page = visitor.get("/performance").text
        assert "Sign in to see how often the model was right on your own photos" in words(page)
        assert page.count('<a class="button" href="/sign-in?next=/performance">') == 1
        assert "on these photos" not in page
        assert "The server process" not in page

    def test_it_says_what_the_model_cannot_do(self, visitor: Client) -> None:
        page = visitor.get("/performance").text
        text = words(page)
        assert "It names 12 species. Of any other plant it can at best say that it is not sure" in text
        assert "nor tell whether a plant is edible, harmless or poisonous" in text
        of_makers = page.split("<summary>What its makers say it is for, and what not</summary>")[1]
        assert '<div lang="en">' in of_makers
        assert "It must not be used to decide on herbicide" in of_makers.split("</details>")[0]
        listed = page.split("<summary>The 12 species that it knows</summary>")[1].split("</details>")[0]
        assert listed.count('<a class="taxon" href="/species/') == 12
        assert 'href="/species/Capsella%20bursa-pastoris"' in listed
        assert '<span class="common">Maize</span>' in listed

    def test_links_of_the_card_lead_to_other_sites_without_telling_them_anything(
        self, visitor: Client
    ) -> None:
        link = f'<a href="{CARD["source"]}" rel="noreferrer noopener external">{CARD["source"]}</a>'
        assert link in visitor.get("/performance").text

    def test_what_a_card_says_is_text(self, make_server: Callable[..., Server], tmp_path: Path) -> None:
        folder = write_folder(
            tmp_path / "model",
            licence="javascript:alert(1)",
            source="https://user@example.org/",
            attribution=MARKUP,
            architecture=MARKUP,
            quantisation=MARKUP,
            parity={"shipped": {"top1": 0.992, "photos": 240}},
        )
        (folder / "MODEL_CARD.md").write_text(f"## What it is for\n\n{MARKUP}\n", encoding="utf-8")
        page = make_server(MODEL_DIR=str(folder)).visitor().get("/performance").text
        assert MARKUP not in page
        assert page.count(ESCAPED) == 4
        assert 'href="javascript' not in page
        assert 'href="https://user' not in page
        assert "the same likeliest species for 99.2% of 240 pictures" in words(page)

    def test_a_model_of_many_species_lists_some_and_the_rest_behind_a_link(
        self, make_server: Callable[..., Server], tmp_path: Path
    ) -> None:
        taxa = [(f"Planta n{number:03}", "Planta", "Plantaceae") for number in range(350)]
        folder = write_folder(tmp_path / "model", taxa=taxa)
        visitor = make_server(MODEL_DIR=str(folder)).visitor()
        page = visitor.get("/performance").text
        assert page.count('href="/species/Planta') == 300
        assert "The first 300 of 350 species." in words(page)
        link = re.search(r'<a href="([^"]+)">Show all species</a>', page)
        assert link
        assert link[1] == "/performance?species=all#abilities"
        every = visitor.get(link[1]).text
        assert every.count('href="/species/Planta') == 350
        assert "Show all species" not in every


class TestTrouble:
    def test_a_folder_that_is_missing_broken_or_says_little(
        self, make_server: Callable[..., Server], tmp_path: Path, photo: Callable[..., bytes]
    ) -> None:
        folder = Path(shutil.copytree(STARTER_MODEL, tmp_path / "model"))
        server = make_server(MODEL_DIR=str(folder))
        user = server.user()
        (image,) = send(user, photo(1))
        label(user, image, "Zea mays")
        kept = "Photos are kept all the same, and named once it is mended"
        assert kept not in words(user.get("/performance").text)
        (folder / "metrics.json").unlink()
        (folder / "MODEL_CARD.md").unlink()
        text = words(user.get("/performance").text)
        assert "Its makers tell no figures" in text
        assert "What its makers say" not in text
        assert kept not in text
        (folder / "model.onnx").write_bytes(b"no graph")
        page = user.get("/performance").text
        assert kept in words(page)
        assert "For whoever runs the server:" in words(page)
        assert CARD["name"] in words(page)
        shutil.rmtree(folder)
        reply = user.get("/performance")
        assert reply.status_code == 200
        text = words(reply.text)
        assert kept in text
        assert "The folder of the model does not say what it is." in text
        assert "It names" not in text
        # What was measured before is still told, but no species is outside a list that is not there.
        assert "The shares are of 1 plant of any species, as its list of species is not here." in text
        assert "has no list of species here" in text
        assert "What it cannot know" not in text
        japanese = words(user.get("/performance?lang=ja").text)
        assert "このサーバーのモデルがないか壊れているため" in japanese

    def test_photos_that_no_model_has_seen(
        self, make_server: Callable[..., Server], tmp_path: Path, photo: Callable[..., bytes]
    ) -> None:
        user = make_server(MODEL_DIR=str(tmp_path / "none")).user()
        user.upload(("a.jpg", photo(1)), date=DAY)
        (image,) = user.get("/api/images").json()["images"]
        label(user, image, "Zea mays")
        text = words(user.get("/performance").text)
        assert "People named 1 photo, but no model has looked at it yet." in text


class TestRegion:
    def test_the_list_that_limits_the_model_is_told(
        self, make_server: Callable[..., Server], photo: Callable[..., bytes]
    ) -> None:
        server = make_server(REGION_SPECIES="hokkaido")
        user = server.user()
        found = user.get("/api/status").json()["region_species"]
        text = words(user.get("/performance").text)
        assert (
            "Regional list Plants of Hokkaido Only species of this list are named; the model knows "
            f"{found['known_to_model']} of its {found['species']}."
        ) in text
        assert "says for itself" not in text
        free, own = (
            user.post("/api/sessions", json={"session_name": name, "region_species": region}).json()["id"]
            for name, region in (("Free", "none"), ("Own", ["Zea mays", "Lamium purpureum"]))
        )
        (image,) = send(user, photo(3), session_id=own)
        label(user, image, "Zea mays")
        everywhere = words(user.get("/performance").text)
        assert "2 sessions say for themselves what may be named in their photos." in everywhere
        assert "Some answers were limited to a regional list" in everywhere
        right = user.get("/api/performance").json()["models"][0]["figures"]["top_1_masked"]
        assert (
            f"With a regional list its likeliest name was right for {percent(right['value'])} of 1 plant, "
            "without one for – of 0 plants."
        ) in everywhere
        assert "Regional list" not in words(user.get(f"/performance?session={free}").text)
        text = words(user.get(f"/performance?session={own}").text)
        assert (
            "Regional list The session’s own list Only species of this list are named; the model knows 1 of its 2."
        ) in text
        assert "say for themselves" not in text

    def test_a_list_that_the_model_knows_nothing_of(
        self, make_server: Callable[..., Server], tmp_path: Path
    ) -> None:
        (tmp_path / "moor.txt").write_text("Lamium purpureum\nVaccinium oxycoccos\n", encoding="utf-8")
        folder = write_folder(tmp_path / "model")
        server = make_server(REGION_SPECIES=str(tmp_path / "moor.txt"), MODEL_DIR=str(folder))
        text = words(server.visitor().get("/performance").text)
        assert "moor Only species of this list are named; the model knows 0 of its 2." in text
        assert "As it knows none of them, every photo comes out as unknown." in text
        shutil.rmtree(folder)
        assert "moor" not in words(server.visitor().get("/performance").text)


class TestNothingYet:
    def test_without_photos_one_is_asked_to_send_some(self, user: Client) -> None:
        page = user.get("/performance").text
        assert "Sample data" not in page
        assert "No photos yet. When you have sent some" in words(page)
        assert '<a class="button" href="/upload">Upload photos</a>' in page
        assert "<form" not in page[page.index("<main") :]
        assert "What to know of these numbers" not in page

    def test_without_confirmed_names_one_is_led_to_them(
        self, user: Client, photo: Callable[..., bytes]
    ) -> None:
        send(user, photo(1))
        page = user.get("/performance").text
        assert "No name has been confirmed or corrected yet." in words(page)
        assert '<a class="button" href="/review">Look at names</a>' in page

    def test_a_key_that_may_only_read_is_not_led_to_forms(self, server: Server) -> None:
        page = server.user("read").get("/performance").text
        assert "No photos yet. When you have sent some" in words(page)
        assert 'class="button"' not in page

    def test_a_key_that_may_not_read_is_refused(self, server: Server) -> None:
        assert server.user("write").get("/performance").status_code == 403

    def test_file_mode_says_that_nobody_can_confirm_there(self, file_server: Server) -> None:
        reply = file_server.visitor().get("/performance")
        assert reply.status_code == 200
        text = words(reply.text)
        assert "This server has no database and so no users: nobody can confirm or correct names here" in text
        assert "Sign in" not in text
        assert CARD["name"] in text


class TestChoice:
    def test_a_session_has_figures_of_its_own(self, user: Client, photo: Callable[..., bytes]) -> None:
        north, south, empty = (
            user.post("/api/sessions", json={"session_name": name}).json()["id"]
            for name in ("North", MARKUP, "East")
        )
        for session, seeds in ((north, (1,)), (south, (2, 3))):
            for image in send(user, *map(photo, seeds), session_id=session):
                label(user, image, "Zea mays")
        send(user, photo(4), session_id=empty)
        assert "3 photos named by people." in words(user.get("/performance").text)
        page = user.get(f"/performance?session={south}").text
        assert "2 photos named by people." in words(page)
        assert f'<option value="{south}" selected>{ESCAPED}</option>' in page
        assert MARKUP not in page
        assert f'href="/api/performance?session={south}"' in page
        page = user.get(f"/performance?session={empty}&model=&version=").text  # as the form sends them
        assert "No name in this session has been confirmed or corrected yet." in words(page)
        assert f'<a class="button" href="/review?session={empty}">' in page
        assert '<select id="session"' in page
        blank = user.post("/api/sessions", json={"session_name": "West"}).json()["id"]
        page = user.get(f"/performance?session={blank}").text
        assert "This session has no photos yet." in words(page)
        assert f'<a class="button" href="/upload?session={blank}">' in page

    def test_another_users_session_is_not_there(self, server: Server, user: Client) -> None:
        session = server.user().post("/api/sessions", json={"session_name": "North"}).json()["id"]
        assert user.get(f"/performance?session={session}").status_code == 404
        assert "<h1" in sign_in(server, user).get(f"/performance?session={session}").text

    @pytest.mark.parametrize(
        ("query", "said"),
        [
            (f"model={MARKUP}", f"The model <bdi>{ESCAPED}</bdi> looked at none of the photos"),
            (
                "model=another&version=2",
                "The model <bdi>another</bdi> <bdi>2</bdi> looked at none of the photos",
            ),
            ("version=<b>", "No model of the version <bdi>&lt;b&gt;</bdi> looked at any of the photos"),
        ],
    )
    def test_a_model_that_nobody_asked_is_said_to_be_so(self, judge: Client, query: str, said: str) -> None:
        reply = judge.get(f"/performance?{query}")
        assert reply.status_code == 200
        assert said in reply.text
        assert MARKUP not in reply.text
        assert '<a class="button" href="/performance">Show all models</a>' in reply.text
        assert "on these photos" not in reply.text
        assert "What to know of these numbers" not in reply.text

    def test_versions_stand_side_by_side_and_can_be_chosen(
        self, make_server: Callable[..., Server], tmp_path: Path
    ) -> None:
        folder = write_folder(tmp_path / "model", version="1.0.0")
        server = make_server(MODEL_DIR=str(folder))
        user = server.user()
        images = send(user, *map(coloured, (1, 2, 3)))
        shutil.rmtree(folder)
        write_folder(folder, version="1.1.0")
        images += send(user, coloured(4))
        for image in images[:2]:
            label(user, image, image["label"])
        for image in images[2:]:
            label(user, image, "Zea mays")
        page = user.get("/performance").text
        body = user.get("/api/performance").json()["models"]
        assert [each["model_version"] for each in body] == ["1.1.0", "1.0.0"]
        told = [each["figures"]["top_1"] for each in body]
        assert rows(page, "The models that looked at them") == [
            ["mean-colour 1.1.0 (in use)", "1", "–"],
            ["mean-colour 1.0.0", "3", f"{percent(told[1]['value'])} {between(told[1])}"],
        ]
        assert re.findall(r'<h2 id="(model\d)"><bdi>(.*?)</bdi> on these photos</h2>', page) == [
            ("model1", "mean-colour 1.1.0"),
            ("model2", "mean-colour 1.0.0"),
        ]
        assert page.count("The shares are of 0 plants of species that it knows.") == 1
        assert 'href="#model2"' in page
        assert '<select id="model"' not in page  # there is one name only
        assert page.count("<option value=") == 3
        ids = re.findall(r' id="([^"]+)"', page)
        assert len(ids) == len(set(ids))
        one = user.get("/performance?version=1.0.0").text
        assert '<option value="1.0.0" selected>' in one
        assert "<bdi>mean-colour 1.0.0</bdi> on these photos" in one
        assert "<bdi>mean-colour 1.1.0</bdi> on these photos" not in one
        assert "The models that looked at them" not in one
        shutil.rmtree(folder)
        write_folder(folder, name="colours", version="2")
        (image,) = send(user, coloured(5))
        label(user, image, image["label"])
        page = user.get("/performance?model=colours").text
        assert '<option value="colours" selected>' in page
        assert '<option value="mean-colour">' in page
        assert "<bdi>colours 2</bdi> on these photos" in page
        assert "mean-colour 1.0.0</bdi> on these photos" not in page

    @pytest.mark.parametrize(
        "query", ["session=0", "session=ten", f"model={'a' * 201}", f"version={'1' * 51}", "species=some"]
    )
    def test_what_cannot_be_is_told(self, visitor: Client, query: str) -> None:
        reply = visitor.get(f"/performance?{query}")
        assert reply.status_code == 400
        assert reply.json()["errors"][0]["field"] == query.split("=")[0]

    def test_a_browser_is_told_on_a_page(self, server: Server, user: Client) -> None:
        reply = sign_in(server, user).get("/performance?session=0")
        assert reply.status_code == 400
        assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "no-store" in sign_in(server, user).get("/performance").headers["Cache-Control"]


def test_the_menu_leads_there(visitor: Client) -> None:
    assert '<a href="/performance" aria-current="page">Model</a>' in visitor.get("/performance").text
