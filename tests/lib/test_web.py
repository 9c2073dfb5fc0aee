"""The pages' parts: languages, words, files, and that no text lacks a translation."""

from __future__ import annotations

import ast
import gzip
import hashlib
import re
from datetime import date
from http import HTTPStatus
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from jinja2.ext import extract_from_ast

from lib import web
from lib.problems import Problem, of_http
from lib.store.records import METRICS
from lib.web import TEMPLATES, render, static_files
from lib.web.api_reference import type_of
from lib.web.languages import LANGUAGES, choose, cookie_header
from lib.web.page import MORE, NAVIGATION, local_path
from lib.web.problem_kinds import OF_UPLOADS, PROBLEM_KINDS
from lib.web.receipt import Told, refusal, script_words
from lib.web.words import METRIC_WORDS, Words
from scripts import translations

ROOT = Path(__file__).resolve().parent.parent.parent


# Languages


@pytest.mark.parametrize(
    ("query", "cookie", "header", "expected"),
    [
        (None, None, None, "en"),
        (None, None, "ja,en;q=0.8", "ja"),
        (None, None, "en-GB,en;q=0.9,ja;q=0.8", "en"),
        (None, None, "fr,ja-JP;q=0.3", "ja"),
        (None, None, "fr,de", "en"),
        (None, None, "ja;q=0,*", "en"),
        (None, None, "ja;q=nonsense", "en"),
        (None, None, "ja;q=2", "en"),
        (None, None, "en;q=0.5, JA;Q=0.9", "en"),
        (None, "ja", "en", "ja"),
        (None, "xx", "ja", "ja"),
        ("en", "ja", "ja", "en"),
        ("<script>", "ja", "en", "ja"),
    ],
)
def test_it_chooses_address_then_cookie_then_browser(
    query: str | None, cookie: str | None, header: str | None, expected: str
) -> None:
    assert choose(query, cookie, header) == expected


def test_the_language_cookie_is_secure_where_pages_are() -> None:
    assert cookie_header("ja", secure=False) == "lang=ja; Path=/; Max-Age=31536000; SameSite=Lax"
    assert cookie_header("ja", secure=True).endswith("; Secure")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_has_a_translation(language: str) -> None:
    catalogue = translations.updated(language)
    assert [message.id for message in translations.missing(catalogue)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogues_on_disk_are_those_of_the_code(language: str) -> None:
    for path, data in translations.files(language, translations.updated(language)).items():
        assert path.read_bytes() == data, f"{path.name} is out of step: run scripts/translations.py"


@pytest.mark.parametrize("language", LANGUAGES)
def test_translations_keep_every_place_of_the_text(language: str) -> None:
    place = re.compile(r"%\(\w+\)[sd]|\{\w+\}|%%|</?\w+[^>]*>")
    for message in translations.updated(language):
        texts = message.id if isinstance(message.id, tuple) else (message.id,)
        forms = message.string if isinstance(message.string, tuple) else (message.string,)
        for form in forms if message.id else ():
            assert sorted(place.findall(form)) == sorted(place.findall(texts[-1])), message.id


def test_what_templates_look_up_is_in_the_catalogue() -> None:
    # A % that stands alone within {% trans %} is looked up doubled: the page would show the English text.
    catalogue = translations.updated("ja")
    asked: set[str | tuple[str | None, ...]] = set()
    for template in sorted(TEMPLATES.glob("*.html")):
        tree = web._environment("ja").parse(template.read_text("utf-8"))
        asked |= {text for _, _, text in extract_from_ast(tree, ("gettext", "ngettext", "_")) if text}
    assert len(asked) > 500  # the reading works
    assert any("%%" in str(text) for text in asked)
    ids = {text[0] if isinstance(text, tuple) else text for text in asked}
    assert [text for text in ids if text not in catalogue] == []


def test_japanese_is_japanese() -> None:
    # What is the same in both languages, and nothing else, may be without a Japanese sign.
    same = {"API", "Chao1", "Jaccard", "Sørensen", "%(size)s kB", "%(size)s MB", "p < %(p)s", "p = %(p)s"}
    plain = {
        message.id
        for message in translations.updated("ja")
        if message.id and not re.search(r"[\u3000-\u30ff\u4e00-\u9fff\uff00-\uffef]", "".join(message.string))
    }
    assert plain <= same | {"%(day)s, %(time)s"}


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ("季節|見本", "シーズン, サンプル"),  # a season of surveys
        ("あいまい|はっきりし|あやし", "不確か"),
        ("確認した|確認済み", "確定した (a name), 確認する (to look at it)"),
        ("ラベル", "名前"),
        ("圃場", "畑"),
        ("一株|一行|(?<!一つ)一つ(?!一つ)", "1株"),
        ("ブラウザー", "ブラウザ"),
        ("運営者", "管理者"),
        ("～", "〜"),
        ("(?<!に)分か[らりるっ]", "わか"),
        ("名がつ|名前がつ|名前をつ|人がつ", "付"),
        ("読み取り専用", "閲覧専用"),
        (r"(?<=[\u3040-\u9fff」）])[?!:;]|[(][^)]*[\u3040-\u9fff]|[\u3040-\u9fff][(]", "？ ！ ： （）"),
    ],
)
def test_japanese_has_one_word_for_one_thing(other: str, word: str) -> None:
    said = ["".join(message.string) for message in translations.updated("ja") if message.id]
    assert [text for text in said if re.search(other, text)] == [], f"elsewhere it is {word}"


# Words


def test_dates_follow_the_language() -> None:
    when = date(2025, 5, 12)
    assert Words("en").day(when) == "12 May 2025"
    assert Words("ja").day(when) == "2025年5月12日"
    assert Words("en").month(9, short=True) == "Sep"
    assert Words("ja").month(12, short=True) == "12月"


def test_the_week_begins_as_wall_calendars_do() -> None:
    assert Words("en").weekdays()[0] == "Mon"
    assert Words("ja").weekdays() == list("日月火水木金土")


def test_counts_have_a_singular_where_the_language_has() -> None:
    assert [Words("en").photos(number) for number in (0, 1, 1234)] == ["0 photos", "1 photo", "1,234 photos"]
    assert Words("ja").photos(1) == "写真1枚"


@pytest.mark.parametrize(
    ("share", "shown", "finer"),
    [
        (0.0, "0%", "0.0%"),
        (1 / 5047, "<1%", "<0.1%"),
        (0.0015, "<1%", "0.1%"),
        (0.0151, "2%", "1.5%"),
        (0.5, "50%", "50.0%"),
        (0.994, "99%", "99.4%"),
        (0.9985, ">99%", "99.9%"),
        (0.9999, ">99%", ">99.9%"),
        (1.0, "100%", "100.0%"),
        (None, "–", "–"),
    ],
)
def test_a_percentage_is_rounded_neither_to_certainty_nor_up_from_next_to_nothing(
    share: float | None, shown: str, finer: str
) -> None:
    for language in LANGUAGES:
        assert (Words(language).percent(share), Words(language).percent(share, 1)) == (shown, finer)


def test_every_metric_has_words_in_every_language() -> None:
    assert tuple(METRIC_WORDS) == METRICS
    for language in LANGUAGES:
        names = [Words(language).metric(metric) for metric in METRICS]
        assert len(set(names)) == len(METRICS)


def test_the_legend_tells_the_thresholds_apart() -> None:
    say = Words("en")
    assert say.thresholds("shannon_diversity", [1.0, 1.5, 2.0, 2.5]) == [
        "under 1.00",
        "1.00 – < 1.50",
        "1.50 – < 2.00",
        "2.00 – < 2.50",
        "2.50 or more",
    ]
    assert say.thresholds("chao1_estimate", [3.0, 7.25, 9.5, 12.0])[1] == "3.0 – < 7.25"


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ([2.0, 22.5, 43.0, 55.25], ["under 2", "2–22", "23–42", "43–55", "56 or more"]),
        ([5.0, 10.0, 15.0, 20.0], ["under 5", "5–9", "10–14", "15–19", "20 or more"]),
        # A quarter that no count can lie in, and one of a single count.
        ([2.0, 2.0, 3.0, 1200.5], ["under 2", "–", "2", "3–1,200", "1,201 or more"]),
    ],
)
def test_the_legend_of_counts_has_whole_numbers(thresholds: list[float], words: list[str]) -> None:
    assert Words("en").thresholds("total_images", thresholds) == words


@pytest.mark.parametrize(
    ("confidence", "level", "words"),
    [
        (0.95, "species", "very sure"),
        (0.75, "species", "sure"),
        (0.6, "genus", "sure of the genus only"),
        (0.4, "family", "sure of the family only"),
        (0.1, "unknown", "unsure"),
    ],
)
def test_confidence_has_words(confidence: float, level: str, words: str) -> None:
    assert Words("en").confidence(confidence, level) == words


def test_labels_that_are_no_names_are_words() -> None:
    say = Words("en")
    assert say.label("Stellaria media") == "Stellaria media"
    assert say.label("not_a_plant") == "not a plant"
    assert say.label("unknown") == "not sure what it is"
    assert say.label(None) == "not classified yet"


def test_an_undefined_value_is_a_dash_and_an_interval_needs_both_ends() -> None:
    say = Words("en")
    assert say.value("shannon_diversity", None) == "–"
    assert say.interval("shannon_diversity", 1.8, 2.4) == "1.80–2.40"
    assert say.interval("shannon_diversity", 1.8, None) == ""


# Frame


@pytest.mark.parametrize("path", ["/", "/calendar", "/calendar?year=2025&day=2025-05-12#day", "/a//b"])
def test_addresses_on_this_site_are_followed(path: str) -> None:
    assert local_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "calendar",
        "//evil.example",
        "/\\evil.example",
        "\\/evil.example",
        "https://evil.example",
        "javascript:alert(1)",
        "/calendar\r\nSet-Cookie: x=1",
        "/a\tb",
        "/ //evil.example",
        "/a\\b",
        "/" + "a" * 3000,
    ],
)
def test_no_other_address_is(path: str | None) -> None:
    assert local_path(path) == "/"


def test_the_navigation_leads_to_pages_of_the_route_table() -> None:
    import functions

    pages = {path for function in functions.FUNCTIONS if function.page for path in function.paths}
    leads = [path for path, _ in (*NAVIGATION, *MORE)]
    assert set(leads) <= pages
    assert len(leads) == len(set(leads))


def test_a_template_without_its_data_fails_instead_of_leaving_a_gap() -> None:
    with pytest.raises(UndefinedError):
        render("problems.html", language="en", page=_Page())


def test_what_people_type_is_escaped() -> None:
    told = Told("<b>.jpg", "rejected", "Not taken", problem="<script>alert(1)</script>")
    html = render(
        "upload_result.html",
        language="en",
        page=_Page(),
        told=[told],
        taken=0,
        days=[],
        guest=False,
        unsure=False,
        session_id=1,
        several_sessions=False,
    )
    assert "&lt;b&gt;.jpg" in html
    assert "&lt;script&gt;alert(1)" in html
    assert "<script>" not in html


def test_no_template_holds_what_the_content_policy_forbids() -> None:
    for template in (ROOT / "lib" / "web" / "templates").glob("*.html"):
        text = template.read_text("utf-8")
        assert not re.search(r"\sstyle=|<style|\son\w+=|javascript:", text), template.name
        assert all("src=" in tag for tag in re.findall(r"<script[^>]*>", text)), template.name
        assert not re.search(r"""(?:src|href|action)=["']?(?:https?:)?//""", text), template.name
        assert "|safe" not in text.replace(" ", ""), template.name


def test_the_style_asks_no_other_host() -> None:
    style = (static_files.FOLDER / "style.css").read_text("utf-8")
    assert "url(" not in style
    assert "@import" not in style
    assert "prefers-color-scheme: dark" in style


class _Page:
    """The least that the frame of a page asks for."""

    language, version, path, notice = "en", "0", "/upload", ""
    sample = by_cookie = can_sign_in = False
    navigation: tuple[()] = ()
    more: tuple[()] = ()
    switches: tuple[()] = ()


# Files


def test_the_list_of_static_files_is_the_folder() -> None:
    assert {path.name for path in static_files.FOLDER.iterdir()} == set(static_files.MEDIA_TYPES)


@pytest.mark.parametrize("name", static_files.MEDIA_TYPES)
def test_the_address_of_a_file_is_its_content(name: str) -> None:
    found = static_files.load(name)
    assert gzip.decompress(found.compressed) == found.data
    digest = hashlib.sha256(found.data).hexdigest()
    assert static_files.address(name) == f"/static/{name}?v={digest[:12]}"


# Problems


def _kinds_raised() -> set[str]:
    """Every problem kind that the code can answer, read from its source."""
    kinds = set()
    for path in [*(ROOT / "lib").rglob("*.py"), *(ROOT / "functions").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            # A page answers its form again with the status alone, and says the rest in its own words.
            if isinstance(node, ast.Call) and not (path.stem.endswith("_page") and _is_bare(node)):
                kinds |= _kinds_of_call(node)
    return kinds


def _is_bare(call: ast.Call) -> bool:
    return len(call.args) == 1 and not call.keywords


def _kinds_of_call(call: ast.Call) -> set[str]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = [keyword.value for keyword in call.keywords if keyword.arg == "kind"]
    values = [each.value for each in call.args if isinstance(each, ast.Constant)]
    if name == "refusal":
        return {value for value in values if isinstance(value, str) and value.startswith("photo-")}
    if name not in ("Problem", "unavailable", "__init__"):
        return set()
    if not named:
        return (
            {_of_status(values[0])} if name == "Problem" and values and isinstance(values[0], int) else set()
        )
    return {
        node.value
        for value in named
        for node in ast.walk(value)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def _of_status(status: int) -> str:
    return HTTPStatus(status).phrase.lower().replace(" ", "-")


def test_every_kind_of_problem_is_explained() -> None:
    raised = _kinds_raised()
    assert {"photo-damaged", "stale-form", "rate-limited", "not-found"} <= raised  # the reading works
    assert raised - set(PROBLEM_KINDS) == set()
    assert {of_http(status).kind for status in (400, 404, 405, 408, 413, 415, 416)} <= set(PROBLEM_KINDS)


def test_a_refusal_is_said_in_the_language_of_the_page() -> None:
    problem = Problem(413, detail="“a.jpg” was not taken: it has 12.0 MB.", kind="photo-too-large")
    assert refusal(problem, Words("en")) == problem.detail
    assert refusal(problem, Words("ja")) == "10 MBを超えています。小さくして送ってください。"
    unknown = Problem(418, "Teapot", kind="teapot")
    assert refusal(unknown, Words("ja")) == "Teapot"


def test_why_a_photo_waits_is_said_in_the_language_of_the_page() -> None:
    waits = Problem(503, detail="It waits.", kind="not-yet-classified", cause="model-unavailable")
    assert refusal(waits, Words("en")) == "It waits."
    first, second = (
        Words("ja").gettext(PROBLEM_KINDS[kind].meaning) for kind in (waits.kind, "model-unavailable")
    )
    assert refusal(waits, Words("ja")) == f"{first} {second}"
    assert first != PROBLEM_KINDS[waits.kind].meaning
    assert refusal(Problem(503, kind="not-yet-classified", cause="else"), Words("ja")) == first


def test_the_scripts_of_the_upload_are_given_every_word_they_ask_for() -> None:
    scripts = "".join(
        (static_files.FOLDER / f"{name}.js").read_text("utf-8") for name in ("upload", "sending", "receipt")
    )
    asked = set(re.findall(r"\bwords\.(\w+)", scripts))
    for language in LANGUAGES:
        words = script_words(Words(language))
        assert asked <= set(words)
        # Those that are chosen by name stand in the scripts by name.
        assert [name for name in set(words) - asked if f'"{name}"' not in scripts] == []
        assert set(words["refusals"]) == (set() if language == "en" else set(OF_UPLOADS))


# The API, to read


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/components/schemas/Cell"}, ("Cell", "Cell")),
        ({"type": "array", "items": {"$ref": "#/components/schemas/Cell"}}, ("array of Cell", "Cell")),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, ("object of integer", None)),
        ({"anyOf": [{"type": "string", "format": "date"}, {"type": "null"}]}, ("string (date) | null", None)),
        ({"enum": ["a", None]}, ("a | null", None)),
        ({"type": ["string", "null"]}, ("string | null", None)),
        ({}, ("any", None)),
    ],
)
def test_types_read_as_words(schema: dict[str, object], expected: tuple[str, str | None]) -> None:
    assert type_of(schema) == expected
