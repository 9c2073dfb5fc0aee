"""A model in words: every kind, level and note has them, and no number promises more than its plants can tell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lib import answers, performance
from lib.answers import (
    Calibration,
    Confusion,
    Recall,
    RuleLevel,
    Share,
    calibration_of,
    figures_of,
    risk_coverage_of,
    share,
)
from lib.config import STARTER_MODEL
from lib.model_facts import TOPS, Mistake, ModelFacts, Recalled, known_model
from lib.performance import Latency, ModelReport, Note
from lib.web import model_words
from lib.web.words import Words
from scripts.conversion.quantise import VARIANTS

EN, JA = Words("en"), Words("ja")


def calibration(confidence: float, right: int, plants: int) -> Calibration:
    """Answers of one confidence, so many of which are right."""
    return calibration_of(np.full(plants, confidence), np.arange(plants) < right)


def test_whatever_can_be_found_has_words() -> None:
    assert set(model_words.NOTES) == set(performance.NOTES)
    assert set(model_words.LEVELS) == {*answers.LEVELS, answers.UNKNOWN}
    assert set(model_words.TOPS) == set(TOPS)


def test_every_note_is_said_in_both_languages() -> None:
    notes = [Note(kind, text) for kind, text in performance.NOTES.items()]
    english, japanese = (model_words.notes_words(notes, say) for say in (EN, JA))
    assert len(set(english)) == len(notes)
    assert not set(english) & set(japanese)
    assert "There are fewer than 100 plants: read the intervals rather than the values." in english


@pytest.mark.parametrize("variant", VARIANTS.values(), ids=VARIANTS)
def test_every_way_to_keep_numbers_has_words(variant: object) -> None:
    text = variant.text  # type: ignore[attr-defined]
    bits = 4 if "4-bit" in text else 32 if "float32" in text else 8
    assert model_words.precision_words(text, EN).startswith(f"{bits} bits for each number")
    # What was learned later stands behind, and is none of the whole.
    assert model_words.precision_words(f"{text}; a float32 layer for 3 species", EN).startswith(f"{bits} ")


def test_numbers_kept_in_another_way_are_not_explained() -> None:
    assert model_words.precision_words("posit16 (of its own)", EN) == ""
    assert model_words.precision_words("float16", EN).startswith("16 bits")


@pytest.mark.parametrize(
    "text", ["https://creativecommons.org/licenses/by/4.0/", "http://example.org:8080/a?b=c#d"]
)
def test_an_address_of_the_web_is_one(text: str) -> None:
    assert model_words.web_address(text) == text


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "CC-BY-SA-4.0",
        "javascript:alert(1)",
        "data:text/html,x",
        "ftp://example.org",
        "//example.org",
        "https://",
        "https:///path",
        "https://user@example.org/",
        "https://example.org\\@evil.example",
        "https://[example.org",
        "https://example.org/ and more",
        "https://example.org/\u202egpj",
        'https://example.org/"onclick="x',
        " https://example.org",
        "https://example.org/\n",
    ],
)
def test_anything_else_is_none(text: str | None) -> None:
    assert model_words.web_address(text) == ""


def test_a_model_without_a_version_says_so() -> None:
    model = ModelReport("seedlings", None, 1, 1, 1, 0, 0, True, Latency(0, None, None), figures_of([]))
    assert model_words.shown_name(model, EN) == "seedlings (version not on record)"
    assert model_words.shown_name(replace(model, model_version="1.2"), EN) == "seedlings 1.2"


def test_shares_stand_with_their_intervals_and_nothing_is_no_share() -> None:
    assert model_words.measured(share(np.array([True] * 9 + [False])), EN) == ("90%", "60%–98%")
    assert model_words.measured(share(np.array([], bool)), EN) == ("–", "")
    assert model_words.measured(Share(0.9703, 0.9535, 0.9811, 606), EN) == ("97.0%", "95.3%–98.1%")
    assert model_words.tested(Recalled(0.5, 0.2, 0.8, 6), EN) == ("50%", "20%–80%")
    assert model_words.tested(Recalled(0.5, None, 0.8, 6), EN) == ("50%", "")
    assert model_words.counted(9, 10, EN) == ("90%", "60%–98%")
    assert model_words.counted(0, 0, EN) == ("–", "")


def test_the_rule_tells_how_many_were_right_but_for_those_it_did_not_name() -> None:
    rule = [RuleLevel("species", 10, 9), RuleLevel("genus", 0, 0), RuleLevel("unknown", 3, None)]
    assert model_words.rule_rows(rule, EN) == [
        ("a species", "10", "9", "90%", "60%–98%"),
        ("the genus only", "0", "–", "–", ""),
        ("nothing: it was not sure", "3", "–", "–", ""),
    ]


@pytest.mark.parametrize(
    ("confidence", "right", "verdict"),
    [
        (
            0.95,
            50,
            "It is surer than it should be: on average 95% sure, and right for 50% of 100 plants (40%–60%).",
        ),
        (
            0.25,
            50,
            "It is more careful than it need be: on average 25% sure, and right for 50% of 100 plants (40%–60%).",
        ),
        (
            0.55,
            50,
            "How sure it is fits how often it is right, as far as 100 plants can tell: on average 55% sure, and "
            "right for 50% (40%–60%).",
        ),
    ],
)
def test_confidence_is_judged_by_the_interval_of_what_was_right(
    confidence: float, right: int, verdict: str
) -> None:
    found = calibration(confidence, right, 100)
    assert model_words.calibration_words(found, EN)[0] == verdict
    assert model_words.calibration_words(found, JA)[0] != verdict


def test_all_right_and_all_sure_fits() -> None:
    assert model_words.calibration_words(calibration(1.0, 8, 8), EN)[0].startswith("How sure it is fits")


def test_where_most_answers_are_is_told_in_particular() -> None:
    confidences = np.array([0.85] * 5 + [0.15] * 2)
    found = calibration_of(confidences, np.array([True, True, True, True, False, True, False]))
    said = "Where it says 80% to 90%, it is right for 80% of 5 plants (38%–96%)."
    assert model_words.calibration_words(found, EN)[1] == said


def test_without_answers_nothing_is_said_of_them() -> None:
    assert model_words.calibration_words(calibration_of(np.array([]), np.array([], bool)), EN) == []
    assert model_words.risk_words(risk_coverage_of(np.array([]), np.array([], bool)), EN) == ""


def test_how_much_can_be_left_to_it_is_told_with_the_confidence_it_takes() -> None:
    curve = risk_coverage_of(np.array([0.9, 0.8, 0.714, 0.3]), np.array([True, True, True, False]))
    assert model_words.risk_words(curve, EN) == (
        "If at most 5% may be wrong, 75% of these plants can be left to it: those of which it is 71.4% sure "
        "or more."
    )
    wrong = risk_coverage_of(np.array([0.9, 0.8]), np.array([False, False]))
    assert model_words.risk_words(wrong, EN) == (
        "If at most 5% may be wrong, none of these plants can be left to it."
    )
    assert model_words.threshold_words(wrong.at_risk[0], EN) == "–"


def test_rows_name_the_worst_and_the_most_frequent_first() -> None:
    recall = [Recall("A a", 1.0, 0.7, 1.0, 9)]
    assert model_words.recall_rows(recall, EN) == [("A a", 9, "100%", "70%–100%")]
    assert model_words.mistake_rows([Confusion("A a", "B b", 3)]) == [("A a", "B b", 3)]
    recalled = {"A a": Recalled(1.0, 0.7, 1.0, 9), "B b": Recalled(0.5, 0.1, 0.9, 4)}
    assert model_words.tested_rows(recalled, EN) == [
        ("B b", 4, "50%", "10%–90%"),
        ("A a", 9, "100%", "70%–100%"),
    ]
    mistakes = [Mistake("A a", "B b", 1), Mistake("B b", "A a", 7)]
    assert model_words.tested_mistakes(mistakes) == [("B b", "A a", 7), ("A a", "B b", 1)]
    many = [Mistake(f"A a{number}", "B b", 1) for number in range(200)]
    assert len(model_words.tested_mistakes(many)) == model_words.MISTAKES_SHOWN


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "–"), (0.0484, "48 ms"), (0.9994, "999 ms"), (1.0, "1.0 s"), (12.34, "12.3 s")],
)
def test_durations_are_written_as_people_know_them(seconds: float | None, words: str) -> None:
    assert model_words.seconds_words(seconds, EN) == words


def test_memory_is_told_in_megabytes() -> None:
    assert model_words.megabytes(131_400_000, EN) == "131 MB"


def test_the_makers_error_is_that_of_what_photos_are_shown_with() -> None:
    assert model_words.makers_error(known_model(STARTER_MODEL).facts) == pytest.approx(0.0848, abs=1e-4)
    assert model_words.makers_error(ModelFacts(measured={"calibration_error.after": 0.02})) == 0.02
    assert model_words.makers_error(ModelFacts(measured={"calibration_error": 0.03})) == 0.03
    assert model_words.makers_error(ModelFacts()) is None


@pytest.mark.parametrize("value", ["small", True, 2, -0.1])
def test_an_error_that_is_none_is_not_told(value: str | bool | float) -> None:
    assert model_words.makers_error(ModelFacts(measured={"calibration_error": value})) is None


@pytest.mark.parametrize(
    ("parity", "agreement"),
    [
        (None, None),
        ({"shipped.top1": 0.99, "shipped.photos": 240}, (0.99, 240)),
        ({"shipped.top1": "all", "shipped.photos": 240}, None),
        ({"shipped.top1": 0.99, "shipped.photos": "many"}, None),
        ({"shipped.top1": 0.99, "shipped.photos": 0}, None),
    ],
)
def test_agreement_with_the_source_is_a_share_of_pictures(
    parity: dict[str, object] | None, agreement: tuple[float, int] | None
) -> None:
    assert model_words.agreement(ModelFacts(parity=parity)) == agreement  # type: ignore[arg-type]
